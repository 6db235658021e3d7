#include "common/template/template_criterion.h"

#include "common/base/num.h"

#include <arpa/inet.h>
#include <string.h>

enum { ADDRESS_BYTES = 64, IPV4_OFFSET = 12, IPV4_BITS_BEFORE = 96, IP_BITS = 128 };

void template_criterion_drop(struct template_rule_criterion *c)
{
    rw_mem_free(c->literals);
    c->literals = NULL;
    c->literal_count = 0;
}

/* Both families in one form, so that one comparison serves both. Gives how many bits stand before an address of
 * its own kind. */
static bool read_address(const char *text, uint8_t ip[static TEMPLATE_IP_BYTES],
                         uint32_t *bits_before)
{
    static const uint8_t mapped[IPV4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    uint8_t v4[4];
    *bits_before = 0;
    if (inet_pton(AF_INET6, text, ip) == 1) { return true; }
    if (inet_pton(AF_INET, text, v4) != 1) { return false; }
    *bits_before = IPV4_BITS_BEFORE;
    rw_copy(ip, TEMPLATE_IP_BYTES, mapped, sizeof(mapped));
    rw_copy(ip + IPV4_OFFSET, TEMPLATE_IP_BYTES - IPV4_OFFSET, v4, sizeof(v4));
    return true;
}

static RW_RC want(const struct json *v, enum json_type type, const char *what, struct rw_err *err)
{
    if (json_type(v) == type) { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA, "line %u: %s is %s, want %s", json_line(v), what,
                   json_type_name(json_type(v)), json_type_name(type));
}

static RW_RC read_ip(const struct json *v, struct template_rule_value *out, struct rw_err *err)
{
    char text[ADDRESS_BYTES];
    uint32_t before = 0;
    RW_TRY(want(v, JSON_STR, "an address", err));
    if (!rw_is_ok(rw_span_to_str(text, sizeof(text), json_str(v), "address", err)) ||
        !read_address(text, out->ip, &before)) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: this is no IPv4 or IPv6 address", json_line(v));
    }
    return RW_OK;
}

RW_RC template_value_read(const struct json *v, enum template_rule_type type,
                          struct template_rule_value *out, struct rw_err *err)
{
    *out = (struct template_rule_value){.present = true, .type = type};
    if (type == TEMPLATE_IP) { return read_ip(v, out, err); }
    if (type == TEMPLATE_INT) {
        RW_TRY(want(v, JSON_INT, "a value of an int field", err));
        out->number = json_int(v);
        return RW_OK;
    }
    RW_TRY(want(v, JSON_STR, "a value of a string field", err));
    out->text = json_str(v);
    return RW_OK;
}

static RW_RC read_literal(const struct json *v, enum template_rule_type type,
                          struct template_rule_value *out, struct rw_err *err)
{
    RW_TRY(template_value_read(v, type, out, err));
    if (out->text.n > TEMPLATE_LITERAL_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "line %u: a literal of %zu bytes, at most %d",
                       json_line(v), out->text.n, TEMPLATE_LITERAL_BYTES_MAX);
    }
    return RW_OK;
}

static RW_RC read_literals(const struct json *list, struct template_rule_criterion *c,
                           struct rw_err *err)
{
    RW_TRY(want(list, JSON_ARRAY, "the literal of 'one_of'", err));
    size_t count = json_count(list);
    if (count == 0 || count > TEMPLATE_LITERALS_MAX) {
        return rw_fail(err, RW_E_RANGE, "line %u: 'one_of' has %zu literals, want 1 to %d",
                       json_line(list), count, TEMPLATE_LITERALS_MAX);
    }
    struct template_rule_value *at = rw_mem_new_array(count, sizeof(*at));
    if (at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu literals", count); }
    c->literals = at;
    for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
        RW_TRY(read_literal(v, c->type, &at[c->literal_count++], err));
    }
    return RW_OK;
}

static RW_RC read_range(const struct json *list, struct template_rule_criterion *c,
                        struct rw_err *err)
{
    RW_TRY(want(list, JSON_ARRAY, "the literal of 'range'", err));
    const struct json *low = json_first(list);
    const struct json *high = low != NULL ? json_next(low) : NULL;
    if (high == NULL || json_next(high) != NULL || json_type(low) != JSON_INT ||
        json_type(high) != JSON_INT || json_int(low) > json_int(high)) {
        return rw_fail(err, RW_E_SCHEMA,
                       "line %u: 'range' wants [LOW, HIGH], two integers in order",
                       json_line(list));
    }
    c->min = json_int(low);
    c->max = json_int(high);
    return RW_OK;
}

static bool is_zero_behind(const uint8_t ip[static TEMPLATE_IP_BYTES], uint32_t bits)
{
    for (uint32_t bit = bits; bit < IP_BITS; bit++) {
        if ((ip[bit / 8] & (0x80U >> (bit % 8))) != 0) { return false; }
    }
    return true;
}

/* "10.0.0.0/8". Bits set behind the prefix are a slip of the author, not a wish. */
static RW_RC read_net(const struct json *v, struct template_rule_criterion *c,
                      struct template_rule_value *net, struct rw_err *err)
{
    char text[ADDRESS_BYTES];
    uint32_t before = 0;
    int64_t bits = 0;
    RW_TRY(want(v, JSON_STR, "the literal of 'net'", err));
    *net = (struct template_rule_value){.present = true, .type = TEMPLATE_IP};
    RW_TRY(rw_span_to_str(text, sizeof(text), json_str(v), "the literal of 'net'", err));
    char *slash = strchr(text, '/');
    if (slash != NULL) { *slash = '\0'; }
    if (slash == NULL || !read_address(text, net->ip, &before) ||
        !rw_is_ok(
            rw_parse_i64(rw_span_str(slash + 1), 0, IP_BITS - before, "prefix", &bits, err)) ||
        !is_zero_behind(net->ip, before + (uint32_t)bits)) {
        return rw_fail(err, RW_E_SCHEMA,
                       "line %u: 'net' wants ADDRESS/BITS without bits set behind the prefix",
                       json_line(v));
    }
    c->prefix_bits = before + (uint32_t)bits;
    return RW_OK;
}

static RW_RC read_by_operator(const struct json *literal, struct template_rule_criterion *c,
                              struct rw_err *err)
{
    if (c->op == TEMPLATE_ONE_OF) { return read_literals(literal, c, err); }
    if (c->op == TEMPLATE_RANGE) { return read_range(literal, c, err); }
    struct template_rule_value *one = rw_mem_new(sizeof(*one));
    if (one == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a literal"); }
    c->literals = one;
    c->literal_count = 1;
    if (c->op == TEMPLATE_NET) { return read_net(literal, c, one, err); }
    RW_TRY(read_literal(literal, c->type, one, err));
    if (c->op != TEMPLATE_IS && one->text.n == 0) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: '%s' of nothing fits everything: say \"*\"",
                       json_line(literal), template_op_name(c->op));
    }
    return RW_OK;
}

RW_RC template_criterion_read(const struct json *v, const struct template_field *field,
                              struct template_rule_criterion *out, struct rw_err *err)
{
    struct template_rule_criterion c = {.op = TEMPLATE_ANY, .type = field->type};
    if (json_type(v) == JSON_STR && rw_span_is(json_str(v), "*")) {
        *out = c;
        return RW_OK;
    }
    if (json_type(v) != JSON_OBJECT || json_count(v) != 1) {
        return rw_fail(err, RW_E_SCHEMA,
                       "line %u: the criterion of '%s' is neither \"*\" nor one "
                       "operator with its literal",
                       json_line(v), field->name);
    }
    const struct json *literal = json_first(v);
    struct rw_span op = json_name(literal);
    if (!template_op_find(op, &c.op) || c.op == TEMPLATE_ANY) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: unknown operator '%.*s'", json_line(literal),
                       (int)(op.n < 40 ? op.n : 40), op.p);
    }
    if (!template_rule_allows(c.type, c.op)) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: a field of type %s has no operator '%s'",
                       json_line(literal), template_type_name(c.type), template_op_name(c.op));
    }
    struct rw_rc rc = read_by_operator(literal, &c, err);
    if (!rw_is_ok(rc)) {
        template_criterion_drop(&c);
        return rc;
    }
    *out = c;
    return RW_OK;
}
