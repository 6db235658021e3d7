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
        {"exposed", c->exposed}, {"pending", c->pending}, {"healthy", c->survived},
        {"failed", c->failed},   {"dark", c->dark},       {"refused", c->refused},
        {"unable", c->unable},   {"late", c->late_crash}, {"storm", c->storm},
        {"slow", c->slow},       {"on", c->still_on},     {"allowed", f->window.allowed},
    };
    for (size_t k = 0; k < RW_LEN(counts); k++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_rollout_endpoints{%s,what=\"%s\"} %lld\n",
                              labels, counts[k].name, (long long)counts[k].value));
    }
    return RW_OK;
}

static RW_RC ring_sample(const struct rollout_facts_from *from, size_t i, enum metric metric,
                         struct rw_buf *into, struct rw_err *err)
{
    const struct rollout *ro = from->rollout;
    struct rollout_facts f;
    char labels[160];
    rollout_facts_ring(from, i, &f);
    (void)snprintf(labels, sizeof(labels), "family=\"%s\",release=\"%lld\",ring=\"%s\"", ro->family,
                   (long long)ro->release, ro->rings[i].name);
    switch (metric) {
    case METRIC_ENDPOINTS:
        return put_endpoints(labels, &f, into, err);
    case METRIC_EVIDENCE:
        return rw_buf_appendf(into, err, "ringward_rollout_evidence{%s} %.6g\n", labels, f.log_e);
    case METRIC_THRESHOLD:
        return rw_buf_appendf(into, err, "ringward_rollout_threshold{%s} %.6g\n", labels,
                              f.threshold);
    case METRIC_STATE:
        return rw_buf_appendf(into, err, "ringward_rollout_ring_state{%s,state=\"%s\"} 1\n", labels,
                              sm_name(&rollout_rule_table, ro->rings[i].state));
    case METRICS:
        break;
    }
    return RW_OK;
}

static RW_RC samples(const struct rollout_run *r, enum metric metric, struct rw_buf *into,
                     struct rw_err *err)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct rollout *ro = r->all[i];
        if (rollout_live_of(r, ro->family) != ro) { continue; }
        const struct rollout_facts_from from = rollout_live_from(r, ro, r->now);
        for (size_t k = 0; k < ro->ring_count; k++) {
            RW_TRY(ring_sample(&from, k, metric, into, err));
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
    for (int m = 0; m < METRICS; m++) {
        RW_TRY(rw_buf_append_str(into, heads[m], err));
        RW_TRY(samples(r, (enum metric)m, into, err));
    }
    return RW_OK;
}
