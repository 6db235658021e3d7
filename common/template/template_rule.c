#include "common/template/template_rule.h"

#include <string.h>

bool template_rule_allows(enum template_rule_type type, enum template_rule_op op)
{
    switch (op) {
    case TEMPLATE_ANY:
    case TEMPLATE_IS:
    case TEMPLATE_ONE_OF:
        return true;
    case TEMPLATE_PREFIX:
    case TEMPLATE_SUFFIX:
    case TEMPLATE_CONTAINS:
        return type == TEMPLATE_STRING;
    case TEMPLATE_RANGE:
        return type == TEMPLATE_INT;
    case TEMPLATE_NET:
        return type == TEMPLATE_IP;
    case TEMPLATE_OPS:
        break;
    }
    return false;
}

static bool same(const struct template_rule_value *a, const struct template_rule_value *b)
{
    switch (a->type) {
    case TEMPLATE_STRING:
        return rw_span_eq(a->text, b->text);
    case TEMPLATE_INT:
        return a->number == b->number;
    case TEMPLATE_IP:
        return memcmp(a->ip, b->ip, TEMPLATE_IP_BYTES) == 0;
    case TEMPLATE_TYPES:
        break;
    }
    return false;
}

/* `from` bytes of the text are left out; the caller knows that so many are there. */
static bool stands_at(struct rw_span text, size_t from, struct rw_span what)
{
    return what.n == 0 || memcmp(text.p + from, what.p, what.n) == 0;
}

static bool contains(struct rw_span text, struct rw_span what)
{
    if (what.n == 0) { return true; }
    size_t at = 0;
    while (at + what.n <= text.n) {
        const uint8_t *next = memchr(text.p + at, what.p[0], text.n - what.n - at + 1);
        if (next == NULL) { return false; }
        at = (size_t)(next - text.p);
        if (stands_at(text, at, what)) { return true; }
        at++;
    }
    return false;
}

static bool in_net(const uint8_t ip[static TEMPLATE_IP_BYTES],
                   const uint8_t net[static TEMPLATE_IP_BYTES], uint32_t bits)
{
    size_t whole = bits / 8;
    uint32_t rest = bits % 8;
    if (whole > 0 && memcmp(ip, net, whole) != 0) { return false; }
    if (rest == 0) { return true; }
    uint8_t mask = (uint8_t)(0xFFU << (8 - rest));
    return ((ip[whole] ^ net[whole]) & mask) == 0;
}

static bool one_of(const struct template_rule_criterion *c, const struct template_rule_value *v)
{
    for (size_t i = 0; i < c->literal_count; i++) {
        if (same(v, &c->literals[i])) { return true; }
    }
    return false;
}

/* A text of the literal's length is in the value; `c` has one literal. */
static bool by_text(const struct template_rule_criterion *c, struct rw_span text)
{
    struct rw_span what = c->literals[0].text;
    if (what.n > text.n) { return false; }
    if (c->op == TEMPLATE_PREFIX) { return stands_at(text, 0, what); }
    if (c->op == TEMPLATE_SUFFIX) { return stands_at(text, text.n - what.n, what); }
    return contains(text, what);
}

static enum template_rule_result yes_if(bool fits)
{
    return fits ? TEMPLATE_YES : TEMPLATE_NO;
}

static enum template_rule_result judge(const struct template_rule_criterion *c,
                                       const struct template_rule_value *v)
{
    if (v->type != c->type || !template_rule_allows(c->type, c->op)) { return TEMPLATE_FAULT; }
    if (c->op == TEMPLATE_ANY) { return TEMPLATE_YES; }
    if (!v->present) { return TEMPLATE_NO; }
    if (c->op == TEMPLATE_RANGE) { return yes_if(v->number >= c->min && v->number <= c->max); }
    if (c->literal_count == 0) { return TEMPLATE_FAULT; }
    if (c->op == TEMPLATE_IS || c->op == TEMPLATE_ONE_OF) { return yes_if(one_of(c, v)); }
    if (c->op != TEMPLATE_NET) { return yes_if(by_text(c, v->text)); }
    if (c->prefix_bits > 8U * TEMPLATE_IP_BYTES) { return TEMPLATE_FAULT; }
    return yes_if(in_net(v->ip, c->literals[0].ip, c->prefix_bits));
}

enum template_rule_result template_rule_match(const struct template_rule_criterion *criteria,
                                              size_t criterion_count,
                                              const struct template_rule_value *values,
                                              size_t value_count)
{
    /* Before anything is read: a surplus wildcard would never be reached by the loop's reading. */
    if (criterion_count > value_count) { return TEMPLATE_FAULT; }
    for (size_t i = 0; i < criterion_count; i++) {
        enum template_rule_result one = judge(&criteria[i], &values[i]);
        if (one != TEMPLATE_YES) { return one; }
    }
    return TEMPLATE_YES;
}

/* FNV-1a over what a value holds, of a text its ends: a value that is not there is noticed by those. */
static uint32_t touch(uint32_t sum, const struct template_rule_value *v)
{
    uint64_t number = (uint64_t)v->number;
    sum = (sum ^ (v->present ? 1U : 0U) ^ (uint32_t)v->type << 1) * 16777619U;
    if (v->type == TEMPLATE_STRING && v->text.n > 0) {
        sum = (sum ^ v->text.p[0]) * 16777619U;
        sum = (sum ^ v->text.p[v->text.n - 1]) * 16777619U;
    }
    for (size_t i = 0; i < TEMPLATE_IP_BYTES; i++) {
        sum = (sum ^ v->ip[i]) * 16777619U;
    }
    return (sum ^ (uint32_t)number ^ (uint32_t)(number >> 32)) * 16777619U;
}

struct template_rule_forced template_rule_force(const struct template_rule_criterion *criteria,
                                                size_t criterion_count,
                                                const struct template_rule_value *values,
                                                size_t value_count)
{
    struct template_rule_forced f = {.result = TEMPLATE_YES, .touched = 2166136261U};
    if (criterion_count > value_count) {
        f.result = TEMPLATE_FAULT;
        return f;
    }
    for (size_t i = 0; i < criterion_count; i++) {
        f.touched = touch(f.touched, &values[i]);
        enum template_rule_result one = judge(&criteria[i], &values[i]);
        f.evaluated++;
        /* The first that does not fit decides, as in a sensor; the others are evaluated all the same. */
        if (f.result == TEMPLATE_YES) { f.result = one; }
    }
    return f;
}
