#include "server/cli/cmd_rollout_view.h"

#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 48, TEXT_BYTES = 400, LINE_TEXT_BYTES = 1024 };

/* Prints one line; gives how many lines of a terminal of that width it takes. */
__attribute__((format(printf, 2, 3))) static size_t print_line(size_t columns, const char *fmt, ...)
{
    char text[LINE_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    printf("%s\n", text);
    size_t n = cli_view_length(text);
    return columns == 0 || n == 0 ? 1 : (n + columns - 1) / columns;
}

/* Columns that are empty most of the time stand in the table only when they have something to say. */
struct columns_shown {
    bool storm;
    bool slow;
    bool mute;
    bool refused;
    bool unable;
    bool reverted;
};

static struct columns_shown columns_of(const struct json *rings)
{
    struct columns_shown shown = {0};
    for (const struct json *r = json_first(rings); r != NULL; r = json_next(r)) {
        shown.storm = shown.storm || cli_view_int(r, "storm", 0) > 0;
        shown.slow = shown.slow || cli_view_int(r, "slow", 0) > 0;
        shown.mute = shown.mute || cli_view_int(r, "mute", 0) > 0;
        shown.refused = shown.refused || cli_view_int(r, "refused", 0) > 0;
        shown.unable = shown.unable || cli_view_int(r, "unable", 0) > 0;
        shown.reverted = shown.reverted || cli_view_int(r, "reverted", 0) > 0;
    }
    return shown;
}

static RW_RC add_count(struct cli_table *t, const struct json *ring, const char *name,
                       struct rw_err *err)
{
    return cli_table_addf(t, err, "%lld", (long long)cli_view_int(ring, name, 0));
}

/* "16/9900": endpoints with a permit, of all members. */
static RW_RC add_exposed(struct cli_table *t, const struct json *ring, struct rw_err *err)
{
    return cli_table_addf(t, err, "%lld/%lld", (long long)cli_view_int(ring, "exposed", 0),
                          (long long)cli_view_int(ring, "members", 0));
}

static bool word_is(const struct json *object, const char *name, const char *word)
{
    char text[WORD_BYTES];
    return strcmp(cli_view_str(object, name, text, sizeof(text)), word) == 0;
}

static RW_RC add_ring(struct cli_table *t, const struct json *ring, struct columns_shown shown,
                      struct rw_err *err)
{
    char word[WORD_BYTES];
    char bake[32] = "-";
    const struct json *window = json_find(ring, "window");
    RW_TRY(cli_table_add(t, cli_view_str(ring, "ring", word, sizeof(word)), err));
    RW_TRY(cli_table_add(t, cli_view_str(ring, "state", word, sizeof(word)), err));
    RW_TRY(add_exposed(t, ring, err));
    RW_TRY(cli_table_add(t, cli_view_or_dash(ring, "gate", word, sizeof(word)), err));
    int64_t bake_left_s = cli_view_int(ring, "bake_left_s", 0);
    bool bakes = word_is(ring, "state", "ramping") || word_is(ring, "state", "baking") ||
                 word_is(ring, "state", "held");
    if (bakes && bake_left_s > 0) { (void)cli_view_duration(bake_left_s, bake, sizeof(bake)); }
    RW_TRY(cli_table_add(t, bake, err));
    RW_TRY(add_count(t, ring, "healthy", err));
    RW_TRY(add_count(t, ring, "failed", err));
    RW_TRY(add_count(t, ring, "dark", err));
    if (shown.storm) { RW_TRY(add_count(t, ring, "storm", err)); }
    if (shown.slow) { RW_TRY(add_count(t, ring, "slow", err)); }
    if (shown.mute) { RW_TRY(add_count(t, ring, "mute", err)); }
    if (shown.refused) { RW_TRY(add_count(t, ring, "refused", err)); }
    if (shown.unable) { RW_TRY(add_count(t, ring, "unable", err)); }
    if (shown.reverted) { RW_TRY(add_count(t, ring, "reverted", err)); }
    RW_TRY(add_count(t, ring, "pending", err));
    return cli_table_addf(t, err, "%lld",
                          (long long)(window != NULL ? cli_view_int(window, "allowed", 0) : 0));
}

static RW_RC print_rings(const struct json *rings, size_t columns, size_t *lines,
                         struct rw_err *err)
{
    struct columns_shown shown = columns_of(rings);
    /* The most telling ones first: a narrow terminal cuts the rest. */
    const char *header[16] = {"RING", "STATE",   "EXPOSED", "GATE",
                              "BAKE", "HEALTHY", "FAILED",  "DARK"};
    size_t n = 8;
    if (shown.storm) { header[n++] = "STORM"; }
    if (shown.slow) { header[n++] = "SLOW"; }
    if (shown.mute) { header[n++] = "MUTE"; }
    if (shown.refused) { header[n++] = "REFUSED"; }
    if (shown.unable) { header[n++] = "UNABLE"; }
    if (shown.reverted) { header[n++] = "BACK"; }
    header[n++] = "PENDING";
    header[n++] = "ALLOWED";
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, n, err));
    t.fit = columns;
    for (const struct json *ring = json_first(rings); ring != NULL; ring = json_next(ring)) {
        RW_TRY(add_ring(&t, ring, shown, err));
    }
    *lines += cli_table_print(&t);
    return RW_OK;
}

void cmd_rollout_view_pending(const struct json *ring, bool first, struct rw_wall now, char *dst,
                              size_t cap)
{
    char from[WORD_BYTES];
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, now);
    (void)cli_view_str(ring, "not_before", from, sizeof(from));
    /* Both are RFC 3339 in UTC: the order of the texts is that of the times. */
    bool over = strcmp(from, text) <= 0;
    if (from[0] == '\0') {
        dst[0] = '\0';
    } else if (over && first) {
        (void)snprintf(dst, cap, "opens in a moment: its time came at %s", from);
    } else if (over) {
        (void)snprintf(dst, cap, "opens after the ring before it: its own time came at %s", from);
    } else {
        (void)snprintf(dst, cap, "opens at the earliest at %s", from);
    }
}

/* What a ring waits for, "" when it is quiet; a halt has been told above. */
static void ring_reason(const struct json *r, bool first, char *dst, size_t cap)
{
    char reason[TEXT_BYTES];
    const char *member = "reason";
    const char *before = "";
    dst[0] = '\0';
    if (word_is(r, "state", "ramping") || word_is(r, "state", "baking")) {
        member = "gate_reason";
        before = "gate: ";
    } else if (word_is(r, "state", "pending")) {
        const struct rw_clock clock = rw_clock_system();
        cmd_rollout_view_pending(r, first, rw_clock_wall(&clock), dst, cap);
        return;
    } else if (!word_is(r, "state", "held")) {
        return;
    }
    (void)cli_view_str(r, member, reason, sizeof(reason));
    if (reason[0] != '\0') { (void)snprintf(dst, cap, "%s%s", before, reason); }
}

static size_t print_ring_reasons(const struct json *rings, size_t columns)
{
    size_t lines = 0;
    for (const struct json *r = json_first(rings); r != NULL; r = json_next(r)) {
        char ring[WORD_BYTES];
        char reason[TEXT_BYTES + WORD_BYTES];
        bool through = word_is(r, "state", "passed") || word_is(r, "state", "complete");
        ring_reason(r, r == json_first(rings), reason, sizeof(reason));
        if (reason[0] != '\0') {
            lines +=
                print_line(columns, "%s: %s", cli_view_str(r, "ring", ring, sizeof(ring)), reason);
        }
        if (!through) { break; } /* the rings behind it wait for it */
    }
    return lines;
}

static size_t print_evidence(const struct json *rollout, size_t columns)
{
    char log_e[WORD_BYTES];
    char threshold[WORD_BYTES];
    char culprit[WORD_BYTES];
    char ring[WORD_BYTES];
    const struct json *health = json_find(rollout, "health");
    if (health == NULL || json_type(health) != JSON_OBJECT) { return 0; }
    if (cli_view_str(health, "log_e", log_e, sizeof(log_e))[0] == '\0') { return 0; }
    (void)cli_view_str(health, "culprit", culprit, sizeof(culprit));
    (void)cli_view_str(health, "ring", ring, sizeof(ring));
    return print_line(columns, "evidence of harm: log E %s, halts at %s%s%s%s%s", log_e,
                      cli_view_str(health, "threshold", threshold, sizeof(threshold)),
                      culprit[0] != '\0' ? ", mostly " : "", culprit,
                      ring[0] != '\0' ? ", ring " : "", ring);
}

/* Number 0 means that nothing was there before. */
static void previous_text(int64_t previous, char *dst, size_t cap)
{
    if (previous > 0) {
        (void)snprintf(dst, cap, "%lld", (long long)previous);
    } else {
        (void)snprintf(dst, cap, "none");
    }
}

static void append_name(char *dst, size_t cap, const char *kind, const char *name)
{
    size_t n = strlen(dst);
    (void)snprintf(dst + n, cap - n, "%s%s %s", n > 0 ? ", " : "", kind, name);
}

void cmd_rollout_view_kept_out(const struct json *rollout, char *dst, size_t cap)
{
    char name[WORD_BYTES];
    const struct json *cohorts = json_find(rollout, "cohorts_halted");
    const struct json *tenants = json_find(rollout, "tenants_held");
    dst[0] = '\0';
    for (const struct json *c = cohorts == NULL ? NULL : json_first(cohorts); c != NULL;
         c = json_next(c)) {
        append_name(dst, cap, "cohort", cli_view_cohort(c, name, sizeof(name)));
    }
    for (const struct json *t = tenants == NULL ? NULL : json_first(tenants); t != NULL;
         t = json_next(t)) {
        if (json_type(t) != JSON_STR) { continue; }
        struct rw_span s = json_str(t);
        (void)snprintf(name, sizeof(name), "%.*s", (int)(s.n < 40 ? s.n : 40), s.p);
        cli_view_clean(name);
        append_name(dst, cap, "tenant", name);
    }
}

RW_RC cmd_rollout_view_print(const struct json *rollout, size_t columns, size_t *lines_out,
                             struct rw_err *err)
{
    char family[WORD_BYTES];
    char state[WORD_BYTES];
    char started[WORD_BYTES];
    char why[TEXT_BYTES];
    char previous[WORD_BYTES];
    const struct json *rings = NULL;
    RW_TRY(json_get(rollout, "rings", JSON_ARRAY, &rings, err));
    (void)cli_view_str(rollout, "state", state, sizeof(state));
    previous_text(cli_view_int(rollout, "previous", 0), previous, sizeof(previous));
    printf("%s/%lld  %s%s%s  started %s  previous %s  generation %lld\n",
           cli_view_str(rollout, "family", family, sizeof(family)),
           (long long)cli_view_int(rollout, "release", 0), cli_table_colour(state), state,
           cli_table_plain(), cli_view_str(rollout, "started", started, sizeof(started)), previous,
           (long long)cli_view_int(rollout, "generation", 0));
    size_t lines = 1;
    if (json_find(rollout, "drill") != NULL) {
        lines += print_line(
            columns,
            "DRILL: a rehearsal; the content is harmless, failures are reported on purpose");
    }
    cmd_rollout_view_why(rollout, why, sizeof(why));
    if (why[0] != '\0') { lines += print_line(columns, "%s", why); }
    cmd_rollout_view_kept_out(rollout, why, sizeof(why));
    /* INV-12: a rollout that goes on without them must not look whole. */
    if (why[0] != '\0') { lines += print_line(columns, "gets no permits: %s", why); }
    RW_TRY(print_rings(rings, columns, &lines, err));
    lines += print_ring_reasons(rings, columns);
    lines += print_evidence(rollout, columns);
    *lines_out = lines;
    return RW_OK;
}

void cmd_rollout_view_next(const struct json *rollout)
{
    static const struct advice {
        const char *state;
        const char *command;
    } advices[] = {
        {"pending", "rollout watch"}, {"ramping", "rollout watch"},
        {"baking", "rollout watch"},  {"held", "rollout resume --reason TEXT"},
        {"halted", "explain"},        {"rolling_back", "explain"},
        {"rolled_back", "explain"},
    };
    char family[WORD_BYTES];
    for (size_t i = 0; i < RW_LEN(advices); i++) {
        if (!word_is(rollout, "state", advices[i].state)) { continue; }
        printf("next: ringward %s %s/%lld\n", advices[i].command,
               cli_view_str(rollout, "family", family, sizeof(family)),
               (long long)cli_view_int(rollout, "release", 0));
    }
}

static void append(char *dst, size_t cap, const char *before, const char *text)
{
    size_t used = strlen(dst);
    if (text[0] != '\0') { (void)snprintf(dst + used, cap - used, "%s%s", before, text); }
}

void cmd_rollout_view_why(const struct json *rollout, char *dst, size_t cap)
{
    char word[2 * WORD_BYTES];
    const struct json *halt = json_find(rollout, "halt");
    if (halt == NULL || json_type(halt) != JSON_OBJECT) {
        (void)cli_view_str(rollout, "reason", dst, cap);
        return;
    }
    (void)snprintf(dst, cap, "halted");
    append(dst, cap, " at ", cli_view_str(halt, "at", word, sizeof(word)));
    append(dst, cap, " by ", cli_view_str(halt, "by", word, sizeof(word)));
    append(dst, cap, " in ring ", cli_view_str(halt, "ring", word, sizeof(word)));
    append(dst, cap, ", cohort ", cli_view_cohort(json_find(halt, "cohort"), word, sizeof(word)));
    if (json_find(halt, "failures") != NULL) {
        size_t used = strlen(dst);
        (void)snprintf(dst + used, cap - used, ": %s: %lld of %lld",
                       cli_view_str(halt, "term", word, sizeof(word)),
                       (long long)cli_view_int(halt, "failures", 0),
                       (long long)cli_view_int(halt, "exposures", 0));
        append(dst, cap, ", log E ", cli_view_str(halt, "log_e", word, sizeof(word)));
        append(dst, cap, " >= ", cli_view_str(halt, "threshold", word, sizeof(word)));
    } else {
        char reason[TEXT_BYTES];
        append(dst, cap, ": ", cli_view_str(halt, "reason", reason, sizeof(reason)));
    }
}

/* One ring in a few words: the state, and only those counts that are not zero. */
static int line_of_ring(const struct json *r, char *dst, size_t cap)
{
    static const char *const counts[] = {"healthy", "failed", "dark",   "storm",
                                         "slow",    "mute",   "refused"};
    char ring[WORD_BYTES];
    char state[WORD_BYTES];
    int used = snprintf(dst, cap, "  %s %s %lld/%lld", cli_view_str(r, "ring", ring, sizeof(ring)),
                        cli_view_str(r, "state", state, sizeof(state)),
                        (long long)cli_view_int(r, "exposed", 0),
                        (long long)cli_view_int(r, "members", 0));
    for (size_t i = 0; i < RW_LEN(counts) && used > 0 && (size_t)used < cap; i++) {
        int64_t n = cli_view_int(r, counts[i], 0);
        if (n == 0) { continue; }
        used += snprintf(dst + used, cap - (size_t)used, " %s=%lld", counts[i], (long long)n);
    }
    return used;
}

void cmd_rollout_view_line(const struct json *rollout, char *dst, size_t cap)
{
    char state[WORD_BYTES];
    char why[TEXT_BYTES];
    int used = snprintf(dst, cap, "%s", cli_view_str(rollout, "state", state, sizeof(state)));
    const struct json *rings = json_find(rollout, "rings");
    if (rings == NULL || used < 0) { return; }
    for (const struct json *r = json_first(rings); r != NULL && (size_t)used < cap;
         r = json_next(r)) {
        /* A ring that nobody touched yet, and one that is done, say nothing new. */
        bool quiet = word_is(r, "state", "pending") || word_is(r, "state", "passed") ||
                     (word_is(r, "state", "rolled_back") && cli_view_int(r, "exposed", 0) == 0 &&
                      cli_view_int(r, "refused", 0) == 0);
        if (quiet) { continue; }
        int more = line_of_ring(r, dst + used, cap - (size_t)used);
        if (more < 0) { return; }
        used += more;
    }
    cmd_rollout_view_why(rollout, why, sizeof(why));
    if (!word_is(rollout, "state", "ramping")) { append(dst, cap, "  why: ", why); }
    cmd_rollout_view_kept_out(rollout, why, sizeof(why));
    append(dst, cap, "  gets no permits: ", why); /* INV-12 */
}

bool cmd_rollout_view_ended(const struct json *rollout)
{
    return word_is(rollout, "state", "complete") || word_is(rollout, "state", "rolled_back");
}

RW_RC cmd_rollout_view_outcome(const struct json *rollout, struct rw_err *err)
{
    char why[TEXT_BYTES];
    cmd_rollout_view_why(rollout, why, sizeof(why));
    if (word_is(rollout, "state", "rolled_back")) {
        return rw_fail(err, RW_E_ROLLED_BACK, "rolled back: %s", why);
    }
    if (word_is(rollout, "state", "halted") || word_is(rollout, "state", "rolling_back")) {
        return rw_fail(err, RW_E_HALTED, "%s", why);
    }
    if (word_is(rollout, "state", "held")) { return rw_fail(err, RW_E_PAUSED, "held: %s", why); }
    return RW_OK;
}
