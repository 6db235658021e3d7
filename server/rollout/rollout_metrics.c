#include "server/rollout/rollout_live.h"
#include "server/rollout/rollout_run.h"

#include <stdio.h>

/* The metrics, one after the other: samples of one name stand together. */
enum metric { METRIC_ENDPOINTS, METRIC_EVIDENCE, METRIC_THRESHOLD, METRIC_STATE, METRICS };

static RW_RC put_endpoints(const char *labels, const struct rollout_facts *f, struct rw_buf *into,
                           struct rw_err *err)
{
    const struct fleet_counts *c = &f->ring.counts;
    const struct {
        const char *name;
        int64_t value;
    } counts[] = {
        {"exposed", c->exposed},
        {"pending", c->pending},
        {"healthy", c->survived},
        {"failed", c->failed},
        {"dark", c->dark},
        {"refused", c->refused},
        {"unable", c->unable},
        {"late", c->late_crash},
        {"storm", c->storm},
        {"slow", c->slow},
        {"mute", c->mute},
        {"on", c->still_on},
        {"allowed", f->window.allowed},
    };
    for (size_t k = 0; k < RW_LEN(counts); k++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_rollout_endpoints{%s,what=\"%s\"} %lld\n",
                              labels, counts[k].name, (long long)counts[k].value));
    }
    return RW_OK;
}

/* The samples of one ring, each behind those of its metric: facts are dear, so they are gathered once. */
static RW_RC ring_samples(const struct rollout_facts_from *from, size_t i,
                          struct rw_buf text[static METRICS], struct rw_err *err)
{
    const struct rollout *ro = from->rollout;
    struct rollout_facts f;
    char labels[160];
    rollout_facts_ring(from, i, &f);
    (void)snprintf(labels, sizeof(labels), "family=\"%s\",release=\"%lld\",ring=\"%s\"", ro->family,
                   (long long)ro->release, ro->rings[i].name);
    RW_TRY(put_endpoints(labels, &f, &text[METRIC_ENDPOINTS], err));
    RW_TRY(rw_buf_appendf(&text[METRIC_EVIDENCE], err, "ringward_rollout_evidence{%s} %.6g\n",
                          labels, f.log_e));
    RW_TRY(rw_buf_appendf(&text[METRIC_THRESHOLD], err, "ringward_rollout_threshold{%s} %.6g\n",
                          labels, f.threshold));
    return rw_buf_appendf(&text[METRIC_STATE], err,
                          "ringward_rollout_ring_state{%s,state=\"%s\"} 1\n", labels,
                          sm_name(&rollout_rule_table, ro->rings[i].state));
}

static RW_RC samples(const struct rollout_run *r, struct rw_buf text[static METRICS],
                     struct rw_err *err)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct rollout *ro = r->all[i];
        if (rollout_live_of(r, ro->family) != ro) { continue; }
        const struct rollout_facts_from from = rollout_live_from(r, ro, r->now);
        for (size_t k = 0; k < ro->ring_count; k++) {
            RW_TRY(ring_samples(&from, k, text, err));
        }
    }
    return RW_OK;
}

RW_RC rollout_run_metrics(const struct rollout_run *r, struct rw_buf *into, struct rw_err *err)
{
    static const char *const heads[METRICS] = {
        [METRIC_ENDPOINTS] = "# HELP ringward_rollout_endpoints Endpoints of a ring by outcome; "
                             "allowed: what the window permits.\n"
                             "# TYPE ringward_rollout_endpoints gauge\n",
        [METRIC_EVIDENCE] = "# HELP ringward_rollout_evidence log E of harm.\n"
                            "# TYPE ringward_rollout_evidence gauge\n",
        [METRIC_THRESHOLD] = "# HELP ringward_rollout_threshold Halt at log E of this or more.\n"
                             "# TYPE ringward_rollout_threshold gauge\n",
        [METRIC_STATE] = "# HELP ringward_rollout_ring_state 1 for the state that the ring is in.\n"
                         "# TYPE ringward_rollout_ring_state gauge\n",
    };
    struct rw_buf text[METRICS];
    for (int m = 0; m < METRICS; m++) {
        text[m] = rw_buf_make(into->max);
    }
    struct rw_rc rc = samples(r, text, err);
    for (int m = 0; m < METRICS; m++) {
        if (rw_is_ok(rc)) { rc = rw_buf_append_str(into, heads[m], err); }
        if (rw_is_ok(rc)) { rc = rw_buf_append(into, rw_buf_span(&text[m]), err); }
        rw_buf_drop(&text[m]);
    }
    return rc;
}
