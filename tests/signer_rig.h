/* signer_rig.h: the real ringward-signer on a directory with development trust, asked over a socketpair.
 *
 * memory   a rig owns directory, process and keys until rig_drop
 * threads  one thread
 */
#ifndef RINGWARD_TEST_SIGNER_RIG_H
#define RINGWARD_TEST_SIGNER_RIG_H

#include "common/base/proc.h"
#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_make.h"
#include "common/tuf/tuf_write.h"
#include "common/wire/signer_codec.h"
#include "server/server_init.h"
#include "tests/dev_dir.h"

#include <sys/socket.h>

enum { HOUR_S = 3600, DAY_S = 86400, TIMEOUT_MS = 20000 };

struct rig {
    struct dev_dir d;
    struct rw_wall
        made; /* signed_at counts from here: the same entry stays the same, however slow the test */
    struct key engineers[2];
    struct key officers[2];
    struct ring_policy policy;
    int socket;
    struct proc child;
    struct rw_buf bytes;
    struct signer_answer answer;
};

static inline void rig_start(struct rig *r)
{
    struct rw_err err = {0};
    int pair[2];
    char keys[128];
    char repo[128];
    (void)snprintf(keys, sizeof(keys), "%s/signer", r->d.path);
    (void)snprintf(repo, sizeof(repo), "%s/repo", r->d.path);
    char program[] = RW_BIN_DIR "/ringward-signer";
    char o1[] = "--keys";
    char o2[] = "--repo";
    char *const argv[] = {program, o1, keys, o2, repo, NULL};
    /* A process that cannot be traced cannot be searched for leaks either. */
    char asan[] = "ASAN_OPTIONS=detect_leaks=0";
    char *const envp[] = {asan, NULL};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    const struct proc_fd fds[] = {{pair[1], 3}};
    const struct proc_spec spec = {.path = program,
                                   .argv = argv,
                                   .envp = envp,
                                   .fds = fds,
                                   .fd_count = 1,
                                   .die_with_parent = true};
    MUST(proc_start(&spec, &r->child, &err));
    (void)close(pair[1]);
    r->socket = pair[0];
}

static inline struct rig rig_make(int64_t age_s)
{
    struct rw_err err = {0};
    struct rig r = {
        .d = dev_dir_make(age_s), .made = dev_dir_now(), .bytes = rw_buf_make(FRAME_BYTES_MAX)};
    r.engineers[0] = dev_dir_key(&r.d, "engineers/alice.key");
    r.engineers[1] = dev_dir_key(&r.d, "engineers/bob.key");
    r.officers[0] = dev_dir_key(&r.d, "officers/carol.key");
    r.officers[1] = dev_dir_key(&r.d, "officers/dave.key");
    MUST(ring_policy_parse(rw_span_str(dev_dir_policy), &r.policy, &err));
    rig_start(&r);
    return r;
}

static inline void rig_drop(struct rig *r)
{
    rw_fd_drop(&r->socket);
    proc_drop(&r->child);
    key_drop(&r->engineers[0]);
    key_drop(&r->engineers[1]);
    key_drop(&r->officers[0]);
    key_drop(&r->officers[1]);
    rw_buf_drop(&r->bytes);
    dev_dir_drop(&r->d);
}

/* --- asking --- */
static inline void ask(struct rig *r, const struct signer_request *request)
{
    struct rw_err err = {0};
    struct frame_writer w = {.buf = rw_buf_make(1)};
    struct frame_reader frame;
    MUST(signer_request_write(request, &w, &err));
    MUST(frame_send(r->socket, &w, TIMEOUT_MS, &err));
    frame_writer_drop(&w);
    MUST(frame_recv(r->socket, &r->bytes, TIMEOUT_MS, &frame, &err));
    MUST(signer_answer_read(&frame, &r->answer, &err));
}

static inline void write_answer(struct rig *r)
{
    struct rw_err err = {0};
    char path[256];
    for (size_t i = 0; i < r->answer.file_count; i++) {
        (void)snprintf(path, sizeof(path), "%s/repo/metadata/%s", r->d.path,
                       r->answer.files[i].name);
        MUST(rw_file_replace(path, 0644, r->answer.files[i].bytes, &err));
    }
}

static inline void must_grant(struct rig *r)
{
    if (r->answer.refused) { fail_msg("refused: %s", r->answer.text); }
}

static inline void must_refuse(struct rig *r, const char *reason)
{
    if (!r->answer.refused) { fail_msg("granted, want a refusal for '%s'", reason); }
    if (strcmp(r->answer.reason, reason) != 0) {
        fail_msg("refused with '%s', want '%s'", r->answer.text, reason);
    }
}

static inline void point(struct rig *r, const char *ring, int64_t release, bool hold)
{
    struct signer_request q = {
        .type = SIGNER_POINT, .family = "yara", .release = release, .hold = hold};
    (void)snprintf(q.ring, sizeof(q.ring), "%s", ring);
    ask(r, &q);
}

static inline void renew(struct rig *r)
{
    const struct signer_request q = {.type = SIGNER_RENEW};
    ask(r, &q);
}

/* --- content roles --- */
struct entry {
    int64_t release;
    const char *class_name;
    const char *text; /* the payload that is signed */
    int64_t signed_ago_s;
    bool ring_missing;  /* not_before does not name the last ring */
    const char *family; /* NULL: yara */
    int64_t engine_max; /* 0: as wide as the policy allows */
};

struct plan {
    int64_t version;
    struct entry entries[4];
    size_t count;
    size_t signers;
    int64_t expires_in_s;
    const char *ask_family; /* NULL: yara */
    const char *role_body;  /* extra members of the document */
    const char *list;       /* its own member: floor, withdrawn */
};

static inline void put_entry(struct rig *r, struct json_writer *w, const struct entry *e)
{
    struct rw_err err = {0};
    char path[TUF_PATH_BYTES];
    char hex[DIGEST_HEX_BYTES];
    struct ring_policy policy = r->policy;
    struct entry_codec_content c = {.release = e->release,
                                    .engine_max = e->engine_max > 0 ? e->engine_max : 999999,
                                    .signed_at = {r->made.s - e->signed_ago_s},
                                    .platform_count = 1};
    (void)snprintf(c.family, sizeof(c.family), "%s", e->family == NULL ? "yara" : e->family);
    (void)snprintf(c.class_name, sizeof(c.class_name), "%s", e->class_name);
    (void)snprintf(c.platforms[0], sizeof(c.platforms[0]), "linux-x86_64");
    for (size_t i = 0; i < policy.ring_count; i++) {
        c.not_before[i] = c.signed_at;
    }
    if (e->ring_missing) { policy.ring_count--; }
    MUST(digest_sha256_hex(rw_span_str(e->text), hex, &err));
    MUST(entry_codec_content_path(c.family, e->release, path, &err));
    entry_codec_write_content(w, path, &c, &policy, (int64_t)strlen(e->text), hex);
}

static inline void put_payload(struct rig *r, const struct entry *e, const char *written)
{
    struct rw_err err = {0};
    char path[256];
    char hex[DIGEST_HEX_BYTES];
    MUST(digest_sha256_hex(rw_span_str(e->text), hex, &err));
    (void)snprintf(path, sizeof(path), "%s/repo/targets/content/yara/%s.%lld.rwc", r->d.path, hex,
                   (long long)e->release);
    MUST(rw_file_replace(path, 0644, rw_span_str(written), &err));
}

static inline void publish(struct rig *r, const struct plan *p)
{
    struct rw_err err = {0};
    struct rw_buf text = rw_buf_make(1 << 20);
    struct rw_buf envelope = rw_buf_make(1 << 20);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "targets", p->version,
                  (struct tuf_make_life){.expires = {dev_dir_now().s + p->expires_in_s}});
    if (p->list != NULL) { json_put_raw(&w, "ringward", rw_span_str(p->list)); }
    if (p->role_body != NULL) { json_put_raw(&w, "delegations", rw_span_str(p->role_body)); }
    json_open_object(&w, "targets");
    for (size_t i = 0; i < p->count; i++) {
        put_entry(r, &w, &p->entries[i]);
    }
    json_close_object(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    MUST(tuf_write_envelope(rw_buf_span(&text), r->engineers, p->signers, &envelope, &err));
    struct signer_request q = {.type = SIGNER_PUBLISH, .envelope = rw_buf_span(&envelope)};
    (void)snprintf(q.family, sizeof(q.family), "%s",
                   p->ask_family == NULL ? "yara" : p->ask_family);
    ask(r, &q);
    rw_buf_drop(&text);
    rw_buf_drop(&envelope);
}

static inline struct plan good_plan(void)
{
    return (struct plan){.version = 2,
                         .entries = {{.release = 1, .class_name = "data", .text = "rule one"}},
                         .count = 1,
                         .signers = 2,
                         .expires_in_s = 14 * (int64_t)DAY_S};
}

static inline void publish_good(struct rig *r, const struct plan *p)
{
    for (size_t i = 0; i < p->count; i++) {
        put_payload(r, &p->entries[i], p->entries[i].text);
    }
    publish(r, p);
    must_grant(r);
    write_answer(r);
}

/* What an agent of the ring finds; 0: nothing. */
static inline int64_t agent_sees(struct rig *r, const char *ring, bool *hold_out)
{
    struct rw_err err = {0};
    struct tuf_target t;
    struct install_rule_pointer p = {.release = 0};
    char path[TUF_PATH_BYTES];
    rw_fd state = -1;
    struct tuf_client *c = dev_dir_agent(&r->d, &state);
    MUST(entry_codec_pointer_path(ring, "yara", path, &err));
    struct rw_rc rc = tuf_client_find(c, path, &t, &err);
    if (rw_is_ok(rc)) {
        MUST(entry_codec_read_pointer(&t, &p, &err));
    } else {
        assert_int_equal(rc.code, RW_E_NOT_FOUND);
    }
    if (hold_out != NULL) { *hold_out = p.hold; }
    tuf_client_drop(&c);
    rw_fd_drop(&state);
    return p.release;
}

#endif
