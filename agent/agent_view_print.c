/* The agent's status as text for people: from its JSON, since another process prints it. */
#include "agent/agent_view.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400 };

static const char *text_of(const struct json *o, const char *name, char dst[static 512])
{
    struct rw_err unused;
    dst[0] = '\0';
    if (o == NULL || !rw_is_ok(json_get_str(o, name, dst, 512, &unused))) { return "-"; }
    return dst[0] == '\0' ? "-" : dst;
}

static long long int_of(const struct json *o, const char *name)
{
    struct rw_err unused;
    int64_t n = 0;
    if (o == NULL ||
        !rw_is_ok(json_get_int(o, name, -RW_JSON_INT_MAX, RW_JSON_INT_MAX, &n, &unused))) {
        return 0;
    }
    return (long long)n;
}

static bool bool_of(const struct json *o, const char *name)
{
    struct rw_err unused;
    bool b = false;
    return o != NULL && rw_is_ok(json_get_bool(o, name, &b, &unused)) && b;
}

static void print_list(const struct json *tree, const char *name, const char *title)
{
    char t[512];
    const struct json *list = json_find(tree, name);
    for (const struct json *e = list == NULL ? NULL : json_first(list); e != NULL;
         e = json_next(e)) {
        if (int_of(e, "release") == 0) {
            printf("%-12s the empty set\n", title);
            continue;
        }
        printf("%-12s %s/%lld", title, text_of(e, "family", t), int_of(e, "release"));
        printf("  %.16s\n", text_of(e, "sha256", t));
    }
}

/* "45 days", "3 h": whole units are enough for an age. */
static void print_span(long long s)
{
    if (s >= 2LL * DAY_S) {
        printf("%lld days", s / DAY_S);
    } else if (s >= 7200) {
        printf("%lld h", s / 3600);
    } else if (s >= 120) {
        printf("%lld min", s / 60);
    } else {
        printf("%lld s", s);
    }
}

static void print_controls(const struct json *list)
{
    char t[512];
    for (const struct json *c = list == NULL ? NULL : json_first(list); c != NULL;
         c = json_next(c)) {
        printf("%-12s %s", "control", text_of(c, "control", t));
        printf(" by the %s, set ", text_of(c, "by", t));
        print_span(int_of(c, "age_s"));
        printf(" ago, %s", text_of(c, "state", t));
        if (strcmp(t, "in force") == 0 && json_find(c, "left_s") != NULL) {
            printf(", ends in ");
            print_span(int_of(c, "left_s"));
        }
        printf("%s\n", bool_of(c, "old") ? ": OLD" : "");
    }
}

static void print_integrity(const struct json *o)
{
    char t[512];
    char u[512];
    if (o == NULL) { return; }
    printf("%-12s %s, %lld check%s since the start, last at %s\n", "integrity",
           bool_of(o, "ok") ? "ok" : "DAMAGED, waits for content", int_of(o, "checks"),
           rw_plural(int_of(o, "checks")), text_of(o, "checked", t));
    if (int_of(o, "damages") == 0) { return; }
    printf("%-12s %lld found, %lld repaired, last at %s", "damage", int_of(o, "damages"),
           int_of(o, "repaired"), text_of(o, "last_at", t));
    printf(": %s\n", text_of(o, "last", u));
}

static void print_poll(const struct json *o)
{
    char t[512];
    long long next_s = int_of(o, "next_s");
    if (json_find(o, "at") == NULL) {
        printf("%-12s none has ended since the start, next in %lld s\n", "poll", next_s);
        return;
    }
    printf("%-12s %s %s", "poll", text_of(o, "at", t), bool_of(o, "ok") ? "ok" : "failed: ");
    printf("%s, next in %lld s\n", bool_of(o, "ok") ? "" : text_of(o, "error", t), next_s);
}

static void print_roles(const struct json *list)
{
    char t[512];
    char u[512];
    for (const struct json *r = list == NULL ? NULL : json_first(list); r != NULL;
         r = json_next(r)) {
        printf("%-12s %-20s", "role", text_of(r, "role", t));
        printf(" version %-5lld %lld day%s left", int_of(r, "version"), int_of(r, "left_days"),
               rw_plural(int_of(r, "left_days")));
        const char *life = text_of(r, "life", u);
        printf("%s%s\n", strcmp(life, "ok") == 0 ? "" : ": ", strcmp(life, "ok") == 0 ? "" : life);
    }
}

RW_RC agent_view_print_status(struct rw_span text, struct rw_err *err)
{
    char t[512];
    char u[512];
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    const struct json *sensor = json_find(tree, "sensor");
    const struct json *poll = json_find(tree, "poll");
    const struct json *spool = json_find(tree, "spool");
    const struct json *change = json_find(tree, "change");
    if (sensor == NULL || poll == NULL || spool == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "the agent's answer is not a status");
    }
    printf("%-12s %s\n", "endpoint", text_of(tree, "endpoint", t));
    if (strcmp(text_of(tree, "cloned_from", t), "-") != 0) {
        printf("%-12s this disk was copied from endpoint %s\n", "CLONE", t);
    }
    if (bool_of(tree, "token_refused")) {
        printf("%-12s the server does not accept it: enrolling anew needs enrol_token_file\n",
               "TOKEN");
    }
    printf("%-12s %s", "ring", text_of(tree, "ring", t));
    printf(" (by %s, bucket %lld)\n", text_of(tree, "ring_by", t), int_of(tree, "bucket"));
    printf("%-12s %s\n", "trust", text_of(tree, "trust", t));
    if (strcmp(text_of(tree, "clock", t), "ok") != 0) {
        printf("%-12s %s: expiry is judged by %s", "clock", text_of(tree, "clock", t),
               text_of(tree, "clock_floor", u));
        printf(" at the earliest\n");
    }
    print_roles(json_find(tree, "roles"));
    print_controls(json_find(tree, "controls"));
    printf("%-12s %s\n", "sandbox", text_of(tree, "grade", t));
    printf("%-12s %s, set %lld\n", "phase", text_of(tree, "phase", t), int_of(tree, "set"));
    if (bool_of(tree, "link_stuck")) { printf("%-12s %s\n", "LINK", ACTIVATE_LINK_STUCK); }
    print_list(tree, "content", "active");
    print_list(tree, "loaded", "sensor says");
    if (change != NULL) {
        printf("%-12s %s", "change", text_of(change, "change", t));
        printf(" %s/%lld\n", text_of(change, "family", t), int_of(change, "release"));
    }
    printf("%-12s %s, %s, generation %lld\n", "sensor",
           bool_of(sensor, "running") ? "running" : "down",
           bool_of(sensor, "proven") ? "load proven" : "load not proven",
           int_of(sensor, "generation"));
    print_poll(poll);
    print_integrity(json_find(tree, "integrity"));
    printf("%-12s %lld waiting, %lld dropped\n", "beacons", int_of(spool, "waiting"),
           int_of(spool, "dropped"));
    return RW_OK;
}

/* What keeps it stands out; the rest is there to be looked at. */
static void print_rules(const struct json *list)
{
    char t[512];
    for (const struct json *r = list == NULL ? NULL : json_first(list); r != NULL;
         r = json_next(r)) {
        const char *state = text_of(r, "state", t);
        printf("  %-8s", strcmp(state, "keep") == 0 ? "KEEP" : state);
        printf("%-14s", text_of(r, "rule", t));
        printf("%s", text_of(r, "reason", t));
        if (json_find(r, "left_s") != NULL) {
            printf(" (");
            print_span(int_of(r, "left_s"));
            printf(")");
        }
        printf("\n");
    }
}

static void print_why(const struct json *f)
{
    char t[512];
    printf("%s: installed %lld", text_of(f, "family", t), int_of(f, "installed"));
    if (json_find(f, "pointer") != NULL) {
        printf(", the ring points at %lld%s", int_of(f, "pointer"),
               bool_of(f, "hold") ? " (hold)" : "");
    }
    printf("\n  %-12s %s", "decision", text_of(f, "decision", t));
    printf(": %s\n", text_of(f, "reason", t));
    printf("  %-12s %s\n", "not before", text_of(f, "not_before", t));
    if (bool_of(f, "dropped")) {
        printf("  %-12s the active release %s: kept until the ring moves\n", "DROPPED",
               bool_of(f, "withdrawn") ? "was withdrawn" : "is not listed any more");
    }
    printf("  %-12s %s\n", "now", text_of(f, "note", t));
    printf("  %-12s %s", "box", text_of(f, "verdict", t));
    printf(", sandbox %s\n", text_of(f, "grade", t));
    print_rules(json_find(f, "rules"));
}

static void print_hashes(const struct json *list, const char *title)
{
    for (const struct json *h = list == NULL ? NULL : json_first(list); h != NULL;
         h = json_next(h)) {
        struct rw_span s = json_type(h) == JSON_STR ? json_str(h) : rw_span_of("", 0);
        printf("%s: %.*s\n", title, (int)s.n, (const char *)s.p);
    }
}

RW_RC agent_view_print_why(struct rw_span text, struct rw_err *err)
{
    char t[512];
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    const struct json *families = json_find(tree, "families");
    const struct json *abandoned = json_find(tree, "abandoned");
    const struct json *poll = json_find(tree, "poll");
    if (families == NULL || abandoned == NULL || poll == NULL) {
        return rw_fail(err, RW_E_SCHEMA, "the agent's answer is not a status");
    }
    printf("ring: %s", text_of(tree, "ring", t));
    printf(", by %s (bucket %lld)\n", text_of(tree, "ring_by", t), int_of(tree, "bucket"));
    printf("trust: %s", text_of(tree, "trust", t));
    printf(", metadata valid until %s\n", text_of(poll, "metadata_expire", t));
    print_controls(json_find(tree, "controls"));
    if (json_find(poll, "at") == NULL) {
        printf("no poll has ended since the start; the next begins in %lld s\n",
               int_of(poll, "next_s"));
    } else if (!bool_of(poll, "ok")) {
        printf("last poll failed: %s\n", text_of(poll, "error", t));
    }
    for (const struct json *f = json_first(families); f != NULL; f = json_next(f)) {
        print_why(f);
    }
    print_hashes(abandoned, "never again here");
    print_hashes(json_find(tree, "left"), "left by the ring's order");
    return RW_OK;
}
