#include "server/api/api_health.h"

#include "common/base/version.h"
#include "server/api/api_core.h"

static void apply_healthz(void *core, struct api_job *job)
{
    (void)core;
    struct rw_err err;
    struct rw_rc rc = rw_buf_append_str(&job->reply.body, "ok\n", &err);
    job->reply.content_type = "text/plain; charset=utf-8";
    api_core_answer(job, rc, &err, 200);
}

static void apply_readyz(void *core, struct api_job *job)
{
    struct rw_err err;
    const char *why = NULL;
    if (!api_core_ready(core, &why)) {
        RW_IGNORE(rw_fail(&err, RW_E_BUSY, "not ready: %s", why), "it is the answer");
        api_reply_error(job, &err);
        return;
    }
    struct rw_rc rc = rw_buf_append_str(&job->reply.body, "ready\n", &err);
    job->reply.content_type = "text/plain; charset=utf-8";
    api_core_answer(job, rc, &err, 200);
}

/* For a load balancer of operators: the one node that signs. */
static void apply_controller(void *core, struct api_job *job)
{
    struct rw_err err;
    if (!rw_is_ok(api_node_must_control(core, &err))) {
        api_reply_error(job, &err);
        return;
    }
    apply_readyz(core, job);
}

struct sample {
    const char *name;
    const char *type;
    const char *help;
    uint64_t value;
};

static RW_RC put_samples(const struct sample *samples, size_t count, struct rw_buf *into,
                         struct rw_err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct sample *s = &samples[i];
        RW_TRY(rw_buf_appendf(into, err, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", s->name, s->help,
                              s->name, s->type, s->name, (unsigned long long)s->value));
    }
    return RW_OK;
}

static RW_RC put_http(const struct api_core *c, struct rw_buf *into, struct rw_err *err)
{
    struct http_counters n = {.accepted = 0};
    c->outside.counters(c->outside.ctx, &n);
    const struct sample samples[] = {
        {"ringward_http_connections_total", "counter", "Connections accepted.", n.accepted},
        {"ringward_http_connections_open", "gauge", "Connections open now.", n.open},
        {"ringward_http_turned_away_total", "counter", "Connections refused by a cap.",
         n.turned_away},
        {"ringward_http_requests_total", "counter", "Requests with complete headers.", n.requests},
        {"ringward_http_refused_total", "counter", "Requests that the parser refused.", n.refused},
        {"ringward_http_cut_total", "counter", "Connections cut by a deadline.", n.cut},
    };
    RW_TRY(put_samples(samples, RW_LEN(samples), into, err));
    RW_TRY(rw_buf_append_str(into,
                             "# HELP ringward_http_replies_total Replies by class of status.\n"
                             "# TYPE ringward_http_replies_total counter\n",
                             err));
    for (size_t i = 1; i < RW_LEN(n.replies); i++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_http_replies_total{class=\"%zuxx\"} %llu\n", i,
                              (unsigned long long)n.replies[i]));
    }
    RW_TRY(rw_buf_append_str(
        into,
        "# HELP ringward_http_limited_total Requests refused with 429, by what they exceeded; "
        "connections closed unanswered.\n"
        "# TYPE ringward_http_limited_total counter\n",
        err));
    for (size_t i = 0; i < HTTP_LIMIT_KINDS; i++) {
        RW_TRY(rw_buf_appendf(into, err, "ringward_http_limited_total{kind=\"%s\"} %llu\n",
                              http_limit_name((enum http_limit_kind)i),
                              (unsigned long long)n.limited[i].refused));
    }
    return RW_OK;
}

static RW_RC put_core(const struct api_core *c, struct rw_buf *into, struct rw_err *err)
{
    const char *why = NULL;
    const struct sample samples[] = {
        {"ringward_ready", "gauge", "Whether store, signer and controller work.",
         api_core_ready(c, &why) ? 1 : 0},
        {"ringward_signer_up", "gauge", "Whether the signer answered last time.",
         c->signer_answers ? 1 : 0},
        {"ringward_queue_depth", "gauge", "Requests that wait for the core thread.",
         c->outside.queue_depth(c->outside.ctx)},
        {"ringward_jobs_total", "counter", "Requests that the core thread worked off.",
         c->stats.jobs},
        {"ringward_journal_requests_total", "counter", "Requests that shared a journal commit.",
         c->stats.batched_jobs},
        {"ringward_journal_commits_total", "counter", "Group commits of the journal.",
         c->stats.batches},
        {"ringward_journal_failures_total", "counter", "Group commits that failed.",
         c->stats.commit_failures},
        {"ringward_state_reloads_total", "counter", "Times the state was loaded anew.",
         c->stats.reloads},
        {"ringward_tick_failures_total", "counter", "Turns of the controller that failed.",
         c->stats.tick_failures},
        {"ringward_folds_total", "counter", "Folds of the journal.", c->stats.folds},
        {"ringward_rollouts_forgotten_total", "counter", "Rollouts whose records went.",
         c->stats.forgotten},
        {"ringward_metrics_made_total", "counter",
         "Times that the samples of fleet and rollouts were made.", c->metrics.made},
        {"ringward_controller", "gauge", "Whether this node is the controller.",
         api_node_controls(c) ? 1 : 0},
        {"ringward_controller_term", "gauge", "Term of the controller as this node knows it.",
         c->node == NULL ? 0 : (uint64_t)c->node->lease.term},
        {"ringward_controller_takeovers_total", "counter", "Times this node became controller.",
         c->node == NULL ? 0 : c->node->takeovers},
    };
    return put_samples(samples, RW_LEN(samples), into, err);
}

static RW_RC make_state(void *core, struct rw_buf *into, struct rw_err *err)
{
    const struct api_core *c = core;
    struct rw_wall now = rw_clock_wall(&c->clock);
    RW_TRY(fleet_state_metrics(c->fleet, into, err));
    const struct ring_policy *policy = api_trust_policy(c->trust);
    if (policy != NULL) {
        RW_TRY(rollout_control_metrics(c->controls, &policy->controls, now, into, err));
    }
    return rollout_run_metrics(c->rollouts, into, err);
}

/* What the fleet and the rollouts are; nothing while memory is not what the store holds. Anybody may ask, and it goes
 * over all endpoints: it is made no more often for many who ask than for one. */
static RW_RC put_state(struct api_core *c, struct rw_buf *into, struct rw_err *err)
{
    if (c->fleet_stale || c->rollouts_stale) { return RW_OK; }
    return api_cache_get(&c->metrics, &c->clock, make_state, c, into, err);
}

static RW_RC write_metrics(struct api_core *c, struct rw_buf *into, struct rw_err *err)
{
    struct rw_wall now = rw_clock_wall(&c->clock);
    RW_TRY(rw_buf_appendf(into, err,
                          "# HELP ringward_build_info Version of this server.\n"
                          "# TYPE ringward_build_info gauge\n"
                          "ringward_build_info{version=\"%s\"} 1\n",
                          RW_VERSION));
    RW_TRY(put_core(c, into, err));
    RW_TRY(put_http(c, into, err));
    const struct api_certificate certificate = api_core_certificate(c);
    RW_TRY(api_certificate_metrics(&certificate, now, into, err));
    const struct api_retention retention = api_core_retention(c);
    RW_TRY(api_retention_metrics(&retention, into, err));
    RW_TRY(api_trust_metrics(c->trust, now, into, err));
    RW_TRY(rw_buf_appendf(into, err,
                          "# HELP ringward_beacons_clock_total Beacons of endpoints whose clock "
                          "cannot be believed.\n# TYPE ringward_beacons_clock_total counter\n"
                          "ringward_beacons_clock_total{clock=\"behind\"} %llu\n"
                          "ringward_beacons_clock_total{clock=\"ahead\"} %llu\n"
                          "# HELP ringward_beacons_integrity_total Beacons that tell of damaged "
                          "content on an endpoint's disk.\n"
                          "# TYPE ringward_beacons_integrity_total counter\n"
                          "ringward_beacons_integrity_total %llu\n",
                          (unsigned long long)c->clocks_behind, (unsigned long long)c->clocks_ahead,
                          (unsigned long long)c->integrity));
    RW_TRY(api_clock_metrics(c->steady, into, err));
    RW_TRY(webhook_metrics(c->webhook, into, err));
    RW_TRY(rw_buf_appendf(
        into, err,
        "# HELP ringward_endpoint_clones_total Endpoints that found themselves copies of another's "
        "disk.\n# TYPE ringward_endpoint_clones_total counter\n"
        "ringward_endpoint_clones_total %llu\n"
        "# HELP ringward_endpoints_shared Endpoints that several machines speak as.\n"
        "# TYPE ringward_endpoints_shared gauge\nringward_endpoints_shared %llu\n",
        (unsigned long long)c->clones, (unsigned long long)c->shared.shared));
    return put_state(c, into, err);
}

static void apply_metrics(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_metrics(core, &job->reply.body, &err);
    job->reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
    api_core_answer(job, rc, &err, 200);
    if (!rw_is_ok(rc)) { job->reply.content_type = NULL; }
}

#define PROBE(path, function)                                                                      \
    {                                                                                              \
        .method = "GET", .pattern = (path), .auth = API_AUTH_NONE, .apply = (function),            \
        .probe = true                                                                              \
    }

const struct api_route api_health_routes[] = {
    PROBE("/healthz", apply_healthz),
    PROBE("/readyz", apply_readyz),
    PROBE("/readyz/controller", apply_controller),
    PROBE("/metrics", apply_metrics),
};
const size_t api_health_route_count = RW_LEN(api_health_routes);
