/* template_rule.h: whether one event fits the criteria of one instance. The engine's inner loop.
 *
 * Criteria stand in the order of the type's fields: criterion i judges value i. A criterion that asks for a value
 * which the event does not hold is a fault and never a match, also when it would accept anything: content and
 * engine disagree about the type then, and nothing that follows from it may be believed.
 *
 * memory   values only; spans and lists are borrowed
 * threads  pure
 * source   docs/protocol.md 14
 */
#ifndef RINGWARD_TEMPLATE_RULE_H
#define RINGWARD_TEMPLATE_RULE_H

#include "common/base/buf.h"

enum template_rule_type {
    TEMPLATE_STRING,
    TEMPLATE_INT,
    TEMPLATE_IP, /* IPv4 stands as ::ffff:a.b.c.d */
    TEMPLATE_TYPES,
};

enum template_rule_op {
    TEMPLATE_ANY, /* wildcard: also fits a value that is absent */
    TEMPLATE_IS,
    TEMPLATE_ONE_OF,
    TEMPLATE_PREFIX,
    TEMPLATE_SUFFIX,
    TEMPLATE_CONTAINS,
    TEMPLATE_RANGE, /* both ends belong to it */
    TEMPLATE_NET,
    TEMPLATE_OPS,
};

enum { TEMPLATE_IP_BYTES = 16 };

/* One field of an event, or one literal of a criterion. */
struct template_rule_value {
    bool present; /* false: the event does not say */
    enum template_rule_type type;
    struct rw_span text;           /* TEMPLATE_STRING */
    int64_t number;                /* TEMPLATE_INT */
    uint8_t ip[TEMPLATE_IP_BYTES]; /* TEMPLATE_IP */
};

struct template_rule_criterion {
    enum template_rule_op op;
    enum template_rule_type type;         /* of the field that it judges */
    struct template_rule_value *literals; /* one; more for ONE_OF; none for ANY and RANGE */
    size_t literal_count;
    int64_t min, max;     /* RANGE */
    uint32_t prefix_bits; /* NET: 0..128 of the literal */
};

enum template_rule_result {
    TEMPLATE_NO,
    TEMPLATE_YES,
    TEMPLATE_FAULT, /* more criteria than values, or a value of another type */
};

/* Which operators a type of field has. TEMPLATE_ANY fits all. */
bool template_rule_allows(enum template_rule_type type, enum template_rule_op op);

/* As a sensor does it: the first criterion that does not fit ends it. */
enum template_rule_result template_rule_match(const struct template_rule_criterion *criteria,
                                              size_t criterion_count,
                                              const struct template_rule_value *values,
                                              size_t value_count);

struct template_rule_forced {
    enum template_rule_result result; /* the same as template_rule_match gives */
    size_t evaluated;                 /* criteria that were looked at: all, unless it is a fault */
    uint32_t touched;                 /* depends on every value, wildcard or not */
};

/* As a validator does it: every criterion is evaluated and every value read, so that a value which is not there
 * is noticed. Fits no sensor: it is slow. */
struct template_rule_forced template_rule_force(const struct template_rule_criterion *criteria,
                                                size_t criterion_count,
                                                const struct template_rule_value *values,
                                                size_t value_count);

#endif
