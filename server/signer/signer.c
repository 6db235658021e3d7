#include "server/signer/signer.h"

#include "common/policy/trust_check.h"
#include "server/signer/signer_check.h"
#include "server/signer/signer_check_expedite.h"
#include "server/signer/signer_key.h"
#include "server/signer/signer_lift.h"
#include "server/signer/signer_payload.h"
#include "server/signer/signer_rule.h"
#include "server/signer/signer_sign.h"
#include "server/signer/signer_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

/* A server that restarts may find its old signer still going down. */
enum { LOCK_TRIES = 50, LOCK_PAUSE_MS = 100 };

/* --- opening --- */
static RW_RC take_lock(struct signer *s, struct rw_err *err)
{
    s->lock = openat(s->state, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0) { return rw_fail_errno(err, RW_E_IO, errno, "signer's lock file"); }
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(s->lock, LOCK_EX | LOCK_NB) == 0) { return RW_OK; }
        if (errno != EWOULDBLOCK) { break; }
        const struct timespec pause = {.tv_nsec = (long)LOCK_PAUSE_MS * 1000000};
        (void)nanosleep(&pause, NULL);
    }
    return rw_fail(err, RW_E_BUSY, "another ringward-signer works with '%s'", s->key_dir);
}

static RW_RC open_folders(struct signer *s, const char *repo_dir, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd repo = -1;
    RW_TRY(rw_dir_open(s->key_dir, &s->keys, err));
    RW_TRY(rw_dir_open(repo_dir, &repo, err));
    RW_TRY(rw_dir_open_at(repo, "metadata", &s->metadata, err));
    RW_TRY(rw_dir_open_at(repo, "targets", &s->targets, err));
    RW_TRY(rw_dir_make_at(s->keys, "state", 0700, &s->state, err));
    RW_TRY(rw_dir_open_at(s->state, "trust", &s->trust, err));
    return rw_dir_make_at(s->state, "proof", 0700, &s->proof, err);
}

static RW_RC fill(struct signer *s, const struct signer_settings *settings, struct rw_err *err)
{
    RW_TRY(rw_span_to_str(s->key_dir, sizeof(s->key_dir), rw_span_str(settings->key_dir),
                          "key directory", err));
    RW_TRY(open_folders(s, settings->repo_dir, err));
    RW_TRY(take_lock(s, err));
    RW_TRY(signer_key_look(s, "snapshot", err));
    RW_TRY(signer_key_look(s, "timestamp", err));
    return signer_state_load(s, err);
}

RW_RC signer_open(const struct signer_settings *settings, struct signer **out, struct rw_err *err)
{
    struct signer *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a signer"); }
    s->clock = settings->clock;
    s->look.fd = s->lock = s->keys = s->metadata = s->targets = s->state = s->trust = s->proof = -1;
    struct rw_rc rc = fill(s, settings, err);
    if (!rw_is_ok(rc)) {
        signer_drop(&s);
        return rw_wrap(err, "signer");
    }
    *out = s;
    return RW_OK;
}

void signer_drop(struct signer **s)
{
    if (*s == NULL) { return; }
    signer_batch_clear(&(*s)->batch);
    signer_payload_drop_look(&(*s)->look);
    rw_fd_drop(&(*s)->metadata);
    rw_fd_drop(&(*s)->targets);
    rw_fd_drop(&(*s)->trust);
    rw_fd_drop(&(*s)->proof);
    rw_fd_drop(&(*s)->state);
    rw_fd_drop(&(*s)->keys);
    rw_fd_drop(&(*s)->lock);
    rw_mem_free(*s);
    *s = NULL;
}

/* --- requests --- */

/* New decisions need a repository that agents accept now; an expired one is renewed first. */
static RW_RC require_fresh(const struct signer_view *v, struct rw_err *err)
{
    struct rw_rc rc = signer_view_check_expiry(v, "timestamp", v->timestamp_expires, err);
    if (rw_is_ok(rc)) { rc = signer_view_check_expiry(v, "snapshot", v->snapshot.expires, err); }
    return rw_is_ok(rc) ? RW_OK : rw_hint(err, "the server renews by itself; try again then");
}

static RW_RC publish(struct signer *s, const struct signer_view *v, const struct signer_request *r,
                     struct rw_err *err)
{
    char role[SIGNER_ROLE_BYTES];
    struct signer_content what = {.envelope = r->envelope};
    struct signer_check_result content;
    struct signer_view proof;
    rw_copy(what.family, sizeof(what.family), r->family, sizeof(r->family));
    RW_TRY(require_fresh(v, err));
    RW_TRY(signer_check_content(s, v, &what, &content, err));
    if (content.published) { return RW_OK; }
    (void)snprintf(role, sizeof(role), "content-%s", r->family);
    RW_TRY(signer_batch_add(&s->batch, role, content.version, r->envelope, err));
    RW_TRY(signer_sign_seal(s, v, true, err));
    RW_TRY(signer_view_prove(s, v, &proof, err));
    struct rw_rc rc = signer_check_proof(&proof, NULL, r->family, NULL, err);
    signer_view_drop(&proof);
    return rc;
}

/* INV-7: it shortens a bake and does nothing else, so no pointer and no content changes with it. */
static RW_RC expedite(struct signer *s, const struct signer_view *v, const struct signer_request *r,
                      struct rw_err *err)
{
    struct signer_check_result role;
    struct signer_view proof;
    RW_TRY(require_fresh(v, err));
    RW_TRY(signer_check_expedite(v, r->envelope, &role, err));
    if (role.published) { return RW_OK; }
    RW_TRY(signer_batch_add(&s->batch, SIGNER_EXPEDITE_ROLE, role.version, r->envelope, err));
    RW_TRY(signer_sign_seal(s, v, true, err));
    RW_TRY(signer_view_prove(s, v, &proof, err));
    struct tuf_doc again = {0};
    struct rw_rc rc = signer_view_role(&proof, SIGNER_EXPEDITE_ROLE, &again, err);
    tuf_doc_drop(&again);
    signer_view_drop(&proof);
    return rc;
}

static RW_RC point(struct signer *s, const struct signer_view *v, const struct signer_request *r,
                   struct rw_err *err)
{
    struct install_rule_pointer pointer = {.release = 0};
    struct signer_view proof;
    const struct signer_sign_move move = {
        .ring = r->ring, .family = r->family, .pointer = r->release == 0 ? NULL : &pointer};
    RW_TRY(require_fresh(v, err));
    RW_TRY(signer_check_point(s, v, r, &pointer, err));
    RW_TRY(signer_sign_ring(s, v, &move, err));
    RW_TRY(signer_sign_seal(s, v, true, err));
    RW_TRY(signer_view_prove(s, v, &proof, err));
    struct rw_rc rc = signer_check_proof(&proof, r->ring, r->family, move.pointer, err);
    signer_view_drop(&proof);
    return rc;
}

struct renewal {
    struct signer *s;
    const struct signer_view *v;
};

static bool due(const struct signer_view *v, struct rw_wall expires, int64_t life_s)
{
    return signer_rule_renew_due(expires, life_s, v->now, v->root.expires);
}

/* Higher versions were signed than are published: a crash in between, or a repository that comes from a backup. Clients
 * may have seen them, and refuse what is below (TUF-5.4.3). */
static RW_RC ring_behind(struct signer *s, const struct signer_view *v, const char *role,
                         int64_t published, bool *out, struct rw_err *err)
{
    RW_AUTO(key) struct key key = {.scheme = KEY_UNKNOWN};
    RW_TRY(signer_key_of_delegation(s, v, role, &key, err));
    signer_lift_raise(s, role, key.id, published);
    *out = signer_state_floor(s, role, key.id) > published;
    return RW_OK;
}

static RW_RC root_behind(struct signer *s, const struct signer_view *v, const char *role,
                         int64_t published, bool *out, struct rw_err *err)
{
    RW_AUTO(key) struct key key = {.scheme = KEY_UNKNOWN};
    RW_TRY(signer_key_of_root(s, v, role, &key, err));
    signer_lift_raise(s, role, key.id, published);
    *out = signer_state_floor(s, role, key.id) > published;
    return RW_OK;
}

static RW_RC renew_ring(void *ctx, const char *ring, struct rw_err *err)
{
    const struct renewal *job = ctx;
    char role[SIGNER_ROLE_BYTES];
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    const struct signer_sign_move keep_all = {.ring = ring};
    (void)snprintf(role, sizeof(role), "ring-%s", ring);
    RW_TRY(signer_view_role(job->v, role, &doc, err));
    bool behind = false;
    if (!job->v->restart.roles) {
        RW_TRY(ring_behind(job->s, job->v, role, doc.version, &behind, err));
    }
    if (!behind && !due(job->v, doc.expires, SIGNER_RING_LIFE_S)) { return RW_OK; }
    return signer_sign_ring(job->s, job->v, &keep_all, err);
}

/* Says nothing new: the same entries and roles with a later end. */
static RW_RC renew(struct signer *s, const struct signer_view *v, struct rw_err *err)
{
    struct renewal job = {s, v};
    struct signer_view proof;
    bool snapshot = false;
    bool timestamp = false;
    RW_TRY(signer_key_settle(s, v, err));
    RW_TRY(signer_lift_load(s, err));
    RW_TRY(trust_check_each(&v->targets, "ring-", renew_ring, &job, err));
    if (!v->restart.snapshot) {
        RW_TRY(root_behind(s, v, "snapshot", v->snapshot.version, &snapshot, err));
    }
    if (!v->restart.timestamp) {
        RW_TRY(root_behind(s, v, "timestamp", v->timestamp_version, &timestamp, err));
    }
    snapshot =
        snapshot || s->batch.count > 0 || due(v, v->snapshot.expires, SIGNER_SNAPSHOT_LIFE_S);
    timestamp = timestamp || snapshot || due(v, v->timestamp_expires, SIGNER_TIMESTAMP_LIFE_S);
    if (!timestamp) { return RW_OK; }
    RW_TRY(signer_sign_seal(s, v, snapshot, err));
    RW_TRY(signer_view_prove(s, v, &proof, err));
    signer_view_drop(&proof);
    return signer_lift_done(s, err); /* the floors keep it from now on */
}

static RW_RC run_on(struct signer *s, const struct signer_view *v, const struct signer_request *r,
                    struct rw_err *err)
{
    switch (r->type) {
    case SIGNER_PUBLISH:
        return publish(s, v, r, err);
    case SIGNER_POINT:
        return point(s, v, r, err);
    case SIGNER_RENEW:
        return renew(s, v, err);
    case SIGNER_EXPEDITE:
        return expedite(s, v, r, err);
    case SIGNER_TRUST: /* has a view of its own */
    case SIGNER_LOOK:  /* needs none */
        break;
    }
    return rw_fail(err, RW_E_PROTOCOL, "request: unknown type");
}

static RW_RC run(struct signer *s, const struct signer_request *r, bool *more_out,
                 struct rw_err *err)
{
    struct signer_view v;
    if (r->type == SIGNER_LOOK) { return signer_payload_look(s, r, more_out, err); }
    if (r->type == SIGNER_TRUST) { return signer_trust_change(s, r, err); }
    RW_TRY(signer_view_open(s, &v, err));
    struct rw_rc rc = signer_view_require_people(&v, err);
    if (rw_is_ok(rc)) { rc = run_on(s, &v, r, err); }
    signer_view_drop(&v);
    return rc;
}

/* In the order in which they are to be written. A root stands right before the timestamp, whatever the order in which
 * they were made: between the two an agent would find a root and a timestamp that do not fit. */
static void give_files(const struct signer_batch *b, struct signer_answer *out)
{
    size_t root = b->count;
    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->files[i].role, "root") == 0) { root = i; }
    }
    for (size_t i = 0; i < b->count; i++) {
        size_t from = root == b->count || i == b->count - 1 || i < root ? i
                      : i == b->count - 2                               ? root
                                                                        : i + 1;
        struct signer_file *f = &out->files[i];
        rw_copy(f->name, sizeof(f->name), b->files[from].name, sizeof(f->name));
        f->bytes = rw_buf_span(&b->files[from].bytes);
    }
    out->file_count = b->count;
}

void signer_answer(struct signer *s, const struct signer_request *request,
                   struct signer_answer *out)
{
    struct rw_err err = {.code = RW_E_NONE};
    signer_batch_clear(&s->batch);
    *out = (struct signer_answer){.refused = false};
    if (!rw_is_ok(run(s, request, &out->more, &err))) {
        /* Nothing of a change that was refused half-way may leave. */
        signer_batch_clear(&s->batch);
        signer_refusal(&err, out);
        return;
    }
    give_files(&s->batch, out);
}
