/* release_rig.h: the release domain on a real directory with development trust, store and signer.
 *
 * memory   a rig owns directory, store, signer and answers until rig_drop
 * threads  one thread
 */
#ifndef RINGWARD_TEST_RELEASE_RIG_H
#define RINGWARD_TEST_RELEASE_RIG_H

#include "common/box/verdict_codec.h"
#include "common/tuf/tuf_write.h"
#include "server/release/release.h"
#include "server/release/release_signer.h"
#include "server/server_init.h"
#include "server/store/store_sqlite.h"
#include "tests/dev_dir.h"

enum { OUT_BYTES_MAX = 1 << 20 };

static const char payload[] = "rule a { strings: $s = \"x\" condition: $s }";
static const char samples[] = "RWS1\0\0\0\0";

struct rig {
    struct dev_dir d;
    struct store store;
    struct release_signer *signer;
    struct release_domain domain;
    struct release_index index;
    struct rw_buf out;
    struct json *answer;
};

static inline void rig_start_signer(struct rig *r)
{
    struct rw_err err = {0};
    char keys[128];
    char repo[128];
    (void)snprintf(keys, sizeof(keys), "%s/signer", r->d.path);
    (void)snprintf(repo, sizeof(repo), "%s/repo", r->d.path);
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* for the child: it cannot be traced */
    const struct release_signer_settings settings = {
        .program = RW_BIN_DIR "/ringward-signer", .key_dir = keys, .repo_dir = repo};
    MUST(release_signer_start(&settings, &r->signer, &err));
    r->domain.publisher =
        (struct release_publisher){.place = release_signer_place,
                                   .publish_role = release_signer_publish_role,
                                   .publish_expedite = release_signer_publish_expedite,
                                   .ctx = r->signer};
}

static inline struct rig rig_make_aged(int64_t age_s)
{
    struct rw_err err = {0};
    char path[128];
    struct rig r = {.d = dev_dir_make(age_s), .out = rw_buf_make(OUT_BYTES_MAX)};
    (void)snprintf(path, sizeof(path), "%s/store/ringward.db", r.d.path);
    MUST(store_sqlite_open(path, &r.store, &err));
    r.domain = (struct release_domain){
        .staging_dir = r.d.staging, .repo_dir = r.d.repo, .clock = rw_clock_system()};
    rig_start_signer(&r);
    return r;
}

static inline struct rig rig_make(void)
{
    return rig_make_aged(0);
}

static inline void rig_drop(struct rig *r)
{
    release_signer_drop(&r->signer);
    release_index_drop(&r->index);
    store_close(&r->store);
    rw_buf_drop(&r->out);
    json_tree_drop(&r->answer);
    dev_dir_drop(&r->d);
}

static inline struct release_domain *domain(struct rig *r)
{
    r->domain.store = &r->store; /* the rig may have moved */
    r->domain.index = &r->index;
    rw_buf_clear(&r->out);
    return &r->domain;
}

static inline void parse_answer(struct rig *r)
{
    struct rw_err err = {0};
    json_tree_drop(&r->answer);
    r->answer = NULL;
    MUST(json_parse(rw_buf_span(&r->out), &json_limits_metadata, &r->answer, &err));
}

static const char *state_of(struct rig *r, const struct release_id *id)
{
    static char state[32];
    struct rw_err err = {0};
    MUST(release_show(domain(r), id, false, &r->out, &err));
    parse_answer(r);
    MUST(json_get_str(r->answer, "state", state, sizeof(state), &err));
    return state;
}

static inline size_t signatures_of(struct rig *r, const struct release_id *id)
{
    (void)state_of(r, id);
    return json_count(json_find(r->answer, "signatures"));
}

/* --- steps --- */
struct wish {
    const char *class_name;
    const char *text;
    bool with_samples;
    bool unchecked;
};

static inline struct release_id create(struct rig *r, const struct wish *wish)
{
    struct rw_err err = {0};
    char body[1024];
    char extra[256] = "";
    char hex[DIGEST_HEX_BYTES];
    struct release_id id = {.family = "yara"};
    MUST(digest_sha256_hex(rw_span_of(samples, sizeof(samples) - 1), hex, &err));
    if (wish->with_samples) {
        (void)snprintf(extra, sizeof(extra), ",\"samples\":{\"sha256\":\"%s\",\"bytes\":%zu}", hex,
                       sizeof(samples) - 1);
    }
    MUST(digest_sha256_hex(rw_span_str(wish->text), hex, &err));
    (void)snprintf(body, sizeof(body),
                   "{\"family\":\"yara\",\"class\":\"%s\",\"notes\":\"a rule\","
                   "\"engine\":{\"min\":0,\"max\":999999},\"platforms\":[\"linux-x86_64\"],"
                   "\"payload\":{\"sha256\":\"%s\",\"bytes\":%zu}%s%s}",
                   wish->class_name, hex, strlen(wish->text), extra,
                   wish->unchecked ? ",\"unchecked\":true,\"reason\":\"box is down\"" : "");
    MUST(release_create(domain(r), "carol", rw_span_str(body), &r->out, &err));
    parse_answer(r);
    MUST(json_get_int(r->answer, "release", 1, RELEASE_NUMBER_MAX, &id.number, &err));
    assert_string_equal(state_of(r, &id), "draft");
    return id;
}

/* Both halves of an upload, and what is between them. */
static inline struct rw_rc upload_part(struct rig *r, const struct release_id *id,
                                       enum release_part part, struct rw_span bytes,
                                       bool *wanted_out, struct rw_err *err)
{
    struct release_place at;
    RW_TRY(release_upload_place(domain(r), id, part, &at, err));
    RW_TRY(release_stage_write(&at, bytes, err));
    return release_upload_take(domain(r), &at, wanted_out, &r->out, err);
}

static inline struct rw_rc open_payload(struct rig *r, const struct release_id *id, int *fd_out,
                                        struct rw_err *err)
{
    struct release_place at;
    RW_TRY(release_payload_place(domain(r), id, false, &at, err));
    return release_stage_open(&at, fd_out, err);
}

/* The same of a publication. */
static inline struct rw_rc publish(struct rig *r, const struct release_id *id, const char *by,
                                   struct rw_err *err)
{
    struct release_place at;
    bool wanted = false;
    RW_TRY(release_publish_place(domain(r), id, by, &at, &wanted, err));
    if (wanted) { RW_TRY(r->domain.publisher.place(r->domain.publisher.ctx, &at, err)); }
    return release_publish(domain(r), id, by, &r->out, err);
}

static inline bool upload(struct rig *r, const struct release_id *id, const char *text)
{
    struct rw_err err = {0};
    bool wanted = false;
    MUST(upload_part(r, id, RELEASE_PAYLOAD, rw_span_str(text), &wanted, &err));
    return wanted;
}

static inline struct rw_buf verdict_text(enum verdict_kind kind, bool final, const char *text)
{
    struct rw_err err = {0};
    struct rw_buf out = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    struct verdict v = {.kind = kind, .final = final, .exit_status = 0, .content_bytes = 3};
    (void)snprintf(v.grade, sizeof(v.grade), "full");
    (void)snprintf(v.validator, sizeof(v.validator), "yara");
    (void)snprintf(v.reason, sizeof(v.reason), "as it is");
    MUST(digest_sha256_hex(rw_span_str(text), v.content_sha256, &err));
    MUST(digest_sha256_hex(rw_span_str("validator"), v.validator_sha256, &err));
    MUST(verdict_write(&v, &out, &err));
    return out;
}

static inline struct rw_rc record(struct rig *r, const struct release_id *id,
                                  enum verdict_kind kind, bool final, const char *text,
                                  struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf v = verdict_text(kind, final, text);
    return release_record_check(domain(r), id, rw_buf_span(&v), &r->out, err);
}

static inline struct release_id checked_release(struct rig *r, const struct wish *wish)
{
    struct rw_err err = {0};
    struct release_id id = create(r, wish);
    assert_true(upload(r, &id, wish->text));
    MUST(record(r, &id, VERDICT_ACCEPTED, true, wish->text, &err));
    assert_string_equal(state_of(r, &id), "checked");
    return id;
}

/* What `ringward release sign` does on the engineer's machine. */
static inline struct rw_rc sign(struct rig *r, const struct release_id *id, const char *key_file,
                                const char *by, struct rw_span document, struct rw_err *outer)
{
    struct rw_err err = {0};
    char sig[2 * SIG_BYTES_MAX + 1];
    char body[4096];
    struct key k = dev_dir_key(&r->d, key_file);
    MUST(tuf_write_sign(document, &k, sig, &err));
    (void)snprintf(body, sizeof(body), "{\"keyid\":\"%s\",\"sig\":\"%s\"}", k.id, sig);
    key_drop(&k);
    return release_sign(domain(r), id, by, rw_span_str(body), &r->out, outer);
}

static inline struct rw_buf tosign(struct rig *r, const struct release_id *id)
{
    struct rw_err err = {0};
    struct rw_buf out = rw_buf_make(OUT_BYTES_MAX);
    MUST(release_tosign(domain(r), id, &out, &err));
    return out;
}

static inline void approve(struct rig *r, const struct release_id *id)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf doc = tosign(r, id);
    MUST(sign(r, id, "engineers/alice.key", "alice", rw_buf_span(&doc), &err));
    MUST(sign(r, id, "engineers/bob.key", "bob", rw_buf_span(&doc), &err));
    assert_string_equal(state_of(r, id), "approved");
}

static const struct wish plain = {.class_name = "data", .text = payload};

#endif
