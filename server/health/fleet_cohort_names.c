#include "server/health/fleet_cohorts.h"
#include "server/health/fleet_hot.h"

#include <stdio.h>
#include <string.h>

/* The words stand between unit separators, which sort and show nowhere else. */
void fleet_hot_cohort_text(const struct beacon_cohort *cohort,
                           char dst[static FLEET_JOURNAL_NAME_BYTES])
{
    const char *const words[] = {cohort->os, cohort->arch, cohort->engine};
    size_t n = 0;
    _Static_assert(FLEET_JOURNAL_NAME_BYTES >= 3 * BEACON_COHORT_BYTES + 5, "all of it fits");
    for (size_t i = 0; i < RW_LEN(words); i++) {
        size_t length = strlen(words[i]);
        if (i > 0) { dst[n++] = '\x1f'; }
        rw_copy(&dst[n], FLEET_JOURNAL_NAME_BYTES - n - 1, words[i], length);
        n += length;
    }
    dst[n] = '\0';
}

static const char *take_word(const char *text, char dst[static BEACON_COHORT_BYTES])
{
    size_t n = strcspn(text, "\x1f");
    if (n >= BEACON_COHORT_BYTES) { n = BEACON_COHORT_BYTES - 1; }
    rw_copy(dst, BEACON_COHORT_BYTES, text, n);
    dst[n] = '\0';
    text += n;
    return *text == '\x1f' ? text + 1 : text;
}

struct beacon_cohort fleet_hot_cohort_of(const char *text)
{
    struct beacon_cohort c = {.os = ""};
    text = take_word(text, c.os);
    text = take_word(text, c.arch);
    (void)take_word(text, c.engine);
    return c;
}

/* Where the cohort of an endpoint of `who` stands; FLEET_NO_NAME: it would be new, and *place_out says where. */
static uint16_t where(struct fleet_state *f, const struct fleet_who *who, const char *text,
                      struct rw_wall now, uint16_t *place_out, enum cohort_rule *why_out)
{
    struct fleet_table *t = &f->table;
    uint16_t number = fleet_table_name(t, FLEET_COHORTS, text);
    if (number != FLEET_NO_NAME) { return number; }
    uint16_t tenant = fleet_table_name(t, FLEET_TENANTS, who->tenant);
    const struct fleet_endpoint *e = fleet_table_find(t, who->endpoint);
    *place_out = fleet_cohorts_place(t, tenant, e, now.s, why_out);
    return *place_out == 0 ? 0 : FLEET_NO_NAME;
}

struct beacon_cohort fleet_state_cohort_for(struct fleet_state *f, const struct fleet_ask *ask)
{
    char text[FLEET_JOURNAL_NAME_BYTES];
    uint16_t place = 0;
    enum cohort_rule why = COHORT_RULE_MAY;
    fleet_hot_cohort_text(&ask->request->cohort, text);
    uint16_t number = where(f, ask->who, text, ask->now, &place, &why);
    return number == 0 ? fleet_hot_cohort_of(fleet_table_text(&f->table, FLEET_COHORTS, 0))
                       : ask->request->cohort;
}

/* The tenant stands behind the words, for its share of the table. */
static RW_RC bring(struct fleet_state *f, const struct fleet_who *who, const char *text,
                   struct rw_wall now, uint16_t place, struct rw_err *err)
{
    bool fresh = place == f->table.names[FLEET_COHORTS].count;
    uint16_t tenant = fleet_table_name(&f->table, FLEET_TENANTS, who->tenant);
    struct fleet_record r = {.type = fresh ? FLEET_DEFINE : FLEET_REUSE,
                             .space = FLEET_COHORTS,
                             .ring = FLEET_NO_NAME,
                             .cohort = place};
    int bytes = snprintf(r.name, sizeof(r.name), "%s\x1f%u", text, tenant);
    if (bytes < 0 || (size_t)bytes >= sizeof(r.name)) { /* half a number would be another tenant */
        return rw_fail(err, RW_E_RANGE, "a cohort's name of %d bytes, at most %zu are kept", bytes,
                       sizeof(r.name) - 1);
    }
    RW_TRY(fleet_hot_change(f, &r, err));
    struct fleet_endpoint *e = fleet_table_find(&f->table, who->endpoint);
    if (e != NULL) { e->named_s = (uint32_t)now.s; }
    return RW_OK;
}

RW_RC fleet_hot_cohort(struct fleet_state *f, const struct fleet_who *who,
                       const struct beacon_cohort *cohort, struct rw_wall now, uint16_t *number_out,
                       struct rw_err *err)
{
    char text[FLEET_JOURNAL_NAME_BYTES];
    uint16_t place = 0;
    enum cohort_rule why = COHORT_RULE_MAY;
    if (f->lost) { RW_TRY(fleet_state_reload(f, err)); }
    fleet_hot_cohort_text(cohort, text);
    uint16_t number = where(f, who, text, now, &place, &why);
    if (number == 0) { f->table.cohorts.turned_away[why]++; }
    if (number == FLEET_NO_NAME) {
        RW_TRY(bring(f, who, text, now, place, err));
        number = place;
    }
    *number_out = number;
    return RW_OK;
}
