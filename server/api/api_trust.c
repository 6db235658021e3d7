#include "server/api/api_trust.h"

#include "common/base/file.h"
#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_doc.h"

#include <stdio.h>
#include <string.h>

enum {
    ROLES_MAX = 128,
    HOUR_S = 3600,
    DAY_S = 86400,
    ONLINE_WARN_S = 6 * HOUR_S, /* the signer renews far earlier: below this it does not work */
    CONTENT_WARN_S = 3 * DAY_S,
    OFFLINE_WARN_S = 30 * DAY_S, /* a ceremony of several people needs weeks of notice */
};

/* The earliest times are the same for every platform; the reader wants one. */
static const char any_platform[] = "linux-x86_64";

/* It may lie expired between one expedite and the next: nothing to worry about. */
static const char expedite_role[] = "expedite";
static const char content_prefix[] = "content-";

struct api_trust {
    int dir;      /* DIR */
    int metadata; /* DIR/repo/metadata */
    int targets;  /* DIR/repo/targets */
    int state;    /* DIR/trust, or another view */
    struct tuf_client *client;
    struct ring_policy policy;
    uint64_t policy_serial; /* 0: there is none yet */
    struct rw_buf policy_text;
    struct rw_wall read_at;            /* of the last refresh that was tried */
    char failure[RW_ERR_TEXT_BYTES];   /* of the last refresh; "": none */
    char roles_bad[RW_ERR_TEXT_BYTES]; /* a delegated role that could not be read; "": none */
    struct tuf_role_status roles[ROLES_MAX];
    size_t role_count;
};

static RW_RC get_file(void *ctx, const char *path, size_t max, struct rw_buf *into,
                      struct rw_err *err)
{
    const struct api_trust *t = ctx;
    return rw_file_read_at(t->metadata, path, max, into, err);
}

static RW_RC open_client(struct api_trust *t, struct rw_err *err)
{
    const struct tuf_fetch fetch = {.get = get_file, .ctx = t};
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(TUF_ROOT_BYTES_MAX);
    struct rw_rc rc = rw_file_read_at(t->state, "root.json", TUF_ROOT_BYTES_MAX, &root, err);
    if (rc.code == RW_E_NOT_FOUND) {
        RW_TRY(rw_file_read_at(t->dir, "root.json", TUF_ROOT_BYTES_MAX, &root, err));
        RW_TRY(tuf_client_init(t->state, rw_buf_span(&root), err));
    } else {
        RW_TRY(rc);
    }
    return tuf_client_open(t->state, fetch, &t->client, err);
}

RW_RC api_trust_open(const char *dir, const char *view, struct api_trust **out, struct rw_err *err)
{
    struct api_trust *t = rw_mem_new(sizeof(*t));
    if (t == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the view of trust"); }
    t->dir = t->metadata = t->targets = t->state = -1;
    t->policy_text = rw_buf_make(RING_POLICY_BYTES_MAX);
    struct rw_rc rc = rw_dir_open(dir, &t->dir, err);
    if (rw_is_ok(rc)) { rc = rw_dir_open_at(t->dir, "repo/metadata", &t->metadata, err); }
    if (rw_is_ok(rc)) { rc = rw_dir_open_at(t->dir, "repo/targets", &t->targets, err); }
    if (rw_is_ok(rc)) { rc = rw_dir_make_at(t->dir, view, 0700, &t->state, err); }
    if (rw_is_ok(rc)) { rc = open_client(t, err); }
    if (!rw_is_ok(rc)) {
        api_trust_drop(&t);
        return rw_wrap(err, "trust of the server");
    }
    *out = t;
    return RW_OK;
}

void api_trust_drop(struct api_trust **trust)
{
    struct api_trust *t = *trust;
    if (t == NULL) { return; }
    tuf_client_drop(&t->client);
    rw_fd_drop(&t->dir);
    rw_fd_drop(&t->metadata);
    rw_fd_drop(&t->targets);
    rw_fd_drop(&t->state);
    rw_buf_drop(&t->policy_text);
    rw_mem_free(t);
    *trust = NULL;
}

static RW_RC read_policy(struct api_trust *t, struct rw_err *err)
{
    struct tuf_target target;
    char path[TUF_PATH_BYTES + DIGEST_HEX_BYTES];
    uint8_t sha256[DIGEST_BYTES];
    struct ring_policy policy;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(tuf_client_find(t->client, "policy/rings.json", &target, err));
    RW_TRY(tuf_target_url(&target, path, sizeof(path), err));
    RW_TRY(rw_file_read_at(t->targets, path, RING_POLICY_BYTES_MAX, &text, err));
    RW_TRY(digest_sha256(rw_buf_span(&text), sha256, err));
    if ((int64_t)text.n != target.length || !digest_same(sha256, target.sha256, DIGEST_BYTES)) {
        return rw_fail(err, RW_E_TUF_HASH, "%s: not the file that targets lists", path);
    }
    if (rw_span_eq(rw_buf_span(&text), rw_buf_span(&t->policy_text))) { return RW_OK; }
    RW_TRY(ring_policy_parse(rw_buf_span(&text), &policy, err));
    rw_buf_drop(&t->policy_text);
    t->policy_text = text;
    text = rw_buf_make(1); /* handed over */
    t->policy = policy;
    t->policy_serial++;
    return RW_OK;
}

static RW_RC ignore_target(void *ctx, const struct tuf_target *target, struct rw_err *err)
{
    (void)ctx;
    (void)target;
    (void)err;
    return RW_OK;
}

static void load_role(struct api_trust *t, struct rw_span file)
{
    struct rw_err err;
    char role[TUF_ROLE_NAME_BYTES];
    if (file.n <= 5 || rw_span_is(file, "targets.json")) { return; }
    if (!rw_is_ok(
            rw_span_to_str(role, sizeof(role), rw_span_of(file.p, file.n - 5), "role", &err)) ||
        !rw_is_ok(tuf_client_each(t->client, role, ignore_target, NULL, &err))) {
        if (strcmp(role, expedite_role) == 0 && err.code == RW_E_TUF_EXPIRED) { return; }
        (void)snprintf(t->roles_bad, sizeof(t->roles_bad), "%.470s", err.text);
    }
}

/* Every role that snapshot lists is loaded, so that its end is known before an agent finds out. */
static RW_RC load_roles(struct api_trust *t, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_SNAPSHOT_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    const struct json *signed_part = NULL;
    const struct json *meta = NULL;
    t->roles_bad[0] = '\0';
    RW_TRY(rw_file_read_at(t->state, "snapshot.json", TUF_SNAPSHOT_BYTES_MAX, &text, err));
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_metadata, &tree, err));
    RW_TRY(json_get(tree, "signed", JSON_OBJECT, &signed_part, err));
    RW_TRY(json_get(signed_part, "meta", JSON_OBJECT, &meta, err));
    for (const struct json *m = json_first(meta); m != NULL; m = json_next(m)) {
        load_role(t, json_name(m));
    }
    t->role_count = tuf_client_status(t->client, t->roles, ROLES_MAX);
    return RW_OK;
}

RW_RC api_trust_refresh(struct api_trust *t, struct rw_wall now, struct rw_err *err)
{
    t->read_at = now;
    struct rw_rc rc = tuf_client_refresh(t->client, now, err);
    if (rw_is_ok(rc)) { rc = read_policy(t, err); }
    if (rw_is_ok(rc)) { rc = load_roles(t, err); }
    if (!rw_is_ok(rc)) {
        (void)snprintf(t->failure, sizeof(t->failure), "%s", err->text);
        return rw_wrap(err, "own repository");
    }
    t->failure[0] = '\0';
    return RW_OK;
}

const struct ring_policy *api_trust_policy(const struct api_trust *t)
{
    return t->policy_serial > 0 ? &t->policy : NULL;
}

uint64_t api_trust_policy_serial(const struct api_trust *t)
{
    return t->policy_serial;
}

struct rw_span api_trust_policy_text(const struct api_trust *t)
{
    return rw_buf_span(&t->policy_text);
}

bool api_trust_development(const struct api_trust *t)
{
    const struct json *member = tuf_client_root_member(t->client, "ringward");
    const struct json *trust = member == NULL ? NULL : json_find(member, "trust");
    return trust != NULL && json_type(trust) == JSON_STR &&
           rw_span_is(json_str(trust), "development");
}

/* Looks once more after a refresh: a release that was published a moment ago is in no document read before. */
static RW_RC find_release(struct api_trust *t, const char *family, int64_t release,
                          struct tuf_target *out, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    RW_TRY(entry_codec_content_path(family, release, path, err));
    if (rw_is_ok(tuf_client_find(t->client, path, out, err))) { return RW_OK; }
    RW_TRY(api_trust_refresh(t, t->read_at, err));
    if (rw_is_ok(tuf_client_find(t->client, path, out, err))) { return RW_OK; }
    if (err->code != RW_E_NOT_FOUND) {
        return rw_wrap(err, "release %s/%lld", family, (long long)release);
    }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "release %s/%lld is not published, or was withdrawn",
                      family, (long long)release),
              "hint");
    return rw_hint(err, "'ringward release list' shows how far it is");
}

RW_RC api_trust_release(struct api_trust *t, const char *family, int64_t release,
                        char class_out[static RING_POLICY_NAME_BYTES],
                        struct rw_wall not_before[static RING_POLICY_RINGS_MAX], struct rw_err *err)
{
    struct tuf_target target;
    struct install_rule_content content;
    char class_name[INSTALL_NAME_BYTES];
    struct rw_wall times[RING_POLICY_RINGS_MAX];
    RW_TRY(find_release(t, family, release, &target, err));
    for (size_t i = 0; i < t->policy.ring_count; i++) {
        RW_TRY(entry_codec_read_content(&target, t->policy.rings[i].name, any_platform, &content,
                                        class_name, err));
        times[i] = content.not_before;
    }
    RW_TRY(
        rw_span_to_str(class_out, RING_POLICY_NAME_BYTES, rw_span_str(class_name), "class", err));
    rw_copy(not_before, RING_POLICY_RINGS_MAX * sizeof(not_before[0]), times,
            t->policy.ring_count * sizeof(times[0]));
    return RW_OK;
}

bool api_trust_gone(struct api_trust *t, const char *family, int64_t release)
{
    struct rw_err err;
    struct tuf_target target;
    char path[TUF_PATH_BYTES];
    /* The search would read a role that is missing from the disk, each time anew. */
    if (t->policy_serial == 0 || t->failure[0] != '\0' || t->roles_bad[0] != '\0') { return false; }
    if (!rw_is_ok(entry_codec_content_path(family, release, path, &err))) { return false; }
    return tuf_client_find(t->client, path, &target, &err).code == RW_E_NOT_FOUND;
}

RW_RC api_trust_release_sha256(struct api_trust *t, const char *family, int64_t release,
                               uint8_t sha256_out[static DIGEST_BYTES], struct rw_err *err)
{
    struct tuf_target target;
    RW_TRY(find_release(t, family, release, &target, err));
    rw_copy(sha256_out, DIGEST_BYTES, target.sha256, sizeof(target.sha256));
    return RW_OK;
}

RW_RC api_trust_drill(struct api_trust *t, const char *family, int64_t release, bool *out,
                      struct rw_err *err)
{
    struct tuf_target target;
    struct install_rule_content content;
    char class_name[INSTALL_NAME_BYTES];
    RW_TRY(find_release(t, family, release, &target, err));
    RW_TRY(entry_codec_read_content(&target, "", any_platform, &content, class_name, err));
    *out = content.drill;
    return RW_OK;
}

/* --- expedites --- */
struct expedite {
    struct tuf_target content; /* what it speaks of */
    struct tuf_target target;
    struct entry_codec_expedite x;
    struct rw_wall expires;
};

static RW_RC find_expedite(struct api_trust *t, const char *family, int64_t release,
                           struct expedite *out, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    const struct json *unused = NULL;
    RW_TRY(entry_codec_expedite_path(family, release, path, err));
    RW_TRY(tuf_client_find(t->client, path, &out->target, err));
    RW_TRY(entry_codec_read_expedite(&out->target, &out->x, err));
    return tuf_client_role(t->client, expedite_role, &unused, &out->expires, err);
}

/* What an endpoint of the ring would answer that fits and has nothing yet: the agents' own rule. */
static RW_RC earliest_by(const struct api_trust *t, size_t ring, const struct expedite *e,
                         struct rw_wall now, struct install_rule_result *out, struct rw_err *err)
{
    const char *name = t->policy.rings[ring].name;
    char class_name[INSTALL_NAME_BYTES];
    size_t class_index = 0;
    struct install_rule_content c;
    struct install_rule_expedite x;
    struct install_rule_pointer p = {.release = e->x.release, .length = e->content.length};
    struct install_rule_state s = {.hard_min_s = t->policy.hard_min_s,
                                   .expedite_longest_s = t->policy.expedite_longest_s,
                                   .engine_skew_max = t->policy.engine_skew_max,
                                   .drills = true,
                                   .installed = e->x.release - 1};
    RW_TRY(entry_codec_read_content(&e->content, name, any_platform, &c, class_name, err));
    RW_TRY(ring_policy_find_class(&t->policy, class_name, &class_index, err));
    entry_codec_expedite_for_ring(&e->target, &e->x, name, &x);
    x.expires = e->expires;
    s.min_bake_s = ring_policy_min_bake_s(&t->policy, class_index, ring);
    s.engine = c.engine_min;
    c.platform_fits = true;
    rw_copy(s.ring, sizeof(s.ring), t->policy.rings[ring].name, sizeof(s.ring));
    rw_copy(s.family, sizeof(s.family), c.family, sizeof(c.family));
    rw_copy(p.ring, sizeof(p.ring), s.ring, sizeof(s.ring));
    rw_copy(p.family, sizeof(p.family), c.family, sizeof(c.family));
    rw_copy(p.sha256, sizeof(p.sha256), c.sha256, sizeof(c.sha256));
    *out = install_rule_decide(&p, &c, &x, &s, now);
    return RW_OK;
}

RW_RC api_trust_expedited(struct api_trust *t, const char *family, int64_t release,
                          struct rw_wall now, struct rw_wall out[static RING_POLICY_RINGS_MAX],
                          struct rw_err *err)
{
    struct expedite e;
    struct rw_err none;
    for (size_t i = 0; i < RING_POLICY_RINGS_MAX; i++) {
        out[i] = (struct rw_wall){0};
    }
    if (t->policy_serial == 0 || !rw_is_ok(find_expedite(t, family, release, &e, &none))) {
        return RW_OK;
    }
    RW_TRY(find_release(t, family, release, &e.content, err));
    for (size_t i = 0; i < t->policy.ring_count; i++) {
        struct install_rule_result r;
        RW_TRY(earliest_by(t, i, &e, now, &r, err));
        if (r.expedited) { out[i] = r.not_before; }
    }
    return RW_OK;
}

void api_trust_write_roles(const struct api_trust *t, struct json_writer *w)
{
    for (size_t i = 0; i < t->role_count; i++) {
        char when[RW_TIME_TEXT_BYTES];
        rw_wall_format(when, t->roles[i].expires);
        json_open_object(w, NULL);
        json_put_str(w, "role", t->roles[i].role);
        json_put_int(w, "version", t->roles[i].version);
        json_put_str(w, "expires", when);
        json_close_object(w);
    }
}

static int64_t warn_below_s(const char *role)
{
    if (strcmp(role, "root") == 0 || strcmp(role, "targets") == 0) { return OFFLINE_WARN_S; }
    if (strncmp(role, content_prefix, strlen(content_prefix)) == 0) { return CONTENT_WARN_S; }
    return ONLINE_WARN_S;
}

void api_trust_write_alarms(const struct api_trust *t, struct rw_wall now, struct json_writer *w)
{
    char text[RW_ERR_TEXT_BYTES + 64];
    if (api_trust_development(t)) {
        json_put_str(w, NULL,
                     "development trust: all keys lie on this machine; not for production");
    }
    if (t->failure[0] != '\0') {
        (void)snprintf(text, sizeof(text), "the published repository does not verify: %s",
                       t->failure);
        json_put_str(w, NULL, text);
    }
    if (t->roles_bad[0] != '\0') {
        (void)snprintf(text, sizeof(text), "a role cannot be read: %s", t->roles_bad);
        json_put_str(w, NULL, text);
    }
    for (size_t i = 0; i < t->role_count; i++) {
        const struct tuf_role_status *r = &t->roles[i];
        char when[RW_TIME_TEXT_BYTES];
        if (strcmp(r->role, expedite_role) == 0) { continue; }
        if (r->expires.s - now.s > warn_below_s(r->role)) { continue; }
        rw_wall_format(when, r->expires);
        const char *family = strncmp(r->role, content_prefix, strlen(content_prefix)) == 0
                                 ? r->role + strlen(content_prefix)
                                 : "";
        (void)snprintf(text, sizeof(text), "role %s %s at %s%s%s", r->role,
                       r->expires.s <= now.s ? "expired" : "expires soon:", when,
                       family[0] == '\0' ? "" : "; its engineers sign: ringward release renew ",
                       family);
        json_put_str(w, NULL, text);
    }
}

RW_RC api_trust_metrics(const struct api_trust *t, struct rw_wall now, struct rw_buf *into,
                        struct rw_err *err)
{
    RW_TRY(rw_buf_appendf(into, err,
                          "# HELP ringward_trust Mode of trust in force.\n"
                          "# TYPE ringward_trust gauge\nringward_trust{mode=\"%s\"} 1\n"
                          "# HELP ringward_repository_ok Whether the own repository verifies.\n"
                          "# TYPE ringward_repository_ok gauge\nringward_repository_ok %d\n"
                          "# HELP ringward_role_left_seconds Time until a role expires.\n"
                          "# TYPE ringward_role_left_seconds gauge\n",
                          api_trust_development(t) ? "development" : "production",
                          t->failure[0] == '\0' && t->roles_bad[0] == '\0' ? 1 : 0));
    for (size_t i = 0; i < t->role_count; i++) {
        if (strcmp(t->roles[i].role, expedite_role) == 0) { continue; }
        RW_TRY(rw_buf_appendf(into, err, "ringward_role_left_seconds{role=\"%s\"} %lld\n",
                              t->roles[i].role, (long long)(t->roles[i].expires.s - now.s)));
    }
    return RW_OK;
}
