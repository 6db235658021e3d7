#include "server/release/release_signer.h"

#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/proc.h"
#include "common/wire/signer_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { SIGNER_TIMEOUT_MS = 60000, RENEW_EVERY_S = 60, DIR_BYTES_MAX = 4096, SIGNER_FD = 3 };

/* The whole answer of a change of trust, until every file of it is written. */
static const char kept_name[] = "unfinished";

struct release_signer {
    char program[DIR_BYTES_MAX];
    char key_dir[DIR_BYTES_MAX];
    char repo_dir[DIR_BYTES_MAX];
    int staging_dir; /* borrowed */
    rw_fd repo;
    rw_fd metadata;
    rw_fd targets;
    rw_fd socket; /* -1: no signer runs */
    struct proc child;
    struct rw_buf bytes; /* of the last answer */
    struct signer_answer answer;
    struct rw_wall renewed; /* last time that the signer was asked to renew */
};

/* --- the child --- */
static void stop(struct release_signer *s)
{
    rw_fd_drop(&s->socket);
    proc_drop(&s->child);
}

static RW_RC start(struct release_signer *s, struct rw_err *err)
{
    char keys_option[] = "--keys";
    char repo_option[] = "--repo";
    char *const argv[] = {s->program, keys_option, s->key_dir, repo_option, s->repo_dir, NULL};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return rw_fail_errno(err, RW_E_PROCESS, errno, "socket for the signer");
    }
    RW_AUTO(rw_fd) rw_fd theirs = pair[1];
    s->socket = pair[0];
    const struct proc_fd fds[] = {{theirs, SIGNER_FD}};
    const struct proc_spec spec = {
        .path = s->program, .argv = argv, .fds = fds, .fd_count = 1, .die_with_parent = true};
    struct rw_rc rc = proc_start(&spec, &s->child, err);
    if (!rw_is_ok(rc)) { stop(s); }
    return rc;
}

/* A signer that died meanwhile is started again: it keeps nothing in memory that is not on disk. */
static RW_RC ensure_running(struct release_signer *s, struct rw_err *err)
{
    struct proc_exit gone;
    struct rw_err unused;
    if (s->child.pid > 0 && !rw_is_ok(proc_wait(&s->child, 0, &gone, &unused))) { return RW_OK; }
    if (s->socket >= 0) { rw_log(RW_LOG_WARN, "signer_restart", NULL, NULL); }
    stop(s);
    return start(s, err);
}

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

/* A new root and the timestamp under it only fit together: half of that change would be a repository that neither
 * agents nor the signer accept. So the whole of it is kept before its first file is written. */
static RW_RC write_kept(struct release_signer *s, struct rw_err *err)
{
    RW_AUTO(frame_writer) struct frame_writer w = {.buf = rw_buf_make(1)};
    RW_TRY(signer_answer_write(&s->answer, &w, err));
    RW_TRY(rw_file_replace_at(s->repo, kept_name, 0600, rw_buf_span(&w.buf), err));
    RW_TRY(write_files(s, err));
    return rw_file_remove_at(s->repo, kept_name, err);
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
    return rw_file_remove_at(s->repo, kept_name, err);
}

RW_RC release_signer_start(const struct release_signer_settings *settings,
                           struct release_signer **out, struct rw_err *err)
{
    struct release_signer *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for the signer's client"); }
    s->repo = s->metadata = s->targets = s->socket = s->child.pidfd = -1;
    s->staging_dir = settings->staging_dir;
    s->bytes = rw_buf_make(FRAME_BYTES_MAX);
    struct rw_rc rc = rw_span_to_str(s->program, DIR_BYTES_MAX, rw_span_str(settings->program),
                                     "signer program", err);
    if (rw_is_ok(rc)) {
        rc = rw_span_to_str(s->key_dir, DIR_BYTES_MAX, rw_span_str(settings->key_dir),
                            "signer directory", err);
    }
    if (rw_is_ok(rc)) {
        rc = rw_span_to_str(s->repo_dir, DIR_BYTES_MAX, rw_span_str(settings->repo_dir),
                            "repository directory", err);
    }
    if (rw_is_ok(rc)) { rc = rw_dir_open(settings->repo_dir, &s->repo, err); }
    if (rw_is_ok(rc)) { rc = rw_dir_open_at(s->repo, "metadata", &s->metadata, err); }
    if (rw_is_ok(rc)) { rc = rw_dir_open_at(s->repo, "targets", &s->targets, err); }
    if (rw_is_ok(rc)) { rc = finish_writing(s, err); }
    if (rw_is_ok(rc)) { rc = start(s, err); }
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
    stop(*s);
    rw_fd_drop(&(*s)->repo);
    rw_fd_drop(&(*s)->metadata);
    rw_fd_drop(&(*s)->targets);
    rw_buf_drop(&(*s)->bytes);
    rw_mem_free(*s);
    *s = NULL;
}

/* --- one round trip --- */
static RW_RC exchange(struct release_signer *s, const struct signer_request *r, struct rw_err *err)
{
    struct frame_reader frame;
    RW_AUTO(frame_writer) struct frame_writer w = {.buf = rw_buf_make(1)};
    RW_TRY(signer_request_write(r, &w, err));
    RW_TRY(frame_send(s->socket, &w, SIGNER_TIMEOUT_MS, err));
    RW_TRY(frame_recv(s->socket, &s->bytes, SIGNER_TIMEOUT_MS, &frame, err));
    return signer_answer_read(&frame, &s->answer, err);
}

static RW_RC ask(struct release_signer *s, const struct signer_request *r, struct rw_err *err)
{
    RW_TRY(ensure_running(s, err));
    struct rw_rc rc = exchange(s, r, err);
    if (!rw_is_ok(rc)) {
        /* Whatever is still under way on this socket must not be taken for the next answer. */
        stop(s);
        char text[RW_ERR_TEXT_BYTES];
        rw_copy(text, sizeof(text), err->text, sizeof(err->text));
        enum rw_code code =
            rc.code == RW_E_NOT_FOUND || rc.code == RW_E_IO ? RW_E_PROCESS : rc.code;
        RW_IGNORE(rw_fail(err, code, "ringward-signer: %s", text), "the hint follows");
        return rw_hint(err,
                       "the signer is started again with the next request; see the server's log");
    }
    if (s->answer.refused) {
        RW_IGNORE(rw_fail(err, s->answer.code, "the signer refuses: %s", s->answer.text),
                  "the hint follows");
        return rw_hint(err, "%s", s->answer.hint);
    }
    return r->type == SIGNER_TRUST ? write_kept(s, err) : write_files(s, err);
}

/* --- requests --- */
static RW_RC copy_payload(struct release_signer *s, const struct release *r,
                          const char *payload_path, struct rw_err *err)
{
    char name[2 * DIGEST_HEX_BYTES];
    char hex[DIGEST_HEX_BYTES];
    RW_AUTO(rw_fd) rw_fd content = -1;
    RW_AUTO(rw_fd) rw_fd family = -1;
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(RELEASE_FILE_BYTES_MAX);
    RW_TRY(rw_file_read_at(s->staging_dir, payload_path, RELEASE_FILE_BYTES_MAX, &bytes, err));
    RW_TRY(digest_sha256_hex(rw_buf_span(&bytes), hex, err));
    if ((int64_t)bytes.n != r->payload.bytes || strcmp(hex, r->payload.sha256) != 0) {
        return rw_fail(err, RW_E_TUF_HASH, "the staged payload of %s/%lld is not the declared one",
                       r->id.family, (long long)r->id.number);
    }
    RW_TRY(rw_dir_make_at(s->targets, "content", 0755, &content, err));
    RW_TRY(rw_dir_make_at(content, r->id.family, 0755, &family, err));
    (void)snprintf(name, sizeof(name), "%s.%lld.rwc", hex, (long long)r->id.number);
    return rw_file_replace_at(family, name, 0644, rw_buf_span(&bytes), err);
}

RW_RC release_signer_publish(void *ctx, const struct release *r, struct rw_span envelope,
                             const char *payload_path, struct rw_err *err)
{
    struct release_signer *s = ctx;
    struct signer_request request = {.type = SIGNER_PUBLISH, .envelope = envelope};
    RW_TRY(rw_span_to_str(request.family, sizeof(request.family), rw_span_str(r->id.family),
                          "family", err));
    RW_TRY(copy_payload(s, r, payload_path, err));
    return ask(s, &request, err);
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

static RW_RC put_policy(struct release_signer *s, struct rw_span policy, struct rw_err *err)
{
    char name[2 * DIGEST_HEX_BYTES];
    char hex[DIGEST_HEX_BYTES];
    RW_AUTO(rw_fd) rw_fd dir = -1;
    if (policy.n == 0) { return RW_OK; }
    RW_TRY(digest_sha256_hex(policy, hex, err));
    RW_TRY(rw_dir_make_at(s->targets, "policy", 0755, &dir, err));
    (void)snprintf(name, sizeof(name), "%s.rings.json", hex);
    return rw_file_replace_at(dir, name, 0644, policy, err);
}

RW_RC release_signer_trust(struct release_signer *s, const struct release_signer_trust *change,
                           struct rw_err *err)
{
    struct signer_request request = {.type = SIGNER_TRUST,
                                     .root = change->root,
                                     .targets = change->targets,
                                     .content_count = change->content_count};
    rw_copy(request.contents, sizeof(request.contents), change->contents, sizeof(change->contents));
    RW_TRY(put_policy(s, change->policy, err));
    return ask(s, &request, err);
}

RW_RC release_signer_renew(struct release_signer *s, struct rw_wall now, bool *signed_out,
                           struct rw_err *err)
{
    const struct signer_request request = {.type = SIGNER_RENEW};
    *signed_out = false;
    /* Verifying the repository costs the signer some disk writes: once a minute is plenty. */
    if (now.s >= s->renewed.s && now.s < s->renewed.s + RENEW_EVERY_S) { return RW_OK; }
    RW_TRY(ask(s, &request, err));
    s->renewed = now;
    *signed_out = s->answer.file_count > 0;
    return RW_OK;
}
