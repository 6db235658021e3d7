#include "server/health/fleet_cohorts.h"
#include "server/health/fleet_hot.h"

#include <string.h>

/* Endpoints per value of one small number of theirs. */
struct groups {
    int64_t grades[FLEET_GRADES];
    int64_t trusts[FLEET_TRUSTS];
    int64_t no_loader;
    int64_t no_ring;
    int64_t muted;
};

static RW_RC put_rings(const struct fleet_table *t, const struct groups *g, struct rw_buf *into,
                       struct rw_err *err)
{
    RW_TRY(rw_buf_append_str(into,
                             "# HELP ringward_endpoints Endpoints known, by ring.\n"
                             "# TYPE ringward_endpoints gauge\n",
                             err));
    for (size_t i = 0; i < t->names[FLEET_RINGS].count; i++) {
        const struct fleet_counts *c = fleet_table_counts(t, 0, (uint16_t)i, FLEET_WHOLE_RING);
        RW_TRY(rw_buf_appendf(into, err, "ringward_endpoints{ring=\"%s\"} %lld\n",
                              t->names[FLEET_RINGS].text[i],
                              (long long)(c == NULL ? 0 : c->members)));
    }
    return rw_buf_appendf(into, err, "ringward_endpoints{ring=\"\"} %lld\n", (long long)g->no_ring);
}

/* INV-12: what protects less than it should is counted where people look. */
static RW_RC put_groups(const struct groups *g, struct rw_buf *into, struct rw_err *err)
{
    RW_TRY(rw_buf_append_str(into,
                             "# HELP ringward_endpoints_sandbox Endpoints by sandbox grade; empty: "
                             "the box has not run there.\n"
                             "# TYPE ringward_endpoints_sandbox gauge\n",
                             err));
    for (unsigned i = 0; i < FLEET_GRADES; i++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_endpoints_sandbox{grade=\"%s\"} %lld\n",
                              fleet_hot_grade((uint8_t)i), (long long)g->grades[i]));
    }
    RW_TRY(rw_buf_append_str(into,
                             "# HELP ringward_endpoints_trust Endpoints by state of their trusted "
                             "metadata.\n# TYPE ringward_endpoints_trust gauge\n",
                             err));
    for (unsigned i = 0; i < FLEET_TRUSTS; i++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_endpoints_trust{trust=\"%s\"} %lld\n",
                              fleet_hot_trust((uint8_t)i), (long long)g->trusts[i]));
    }
    return rw_buf_appendf(into, err,
                          "# HELP ringward_endpoints_no_loader Endpoints without a sensor's loader "
                          "for dry runs of whole sets.\n"
                          "# TYPE ringward_endpoints_no_loader gauge\n"
                          "ringward_endpoints_no_loader %lld\n",
                          (long long)g->no_loader);
}

/* INV-12: endpoints without a cohort of their own have no window and no halt of their own either. */
static int64_t in_other(const struct fleet_table *t)
{
    int64_t members = 0;
    for (size_t i = 0; i < t->names[FLEET_RINGS].count; i++) {
        const struct fleet_counts *c = fleet_table_counts(t, 0, (uint16_t)i, 0);
        members += c == NULL ? 0 : c->members;
    }
    return members;
}

static RW_RC put_cohorts(const struct fleet_table *t, struct rw_buf *into, struct rw_err *err)
{
    RW_TRY(rw_buf_appendf(into, err,
                          "# HELP ringward_cohorts Names of cohorts in use, of %d.\n"
                          "# TYPE ringward_cohorts gauge\n"
                          "ringward_cohorts %zu\n"
                          "# HELP ringward_endpoints_cohort_other Endpoints in a ring whose cohort "
                          "has no place of its own.\n"
                          "# TYPE ringward_endpoints_cohort_other gauge\n"
                          "ringward_endpoints_cohort_other %lld\n"
                          "# HELP ringward_cohorts_refused_total New names of cohorts that were "
                          "not taken, by reason.\n"
                          "# TYPE ringward_cohorts_refused_total counter\n",
                          FLEET_COHORTS_MAX - 1, fleet_cohorts_held(t), (long long)in_other(t)));
    for (int i = COHORT_RULE_OFTEN; i < COHORT_RULES; i++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_cohorts_refused_total{why=\"%s\"} %llu\n",
                              cohort_rule_word((enum cohort_rule)i),
                              (unsigned long long)t->cohorts.turned_away[i]));
    }
    return RW_OK;
}

void fleet_state_write_alarms(const struct fleet_state *f, struct json_writer *w)
{
    if (f->lost || in_other(&f->table) == 0) { return; }
    json_put_str(
        w, NULL,
        "cohorts: endpoints count as 'other', without a window and a halt of their own: "
        "ringward_endpoints_cohort_other says how many, ringward_cohorts_refused_total why");
}

static int64_t open_permits(const struct fleet_table *t)
{
    int64_t open = 0;
    for (size_t i = 0; i < t->count_cap; i++) {
        const struct fleet_count_entry *e = &t->counts[i];
        if (e->key != 0 && (uint16_t)(e->key - 1) == FLEET_WHOLE_RING) {
            open += e->counts.pending;
        }
    }
    return open;
}

RW_RC fleet_state_metrics(const struct fleet_state *f, struct rw_buf *into, struct rw_err *err)
{
    const struct fleet_table *t = &f->table;
    struct groups g = {.no_ring = 0};
    for (size_t i = 0; i < t->endpoint_count; i++) {
        g.grades[t->endpoints[i].grade]++;
        g.trusts[t->endpoints[i].trust & ~(unsigned)FLEET_NO_LOADER]++;
        g.no_loader += (t->endpoints[i].trust & FLEET_NO_LOADER) != 0;
        g.no_ring += t->endpoints[i].ring == FLEET_NO_NAME;
        g.muted += t->endpoints[i].muted;
    }
    RW_TRY(put_rings(t, &g, into, err));
    RW_TRY(put_groups(&g, into, err));
    RW_TRY(put_cohorts(t, into, err));
    RW_TRY(rw_buf_appendf(into, err,
                          "# HELP ringward_endpoints_muted Endpoints whose votes do not count.\n"
                          "# TYPE ringward_endpoints_muted gauge\n"
                          "ringward_endpoints_muted %lld\n",
                          (long long)g.muted));
    RW_TRY(rw_buf_appendf(into, err,
                          "# HELP ringward_permits_open Permits without outcome before their "
                          "deadline.\n# TYPE ringward_permits_open gauge\n"
                          "ringward_permits_open %lld\n"
                          "# HELP ringward_beacons_total Beacons taken, by kind.\n"
                          "# TYPE ringward_beacons_total counter\n",
                          (long long)open_permits(t)));
    for (int kind = 0; kind < FLEET_KINDS; kind++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_beacons_total{kind=\"%s\"} %llu\n",
                              beacon_kind_name((enum beacon_kind)kind),
                              (unsigned long long)t->beacons[kind]));
    }
    return RW_OK;
}
