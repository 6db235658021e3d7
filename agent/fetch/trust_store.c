#include "agent/fetch/trust_store.h"

#include "common/base/file.h"
#include "common/tuf/tuf_doc.h"

#include <stdio.h>
#include <string.h>

enum {
    FULL_EVERY_S = 24 * 3600,
    OLDER_QUIET_S = 120, /* timestamp.json may be cached for 30 s, and by caches behind caches */
    URL_PATH_BYTES = 512,
    ROLES_SHOWN_MAX = 72,
};

static const char timestamp_url[] = "/repo/metadata/timestamp.json";

/* Only the end of the root chain may be "not there". Any other missing file is a fault of the server: taken
 * for absence it would look like a withdrawn ring entry, and the endpoint would drop its protection. */
static RW_RC fetch_metadata(void *ctx, const char *path, size_t max, struct rw_buf *into,
                            struct rw_err *err)
{
    struct trust_store *t = ctx;
    char url[URL_PATH_BYTES];
    struct http_client_answer answer = {.status = 0};
    if (t->replay && strcmp(path, "timestamp.json") == 0) {
        return rw_file_read_at(t->dir, path, max, into, err);
    }
    if (strcmp(path, "timestamp.json") == 0 && t->timestamp.n > 0) {
        RW_TRY(rw_buf_append(into, rw_buf_span(&t->timestamp), err));
        rw_buf_clear(&t->timestamp);
        return RW_OK;
    }
    (void)snprintf(url, sizeof(url), "/repo/metadata/%s", path);
    size_t had = into->n;
    RW_TRY(http_client_get(t->http, url, NULL, max, into, &answer, err));
    if (answer.status == 200) { return RW_OK; }
    into->n = had;
    bool root = strcmp(path + strspn(path, "0123456789"), ".root.json") == 0;
    bool chain_end = root && (answer.status == 404 || answer.status == 403);
    return rw_fail(err, chain_end ? RW_E_NOT_FOUND : RW_E_HTTP, "%s: status %d", url,
                   answer.status);
}

static RW_RC open_client(struct trust_store *t, struct rw_span root, bool *reset_out,
                         struct rw_err *err)
{
    const struct tuf_fetch fetch = {.get = fetch_metadata, .ctx = t};
    struct rw_rc rc = tuf_client_open(t->dir, fetch, &t->tuf, err);
    if (rw_is_ok(rc)) { return RW_OK; }
    /* What may go by itself is no damage: the installer's root would bring keys back that were rotated out. */
    if (rw_code_retry(rc.code)) { return rw_wrap(err, "trusted root"); }
    *reset_out = rc.code != RW_E_NOT_FOUND;
    if (!rw_is_ok(tuf_client_init(t->dir, root, err))) { return rw_wrap(err, "trusted root"); }
    return tuf_client_open(t->dir, fetch, &t->tuf, err);
}

RW_RC trust_store_open(int state_dir, struct rw_span root, struct http_client *http,
                       struct trust_store *out, bool *reset_out, struct rw_err *err)
{
    *out = (struct trust_store){
        .dir = -1, .http = http, .timestamp = rw_buf_make(TUF_TIMESTAMP_BYTES_MAX)};
    *reset_out = false;
    struct rw_rc rc = rw_dir_make_at(state_dir, "trust", 0700, &out->dir, err);
    if (rw_is_ok(rc)) { rc = open_client(out, root, reset_out, err); }
    if (!rw_is_ok(rc)) { trust_store_drop(out); }
    return rc;
}

void trust_store_drop(struct trust_store *t)
{
    tuf_client_drop(&t->tuf);
    if (t->timestamp.max > 0) { rw_buf_drop(&t->timestamp); }
    if (t->dir > 0) { rw_fd_drop(&t->dir); }
}

static RW_RC full_refresh(struct trust_store *t, struct rw_wall now, const char *etag,
                          struct rw_err *err)
{
    t->etag[0] = '\0';
    struct rw_rc rc = tuf_client_refresh(t->tuf, now, err);
    rw_buf_clear(&t->timestamp);
    t->expired = rc.code == RW_E_TUF_EXPIRED;
    if (!rw_is_ok(rc)) {
        t->last_full = (struct rw_wall){0};
        return rc;
    }
    t->last_full = now;
    (void)snprintf(t->etag, sizeof(t->etag), "%s", etag);
    return RW_OK;
}

static struct tuf_role_status status_of(const struct trust_store *t, const char *role)
{
    struct tuf_role_status roles[ROLES_SHOWN_MAX];
    size_t n = tuf_client_status(t->tuf, roles, ROLES_SHOWN_MAX);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(roles[i].role, role) == 0) { return roles[i]; }
    }
    return (struct tuf_role_status){.version = 0};
}

/* What the server's timestamp claims to be, before it is checked: enough to tell an old copy, or a wrong clock. */
static void look_at_timestamp(struct trust_store *t)
{
    struct rw_err unused;
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    t->answered = true;
    t->served_version = 0;
    t->served_expires = (struct rw_wall){0};
    if (!rw_is_ok(tuf_doc_parse(rw_buf_span(&t->timestamp), "timestamp", &doc, &unused))) {
        return;
    }
    t->served_version = doc.version;
    t->served_expires = doc.expires;
}

static RW_RC take_answer(struct trust_store *t, const struct http_client_answer *answer,
                         struct rw_err *err)
{
    if (answer->status != 200) {
        t->retry_after_s = answer->retry_after_s;
        rw_buf_clear(&t->timestamp);
        return rw_fail(err, RW_E_HTTP, "timestamp.json: status %d", answer->status);
    }
    look_at_timestamp(t);
    return RW_OK;
}

static bool is_older(const struct trust_store *t, struct rw_rc rc)
{
    return rc.code == RW_E_TUF_VERSION && t->served_version > 0 &&
           t->served_version < status_of(t, "timestamp").version;
}

/* What is trusted already is verified once more, with the root that the server has now, and stays in force. */
static RW_RC keep_ours(struct trust_store *t, struct rw_wall now, struct rw_err *err)
{
    int64_t ours = status_of(t, "timestamp").version;
    int64_t theirs = t->served_version;
    if (t->older_since.s == 0 || now.s < t->older_since.s) { t->older_since = now; }
    int64_t age_s = now.s - t->older_since.s;
    t->replay = true;
    struct rw_rc rc = full_refresh(t, now, "", err);
    t->replay = false;
    RW_TRY(rc);
    if (age_s < OLDER_QUIET_S) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_VERSION,
                   "the server has given timestamp version %lld after %lld for %lld s: a rollback, "
                   "or a stale copy",
                   (long long)theirs, (long long)ours, (long long)age_s);
}

static RW_RC look_past_caches(struct trust_store *t, struct rw_wall now, struct rw_err *err)
{
    struct http_client_answer answer = {.status = 0};
    rw_buf_clear(&t->timestamp);
    RW_TRY(http_client_get_past_caches(t->http, timestamp_url, TUF_TIMESTAMP_BYTES_MAX,
                                       &t->timestamp, &answer, err));
    RW_TRY(take_answer(t, &answer, err));
    struct rw_rc rc = full_refresh(t, now, answer.etag, err);
    return is_older(t, rc) ? keep_ours(t, now, err) : rc;
}

RW_RC trust_store_poll(struct trust_store *t, struct rw_wall now, bool *changed_out,
                       struct rw_err *err)
{
    struct http_client_answer answer = {.status = 0};
    bool fresh = t->last_full.s > 0 && now.s >= t->last_full.s &&
                 now.s - t->last_full.s < FULL_EVERY_S && trust_store_expires(t).s > now.s;
    *changed_out = false;
    t->answered = false;
    t->retry_after_s = -1;
    rw_buf_clear(&t->timestamp);
    RW_TRY(http_client_get(t->http, timestamp_url, fresh ? t->etag : NULL, TUF_TIMESTAMP_BYTES_MAX,
                           &t->timestamp, &answer, err));
    if (answer.status == 304 && fresh) {
        t->older_since = (struct rw_wall){0};
        return RW_OK;
    }
    RW_TRY(take_answer(t, &answer, err));
    *changed_out = true;
    struct rw_rc rc = full_refresh(t, now, answer.etag, err);
    if (is_older(t, rc)) { rc = look_past_caches(t, now, err); }
    /* Any other outcome ends what was suspected, good or bad. */
    if (t->served_version >= status_of(t, "timestamp").version) {
        t->older_since = (struct rw_wall){0};
    }
    return rc;
}

RW_RC trust_store_find(struct trust_store *t, const char *path, struct tuf_target *out,
                       struct rw_err *err)
{
    return tuf_client_find(t->tuf, path, out, err);
}

RW_RC trust_store_role(struct trust_store *t, const char *role, const struct json **signed_out,
                       struct rw_wall *expires_out, struct rw_err *err)
{
    return tuf_client_role(t->tuf, role, signed_out, expires_out, err);
}

RW_RC trust_store_read(struct trust_store *t, const struct tuf_target *target, size_t max,
                       struct rw_buf *into, struct rw_err *err)
{
    char tail[TUF_PATH_BYTES + DIGEST_HEX_BYTES];
    char url[URL_PATH_BYTES];
    uint8_t have[DIGEST_BYTES];
    struct http_client_answer answer = {.status = 0};
    if (target->length > (int64_t)max) {
        return rw_fail(err, RW_E_TOO_BIG, "%s: signed length %lld, at most %zu are allowed",
                       target->path, (long long)target->length, max);
    }
    RW_TRY(tuf_target_url(target, tail, sizeof(tail), err));
    (void)snprintf(url, sizeof(url), "/repo/targets/%s", tail);
    RW_TRY(http_client_get(t->http, url, NULL, (size_t)target->length, into, &answer, err));
    if (answer.status != 200) {
        return rw_fail(err, RW_E_HTTP, "%s: status %d", url, answer.status);
    }
    RW_TRY(digest_sha256(rw_buf_span(into), have, err));
    if ((int64_t)into->n != target->length || !digest_same(have, target->sha256, DIGEST_BYTES)) {
        return rw_fail(err, RW_E_TUF_HASH, "%s: length or SHA-256 differ from the signed ones",
                       target->path);
    }
    return RW_OK;
}

struct rw_wall trust_store_expires(const struct trust_store *t)
{
    struct tuf_role_status roles[ROLES_SHOWN_MAX];
    struct rw_wall first = {INT64_MAX};
    size_t n = tuf_client_status(t->tuf, roles, ROLES_SHOWN_MAX);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(roles[i].role, TRUST_STORE_EXPEDITE) == 0) { continue; }
        if (roles[i].expires.s < first.s) { first = roles[i].expires; }
    }
    return first;
}

size_t trust_store_roles(const struct trust_store *t, struct tuf_role_status *out, size_t max)
{
    return tuf_client_status(t->tuf, out, max);
}

struct rw_wall trust_store_root_expires(const struct trust_store *t)
{
    return status_of(t, "root").expires;
}

const char *trust_store_name(const struct trust_store *t, struct rw_wall now)
{
    struct rw_span text;
    struct rw_err unused;
    if (t->expired || trust_store_expires(t).s <= now.s) { return "expired"; }
    const struct json *member = tuf_client_root_member(t->tuf, "ringward");
    if (member != NULL && rw_is_ok(json_get_span(member, "trust", &text, &unused)) &&
        rw_span_is(text, "development")) {
        return "development";
    }
    return "ok";
}
