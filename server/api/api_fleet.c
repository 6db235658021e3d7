#include "server/api/api_fleet.h"

#include "common/base/num.h"
#include "server/api/api_core.h"
#include "server/api/api_operator.h"
#include "server/api/api_permit.h"
#include "server/api/api_query.h"
#include "server/health/fleet_dark.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000, COHORTS_DEFAULT = 50, OLDER_S_MAX = 3660 * 86400 };

/* --- GET /v1/fleet --- */

static RW_RC write_fleet(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    int64_t after = 0;
    int64_t limit = PAGE_DEFAULT;
    RW_TRY(api_query_i64(&job->req, "after", 0, RW_JSON_INT_MAX, &after, err));
    RW_TRY(api_query_i64(&job->req, "limit", 1, PAGE_MAX, &limit, err));
    struct json_writer w = json_begin(&job->reply.body);
    RW_TRY(fleet_state_write_page(c->fleet, job->req.who.tenant, after, (size_t)limit, &w, err));
    return json_done(&w, err);
}

static void apply_fleet(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_fleet(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

/* What operators set for it and for its tenant. What its own administrator set only the endpoint knows. */
static void put_controls(const struct api_core *c, const struct fleet_who *who,
                         struct json_writer *w)
{
    struct control controls[CONTROL_MAX];
    struct rw_wall now = rw_clock_wall(&c->clock);
    const struct ring_policy *policy = api_trust_policy(c->trust);
    size_t count = policy == NULL ? 0 : rollout_control_of(c->controls, who, controls);
    json_open_array(w, "controls");
    for (size_t i = 0; i < count; i++) {
        json_open_object(w, NULL);
        control_codec_put_view(w, &controls[i], &policy->controls, now);
        json_close_object(w);
    }
    json_close_array(w);
}

static RW_RC write_endpoint(const struct api_core *c, struct api_job *job, bool why,
                            struct rw_err *err)
{
    uint8_t id[FLEET_ENDPOINT_BYTES];
    if (!rw_is_ok(rw_hex_decode(id, sizeof(id), job->req.params[0], "endpoint", err))) {
        return rw_fail(err, RW_E_NOT_FOUND, "no endpoint can have such an id: want 32 hex digits");
    }
    struct json_writer w = json_begin(&job->reply.body);
    struct fleet_who who;
    RW_TRY(fleet_state_write_one(c->fleet, job->req.who.tenant, id, &who, &w, err));
    put_controls(c, &who, &w);
    if (why) {
        fleet_dark_write_of(c->fleet, &who, rw_clock_wall(&c->clock), &w);
        RW_TRY(api_permit_write_why(c, &who, &w, err));
    }
    json_close_object(&w);
    return json_done(&w, err);
}

static void apply_endpoint(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_endpoint(core, job, false, &err);
    api_core_answer(job, rc, &err, 200);
}

static void apply_why(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_endpoint(core, job, true, &err);
    api_core_answer(job, rc, &err, 200);
}

/* --- GET /v1/fleet/dark --- */

static RW_RC write_dark(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    static const char *const known[] = {"ring",    "family", "release", "cohort",
                                        "older_s", "after",  "limit"};
    char ring[BEACON_NAME_BYTES];
    char family[BEACON_NAME_BYTES];
    char cohort[FLEET_DARK_COHORT_BYTES];
    int64_t limit = PAGE_DEFAULT;
    struct fleet_dark_query q = {.tenant = job->req.who.tenant,
                                 .ring = ring,
                                 .family = family,
                                 .cohort = cohort,
                                 .now = rw_clock_wall(&c->clock)};
    RW_TRY(api_query_only(&job->req, known, RW_LEN(known), err));
    RW_TRY(api_query_text(&job->req, "ring", ring, sizeof(ring), err));
    RW_TRY(api_query_text(&job->req, "family", family, sizeof(family), err));
    RW_TRY(api_query_text(&job->req, "cohort", cohort, sizeof(cohort), err));
    RW_TRY(api_query_i64(&job->req, "release", 1, RW_JSON_INT_MAX, &q.release, err));
    RW_TRY(api_query_i64(&job->req, "older_s", 0, OLDER_S_MAX, &q.older_s, err));
    RW_TRY(api_query_i64(&job->req, "after", 0, RW_JSON_INT_MAX, &q.after, err));
    RW_TRY(api_query_i64(&job->req, "limit", 1, FLEET_DARK_PAGE_MAX, &limit, err));
    if (q.release != 0 && family[0] == '\0') {
        return rw_fail(err, RW_E_SCHEMA, "'release' is a number of a family: 'family' is missing");
    }
    q.limit = (size_t)limit;
    struct json_writer w = json_begin(&job->reply.body);
    RW_TRY(fleet_dark_write_page(c->fleet, &q, &w, err));
    return json_done(&w, err);
}

static void apply_dark(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_dark(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

/* --- GET /v1/fleet/cohorts: counts are kept per cohort, not per cohort and tenant (INV-11) --- */

static RW_RC write_cohorts(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    static const char *const known[] = {"family", "after", "limit"};
    char family[BEACON_NAME_BYTES];
    struct rollout_run_cohorts page = {
        .family = family, .limit = COHORTS_DEFAULT, .now = rw_clock_wall(&c->clock)};
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(api_query_only(&job->req, known, RW_LEN(known), err));
    RW_TRY(api_query_text(&job->req, "family", family, sizeof(family), err));
    RW_TRY(api_query_i64(&job->req, "after", 0, RW_JSON_INT_MAX, &page.after, err));
    RW_TRY(api_query_i64(&job->req, "limit", 1, ROLLOUT_COHORTS_PAGE_MAX, &page.limit, err));
    struct json_writer w = json_begin(&job->reply.body);
    RW_TRY(rollout_run_write_cohorts(c->rollouts, &page, &w, err));
    return json_done(&w, err);
}

static void apply_cohorts(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_cohorts(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

/* The first pattern that fits decides: words before ids. */
const struct api_route api_fleet_routes[] = {
    {.method = "GET", .pattern = "/v1/fleet", .auth = API_AUTH_VIEWER, .apply = apply_fleet},
    {.method = "GET", .pattern = "/v1/fleet/dark", .auth = API_AUTH_VIEWER, .apply = apply_dark},
    {.method = "GET",
     .pattern = "/v1/fleet/cohorts",
     .auth = API_AUTH_VIEWER,
     .apply = apply_cohorts},
    {.method = "GET",
     .pattern = "/v1/fleet/{endpoint}",
     .auth = API_AUTH_VIEWER,
     .apply = apply_endpoint},
    {.method = "GET",
     .pattern = "/v1/fleet/{endpoint}/why",
     .auth = API_AUTH_VIEWER,
     .apply = apply_why},
};
const size_t api_fleet_route_count = RW_LEN(api_fleet_routes);
