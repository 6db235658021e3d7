#include "server/cli/cmd_rollout_explain_view.h"

#include "common/base/num.h"
#include "common/policy/gate_rule.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rollout_view.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 160, TEXT_BYTES = 600 };

static bool state_is(const struct json *object, const char *state)
{
    char word[WORD_BYTES];
    return strcmp(cli_view_str(object, "state", word, sizeof(word)), state) == 0;
}

/* The ring on which everything else waits: the first that is neither through nor untouched. */
static const struct json *busy_ring(const struct json *explain)
{
    const struct json *rings = json_find(explain, "rings");
    for (const struct json *r = rings == NULL ? NULL : json_first(rings); r != NULL;
         r = json_next(r)) {
        if (!state_is(r, "passed") && !state_is(r, "complete")) { return r; }
    }
    return NULL;
}

/* The ring at the front does not wait for another one: only for its time, or for its pointer to be signed. */
static void say_pending(const struct json *ring, struct rw_wall now, char *dst, size_t cap)
{
    char name[WORD_BYTES];
    char from[WORD_BYTES];
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, now);
    (void)cli_view_str(ring, "ring", name, sizeof(name));
    (void)cli_view_str(ring, "not_before", from, sizeof(from));
    const char *what = ", at the earliest at ";
    if (from[0] == '\0') { what = ", which its signed bake does not allow yet"; }
    /* Both are RFC 3339 in UTC: the order of the texts is that of the times. */
    if (from[0] != '\0' && strcmp(from, text) <= 0) { what = "; its time came at "; }
    (void)snprintf(dst, cap, "It waits to open ring %s%s%s.", name, what, from);
}

void cmd_rollout_explain_sentence(const struct json *rollout, const struct json *explain,
                                  struct rw_wall now, char *dst, size_t cap)
{
    char ring[WORD_BYTES];
    char state[WORD_BYTES];
    char why[TEXT_BYTES];
    const struct json *busy = busy_ring(explain);
    cmd_rollout_view_why(rollout, why, sizeof(why));
    if (json_find(rollout, "halt") != NULL && strncmp(why, "halted", 6) == 0) {
        (void)snprintf(dst, cap, "It was %s.", why);
        return;
    }
    if (state_is(rollout, "complete")) {
        (void)snprintf(
            dst, cap, "It is complete: every ring passed its gate. The detector still watches it.");
        return;
    }
    if (busy == NULL) {
        (void)snprintf(dst, cap, "The server tells of no ring that it waits for.");
        return;
    }
    (void)cli_view_str(busy, "ring", ring, sizeof(ring));
    (void)cli_view_str(busy, "state", state, sizeof(state));
    if (state_is(rollout, "held")) {
        (void)snprintf(dst, cap, "It is held in ring %s: %s.", ring, why);
        return;
    }
    if (strcmp(state, "pending") == 0) {
        say_pending(busy, now, dst, cap);
        return;
    }
    (void)cli_view_str(busy, "gate_reason", why, sizeof(why));
    (void)snprintf(dst, cap,
                   "It is %s in ring %s; the next ring opens when the gate says PASS: %s.", state,
                   ring, why[0] != '\0' ? why : "the ring is not open yet");
}

static RW_RC add_counts(struct cli_table *t, const struct json *r, struct rw_err *err)
{
    static const char *const counts[] = {"exposed", "survived", "healthy",    "failed",
                                         "refused", "dark",     "late_crash", "storm",
                                         "slow",    "mute",     "still_on"};
    const struct json *c = json_find(r, "counts");
    for (size_t i = 0; i < RW_LEN(counts); i++) {
        RW_TRY(cli_table_addf(t, err, "%lld",
                              (long long)(c == NULL ? 0 : cli_view_int(c, counts[i], 0))));
    }
    return RW_OK;
}

static RW_RC print_rings(const struct json *rings, struct rw_err *err)
{
    static const char *const header[] = {"RING",     "STATE",  "MEMBERS", "EXPOSED",  "SURVIVED",
                                         "HEALTHY",  "FAILED", "REFUSED", "DARK",     "LATE CRASH",
                                         "STORM",    "SLOW",   "MUTE",    "STILL ON", "LOG E",
                                         "HALTS AT", "GATE"};
    char word[WORD_BYTES];
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *r = json_first(rings); r != NULL; r = json_next(r)) {
        const struct json *c = json_find(r, "counts");
        RW_TRY(cli_table_add(&t, cli_view_str(r, "ring", word, sizeof(word)), err));
        RW_TRY(cli_table_add(&t, cli_view_str(r, "state", word, sizeof(word)), err));
        RW_TRY(cli_table_addf(&t, err, "%lld",
                              (long long)(c == NULL ? 0 : cli_view_int(c, "members", 0))));
        RW_TRY(add_counts(&t, r, err));
        RW_TRY(cli_table_add(&t, cli_view_or_dash(r, "log_e", word, sizeof(word)), err));
        RW_TRY(cli_table_add(&t, cli_view_or_dash(r, "threshold", word, sizeof(word)), err));
        RW_TRY(cli_table_add(&t, cli_view_or_dash(r, "gate", word, sizeof(word)), err));
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

/* What the term is held against: a share, a hazard of history, a ratio to control. */
static const char *norm_of(const struct json *term, char *dst, size_t cap)
{
    static const struct {
        const char *name;
        const char *before;
    } norms[] = {{"p0", "p0 "}, {"hazard", "hazard "}, {"ratio", "ratio "}};
    char value[WORD_BYTES];
    for (size_t i = 0; i < RW_LEN(norms); i++) {
        if (json_find(term, norms[i].name) == NULL) { continue; }
        (void)snprintf(dst, cap, "%s%s", norms[i].before,
                       cli_view_str(term, norms[i].name, value, sizeof(value)));
        return dst;
    }
    (void)snprintf(dst, cap, "-");
    return dst;
}

static RW_RC add_control(struct cli_table *t, const struct json *term, struct rw_err *err)
{
    char borrowed[WORD_BYTES] = "";
    if (json_find(term, "control") == NULL) { return cli_table_add(t, "-", err); }
    if (json_find(term, "borrowed") != NULL) {
        (void)snprintf(borrowed, sizeof(borrowed), ", borrowed %lld of %lld",
                       (long long)cli_view_int(term, "borrowed_failures", 0),
                       (long long)cli_view_int(term, "borrowed", 0));
    }
    return cli_table_addf(t, err, "%lld of %lld%s",
                          (long long)cli_view_int(term, "control_failures", 0),
                          (long long)cli_view_int(term, "control", 0), borrowed);
}

/* One scope: a whole ring, or a cohort of it. */
static RW_RC add_terms(struct cli_table *t, const struct json *scope, const char *name,
                       struct rw_err *err)
{
    char word[WORD_BYTES];
    const struct json *terms = json_find(scope, "terms");
    for (const struct json *term = terms == NULL ? NULL : json_first(terms); term != NULL;
         term = json_next(term)) {
        RW_TRY(cli_table_add(t, name, err));
        RW_TRY(cli_table_add(t, cli_view_str(term, "term", word, sizeof(word)), err));
        RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(term, "failures", 0)));
        RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(term, "exposures", 0)));
        RW_TRY(add_control(t, term, err));
        RW_TRY(cli_table_add(t, norm_of(term, word, sizeof(word)), err));
        RW_TRY(cli_table_add(t, cli_view_or_dash(term, "log_e", word, sizeof(word)), err));
        RW_TRY(cli_table_add(t, cli_view_or_dash(term, "weight", word, sizeof(word)), err));
        RW_TRY(cli_table_add(t, cli_view_or_dash(scope, "weight", word, sizeof(word)), err));
    }
    return RW_OK;
}

/* The second law: endpoints that are alive some time after their permit. */
static void print_alive(const struct json *alive)
{
    char k[WORD_BYTES];
    char after[32];
    if (alive == NULL || json_type(alive) != JSON_OBJECT) { return; }
    printf("    and %lld + (1 + %s) x %lld alive after %s = %lld allowed\n",
           (long long)cli_view_int(alive, "start", 0),
           cli_view_or_dash(alive, "per_survivor", k, sizeof(k)),
           (long long)cli_view_int(alive, "survived", 0),
           cli_view_duration(cli_view_int(alive, "after_s", 0), after, sizeof(after)),
           (long long)cli_view_int(alive, "allowed", 0));
}

static void print_window(const struct json *scope, const char *name)
{
    char k[WORD_BYTES];
    const struct json *w = json_find(scope, "window");
    if (w == NULL || json_type(w) != JSON_OBJECT) { return; }
    printf("  window of %s: %lld + (1 + %s) x %lld survived = %lld allowed, %lld exposed, room for "
           "%lld\n",
           name, (long long)cli_view_int(w, "start", 0),
           cli_view_or_dash(w, "per_survivor", k, sizeof(k)),
           (long long)cli_view_int(w, "survived", 0), (long long)cli_view_int(w, "allowed", 0),
           (long long)cli_view_int(w, "exposed", 0), (long long)cli_view_int(w, "room", 0));
    print_alive(json_find(w, "alive"));
    printf("    beside others one tenant begins with %lld\n",
           (long long)cli_view_int(w, "tenant_own", 0));
}

static void print_unproven(const struct json *ring)
{
    char tenant[WORD_BYTES];
    const struct json *most = json_find(ring, "unproven_most");
    if (most == NULL || json_type(most) != JSON_OBJECT) { return; }
    printf("  most unproven places: %lld of tenant %s\n",
           (long long)cli_view_int(most, "endpoints", 0),
           cli_view_or_dash(most, "tenant", tenant, sizeof(tenant)));
}

static void print_gate(const struct json *ring)
{
    char gate[WORD_BYTES];
    char limit[WORD_BYTES];
    char reason[TEXT_BYTES];
    char bake[32];
    int64_t limit_bp = 0;
    struct rw_err unused;
    int64_t bake_left_s = cli_view_int(ring, "bake_left_s", 0);
    (void)cli_view_str(ring, "limit", limit, sizeof(limit));
    printf("  gate %s: %s\n", cli_view_or_dash(ring, "gate", gate, sizeof(gate)),
           cli_view_or_dash(ring, "gate_reason", reason, sizeof(reason)));
    printf("  it needs: failure share surely at or below %s, %lld healthy endpoints", limit,
           (long long)cli_view_int(ring, "min_healthy", 0));
    if (rw_is_ok(rw_parse_share_bp(rw_span_str(limit), "limit", &limit_bp, &unused))) {
        printf(" (%lld without any failure would do)",
               (long long)gate_rule_needed(0, (double)limit_bp / 10000.0, GATE_RULE_ALPHA));
    }
    printf(", bake left %s\n", cli_view_duration(bake_left_s, bake, sizeof(bake)));
}

static void print_culprit(const struct json *ring)
{
    char term[WORD_BYTES];
    char cohort[WORD_BYTES];
    const struct json *culprit = json_find(ring, "culprit");
    if (culprit == NULL || json_type(culprit) != JSON_OBJECT) { return; }
    (void)cli_view_cohort(json_find(culprit, "cohort"), cohort, sizeof(cohort));
    printf("  largest share of the evidence: %s%s%s",
           cli_view_str(culprit, "term", term, sizeof(term)), cohort[0] != '\0' ? " in " : "",
           cohort);
    if (json_find(culprit, "scope") != NULL) {
        char log_e[WORD_BYTES];
        char limit[WORD_BYTES];
        char scope[TEXT_BYTES];
        printf(" (%s: %lld of %lld, log E %s, halts at %s)",
               cli_view_str(culprit, "scope", scope, sizeof(scope)),
               (long long)cli_view_int(culprit, "failures", 0),
               (long long)cli_view_int(culprit, "exposures", 0),
               cli_view_or_dash(culprit, "log_e", log_e, sizeof(log_e)),
               cli_view_or_dash(culprit, "threshold", limit, sizeof(limit)));
    }
    printf("\n");
}

/* Who is stopped when the threshold is crossed, and whose failures they are (INV-11). */
static void print_verdict(const struct json *ring)
{
    char word[WORD_BYTES];
    char tenant[WORD_BYTES];
    const struct json *votes = json_find(ring, "votes");
    (void)cli_view_str(ring, "verdict", word, sizeof(word));
    if (word[0] != '\0' && strcmp(word, "none") != 0) {
        printf("  verdict: stops the %s\n",
               strcmp(word, "hold") == 0 ? "ring until a person looks" : word);
    }
    if (votes == NULL || json_type(votes) != JSON_OBJECT) { return; }
    (void)cli_view_str(votes, "tenant", tenant, sizeof(tenant));
    if (tenant[0] != '\0') {
        printf("  failures: %lld of tenant %s, %lld of all others (more than %lld of one tenant "
               "count for all)\n",
               (long long)cli_view_int(votes, "of_tenant", 0), tenant,
               (long long)cli_view_int(votes, "of_others", 0),
               (long long)cli_view_int(votes, "tenant_max", 0));
    }
    if (cli_view_int(votes, "muted", 0) > 0) {
        printf("  listed, not counted: %lld failures of muted endpoints\n",
               (long long)cli_view_int(votes, "muted", 0));
    }
}

void cmd_rollout_explain_incident(const struct json *scope, const char *name, char *dst, size_t cap)
{
    const struct json *terms = json_find(scope, "terms");
    dst[0] = '\0';
    for (const struct json *t = terms == NULL ? NULL : json_first(terms); t != NULL;
         t = json_next(t)) {
        if (json_find(t, "borrowed") != NULL) {
            (void)snprintf(dst, cap,
                           "borrowed control: with too little of its own, while control of all "
                           "rings was silent, %s was\n    compared with these: %lld of %lld "
                           "windows dark",
                           name, (long long)cli_view_int(t, "borrowed_failures", 0),
                           (long long)cli_view_int(t, "borrowed", 0));
        }
        if (json_find(t, "unjudged") != NULL) {
            (void)snprintf(dst, cap,
                           "not judged: %lld windows of %s, %lld of them dark: control around it "
                           "was silent too, and it\n    had too little of its own",
                           (long long)cli_view_int(t, "unjudged", 0), name,
                           (long long)cli_view_int(t, "unjudged_failures", 0));
        }
    }
}

static void print_incident(const struct json *scope, const char *name)
{
    char text[TEXT_BYTES];
    cmd_rollout_explain_incident(scope, name, text, sizeof(text));
    if (text[0] != '\0') { printf("  %s\n", text); }
}

static RW_RC print_ring(const struct json *ring, struct rw_err *err)
{
    static const char *const header[] = {"SCOPE",   "TERM",  "FAILURES", "OF",          "CONTROL",
                                         "AGAINST", "LOG E", "WEIGHT",   "SCOPE WEIGHT"};
    char name[WORD_BYTES];
    char cohort[WORD_BYTES];
    const struct json *cohorts = json_find(ring, "cohorts");
    printf("\nring %s\n", cli_view_str(ring, "ring", name, sizeof(name)));
    print_gate(ring);
    print_culprit(ring);
    print_verdict(ring);
    print_incident(ring, "the ring");
    print_window(ring, "the ring");
    print_unproven(ring);
    for (const struct json *c = cohorts == NULL ? NULL : json_first(cohorts); c != NULL;
         c = json_next(c)) {
        (void)cli_view_cohort(json_find(c, "cohort"), cohort, sizeof(cohort));
        print_incident(c, cohort);
        print_window(c, cohort);
    }
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    RW_TRY(add_terms(&t, ring, "whole ring", err));
    for (const struct json *c = cohorts == NULL ? NULL : json_first(cohorts); c != NULL;
         c = json_next(c)) {
        RW_TRY(
            add_terms(&t, c, cli_view_cohort(json_find(c, "cohort"), cohort, sizeof(cohort)), err));
    }
    (void)cli_table_print(&t);
    return RW_OK;
}

/* Cohorts and tenants that get no permits any more: what that rested on, also when evidence has begun anew since. */
static RW_RC print_stopped(const struct json *explain, struct rw_err *err)
{
    static const char *const header[] = {"STOPPED", "AT",    "TERM", "FAILURES",
                                         "OF",      "LOG E", "LIMIT"};
    char text[TEXT_BYTES];
    const struct json *stopped = json_find(explain, "stopped");
    const struct json *first = stopped == NULL ? NULL : json_first(stopped);
    if (first == NULL) { return RW_OK; }
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *s = first; s != NULL; s = json_next(s)) {
        RW_TRY(cli_table_add(&t, cli_view_str(s, "scope", text, sizeof(text)), err));
        RW_TRY(cli_table_add(&t, cli_view_str(s, "at", text, sizeof(text)), err));
        RW_TRY(cli_table_add(&t, cli_view_or_dash(s, "term", text, sizeof(text)), err));
        RW_TRY(cli_table_addf(&t, err, "%lld", (long long)cli_view_int(s, "failures", 0)));
        RW_TRY(cli_table_addf(&t, err, "%lld", (long long)cli_view_int(s, "exposures", 0)));
        RW_TRY(cli_table_add(&t, cli_view_or_dash(s, "log_e", text, sizeof(text)), err));
        RW_TRY(cli_table_add(&t, cli_view_or_dash(s, "threshold", text, sizeof(text)), err));
    }
    printf("\n");
    (void)cli_table_print(&t);
    return RW_OK;
}

static bool was_touched(const struct json *ring)
{
    const struct json *c = json_find(ring, "counts");
    return c != NULL && (cli_view_int(c, "exposed", 0) > 0 || cli_view_int(c, "refused", 0) > 0);
}

RW_RC cmd_rollout_explain_view(const struct json *rollout, const struct json *explain,
                               struct rw_err *err)
{
    char family[WORD_BYTES];
    char state[WORD_BYTES];
    char sentence[2 * TEXT_BYTES];
    const struct json *rings = NULL;
    RW_TRY(json_get(explain, "rings", JSON_ARRAY, &rings, err));
    (void)cli_view_str(explain, "state", state, sizeof(state));
    printf("%s/%lld  %s%s%s\n", cli_view_str(explain, "family", family, sizeof(family)),
           (long long)cli_view_int(explain, "release", 0), cli_table_colour(state), state,
           cli_table_plain());
    const struct rw_clock clock = rw_clock_system();
    cmd_rollout_explain_sentence(rollout, explain, rw_clock_wall(&clock), sentence,
                                 sizeof(sentence));
    printf("%s\n\n", sentence);
    RW_TRY(print_rings(rings, err));
    RW_TRY(print_stopped(explain, err));
    for (const struct json *r = json_first(rings); r != NULL; r = json_next(r)) {
        if (was_touched(r) || r == busy_ring(explain)) { RW_TRY(print_ring(r, err)); }
    }
    printf(
        "\nHow to read it: E measures evidence against \"an endpoint fails with probability p0 or "
        "less\", \"...\nno more often than history says\", \"... at no more than that ratio to "
        "endpoints that do not have it\".\nlog E of a scope is ln(sum of weight x E over its "
        "terms), of a ring ln(sum over the ring as a whole\nand its cohorts). A ring halts at log "
        "E >= the threshold, however often it is looked at.\n");
    return cli_view_flush(err);
}
