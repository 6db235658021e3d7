#include "server/health/fleet_cohorts.h"

#include "common/base/num.h"

#include <string.h>

enum { LOOK_S = 60 /* a look goes over all counts: not for each of many new names */ };

/* Behind the third separator; names of before have none. */
static uint16_t owner_of(const char *text)
{
    for (int i = 0; i < 3 && text != NULL; i++) {
        text = strchr(text, '\x1f');
        if (text != NULL) { text++; }
    }
    int64_t number = FLEET_NO_NAME;
    struct rw_err err;
    bool known = text != NULL && rw_is_ok(rw_parse_i64(rw_span_str(text), 0, FLEET_NAMES_MAX - 1,
                                                       "tenant", &number, &err));
    return known ? (uint16_t)number : (uint16_t)FLEET_NO_NAME;
}

void fleet_cohorts_named(struct fleet_table *t, uint16_t number)
{
    t->cohorts.owner[number] = owner_of(t->names[FLEET_COHORTS].text[number]);
    t->cohorts.held[number] = true;
}

void fleet_cohorts_recount(struct fleet_table *t)
{
    struct fleet_cohorts *c = &t->cohorts;
    for (size_t i = 0; i < t->names[FLEET_COHORTS].count; i++) {
        fleet_cohorts_named(t, (uint16_t)i);
        c->members[i] = 0;
    }
    for (size_t i = 0; i < t->endpoint_count; i++) {
        uint16_t cohort = t->endpoints[i].cohort;
        if (cohort != 0) { c->members[cohort]++; }
    }
    c->looked = false;
}

void fleet_cohorts_move(struct fleet_table *t, uint16_t from, uint16_t to)
{
    /* Place 0 is never given up, so nobody counts who is there: new endpoints are, without a move. */
    if (from != 0) { t->cohorts.members[from]--; }
    if (to != 0) { t->cohorts.members[to]++; }
    t->cohorts.held[to] = true; /* from now on counts may be booked there */
}

size_t fleet_cohorts_held(const struct fleet_table *t)
{
    size_t held = 0;
    for (size_t i = 1; i < t->names[FLEET_COHORTS].count; i++) {
        held += t->cohorts.held[i];
    }
    return held;
}

static bool counts_something(const struct fleet_counts *c)
{
    static const struct fleet_counts nothing = {.members = 0};
    return memcmp(c, &nothing, sizeof(nothing)) != 0;
}

/* INV-1: a place is free when no endpoint is in it and nothing of a watched release is booked there. */
static void look(struct fleet_table *t, int64_t now_s)
{
    struct fleet_cohorts *c = &t->cohorts;
    for (size_t i = 0; i < t->names[FLEET_COHORTS].count; i++) {
        c->held[i] = c->members[i] > 0;
    }
    for (size_t i = 0; i < t->count_cap; i++) {
        const struct fleet_count_entry *e = &t->counts[i];
        uint16_t cohort = (uint16_t)(e->key - 1);
        if (e->key == 0 || cohort >= t->names[FLEET_COHORTS].count || c->held[cohort]) { continue; }
        uint32_t serial = (uint32_t)((e->key - 1) >> 32);
        c->held[cohort] =
            counts_something(&e->counts) && (serial == 0 || fleet_table_counted(t, serial));
    }
    c->looked = true;
    c->looked_s = now_s;
}

static enum cohort_rule may(const struct fleet_table *t, uint16_t tenant,
                            const struct fleet_endpoint *e, int64_t now_s)
{
    struct cohort_rule_input in = {.max = FLEET_COHORTS_MAX,
                                   .held = fleet_cohorts_held(t),
                                   .others = t->names[FLEET_TENANTS].count > 1,
                                   .brought = e != NULL && e->named_s != 0};
    if (in.brought) { in.brought_s = now_s - (int64_t)e->named_s; }
    for (size_t i = 1; i < t->names[FLEET_COHORTS].count; i++) {
        in.own += t->cohorts.held[i] && t->cohorts.owner[i] == tenant;
    }
    return cohort_rule_name(&in);
}

static uint16_t place(const struct fleet_table *t, uint16_t tenant, const struct fleet_endpoint *e,
                      int64_t now_s, enum cohort_rule *why_out)
{
    size_t count = t->names[FLEET_COHORTS].count;
    *why_out = may(t, tenant, e, now_s);
    if (*why_out != COHORT_RULE_MAY) { return 0; }
    if (count < FLEET_COHORTS_MAX) { return (uint16_t)count; }
    for (size_t i = 1; i < count; i++) {
        if (!t->cohorts.held[i]) { return (uint16_t)i; }
    }
    *why_out = COHORT_RULE_FULL;
    return 0;
}

uint16_t fleet_cohorts_place(struct fleet_table *t, uint16_t tenant, const struct fleet_endpoint *e,
                             int64_t now_s, enum cohort_rule *why_out)
{
    struct fleet_cohorts *c = &t->cohorts;
    uint16_t number = place(t, tenant, e, now_s, why_out);
    bool stale = !c->looked || now_s < c->looked_s || now_s - c->looked_s >= LOOK_S;
    if (number != 0 || *why_out == COHORT_RULE_OFTEN || !stale) { return number; }
    look(t, now_s);
    return place(t, tenant, e, now_s, why_out);
}

RW_RC fleet_cohorts_reuse(struct fleet_table *t, const struct fleet_record *r, struct rw_err *err)
{
    if (r->space != FLEET_COHORTS || r->cohort == 0 ||
        fleet_table_name(t, FLEET_COHORTS, r->name) != FLEET_NO_NAME) {
        return rw_fail(err, RW_E_PROTOCOL, "journal: place %u of the cohorts cannot be used again",
                       r->cohort);
    }
    fleet_table_rename(t, FLEET_COHORTS, r->cohort, r->name);
    fleet_windows_empty(&t->windows, r->cohort);
    fleet_cohorts_named(t, r->cohort);
    return RW_OK;
}
