#include "server/release/release_signer.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/wire/signer_codec.h"
#include "server/release/release_signer_link.h"
#include "server/release/release_signer_turn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

enum { SIGNER_TIMEOUT_MS = 60000, RENEW_EVERY_S = 60 };

/* The whole answer of a change of trust, until every file of it is written. */
static const char kept_name[] = "unfinished";

struct release_signer {
    struct release_signer_turn turn; /* of everything below but the directories */
    struct release_signer_link link;
    rw_fd repo;
    rw_fd metadata;
    rw_fd targets;
    struct rw_buf bytes; /* of the last answer */
    struct signer_answer answer;
    struct rw_wall renewed; /* last time that the signer was asked to renew */
    char *lock_path;        /* NULL: the only server of its repository */
    rw_fd lock;             /* held while >= 0 */
};

/* --- files --- */

/* Roles, snapshot, timestamp: the signer gives them in the order that readers need. A crash in between leaves a
 * repository whose timestamp still names the old state; the next request builds on that one. */
static RW_RC write_files(struct release_signer *s, struct rw_err *err)
{
    for (size_t i = 0; i < s->answer.file_count; i++) {
        const struct signer_file *f = &s->answer.files[i];
        RW_TRY(rw_file_replace_at(s->metadata, f->name, 0644, f->bytes, err));
    }
    return RW_OK;
}

/* For good: one that came back with a crash would put older files over those that were signed since. */
static RW_RC forget_kept(const struct release_signer *s, struct rw_err *err)
{
    return rw_file_remove_for_good_at(s->repo, kept_name, err);
}

/* A new root and the timestamp under it only fit together: half of that change would be a repository that neither
 * agents nor the signer accept. So the whole of it is kept before its first file is written. */
static RW_RC write_kept(struct release_signer *s, struct rw_err *err)
{
    RW_AUTO(frame_writer) struct frame_writer w = {.buf = rw_buf_make(1)};
    RW_TRY(signer_answer_write(&s->answer, &w, err));
    RW_TRY(rw_file_replace_at(s->repo, kept_name, 0600, rw_buf_span(&w.buf), err));
    RW_TRY(write_files(s, err));
    return forget_kept(s, err);
}

static RW_RC finish_writing(struct release_signer *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf kept = rw_buf_make(FRAME_BYTES_MAX);
    struct rw_rc rc = rw_file_read_at(s->repo, kept_name, FRAME_BYTES_MAX, &kept, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(signer_answer_kept(rw_buf_span(&kept), &s->answer, err));
    RW_TRY(write_files(s, err));
    rw_log(RW_LOG_WARN, "trust_change_finished", NULL, NULL);
    return forget_kept(s, err);
}

static RW_RC name_link(struct release_signer_link *l, const struct release_signer_settings *from,
                       struct rw_err *err)
{
    const char *path = from->socket == NULL ? "" : from->socket;
    *l = release_signer_link_make();
    RW_TRY(rw_span_to_str(l->program, sizeof(l->program), rw_span_str(from->program),
                          "signer program", err));
    RW_TRY(rw_span_to_str(l->key_dir, sizeof(l->key_dir), rw_span_str(from->key_dir),
                          "signer directory", err));
    RW_TRY(rw_span_to_str(l->repo_dir, sizeof(l->repo_dir), rw_span_str(from->repo_dir),
                          "repository directory", err));
    return rw_span_to_str(l->path, sizeof(l->path), rw_span_str(path), "signer socket", err);
}

static RW_RC name_lock(struct release_signer *s, const char *path, struct rw_err *err)
{
    s->lock_path = rw_str_dup(path);
    return s->lock_path != NULL ? RW_OK : rw_fail(err, RW_E_NOMEM, "no memory for a path");
}

RW_RC release_signer_start(const struct release_signer_settings *settings,
                           struct release_signer **out, struct rw_err *err)
{
    struct release_signer *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the signer's client"); }
    struct rw_rc turn = release_signer_turn_make(&s->turn, err);
    if (!rw_is_ok(turn)) {
        rw_mem_free(s);
        return turn;
    }
    s->repo = s->metadata = s->targets = s->lock = -1;
    s->bytes = rw_buf_make(FRAME_BYTES_MAX);
    struct rw_rc rc = name_link(&s->link, settings, err);
    if (rw_is_ok(rc)) { rc = rw_dir_open(settings->repo_dir, &s->repo, err); }
    if (rw_is_ok(rc)) { rc = rw_dir_open_at(s->repo, "metadata", &s->metadata, err); }
    if (rw_is_ok(rc)) { rc = rw_dir_open_at(s->repo, "targets", &s->targets, err); }
    bool alone = settings->lock == NULL;
    if (rw_is_ok(rc) && !alone) { rc = name_lock(s, settings->lock, err); }
    if (rw_is_ok(rc) && alone) { rc = finish_writing(s, err); }
    /* A signer that listens may come later: permits and the repository are served without it. */
    if (rw_is_ok(rc) && alone && s->link.path[0] == '\0') {
        rc = release_signer_link_ensure(&s->link, err);
    }
    if (!rw_is_ok(rc)) {
        release_signer_drop(&s);
        return rc;
    }
    *out = s;
    return RW_OK;
}

void release_signer_drop(struct release_signer **s)
{
    if (*s == NULL) { return; }
    release_signer_link_drop(&(*s)->link);
    rw_mem_free((*s)->lock_path);
    rw_fd_drop(&(*s)->lock);
    rw_fd_drop(&(*s)->repo);
    rw_fd_drop(&(*s)->metadata);
    rw_fd_drop(&(*s)->targets);
    rw_buf_drop(&(*s)->bytes);
    release_signer_turn_drop(&(*s)->turn);
    rw_mem_free(*s);
    *s = NULL;
}

/* --- one round trip --- */
static RW_RC exchange(struct release_signer *s, const struct signer_request *r, struct rw_err *err)
{
    struct frame_reader frame;
    RW_AUTO(frame_writer) struct frame_writer w = {.buf = rw_buf_make(1)};
    RW_TRY(signer_request_write(r, &w, err));
    RW_TRY(frame_send(s->link.socket, &w, SIGNER_TIMEOUT_MS, err));
    RW_TRY(frame_recv(s->link.socket, &s->bytes, SIGNER_TIMEOUT_MS, &frame, err));
    return signer_answer_read(&frame, &s->answer, err);
}

/* A controller that stood still may wake up in the middle of a request: nobody else signs or writes before it has
 * let go, so that the last word about a pointer is the last controller's (INV-1). */
static RW_RC ensure_lock(struct release_signer *s, struct rw_err *err)
{
    if (s->lock_path == NULL || s->lock >= 0) { return RW_OK; }
    RW_AUTO(rw_fd)
    rw_fd fd = open(s->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "%s", s->lock_path); }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) { return rw_fail_errno(err, RW_E_IO, errno, "%s", s->lock_path); }
        RW_IGNORE(rw_fail(err, RW_E_BUSY, "another node still holds the signer (%s)", s->lock_path),
                  "hint follows");
        return rw_hint(err, "the controller before this one has not ended yet: stop its process");
    }
    RW_TRY(finish_writing(s, err));
    s->lock = rw_fd_steal(&fd);
    return RW_OK;
}

void release_signer_leave(struct release_signer *s)
{
    if (s->lock_path == NULL) { return; }
    release_signer_turn_take(&s->turn);
    release_signer_link_drop(&s->link); /* before the lock: a child has ended when this returns */
    rw_fd_drop(&s->lock);
    s->renewed = (struct rw_wall){0};
    release_signer_turn_give(&s->turn);
}

/* With the turn. */
static RW_RC ask_now(struct release_signer *s, const struct signer_request *r, struct rw_err *err)
{
    RW_TRY(ensure_lock(s, err));
    RW_TRY(release_signer_link_ensure(&s->link, err));
    struct rw_rc rc = exchange(s, r, err);
    if (!rw_is_ok(rc)) {
        /* Whatever is still under way on this socket must not be taken for the next answer. */
        release_signer_link_drop(&s->link);
        char text[RW_ERR_TEXT_BYTES];
        rw_copy(text, sizeof(text), err->text, sizeof(err->text));
        enum rw_code code =
            rc.code == RW_E_NOT_FOUND || rc.code == RW_E_IO ? RW_E_PROCESS : rc.code;
        RW_IGNORE(rw_fail(err, code, "ringward-signer: %s", text), "the hint follows");
        return rw_hint(err, "%s", release_signer_link_hint(&s->link));
    }
    if (s->answer.refused) {
        RW_IGNORE(rw_fail(err, s->answer.code, "the signer refuses: %s", s->answer.text),
                  "the hint follows");
        return rw_hint(err, "%s", s->answer.hint);
    }
    return r->type == SIGNER_TRUST ? write_kept(s, err) : write_files(s, err);
}

static RW_RC ask(struct release_signer *s, const struct signer_request *r, struct rw_err *err)
{
    release_signer_turn_take(&s->turn);
    struct rw_rc rc = ask_now(s, r, err);
    release_signer_turn_give(&s->turn);
    return rc;
}

/* --- hashing ahead --- */

/* One slice. Without a session nothing is begun: a child must be the core thread's, since it dies with the thread that
 * started it; and a node that has left the signer must not take it back from the next controller (INV-1). */
static bool look_on(struct release_signer *s, const struct signer_request *r)
{
    struct rw_err err;
    bool held = s->lock_path == NULL || s->lock >= 0;
    if (!held || release_signer_link_lost(&s->link)) { return false; }
    if (!rw_is_ok(exchange(s, r, &err))) {
        release_signer_link_drop(&s->link); /* its answer must not be taken for the next one */
        return false;
    }
    return s->answer.more;
}

/* Whatever comes of it, the signer looks for itself when it is asked to sign: then it says why it refuses, and hashes
 * what it does not know. */
static void look(struct release_signer *s, const struct release_place *payload)
{
    struct rw_err err;
    struct signer_request r = {
        .type = SIGNER_LOOK, .release = payload->id.number, .bytes = payload->declared.bytes};
    struct rw_span hex = rw_span_str(payload->declared.sha256);
    if (!rw_is_ok(rw_hex_decode(r.sha256, sizeof(r.sha256), hex, "payload", &err)) ||
        !rw_is_ok(rw_span_to_str(r.family, sizeof(r.family), rw_span_str(payload->id.family),
                                 "family", &err))) {
        return;
    }
    for (bool more = true; more;) {
        release_signer_turn_take_last(&s->turn);
        more = look_on(s, &r);
        release_signer_turn_give(&s->turn);
    }
}

/* --- requests --- */
RW_RC release_signer_place(void *ctx, const struct release_place *payload, struct rw_err *err)
{
    struct release_signer *s = ctx;
    RW_TRY(release_stage_publish(payload, s->targets, err));
    look(s, payload);
    return RW_OK;
}

RW_RC release_signer_publish_role(void *ctx, const char *family, struct rw_span envelope,
                                  struct rw_err *err)
{
    struct signer_request request = {.type = SIGNER_PUBLISH, .envelope = envelope};
    RW_TRY(
        rw_span_to_str(request.family, sizeof(request.family), rw_span_str(family), "family", err));
    return ask(ctx, &request, err);
}

RW_RC release_signer_publish_expedite(void *ctx, struct rw_span envelope, struct rw_err *err)
{
    const struct signer_request request = {.type = SIGNER_EXPEDITE, .envelope = envelope};
    return ask(ctx, &request, err);
}

RW_RC release_signer_point(void *ctx, const char *ring, const char *family, int64_t release,
                           bool hold, struct rw_err *err)
{
    struct signer_request request = {.type = SIGNER_POINT, .release = release, .hold = hold};
    RW_TRY(rw_span_to_str(request.ring, sizeof(request.ring), rw_span_str(ring), "ring", err));
    RW_TRY(
        rw_span_to_str(request.family, sizeof(request.family), rw_span_str(family), "family", err));
    return ask(ctx, &request, err);
}

static RW_RC put_policy(int dir, struct rw_span policy, struct rw_err *err)
{
    char name[2 * DIGEST_HEX_BYTES];
    char hex[DIGEST_HEX_BYTES];
    if (policy.n == 0) { return RW_OK; }
    RW_TRY(digest_sha256_hex(policy, hex, err));
    (void)snprintf(name, sizeof(name), "%s.rings.json", hex);
    return rw_file_replace_at(dir, name, 0644, policy, err);
}

/* A policy lies in the repository before targets list it: nothing may take it for old meanwhile (server_prune.c, which
 * does not run at all where the file system knows no such lock). */
static RW_RC hold_policies(const struct release_signer *s, rw_fd *out, struct rw_err *err)
{
    RW_TRY(rw_dir_make_at(s->targets, "policy", 0755, out, err));
    if (flock(*out, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_BUSY, "old files of the repository are being removed"), "a hint");
    return rw_hint(err, "send it again in a moment");
}

RW_RC release_signer_trust(struct release_signer *s, const struct release_signer_trust *change,
                           struct rw_err *err)
{
    struct signer_request request = {.type = SIGNER_TRUST,
                                     .root = change->root,
                                     .targets = change->targets,
                                     .content_count = change->content_count};
    rw_copy(request.contents, sizeof(request.contents), change->contents, sizeof(change->contents));
    RW_AUTO(rw_fd) rw_fd policies = -1;
    RW_TRY(hold_policies(s, &policies, err));
    RW_TRY(put_policy(policies, change->policy, err));
    return ask(s, &request, err);
}

/* With the turn. */
static bool is_lost(const struct release_signer *s)
{
    return s->link.path[0] != '\0' && release_signer_link_lost(&s->link);
}

bool release_signer_lost(struct release_signer *s)
{
    if (!release_signer_turn_try(&s->turn)) { return false; } /* it is being spoken with */
    bool lost = is_lost(s);
    release_signer_turn_give(&s->turn);
    return lost;
}

static RW_RC renew(struct release_signer *s, struct rw_wall now, bool *signed_out,
                   struct rw_err *err)
{
    const struct signer_request request = {.type = SIGNER_RENEW};
    /* Verifying the repository costs the signer some disk writes: once a minute is plenty, unless it is gone. */
    bool recent = now.s >= s->renewed.s && now.s < s->renewed.s + RENEW_EVERY_S;
    if (recent && !is_lost(s)) { return RW_OK; }
    RW_TRY(ask_now(s, &request, err));
    s->renewed = now;
    *signed_out = s->answer.file_count > 0;
    return RW_OK;
}

RW_RC release_signer_renew(struct release_signer *s, struct rw_wall now, bool *signed_out,
                           struct rw_err *err)
{
    *signed_out = false;
    release_signer_turn_take(&s->turn);
    struct rw_rc rc = renew(s, now, signed_out, err);
    release_signer_turn_give(&s->turn);
    return rc;
}
