#include "server/api/api_agent.h"

#include "common/base/log.h"
#include "common/base/num.h"
#include "server/api/api_core.h"
#include "server/api/api_permit.h"
#include "server/api/token_once.h"

#include <string.h>

enum { ENROL_BODY_BYTES_MAX = 256, RENEW_BODY_BYTES_MAX = 64 };

/* Whose request it is: from the verified token, never from the body (INV-11). */
static struct fleet_who who_of(const struct api_job *job)
{
    struct fleet_who who = {.tenant = ""};
    _Static_assert(sizeof(who.endpoint) == API_ENDPOINT_BYTES, "one kind of endpoint id");
    _Static_assert(sizeof(who.tenant) == API_TENANT_BYTES, "one kind of tenant name");
    rw_copy(who.endpoint, sizeof(who.endpoint), job->req.who.endpoint, API_ENDPOINT_BYTES);
    rw_copy(who.tenant, sizeof(who.tenant), job->req.who.tenant, API_TENANT_BYTES);
    return who;
}

/* --- POST /v1/enrol --- */

struct enrolment {
    struct token_once_asker asker;
    bool cloned;                     /* it found itself a copy of another endpoint's disk ... */
    uint8_t was[API_ENDPOINT_BYTES]; /* ... namely of this one */
};

static RW_RC read_enrolment(struct rw_span body, struct enrolment *out, struct rw_err *err)
{
    static const char *const known[] = {"endpoint", "was", "proof"};
    struct rw_span hex;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, known, RW_LEN(known), err));
    RW_TRY(json_get_span(tree, "endpoint", &hex, err));
    RW_TRY(rw_hex_decode(out->asker.endpoint, API_ENDPOINT_BYTES, hex, "'endpoint'", err));
    out->asker.has_proof = json_find(tree, "proof") != NULL;
    if (out->asker.has_proof) {
        RW_TRY(json_get_span(tree, "proof", &hex, err));
        RW_TRY(rw_hex_decode(out->asker.proof, DIGEST_BYTES, hex, "'proof'", err));
    }
    out->cloned = json_find(tree, "was") != NULL;
    if (!out->cloned) { return RW_OK; }
    RW_TRY(json_get_span(tree, "was", &hex, err));
    return rw_hex_decode(out->was, sizeof(out->was), hex, "'was'", err);
}

static void prepare_enrol(struct api_job *job)
{
    struct rw_err err;
    struct enrolment *e = api_core_prepared(job, sizeof(*e));
    if (e == NULL) { return; }
    if (!rw_is_ok(read_enrolment(job->req.body, e, &err))) { api_reply_error(job, &err); }
}

/* Endpoints cause these lines: they must not fill the log. The counters count them all. */
static bool may_log(struct api_core *c)
{
    uint64_t left_out = 0;
    struct rw_log_line l;
    bool may = log_limit_rule_next(&c->endpoint_lines, rw_clock_mono(&c->clock), &left_out);
    if (left_out > 0) {
        rw_log_begin(&l, RW_LOG_WARN, "endpoint_lines_left_out");
        rw_log_i64(&l, "count", (int64_t)left_out);
        rw_log_end(&l);
    }
    return may;
}

static void note_clone(struct api_core *c, const struct enrolment *e)
{
    struct rw_log_line l;
    char id[2 * API_ENDPOINT_BYTES + 1];
    c->clones++;
    if (!may_log(c)) { return; }
    rw_log_begin(&l, RW_LOG_WARN, "endpoint_cloned");
    rw_hex_encode(id, sizeof(id), e->asker.endpoint, API_ENDPOINT_BYTES);
    rw_log_str(&l, "endpoint", id);
    rw_hex_encode(id, sizeof(id), e->was, sizeof(e->was));
    rw_log_str(&l, "copy_of", id);
    rw_log_end(&l);
}

static RW_RC enrol(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct enrolment *e = job->prepared;
    struct fleet_who who = who_of(job);
    char token[HTTP_TOKEN_BYTES];
    if (job->req.who.once) {
        RW_TRY(token_once_claim(c->store, job->req.who.token_sha256, &e->asker,
                                rw_clock_wall(&c->clock), err));
    }
    rw_copy(who.endpoint, sizeof(who.endpoint), e->asker.endpoint, API_ENDPOINT_BYTES);
    RW_TRY(http_auth_endpoint_token(c->auth, who.endpoint, who.tenant, rw_clock_wall(&c->clock),
                                    token, err));
    RW_TRY(fleet_state_enrol(c->fleet, &who, rw_clock_wall(&c->clock), err));
    if (e->cloned) { note_clone(c, e); }
    struct json_writer w = json_begin(&job->reply.body);
    json_open_object(&w, NULL);
    json_put_str(&w, "token", token);
    json_close_object(&w);
    rw_wipe(token, sizeof(token));
    return json_done(&w, err);
}

static void apply_enrol(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = enrol(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

/* --- POST /v1/token: the next token of an endpoint; the one that asks stays good for its own time --- */

static RW_RC renew(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    struct fleet_who who = who_of(job);
    char token[HTTP_TOKEN_BYTES];
    RW_TRY(http_auth_endpoint_token(c->auth, who.endpoint, who.tenant, rw_clock_wall(&c->clock),
                                    token, err));
    struct json_writer w = json_begin(&job->reply.body);
    json_open_object(&w, NULL);
    json_put_str(&w, "token", token);
    json_close_object(&w);
    rw_wipe(token, sizeof(token));
    return json_done(&w, err);
}

static void apply_renew(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = renew(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

/* --- POST /v1/permits --- */

static void prepare_permit(struct api_job *job)
{
    struct rw_err err;
    struct beacon_permit_request *r = api_core_prepared(job, sizeof(*r));
    if (r == NULL) { return; }
    if (!rw_is_ok(beacon_permit_read_request(job->req.body, r, &err))) {
        api_reply_error(job, &err);
    }
}

static void apply_permit(void *core, struct api_job *job)
{
    struct rw_err err;
    struct fleet_who who = who_of(job);
    struct beacon_permit_answer answer;
    struct rw_rc rc = api_permit_decide(core, &who, job->prepared, &answer, &err);
    if (rw_is_ok(rc)) { rc = beacon_permit_write_answer(&answer, &job->reply.body, &err); }
    api_core_answer(job, rc, &err, 200);
}

/* --- POST /v1/beacons --- */

struct batch {
    struct beacon beacons[BEACON_BATCH_MAX];
    size_t count;
    uint64_t run;
};

static void prepare_beacons(struct api_job *job)
{
    struct rw_err err;
    struct batch *b = api_core_prepared(job, sizeof(*b));
    if (b == NULL) { return; }
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_rc rc = json_parse(job->req.body, &json_limits_small, &tree, &err);
    if (rw_is_ok(rc)) { rc = beacon_read_batch_tree(tree, b->beacons, &b->count, &b->run, &err); }
    if (!rw_is_ok(rc)) { api_reply_error(job, &err); }
}

static void count_clock(struct api_core *c, const struct beacon *b)
{
    if (strcmp(b->clock, "behind") == 0) { c->clocks_behind++; }
    if (strcmp(b->clock, "ahead") == 0) { c->clocks_ahead++; }
}

/* The endpoint shows what keeps it, and goes back when a pin says so. */
static void put_controls(const struct api_core *c, const struct fleet_who *who,
                         struct json_writer *w)
{
    struct control controls[CONTROL_MAX];
    size_t count = rollout_control_of(c->controls, who, controls);
    json_open_array(w, "controls");
    for (size_t i = 0; i < count; i++) {
        control_codec_put(w, NULL, &controls[i]);
    }
    json_close_array(w);
}

/* INV-11: one endpoint, one vote; two machines behind one identity are told. */
static void watch_for_clones(struct api_core *c, const struct fleet_who *who, uint64_t run)
{
    char id[2 * API_ENDPOINT_BYTES + 1];
    if (!clone_watch_see(&c->shared, who->endpoint, run)) { return; }
    if (!may_log(c)) { return; }
    rw_hex_encode(id, sizeof(id), who->endpoint, sizeof(who->endpoint));
    rw_log(RW_LOG_WARN, "endpoint_shared", "endpoint", id);
}

/* Damage on an endpoint's disk says nothing of a release, but somebody should look: one line and a counter (INV-12).
 * The words are the endpoint's: escaped by the log, at most BEACON_DETAIL_BYTES. */
static void note_integrity(struct api_core *c, const struct fleet_who *who, const struct beacon *b)
{
    struct rw_log_line l;
    char hex[2 * API_ENDPOINT_BYTES + 1];
    if (strncmp(b->detail, "integrity: ", strlen("integrity: ")) != 0) { return; }
    c->integrity++;
    if (!may_log(c)) { return; }
    rw_hex_encode(hex, sizeof(hex), who->endpoint, API_ENDPOINT_BYTES);
    rw_log_begin(&l, RW_LOG_WARN, "endpoint_integrity");
    rw_log_str(&l, "endpoint", hex);
    rw_log_str(&l, "detail", b->detail);
    rw_log_end(&l);
}

static RW_RC take_beacons(struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct batch *b = job->prepared;
    struct fleet_who who = who_of(job);
    struct rw_wall now = rw_clock_wall(&c->clock);
    int64_t duplicates = 0;
    int64_t poll_s = 0;
    watch_for_clones(c, &who, b->run);
    for (size_t i = 0; i < b->count; i++) {
        const struct beacon *one = &b->beacons[i];
        bool duplicate = false;
        who.before = (uint8_t)i;
        RW_TRY(fleet_state_beacon(c->fleet, &who, one, now, &duplicate, err));
        if (duplicate) { duplicates++; }
        if (!duplicate) {
            count_clock(c, one);
            note_integrity(c, &who, one);
        }
        int64_t wanted_s = rollout_run_poll_s(c->rollouts, one->ring, one->family);
        if (wanted_s > 0 && (poll_s == 0 || wanted_s < poll_s)) { poll_s = wanted_s; }
    }
    struct json_writer w = json_begin(&job->reply.body);
    json_open_object(&w, NULL);
    json_put_int(&w, "accepted", (int64_t)b->count - duplicates);
    json_put_int(&w, "duplicates", duplicates);
    json_put_int(&w, "poll_s", poll_s);
    put_controls(c, &who, &w);
    json_put_bool(&w, "renew", job->req.who.renew);
    json_close_object(&w);
    return json_done(&w, err);
}

static void apply_beacons(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = take_beacons(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

const struct api_route api_agent_routes[] = {
    {.method = "POST",
     .pattern = "/v1/enrol",
     .auth = API_AUTH_ENROL,
     .body_bytes_max = ENROL_BODY_BYTES_MAX,
     .batched = true,
     .prepare = prepare_enrol,
     .apply = apply_enrol},
    {.method = "POST",
     .pattern = "/v1/token",
     .auth = API_AUTH_ENDPOINT,
     .body_bytes_max = RENEW_BODY_BYTES_MAX,
     .batched = true,
     .apply = apply_renew},
    {.method = "POST",
     .pattern = "/v1/permits",
     .auth = API_AUTH_ENDPOINT,
     .body_bytes_max = PERMIT_BODY_BYTES_MAX,
     .batched = true,
     .prepare = prepare_permit,
     .apply = apply_permit},
    {.method = "POST",
     .pattern = "/v1/beacons",
     .auth = API_AUTH_ENDPOINT,
     .body_bytes_max = BEACON_BODY_BYTES_MAX,
     .batched = true,
     .prepare = prepare_beacons,
     .apply = apply_beacons},
};
const size_t api_agent_route_count = RW_LEN(api_agent_routes);
