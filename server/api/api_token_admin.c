#include "server/api/api_token_admin.h"

#include "common/policy/ring_policy.h"
#include "server/api/api_core.h"
#include "server/api/api_operator.h"
#include "server/api/api_token.h"

#include <string.h>

enum { BODY_BYTES_MAX = 1024, LIST_MAX = HTTP_TOKENS_MAX };

/* --- bodies --- */

struct wish {
    char name[API_NAME_BYTES];
    char tenant[API_TENANT_BYTES];
    enum api_auth role; /* making */
    bool once, replace;
    int64_t valid_s;
};

static RW_RC get_flag(const struct json *o, const char *name, bool *out, struct rw_err *err)
{
    return json_find(o, name) == NULL ? RW_OK : json_get_bool(o, name, out, err);
}

static RW_RC read_new(const struct json *o, struct wish *w, struct rw_err *err)
{
    char role[16];
    RW_TRY(json_get_str(o, "role", role, sizeof(role), err));
    RW_TRY(token_doc_role(role, &w->role, err));
    if (json_find(o, "tenant") != NULL) {
        RW_TRY(json_get_str(o, "tenant", w->tenant, sizeof(w->tenant), err));
    } else if (w->role == API_AUTH_ENROL) {
        RW_TRY(rw_span_to_str(w->tenant, sizeof(w->tenant), rw_span_str("default"), "tenant", err));
    }
    RW_TRY(get_flag(o, "once", &w->once, err));
    RW_TRY(get_flag(o, "replace", &w->replace, err));
    if (w->once != (json_find(o, "valid_s") != NULL)) {
        return rw_fail(err, RW_E_SCHEMA, "'valid_s' goes with 'once', and 'once' needs it");
    }
    return w->once ? json_get_int(o, "valid_s", 1, TOKEN_ONCE_LONGEST_S, &w->valid_s, err) : RW_OK;
}

static RW_RC read_wish(struct rw_span body, bool make, struct wish *w, struct rw_err *err)
{
    static const char *const to_make[] = {"name", "role", "tenant", "once", "valid_s", "replace"};
    static const char *const to_revoke[] = {"name"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(body, &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, make ? to_make : to_revoke, make ? RW_LEN(to_make) : RW_LEN(to_revoke),
                     err));
    RW_TRY(json_get_str(tree, "name", w->name, sizeof(w->name), err));
    RW_TRY(ring_policy_check_name(w->name, "name", err));
    return make ? read_new(tree, w, err) : RW_OK;
}

static void prepare(struct api_job *job, bool make)
{
    struct rw_err err;
    struct wish *w = api_core_prepared(job, sizeof(*w));
    if (w == NULL) { return; }
    if (!rw_is_ok(read_wish(job->req.body, make, w, &err))) { api_reply_error(job, &err); }
}

static void prepare_make(struct api_job *job)
{
    prepare(job, true);
}

static void prepare_revoke(struct api_job *job)
{
    prepare(job, false);
}

/* --- changes: the store's transaction with its audit record (INV-9) first, then the table in force --- */

static RW_RC put_in_force(const struct api_core *c, struct rw_err *err)
{
    size_t count = 0;
    struct rw_rc rc = api_token_load(c->store, c->auth, rw_clock_wall(&c->clock), &count, err);
    return rw_is_ok(rc) ? rc : rw_wrap(err, "recorded, but not in force here yet");
}

static RW_RC make(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct wish *x = job->prepared;
    char token[HTTP_TOKEN_BYTES];
    const struct api_token_request request = {.name = x->name,
                                              .tenant = x->tenant,
                                              .role = x->role,
                                              .by = job->req.who.name,
                                              .once = x->once,
                                              .valid_s = x->valid_s,
                                              .replace = x->replace};
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(api_token_make(c->store, &request, rw_clock_wall(&c->clock), token, err));
    struct json_writer w = json_begin(&job->reply.body);
    json_open_object(&w, NULL);
    json_put_str(&w, "name", x->name);
    json_put_str(&w, "role", token_doc_role_name(x->role));
    if (x->tenant[0] != '\0') { json_put_str(&w, "tenant", x->tenant); }
    json_put_str(&w, "token", token);
    json_close_object(&w);
    rw_wipe(token, sizeof(token));
    RW_TRY(json_done(&w, err));
    return put_in_force(c, err);
}

static RW_RC revoke(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    const struct wish *x = job->prepared;
    size_t count = 0;
    RW_TRY(api_operator_any_tenant(job, err));
    RW_TRY(api_token_revoke(c->store, x->name, job->req.who.name, rw_clock_wall(&c->clock), &count,
                            err));
    struct json_writer w = json_begin(&job->reply.body);
    json_open_object(&w, NULL);
    json_put_str(&w, "name", x->name);
    json_put_int(&w, "revoked", (int64_t)count);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return put_in_force(c, err);
}

static void apply_make(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = make(core, job, &err);
    api_core_answer(job, rc, &err, 201);
}

static void apply_revoke(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = revoke(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

/* --- listing --- */

struct listing {
    struct json_writer *w;
    const char *name; /* "": all that somebody could use now; else every token of this name */
    struct rw_wall now;
    size_t count;
    bool more;
};

static void put_time(struct json_writer *w, const char *name, struct rw_wall t)
{
    char text[RW_TIME_TEXT_BYTES];
    rw_wall_format(text, t);
    json_put_str(w, name, text);
}

/* Neither the hash nor the proof leaves the store. */
static void write_one(struct json_writer *w, const struct token_doc *t, struct rw_wall now)
{
    char id[2 * API_ENDPOINT_BYTES + 1];
    json_open_object(w, NULL);
    json_put_str(w, "name", t->token.name);
    json_put_str(w, "role", token_doc_role_name(t->token.role));
    if (t->token.tenant[0] != '\0') { json_put_str(w, "tenant", t->token.tenant); }
    json_put_str(w, "state", token_doc_state_name(t, now));
    if (t->token.once) { put_time(w, "until", t->until); }
    if (t->used) {
        rw_hex_encode(id, sizeof(id), t->used_by, sizeof(t->used_by));
        json_put_str(w, "used_by", id);
        put_time(w, "used_at", t->used_at);
    }
    json_close_object(w);
}

static RW_RC list_one(void *arg, const struct token_doc *t, struct rw_err *err)
{
    struct listing *l = arg;
    bool wanted = l->name[0] != '\0' ? strcmp(l->name, t->token.name) == 0
                                     : !t->used && !token_doc_is_over(t, l->now);
    (void)err;
    if (!wanted) { return RW_OK; }
    if (l->count == LIST_MAX) {
        l->more = true;
        return RW_OK;
    }
    l->count++;
    write_one(l->w, t, l->now);
    return RW_OK;
}

static RW_RC write_list(const struct api_core *c, struct api_job *job, struct rw_err *err)
{
    char name[API_NAME_BYTES] = "";
    struct rw_span asked;
    struct json_writer w = json_begin(&job->reply.body);
    struct listing l = {.w = &w, .name = name, .now = rw_clock_wall(&c->clock)};
    RW_TRY(api_operator_any_tenant(job, err));
    if (api_query_find(&job->req, "name", &asked)) {
        RW_TRY(rw_span_to_str(name, sizeof(name), asked, "'name'", err));
        RW_TRY(ring_policy_check_name(name, "name", err));
    }
    json_open_object(&w, NULL);
    json_open_array(&w, "tokens");
    RW_TRY(api_token_each(c->store, list_one, &l, err));
    json_close_array(&w);
    if (l.more) { json_put_bool(&w, "more", true); }
    json_close_object(&w);
    return json_done(&w, err);
}

static void apply_list(void *core, struct api_job *job)
{
    struct rw_err err;
    struct rw_rc rc = write_list(core, job, &err);
    api_core_answer(job, rc, &err, 200);
}

const struct api_route api_token_admin_routes[] = {
    {.method = "GET", .pattern = "/v1/tokens", .auth = API_AUTH_ADMIN, .apply = apply_list},
    {.method = "POST",
     .pattern = "/v1/tokens",
     .auth = API_AUTH_ADMIN,
     .body_bytes_max = BODY_BYTES_MAX,
     .prepare = prepare_make,
     .apply = apply_make},
    {.method = "POST",
     .pattern = "/v1/tokens/revoke",
     .auth = API_AUTH_ADMIN,
     .body_bytes_max = BODY_BYTES_MAX,
     .prepare = prepare_revoke,
     .apply = apply_revoke},
};
const size_t api_token_admin_route_count = RW_LEN(api_token_admin_routes);
