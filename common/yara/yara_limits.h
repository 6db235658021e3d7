/* yara_limits.h: bounds of rule text, found by a small reader of its own before libyara sees it.
 *
 * A second, different parser: it knows just enough of the language to count what can be counted, and its number of
 * rules must be libyara's. One pass, no recursion, no allocation.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/sandbox.md "Checks"; libyara 4.2 lexer.l for comments, strings and regular expressions
 */
#ifndef RINGWARD_YARA_LIMITS_H
#define RINGWARD_YARA_LIMITS_H

#include "common/base/buf.h"

enum {
    YARA_RULES_MAX = 200000,
    YARA_STRINGS_MAX = 10000, /* of one rule; libyara's own limit is the same */
    YARA_PARENS_MAX = 200,    /* open at a time, in conditions and hex strings */
    YARA_REGEX_BYTES_MAX = 4096,
    YARA_REGEX_GROUPS_MAX = 32,    /* open at a time */
    YARA_REGEX_REPEATS_MAX = 4,    /* repetition of repetition of ... */
    YARA_REGEX_TIMES_MAX = 100000, /* product of nested {n,m} */
    YARA_LOOP_MAX =
        1000000000, /* literal upper end of for ... in (a..b); shorter ones meet the clock */
};

struct yara_limits {
    int64_t rules;
    int64_t strings_most; /* of any one rule */
    int64_t parens_most;
    int64_t regex_most; /* bytes */
    int64_t loop_most;
};

/* Reads the text and fills what was found. Fails with RW_E_RANGE when a bound is passed, naming line and bound.
 * Text that libyara will refuse may pass here. */
RW_RC yara_limits_check(struct rw_span text, struct yara_limits *out, struct rw_err *err);

#endif
