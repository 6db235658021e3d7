#include "server/cli/cmd_fleet_view.h"

#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

enum { WORD_BYTES = 160, TEXT_BYTES = 260, SPAN_BYTES = 32 };

/* The first element of a member that is an array; NULL: there is none. */
static const struct json *first_of(const struct json *object, const char *name)
{
    const struct json *list = json_find(object, name);
    return list != NULL && json_type(list) == JSON_ARRAY ? json_first(list) : NULL;
}

static void print_marks(const struct json *outcome)
{
    char word[WORD_BYTES];
    for (const struct json *m = first_of(outcome, "marks"); m != NULL; m = json_next(m)) {
        if (json_type(m) != JSON_STR) { continue; }
        struct rw_span s = json_str(m);
        (void)snprintf(word, sizeof(word), "%.*s", (int)(s.n < 40 ? s.n : 40), s.p);
        cli_view_clean(word);
        printf(" %s", word);
    }
    if (cli_view_str(outcome, "granted", word, sizeof(word))[0] != '\0') {
        printf("; latest permit %s", word);
    }
    printf("\n");
}

static void print_content(const struct json *c)
{
    char word[WORD_BYTES];
    char until[WORD_BYTES];
    const struct json *permit = json_find(c, "permit");
    int64_t release = cli_view_int(c, "release", 0);
    (void)cli_view_str(c, "family", word, sizeof(word));
    if (release > 0) {
        printf("%s/%lld loaded, generation %lld, SHA-256 %s\n", word, (long long)release,
               (long long)cli_view_int(c, "generation", 0),
               cli_view_or_dash(c, "sha256", until, sizeof(until)));
    } else {
        printf("%s: nothing loaded\n", word);
    }
    if (permit != NULL && json_type(permit) == JSON_OBJECT) {
        printf("  permit for release %lld, granted %s, dark after %s\n",
               (long long)cli_view_int(permit, "release", 0),
               cli_view_str(permit, "granted", word, sizeof(word)),
               cli_view_str(permit, "deadline", until, sizeof(until)));
    }
    for (const struct json *o = first_of(c, "outcomes"); o != NULL; o = json_next(o)) {
        printf("  release %lld:", (long long)cli_view_int(o, "release", 0));
        print_marks(o);
    }
}

/* "in force, 2d old, ends in 1d (2026-12-01T00:00:00Z)" */
static void print_control(const struct json *c)
{
    char text[WORD_BYTES];
    char state[WORD_BYTES];
    char ends[WORD_BYTES];
    char age[SPAN_BYTES];
    char left[SPAN_BYTES];
    (void)cli_view_str(c, "state", state, sizeof(state));
    printf("  %-8s %s: %s, %s old%s", "control", cli_view_str(c, "control", text, sizeof(text)),
           state, cli_view_duration(cli_view_int(c, "age_s", 0), age, sizeof(age)),
           cli_view_bool(c, "old") ? " (OLD)" : "");
    if (cli_view_str(c, "ends", ends, sizeof(ends))[0] == '\0') {
        printf(", without an end\n");
        return;
    }
    int64_t left_s = cli_view_int(c, "left_s", 0);
    if (left_s > 0) {
        printf(", ends in %s (%s)\n", cli_view_duration(left_s, left, sizeof(left)), ends);
    } else {
        printf(", ended %s\n", ends);
    }
}

static void print_head(const struct json *e)
{
    static const char *const members[] = {"tenant", "ring", "seen", "grade", "trust"};
    char word[WORD_BYTES];
    printf("%s\n", cli_view_str(e, "endpoint", word, sizeof(word)));
    for (size_t i = 0; i < RW_LEN(members); i++) {
        printf("  %-8s %s", members[i], cli_view_or_dash(e, members[i], word, sizeof(word)));
        int64_t ago_s = cli_view_int(e, "seen_ago_s", -1);
        bool seen = strcmp(members[i], "seen") == 0 && ago_s >= 0;
        if (seen) { printf(" (%s ago)", cli_view_duration(ago_s, word, sizeof(word))); }
        printf("\n");
    }
    printf("  %-8s %s\n", "cohort", cli_view_cohort(json_find(e, "cohort"), word, sizeof(word)));
    if (cli_view_bool(e, "no_loader")) {
        printf("  %-8s none: no dry run of the whole set there\n", "loader");
    }
    for (const struct json *c = first_of(e, "controls"); c != NULL; c = json_next(c)) {
        print_control(c);
    }
}

static void print_contents(const struct json *e)
{
    for (const struct json *c = first_of(e, "content"); c != NULL; c = json_next(c)) {
        print_content(c);
    }
}

RW_RC cmd_fleet_view_endpoint(const struct json *endpoint, struct rw_err *err)
{
    print_head(endpoint);
    print_contents(endpoint);
    return cli_view_flush(err);
}

/* --- why --- */

static void print_dark(const struct json *why)
{
    char word[WORD_BYTES];
    char since[WORD_BYTES];
    char span[SPAN_BYTES];
    for (const struct json *d = first_of(why, "dark"); d != NULL; d = json_next(d)) {
        printf("  %sDARK%s     with %s/%lld for %s, since %s%s\n", cli_table_colour("dark"),
               cli_table_plain(), cli_view_str(d, "family", word, sizeof(word)),
               (long long)cli_view_int(d, "release", 0),
               cli_view_duration(cli_view_int(d, "dark_s", 0), span, sizeof(span)),
               cli_view_str(d, "since", since, sizeof(since)),
               cli_view_bool(d, "heard_since") ? "; it talks again, and proved nothing"
                                               : "; not heard of since");
    }
    if (cli_view_bool(why, "muted")) {
        printf("  %sMUTED%s    its votes do not count: it failed with releases that were healthy "
               "elsewhere\n",
               cli_table_colour("held"), cli_table_plain());
    }
}

static void print_answer(const struct json *a)
{
    char decision[WORD_BYTES];
    char reason[TEXT_BYTES];
    char span[SPAN_BYTES];
    (void)cli_view_str(a, "decision", decision, sizeof(decision));
    printf("%s", decision);
    if (strcmp(decision, "wait") == 0) {
        printf(" %s", cli_view_duration(cli_view_int(a, "retry_after_s", 0), span, sizeof(span)));
    }
    if (cli_view_str(a, "reason", reason, sizeof(reason))[0] != '\0') { printf(": %s", reason); }
    printf("\n");
}

static void print_last(const struct json *last)
{
    char at[WORD_BYTES];
    char span[SPAN_BYTES];
    if (last == NULL || json_type(last) != JSON_OBJECT) {
        printf("    last answer: not remembered here\n");
        return;
    }
    printf("    last answer, %s ago (%s), release %lld: ",
           cli_view_duration(cli_view_int(last, "age_s", 0), span, sizeof(span)),
           cli_view_str(last, "at", at, sizeof(at)), (long long)cli_view_int(last, "release", 0));
    print_answer(last);
}

static void print_rollout(const struct json *r)
{
    char family[WORD_BYTES];
    char state[WORD_BYTES];
    printf("  %s/%lld%s, %s: ", cli_view_str(r, "family", family, sizeof(family)),
           (long long)cli_view_int(r, "release", 0), cli_view_bool(r, "drill") ? " (drill)" : "",
           cli_view_str(r, "state", state, sizeof(state)));
    if (cli_view_bool(r, "runs_it")) {
        printf("runs it\n");
    } else {
        print_answer(r);
    }
    print_last(json_find(r, "last"));
}

RW_RC cmd_fleet_view_why(const struct json *why, struct rw_err *err)
{
    print_head(why);
    print_dark(why);
    print_contents(why);
    printf("if it asked for a permit now\n");
    if (first_of(why, "rollouts") == NULL) { printf("  nothing is rolled out\n"); }
    for (const struct json *r = first_of(why, "rollouts"); r != NULL; r = json_next(r)) {
        print_rollout(r);
    }
    return cli_view_flush(err);
}

RW_RC cmd_fleet_view_judge(const struct json *why, struct rw_err *err)
{
    if (first_of(why, "dark") != NULL) {
        return rw_fail(err, RW_E_ATTENTION,
                       "the endpoint is dark: it got a permit and fell silent");
    }
    if (!cli_view_bool(why, "muted")) { return RW_OK; }
    return rw_fail(err, RW_E_ATTENTION, "the endpoint is muted: its votes do not count");
}
