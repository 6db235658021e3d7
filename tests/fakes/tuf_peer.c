#include "tests/fakes/tuf_peer.h"

#include "common/base/file.h"
#include "common/json/json_write.h"

struct tuf_peer tuf_peer_new(void)
{
    struct rw_err err = {0};
    struct tuf_peer p = {.repo = tuf_repo_new(), .dir = harness_dir()};
    MUST(tuf_client_init(p.dir.fd, rw_buf_span(tuf_repo_get(p.repo, "1.root.json")), &err));
    tuf_peer_restart(&p);
    return p;
}

void tuf_peer_drop(struct tuf_peer *p)
{
    tuf_client_drop(&p->client);
    tuf_repo_ref_drop(&p->repo);
    harness_dir_drop(&p->dir);
}

void tuf_peer_restart(struct tuf_peer *p)
{
    struct rw_err err = {0};
    tuf_client_drop(&p->client);
    MUST(tuf_client_open(p->dir.fd, tuf_repo_fetch(p->repo), &p->client, &err));
}

void tuf_peer_refresh(struct tuf_peer *p, enum rw_code want)
{
    struct rw_err err = {0};
    p->repo->asked_count = 0;
    MUST_FAIL(tuf_client_refresh(p->client, TUF_REPO_NOW, &err), want);
}

int64_t tuf_peer_version(const struct tuf_peer *p, const char *role)
{
    struct tuf_role_status all[TUF_REPO_ROLES];
    size_t n = tuf_client_status(p->client, all, RW_LEN(all));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(all[i].role, role) == 0) { return all[i].version; }
    }
    return 0;
}

bool tuf_peer_stored(const struct tuf_peer *p, const char *file, const char *remote)
{
    struct rw_err err = {0};
    const struct rw_buf *want = tuf_repo_get(p->repo, remote);
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(4 * 1024 * 1024);
    if (!rw_is_ok(rw_file_read_at(p->dir.fd, file, got.max, &got, &err))) { return false; }
    return want != NULL && rw_span_eq(rw_buf_span(&got), rw_buf_span(want));
}

const char *tuf_peer_find(struct tuf_peer *p, const char *path, enum rw_code want)
{
    static struct tuf_target t;
    struct rw_err err = {0};
    t = (struct tuf_target){.role = ""};
    MUST_FAIL(tuf_client_find(p->client, path, &t, &err), want);
    return t.role;
}

void tuf_peer_targets(const char *paths, char body[static TUF_REPO_BODY_BYTES])
{
    struct rw_err err = {0};
    char words[512];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TUF_REPO_BODY_BYTES);
    struct json_writer w = json_begin(&text);
    (void)snprintf(words, sizeof(words), "%s", paths);
    json_open_object(&w, NULL);
    for (char *rest = words, *word = NULL; (word = strsep(&rest, " ")) != NULL;) {
        char hex[DIGEST_HEX_BYTES];
        if (*word == '\0') { continue; }
        MUST(digest_sha256_hex(rw_span_str(word), hex, &err));
        json_open_object(&w, word);
        json_put_int(&w, "length", (int64_t)strlen(word));
        json_open_object(&w, "hashes");
        json_put_str(&w, "sha256", hex);
        json_close_object(&w);
        json_close_object(&w);
    }
    json_close_object(&w);
    MUST(json_done(&w, &err));
    int n = snprintf(body, TUF_REPO_BODY_BYTES, "\"targets\":%s", rw_buf_str(&text));
    assert_in_range(n, 1, TUF_REPO_BODY_BYTES - 1);
}
