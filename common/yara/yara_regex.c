#include "common/yara/yara_regex.h"

struct group {
    int64_t repeats; /* how deep repetition is nested inside */
    int64_t times;   /* product of nested {n,m} inside */
};

struct regex {
    struct rw_span text;
    size_t at;
    struct group open[YARA_REGEX_GROUPS_MAX + 1];
    size_t depth; /* of the innermost open group; 0: none */
};

static bool next_is(const struct regex *r, char c)
{
    return r->at < r->text.n && r->text.p[r->at] == (uint8_t)c;
}

/* Saturates far above every bound. */
static int64_t read_number(struct regex *r)
{
    int64_t n = 0;
    while (r->at < r->text.n && r->text.p[r->at] >= '0' && r->text.p[r->at] <= '9') {
        if (n < 1000000) { n = n * 10 + (r->text.p[r->at] - '0'); }
        r->at++;
    }
    return n;
}

/* {n}, {n,m}, {n,} and {,m}; a brace that is none of them is a byte like another. */
static bool read_times(struct regex *r, int64_t *times)
{
    size_t from = r->at;
    r->at++;
    int64_t low = read_number(r);
    int64_t high = low;
    if (next_is(r, ',')) {
        r->at++;
        high = read_number(r);
    }
    if (!next_is(r, '}')) {
        r->at = from;
        return false;
    }
    r->at++;
    *times = high > low ? high : low;
    if (*times < 1) { *times = 1; }
    return true;
}

/* What stands behind an atom or a group. False: it is not repeated. */
static bool read_quantifier(struct regex *r, int64_t *times)
{
    bool repeated = false;
    *times = 1;
    if (next_is(r, '*') || next_is(r, '+')) {
        r->at++;
        repeated = true;
    } else if (next_is(r, '{')) {
        repeated = read_times(r, times);
    }
    if (next_is(r, '?')) { r->at++; } /* optional, or not greedy */
    return repeated;
}

static RW_RC add_part(struct regex *r, struct group part, struct rw_err *err)
{
    int64_t times = 1;
    bool repeated = read_quantifier(r, &times);
    struct group *outer = &r->open[r->depth];
    if (repeated) {
        part.repeats++;
        part.times *= times;
    }
    if (part.repeats > YARA_REGEX_REPEATS_MAX) {
        return rw_fail(err, RW_E_RANGE, "repetition of repetition in a regular expression, %d deep",
                       YARA_REGEX_REPEATS_MAX + 1);
    }
    if (part.times > YARA_REGEX_TIMES_MAX) {
        return rw_fail(err, RW_E_RANGE,
                       "nested repetitions of a regular expression multiply to %lld, at most %d",
                       (long long)part.times, YARA_REGEX_TIMES_MAX);
    }
    if (part.repeats > outer->repeats) { outer->repeats = part.repeats; }
    if (part.times > outer->times) { outer->times = part.times; }
    return RW_OK;
}

static void skip_class(struct regex *r)
{
    r->at++;
    if (next_is(r, '^')) { r->at++; }
    if (next_is(r, ']')) { r->at++; }
    while (r->at < r->text.n && r->text.p[r->at] != ']') {
        r->at += r->text.p[r->at] == '\\' ? 2 : 1;
    }
    r->at++;
}

static RW_RC open_group(struct regex *r, struct rw_err *err)
{
    if (r->depth == YARA_REGEX_GROUPS_MAX) {
        return rw_fail(err, RW_E_RANGE, "more than %d groups open in a regular expression",
                       YARA_REGEX_GROUPS_MAX);
    }
    r->at++;
    r->open[++r->depth] = (struct group){.times = 1};
    return RW_OK;
}

static RW_RC step(struct regex *r, struct rw_err *err)
{
    uint8_t c = r->text.p[r->at];
    if (c == '(') { return open_group(r, err); }
    if (c == ')') {
        r->at++;
        if (r->depth == 0) { return RW_OK; } /* libyara will say so */
        struct group inner = r->open[r->depth--];
        return add_part(r, inner, err);
    }
    if (c == '[') {
        skip_class(r);
    } else {
        r->at += c == '\\' ? 2 : 1;
    }
    if (r->at > r->text.n) { r->at = r->text.n; }
    return add_part(r, (struct group){.times = 1}, err);
}

RW_RC yara_regex_check(struct rw_span text, struct rw_err *err)
{
    struct regex r = {.text = text, .open[0] = {.times = 1}};
    if (text.n > YARA_REGEX_BYTES_MAX) {
        return rw_fail(err, RW_E_RANGE, "a regular expression of %zu bytes, at most %d", text.n,
                       YARA_REGEX_BYTES_MAX);
    }
    while (r.at < text.n) {
        RW_TRY(step(&r, err));
    }
    return RW_OK;
}
