#include "agent/activate/observe_rule.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum {
    STAT_START = 19,     /* words behind the name: state is the first, field 22 the start */
    WRITTEN_SLACK_S = 2, /* clock ticks and file times are rounded */
    PID_MAX = 1 << 22,
    SIGNALS = 64,
    END_OPEN_MS = 15000,   /* a manager that restarts a service waits for some seconds at most */
    END_UNTOLD_MS = 60000, /* under load the manager itself is slow to say anything */
};

RW_RC observe_rule_pid(struct rw_span file, int64_t *pid_out, struct rw_err *err)
{
    if (file.n > 0 && file.p[file.n - 1] == '\n') { file.n--; }
    return rw_parse_i64(file, 2, PID_MAX, "process number", pid_out, err);
}

/* The next word of a line; n 0: there is none. */
static struct rw_span next_word(struct rw_span *rest)
{
    size_t from = 0;
    while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\t')) {
        from++;
    }
    size_t to = from;
    while (to < rest->n && rest->p[to] != ' ' && rest->p[to] != '\t' && rest->p[to] != '\n') {
        to++;
    }
    struct rw_span word = rw_span_of(rest->p + from, to - from);
    *rest = rw_span_of(rest->p + to, rest->n - to);
    return word;
}

RW_RC observe_rule_start(struct rw_span stat, int64_t *ticks_out, struct rw_err *err)
{
    size_t at = stat.n;
    while (at > 0 && stat.p[at - 1] != ')') {
        at--; /* the name may hold blanks and parentheses itself */
    }
    if (at == 0) { return rw_fail(err, RW_E_SYNTAX, "no name in the process's state"); }
    struct rw_span rest = rw_span_of(stat.p + at, stat.n - at);
    struct rw_span word = next_word(&rest);
    if (rw_span_is(word, "Z") || rw_span_is(word, "X")) {
        return rw_fail(err, RW_E_NOT_FOUND, "the process has ended");
    }
    for (int i = 0; i < STAT_START; i++) {
        word = next_word(&rest);
    }
    return rw_parse_i64(word, 0, RW_JSON_INT_MAX, "start of the process", ticks_out, err);
}

/* What stands behind `name` at the begin of a line. False: there is no such line. */
static bool find_line(struct rw_span text, const char *name, struct rw_span *value_out)
{
    size_t n = strlen(name);
    while (text.n > 0) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        size_t line = end == NULL ? text.n : (size_t)(end - text.p);
        if (line >= n && rw_span_starts(text, name)) {
            *value_out = rw_span_of(text.p + n, line - n);
            return true;
        }
        size_t step = end == NULL ? line : line + 1;
        text = rw_span_of(text.p + step, text.n - step);
    }
    return false;
}

RW_RC observe_rule_uid(struct rw_span status, int64_t *uid_out, struct rw_err *err)
{
    struct rw_span rest;
    if (!find_line(status, "Uid:", &rest)) {
        return rw_fail(err, RW_E_SYNTAX, "no user in the process's state");
    }
    return rw_parse_i64(next_word(&rest), 0, UINT32_MAX, "user of the process", uid_out, err);
}

/* The hexadecimal mask behind `name`; 0 when it is missing or no mask. */
static uint64_t mask_of(struct rw_span status, const char *name)
{
    struct rw_span rest;
    uint8_t bytes[8];
    uint64_t mask = 0;
    struct rw_err unused;
    if (!find_line(status, name, &rest)) { return 0; }
    if (!rw_is_ok(rw_hex_decode(bytes, sizeof(bytes), next_word(&rest), name, &unused))) {
        return 0;
    }
    for (size_t i = 0; i < sizeof(bytes); i++) {
        mask = mask << 8 | bytes[i];
    }
    return mask;
}

bool observe_rule_takes(struct rw_span status, int signal_number)
{
    if (signal_number < 1 || signal_number > SIGNALS) { return false; }
    uint64_t taken =
        mask_of(status, "SigCgt:") | mask_of(status, "SigIgn:") | mask_of(status, "SigBlk:");
    return (taken >> (signal_number - 1) & 1) != 0;
}

/* The number behind `name`; 0 when it is missing or none. */
static int64_t number_of(struct rw_span shown, const char *name)
{
    struct rw_span rest;
    int64_t n = 0;
    struct rw_err unused;
    bool there = find_line(shown, name, &rest) &&
                 rw_is_ok(rw_parse_i64(rest, 0, RW_JSON_INT_MAX, name, &n, &unused));
    return there ? n : 0;
}

/* ILL, TRAP, ABRT, BUS, FPE, SEGV, SYS: signal(7), x86 and ARM. */
static bool is_fault(int64_t signal_number)
{
    const uint64_t faults = 1U << 4 | 1U << 5 | 1U << 6 | 1U << 7 | 1U << 8 | 1U << 11 | 1U << 31;
    return signal_number > 0 && signal_number < SIGNALS && (faults >> signal_number & 1) != 0;
}

/* A unit that is told to stop is no longer active before its process ends; that of a process which ends by itself is
 * active until then. A unit that has not been active with this process says nothing of the kind: the time is of an
 * earlier one. */
static void read_end(struct rw_span shown, struct observe_rule_unit *u)
{
    int64_t begun_us = number_of(shown, "ExecMainStartTimestampMonotonic=");
    int64_t left_us = number_of(shown, "ActiveExitTimestampMonotonic=");
    int64_t ended_us = number_of(shown, "ExecMainExitTimestampMonotonic=");
    u->ended = u->pid == 0 && ended_us > 0;
    u->ordered = begun_us > 0 && begun_us <= left_us && left_us < ended_us;
}

/* The manager's own stops (watchdog, memory) have results of their own, and a fault is a fault at any time. Sensors may
 * well answer the order to stop with a status of their own, or not before they are killed. */
static bool is_answer(struct rw_span shown, struct rw_span result)
{
    bool by_signal = rw_span_is(result, "signal") || rw_span_is(result, "core-dump");
    if (by_signal) { return !is_fault(number_of(shown, "ExecMainStatus=")); }
    return rw_span_is(result, "exit-code") || rw_span_is(result, "timeout");
}

RW_RC observe_rule_unit(struct rw_span shown, struct observe_rule_unit *out, struct rw_err *err)
{
    struct observe_rule_unit u = {.pid = 0};
    struct rw_span load;
    struct rw_span pid;
    struct rw_span restarts;
    struct rw_span result;
    struct rw_span group;
    if (!find_line(shown, "LoadState=", &load) || !find_line(shown, "MainPID=", &pid) ||
        !find_line(shown, "NRestarts=", &restarts) || !find_line(shown, "Result=", &result) ||
        !find_line(shown, "ControlGroup=", &group)) {
        return rw_fail(err, RW_E_SCHEMA, "systemctl did not show the unit");
    }
    if (!rw_span_is(load, "loaded")) {
        return rw_fail(err, RW_E_NOT_FOUND, "there is no such unit: %.*s",
                       (int)(load.n < 40 ? load.n : 40), (const char *)load.p);
    }
    RW_TRY(rw_parse_i64(pid, 0, PID_MAX, "MainPID", &u.pid, err));
    RW_TRY(rw_parse_i64(restarts, 0, UINT32_MAX, "NRestarts", &u.restarts, err));
    RW_TRY(rw_span_to_str(u.group, sizeof(u.group), group, "ControlGroup", err));
    u.success = rw_span_is(result, "success");
    read_end(shown, &u);
    u.stopped = u.ordered && is_answer(shown, result);
    *out = u;
    return RW_OK;
}

bool observe_rule_in_group(struct rw_span cgroup, const char *group)
{
    struct rw_span at;
    size_t n = strlen(group);
    if (n == 0 || !find_line(cgroup, "0::", &at) || !rw_span_starts(at, group)) { return false; }
    return at.n == n || (n > 1 && at.p[n] == '/'); /* below "/" is everything */
}

bool observe_rule_is_unit(const char *name)
{
    static const char tail[] = ".service";
    static const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                ":_.@-\\";
    size_t n = strlen(name);
    bool good = n > strlen(tail) && n < OBSERVE_RULE_UNIT_BYTES && name[0] != '-' && name[0] != '.';
    for (size_t i = 0; i < n && good; i++) {
        good = strchr(known, name[i]) != NULL;
    }
    return good && strcmp(name + n - strlen(tail), tail) == 0;
}

bool observe_rule_is_stale(struct rw_wall written, struct rw_wall started)
{
    return started.s > written.s + WRITTEN_SLACK_S;
}

int64_t observe_rule_crashes(const struct observe_rule_look *look)
{
    const struct observe_rule_unit *u = look->unit;
    if (!look->told) { return look->open_ms < END_UNTOLD_MS ? OBSERVE_RULE_OPEN : 1; }
    if (look->running) {
        /* A start by hand counts anew. */
        bool anew = u->restarts < look->restarts_before;
        return anew ? u->restarts : u->restarts - look->restarts_before;
    }
    if (!u->success && !u->stopped) { return 1; }
    bool late = look->open_ms >= END_OPEN_MS;
    if (look->change && !u->ordered && (u->ended || late)) { return 1; }
    return late ? 0 : OBSERVE_RULE_OPEN;
}

struct rw_mono observe_rule_ask_at(struct rw_mono now, int64_t age_ms, int64_t load_timeout_ms)
{
    int64_t patience_ms = load_timeout_ms / 2;
    return (struct rw_mono){age_ms >= patience_ms ? now.ms : now.ms + patience_ms - age_ms};
}
