#include "tests/fakes/tuf_repo.h"

#include "common/json/json_write.h"
#include "common/tuf/tuf_path.h"
#include "common/tuf/tuf_write.h"
#include "tests/harness.h"

enum { FILE_BYTES_MAX = 4 * 1024 * 1024 };

struct key *tuf_repo_key(struct tuf_repo *r, char letter)
{
    struct rw_err err = {0};
    assert_in_range(letter, 'A', 'Z');
    struct key *k = &r->keys[letter - 'A'];
    if (k->pkey == NULL) { MUST(key_generate(KEY_ED25519, k, &err)); }
    return k;
}

struct rw_buf tuf_repo_envelope(struct tuf_repo *r, struct rw_span signed_text, const char *signers)
{
    struct rw_err err = {0};
    struct tuf_write_sig sigs[8];
    size_t n = 0;
    struct rw_buf out = rw_buf_make(FILE_BYTES_MAX);
    for (; signers[n] != '\0'; n++) {
        const struct key *k = tuf_repo_key(r, signers[n]);
        memcpy(sigs[n].keyid, k->id, sizeof(k->id));
        MUST(tuf_write_sign(signed_text, k, sigs[n].sig_hex, &err));
    }
    MUST(tuf_write_envelope_of(signed_text, sigs, n, &out, &err));
    return out;
}

struct rw_buf *tuf_repo_get(struct tuf_repo *r, const char *name)
{
    for (size_t i = 0; i < r->file_count; i++) {
        if (strcmp(r->files[i].name, name) == 0) { return &r->files[i].bytes; }
    }
    return NULL;
}

void tuf_repo_put(struct tuf_repo *r, const char *name, struct rw_span bytes)
{
    struct rw_err err = {0};
    struct rw_buf *b = tuf_repo_get(r, name);
    if (b == NULL) {
        assert_true(r->file_count < TUF_REPO_FILES);
        struct tuf_repo_file *f = &r->files[r->file_count++];
        (void)snprintf(f->name, sizeof(f->name), "%s", name);
        f->bytes = rw_buf_make(FILE_BYTES_MAX);
        b = &f->bytes;
    }
    RW_AUTO(rw_buf) struct rw_buf copy = rw_buf_make(FILE_BYTES_MAX);
    MUST(rw_buf_append(&copy, bytes, &err)); /* `bytes` may be the file itself */
    rw_buf_clear(b);
    MUST(rw_buf_append(b, rw_buf_span(&copy), &err));
}

void tuf_repo_remove(struct tuf_repo *r, const char *name)
{
    struct rw_buf *b = tuf_repo_get(r, name);
    assert_non_null(b);
    struct tuf_repo_file *f =
        (struct tuf_repo_file *)(void *)((char *)b - offsetof(struct tuf_repo_file, bytes));
    rw_buf_drop(&f->bytes);
    struct tuf_repo_file *last = &r->files[--r->file_count];
    if (f != last) { *f = *last; }
}

static void put_envelope(struct tuf_repo *r, const char *name, struct rw_buf *text,
                         const char *signers)
{
    RW_AUTO(rw_buf) struct rw_buf file = tuf_repo_envelope(r, rw_buf_span(text), signers);
    tuf_repo_put(r, name, rw_buf_span(&file));
}

static void common(struct json_writer *w, const char *type, int64_t version, const char *expires)
{
    json_open_object(w, NULL);
    json_put_str(w, "_type", type);
    json_put_str(w, "spec_version", "1.0.31");
    json_put_int(w, "version", version);
    json_put_str(w, "expires", expires);
}

/* "keys" once per letter, in the order of first use. */
static void put_keys(struct tuf_repo *r, struct json_writer *w, const char *letters)
{
    struct rw_err err = {0};
    json_open_object(w, "keys");
    for (size_t i = 0; letters[i] != '\0'; i++) {
        if (memchr(letters, letters[i], i) != NULL) { continue; }
        const struct key *k = tuf_repo_key(r, letters[i]);
        RW_AUTO(rw_buf) struct rw_buf object = rw_buf_make(4096);
        MUST(key_write_public(k, &object, &err));
        json_put_raw(w, k->id, rw_buf_span(&object));
    }
    json_close_object(w);
}

static void put_role(struct tuf_repo *r, struct json_writer *w, const char *letters, int threshold)
{
    json_open_array(w, "keyids");
    for (size_t i = 0; letters[i] != '\0'; i++) {
        json_put_str(w, NULL, tuf_repo_key(r, letters[i])->id);
    }
    json_close_array(w);
    json_put_int(w, "threshold", threshold);
}

void tuf_repo_next_root(struct tuf_repo *r, const char *signers)
{
    struct rw_err err = {0};
    char name[TUF_REPO_NAME_BYTES];
    char letters[40];
    const struct tuf_repo_top *tops[] = {&r->root, &r->timestamp, &r->snapshot, &r->targets};
    static const char *const names[] = {"root", "timestamp", "snapshot", "targets"};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    r->root_version++;
    common(&w, "root", r->root_version, r->root_expires);
    json_put_bool(&w, "consistent_snapshot", r->consistent);
    (void)snprintf(letters, sizeof(letters), "%s%s%s%s", r->root.keys, r->timestamp.keys,
                   r->snapshot.keys, r->targets.keys);
    put_keys(r, &w, letters);
    json_open_object(&w, "roles");
    for (size_t i = 0; i < RW_LEN(tops); i++) {
        json_open_object(&w, names[i]);
        put_role(r, &w, tops[i]->keys, tops[i]->threshold);
        json_close_object(&w);
    }
    json_close_object(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    (void)snprintf(name, sizeof(name), "%d.root.json", (int)r->root_version);
    put_envelope(r, name, &text, signers);
}

struct tuf_repo_role *tuf_repo_find(struct tuf_repo *r, const char *name)
{
    for (size_t i = 0; i < r->role_count; i++) {
        if (strcmp(r->roles[i].name, name) == 0) { return &r->roles[i]; }
    }
    return NULL;
}

void tuf_repo_write_role(struct tuf_repo *r, struct tuf_repo_role *role)
{
    struct rw_err err = {0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES_MAX);
    MUST(rw_buf_appendf(&text, &err,
                        "{\"_type\":\"targets\",\"spec_version\":\"1.0.31\",\"version\":%lld,"
                        "\"expires\":\"%s\",%s}",
                        (long long)role->version, role->expires, role->body));
    MUST(tuf_path_metadata_name(role->name, r->consistent ? role->version : 0, role->file,
                                sizeof(role->file), &err));
    put_envelope(r, role->file, &text, role->signers);
}

struct tuf_repo_role *tuf_repo_next_role(struct tuf_repo *r, const char *name, const char *signers,
                                         const char *body)
{
    struct tuf_repo_role *role = tuf_repo_find(r, name);
    if (role == NULL) {
        assert_true(r->role_count < TUF_REPO_ROLES);
        role = &r->roles[r->role_count++];
        *role = (struct tuf_repo_role){.expires = TUF_REPO_FRESH};
        (void)snprintf(role->name, sizeof(role->name), "%s", name);
    }
    (void)snprintf(role->signers, sizeof(role->signers), "%s", signers);
    if (body != role->body) { (void)snprintf(role->body, sizeof(role->body), "%s", body); }
    role->version++;
    tuf_repo_write_role(r, role);
    return role;
}

static void put_meta(struct tuf_repo *r, struct json_writer *w, const char *listed,
                     const char *file, int64_t version)
{
    struct rw_err err = {0};
    char hex[DIGEST_HEX_BYTES];
    const struct rw_buf *b = tuf_repo_get(r, file);
    json_open_object(w, listed);
    json_put_int(w, "version", version);
    if (!r->bare_meta && b != NULL) {
        MUST(digest_sha256_hex(rw_buf_span(b), hex, &err));
        json_put_int(w, "length", (int64_t)b->n);
        json_open_object(w, "hashes");
        json_put_str(w, "sha256", hex);
        json_close_object(w);
    }
    json_close_object(w);
}

static void snapshot_name(const struct tuf_repo *r, char name[static TUF_REPO_NAME_BYTES])
{
    if (r->consistent) {
        (void)snprintf(name, TUF_REPO_NAME_BYTES, "%d.snapshot.json", (int)r->snapshot_version);
    } else {
        (void)snprintf(name, TUF_REPO_NAME_BYTES, "snapshot.json");
    }
}

void tuf_repo_write_snapshot(struct tuf_repo *r)
{
    struct rw_err err = {0};
    char name[TUF_REPO_NAME_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    common(&w, "snapshot", r->snapshot_version, r->snapshot_expires);
    json_open_object(&w, "meta");
    for (size_t i = 0; i < r->role_count; i++) {
        char listed[TUF_REPO_NAME_BYTES + 8];
        (void)snprintf(listed, sizeof(listed), "%s.json", r->roles[i].name);
        put_meta(r, &w, listed, r->roles[i].file, r->roles[i].version);
    }
    json_close_object(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    snapshot_name(r, name);
    put_envelope(r, name, &text, r->snapshot.keys);
}

void tuf_repo_write_timestamp(struct tuf_repo *r)
{
    struct rw_err err = {0};
    char name[TUF_REPO_NAME_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FILE_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    snapshot_name(r, name);
    common(&w, "timestamp", r->timestamp_version, r->timestamp_expires);
    json_open_object(&w, "meta");
    put_meta(r, &w, "snapshot.json", name, r->snapshot_version);
    json_close_object(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    put_envelope(r, "timestamp.json", &text, r->timestamp.keys);
}

void tuf_repo_publish(struct tuf_repo *r)
{
    r->snapshot_version++;
    tuf_repo_write_snapshot(r);
    r->timestamp_version++;
    tuf_repo_write_timestamp(r);
}

struct tuf_repo *tuf_repo_new(void)
{
    struct tuf_repo *r = rw_mem_new(sizeof(*r));
    assert_non_null(r);
    r->root = (struct tuf_repo_top){"R", 1};
    r->timestamp = (struct tuf_repo_top){"T", 1};
    r->snapshot = (struct tuf_repo_top){"S", 1};
    r->targets = (struct tuf_repo_top){"G", 1};
    r->root_expires = r->timestamp_expires = r->snapshot_expires = TUF_REPO_FRESH;
    r->consistent = true;
    tuf_repo_next_root(r, "R");
    (void)tuf_repo_next_role(r, "targets", "G", "\"targets\":{}");
    tuf_repo_publish(r);
    return r;
}

void tuf_repo_ref_drop(tuf_repo_ref *r)
{
    if (*r == NULL) { return; }
    for (size_t i = 0; i < TUF_REPO_KEYS; i++) {
        key_drop(&(*r)->keys[i]);
    }
    for (size_t i = 0; i < (*r)->file_count; i++) {
        rw_buf_drop(&(*r)->files[i].bytes);
    }
    rw_mem_free(*r);
    *r = NULL;
}

void tuf_repo_delegate(struct tuf_repo *r, const struct tuf_repo_delegation *rows, size_t count,
                       char body[static TUF_REPO_BODY_BYTES])
{
    struct rw_err err = {0};
    char letters[64] = "";
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_REPO_BODY_BYTES);
    struct json_writer w = json_begin(&text);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(letters + strlen(letters), sizeof(letters) - strlen(letters), "%s",
                       rows[i].keys);
    }
    json_open_object(&w, NULL);
    put_keys(r, &w, letters);
    json_open_array(&w, "roles");
    for (size_t i = 0; i < count; i++) {
        json_open_object(&w, NULL);
        json_put_str(&w, "name", rows[i].name);
        put_role(r, &w, rows[i].keys, rows[i].threshold);
        json_put_raw(&w, "paths", rw_span_str(rows[i].paths));
        json_put_bool(&w, "terminating", rows[i].terminating);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    int n = snprintf(body, TUF_REPO_BODY_BYTES, "\"delegations\":%s", rw_buf_str(&text));
    assert_in_range(n, 1, TUF_REPO_BODY_BYTES - 1);
}

static RW_RC get(void *ctx, const char *path, size_t max, struct rw_buf *into, struct rw_err *err)
{
    struct tuf_repo *r = ctx;
    assert_true(r->asked_count < TUF_REPO_ASKED);
    (void)snprintf(r->asked[r->asked_count++], TUF_REPO_NAME_BYTES, "%s", path);
    if (r->fail_file != NULL && strcmp(r->fail_file, path) == 0) {
        return rw_fail(err, r->fail_code, "the test lets '%s' fail", path);
    }
    const struct rw_buf *b = tuf_repo_get(r, path);
    if (b == NULL) { return rw_fail(err, RW_E_NOT_FOUND, "no file '%s'", path); }
    if (b->n > max) { return rw_fail(err, RW_E_TOO_BIG, "'%s' has %zu bytes", path, b->n); }
    return rw_buf_append(into, rw_buf_span(b), err);
}

struct tuf_fetch tuf_repo_fetch(struct tuf_repo *r)
{
    return (struct tuf_fetch){.get = get, .ctx = r};
}

size_t tuf_repo_asked(const struct tuf_repo *r, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < r->asked_count; i++) {
        if (strcmp(r->asked[i], name) == 0) { n++; }
    }
    return n;
}
