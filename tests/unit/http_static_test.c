/* Goal: the repository is served as files that caches may keep as long as is safe, and nothing outside it is
 * ever served, whatever the path says. */
#include "server/api/http_static.h"
#include "tests/unit/http_fixture.h"

#include <stdatomic.h>
#include <sys/stat.h>

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define BIG  "targets/content/yara/" HASH ".1.rwc"

enum { BIG_FILE = 3000000 };

static char dir[64];
static int repo = -1;
static struct http_files *files;

static void put(const char *folder, const char *name, struct rw_span content)
{
    struct rw_err err = {0};
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/repo/%s", dir, folder);
    MUST(rw_dir_make(path, 0755, &err));
    (void)snprintf(path, sizeof(path), "%s/repo/%s/%s", dir, folder, name);
    MUST(rw_file_replace(path, 0644, content, &err));
}

static void link_to(const char *target, const char *name)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/repo/%s", dir, name);
    assert_int_equal(symlink(target, path), 0);
}

static int make_repo(void **state)
{
    struct rw_err err = {0};
    char path[160];
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/ringward-static-XXXXXX");
    assert_non_null(mkdtemp(dir));
    uint8_t *big = rw_mem_new(BIG_FILE);
    for (size_t i = 0; i < BIG_FILE; i++) {
        big[i] = large_byte(i);
    }
    put("metadata", "timestamp.json", rw_span_str("0123456789"));
    put("metadata", "1.root.json", rw_span_str("{\"root\":1}"));
    put("metadata", ".2.root.json.tmp", rw_span_str("half"));
    put("metadata", "notes.json", rw_span_str("{}"));
    put("metadata/sub", "x.json", rw_span_str("{}"));
    put("targets/policy", HASH ".rings.json", rw_span_str("{}"));
    put("targets/content/yara", HASH ".1.rwc", rw_span_of(big, BIG_FILE));
    put("targets/content/yara", "empty.rwc", rw_span_str(""));
    put("secrets", "key.json", rw_span_str("secret"));
    link_to("../secrets/key.json", "metadata/link.json");
    link_to("../secrets", "metadata/linkdir");
    (void)snprintf(path, sizeof(path), "%s/repo/metadata/fifo.json", dir);
    assert_int_equal(mkfifo(path, 0644), 0);
    (void)snprintf(path, sizeof(path), "%s/repo", dir);
    MUST(rw_dir_open(path, &repo, &err));
    MUST(http_files_new(repo, 4, &files, &err));
    rw_mem_free(big);
    return 0;
}

static int remove_repo(void **state)
{
    static const char *const names[] = {"metadata/timestamp.json",
                                        "metadata/1.root.json",
                                        "metadata/.2.root.json.tmp",
                                        "metadata/notes.json",
                                        "metadata/sub/x.json",
                                        "metadata/sub",
                                        "metadata/link.json",
                                        "metadata/linkdir",
                                        "metadata/fifo.json",
                                        "metadata",
                                        "targets/policy/" HASH ".rings.json",
                                        "targets/policy",
                                        BIG,
                                        "targets/content/yara/empty.rwc",
                                        "targets/content/yara",
                                        "targets/content",
                                        "targets",
                                        "secrets/key.json",
                                        "secrets"};
    char path[160];
    (void)state;
    for (size_t i = 0; i < RW_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/repo/%s", dir, names[i]);
        if (remove(path) != 0) { print_message("%s stays\n", path); }
    }
    (void)snprintf(path, sizeof(path), "%s/repo", dir);
    http_files_free(files);
    (void)close(repo);
    return remove(path) + remove(dir);
}

static struct http_reply get(const char *path, const char *none_match, const char *range)
{
    const struct http_static_ask ask = {.path = rw_span_str(path),
                                        .if_none_match = rw_span_str(none_match),
                                        .range = rw_span_str(range)};
    return http_static_answer(files, &ask);
}

static const struct path_case {
    const char *id, *path;
    int status;
    const char *cache;
} path_cases[] = {
    {"timestamp", "metadata/timestamp.json", 200, "public, max-age=30"},
    {"versioned metadata", "metadata/1.root.json", 200, "public, max-age=31536000, immutable"},
    {"content by hash", BIG, 200, "public, max-age=31536000, immutable"},
    {"policy by hash", "targets/policy/" HASH ".rings.json", 200,
     "public, max-age=31536000, immutable"},
    {"without version", "metadata/notes.json", 200, "no-cache"},
    {"without hash", "targets/content/yara/empty.rwc", 200, "no-cache"},
    {"next root, not there yet", "metadata/2.root.json", 404, "public, max-age=30"},
    {"other file, not there", "metadata/2.snapshot.json", 404, "no-store"},
    {"content, not there", "targets/content/yara/x.rwc", 404, "no-store"},
    {"half-written file", "metadata/.2.root.json.tmp", 404, "no-store"},
    {"above", "metadata/../secrets/key.json", 404, "no-store"},
    {"above, encoded", "metadata/%2e%2e/secrets/key.json", 404, "no-store"},
    {"outside the two folders", "secrets/key.json", 404, "no-store"},
    {"absolute", "/etc/passwd", 404, "no-store"},
    {"doubled slash", "metadata//timestamp.json", 404, "no-store"},
    {"slash behind", "metadata/timestamp.json/", 404, "no-store"},
    {"a folder", "targets/policy", 404, "no-store"},
    {"below a file", "metadata/timestamp.json/x", 404, "no-store"},
    {"a link", "metadata/link.json", 404, "no-store"},
    {"through a link", "metadata/linkdir/key.json", 404, "no-store"},
    {"not a plain file", "metadata/fifo.json", 404, "no-store"},
    {"too deep", "targets/a/b/c/d/e/f", 404, "no-store"},
    {"nothing", "", 404, "no-store"},
    {"only the folder", "metadata/", 404, "no-store"},
    {"backslash", "metadata/..\\x", 404, "no-store"},
};

TEST_EACH(only_plain_files_of_the_repository_are_served, path_cases)
{
    struct http_reply r = get(it->path, "", "");
    assert_int_equal(r.status, it->status);
    assert_string_equal(r.cache_control, it->cache);
    assert_int_equal(r.ready != NULL, it->status == 200);
    http_reply_drop(&r);
}

TEST(a_known_tag_is_answered_with_304_until_the_file_changes)
{
    struct http_reply r = get("metadata/timestamp.json", "", "");
    char tag[HTTP_ETAG_BYTES];
    (void)snprintf(tag, sizeof(tag), "%s", r.etag);
    http_reply_drop(&r);
    r = get("metadata/timestamp.json", tag, "");
    assert_int_equal(r.status, 304);
    assert_string_equal(r.etag, tag);
    assert_int_equal(http_reply_body_bytes(&r), 0);
    http_reply_drop(&r);
    r = get("metadata/timestamp.json", "*", "");
    assert_int_equal(r.status, 304);
    http_reply_drop(&r);
    put("metadata", "timestamp.json", rw_span_str("9876543210")); /* same length, same second */
    r = get("metadata/timestamp.json", tag, "");
    assert_int_equal(r.status, 200);
    assert_string_not_equal(r.etag, tag);
    http_reply_drop(&r);
}

static void put_number(const char *name, int number)
{
    char text[11];
    (void)snprintf(text, sizeof(text), "%010d", number);
    put("metadata", name, rw_span_str(text));
}

/* What is kept is of no more use once its name leads elsewhere: same length, and within one tick of the clock. */
TEST(a_replaced_file_is_never_served_again)
{
    struct rw_err err = {0};
    struct http_files *other = NULL; /* of another worker */
    MUST(http_files_new(repo, 1, &other, &err));
    for (int i = 1; i <= 300; i++) {
        struct http_files *const both[] = {files, other};
        put_number("timestamp.json", i);
        for (size_t k = 0; k < 2 * RW_LEN(both); k++) {
            const struct http_file *f = NULL;
            MUST(http_files_find(both[k % 2], rw_span_str("metadata/timestamp.json"), &f, &err));
            assert_true(f->whole);
            assert_int_equal((int)number_at(rw_buf_str(&f->body)), i);
        }
    }
    http_files_free(other);
}

TEST(a_file_that_is_gone_is_not_there)
{
    char path[160];
    put_number("7.snapshot.json", 1);
    struct http_reply r = get("metadata/7.snapshot.json", "", "");
    assert_int_equal(r.status, 200);
    http_reply_drop(&r);
    (void)snprintf(path, sizeof(path), "%s/repo/metadata/7.snapshot.json", dir);
    assert_int_equal(unlink(path), 0);
    r = get("metadata/7.snapshot.json", "", "");
    assert_int_equal(r.status, 404);
    http_reply_drop(&r);
    put_number("7.snapshot.json", 2);
    r = get("metadata/7.snapshot.json", "", "");
    assert_int_equal(r.status, 200);
    assert_memory_equal(r.lent.p, "0000000002", 10);
    http_reply_drop(&r);
    assert_int_equal(unlink(path), 0);
}

/* Four are kept: which ones makes no difference to what is said. */
TEST(more_files_than_are_kept_are_served_all_the_same)
{
    enum { FILES = 7 };
    char name[40];
    char path[160];
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(name, sizeof(name), "%d.targets.json", i);
        put_number(name, i);
    }
    for (int i = 0; i < 200; i++) {
        int which = i * i % FILES;
        (void)snprintf(name, sizeof(name), "metadata/%d.targets.json", which);
        struct http_reply r = get(name, "", "bytes=9-9");
        assert_int_equal(r.status, 206);
        assert_int_equal(r.lent.n, 1);
        assert_int_equal(r.lent.p[0], '0' + which);
        http_reply_drop(&r);
    }
    for (int i = 0; i < FILES; i++) {
        (void)snprintf(path, sizeof(path), "%s/repo/metadata/%d.targets.json", dir, i);
        assert_int_equal(unlink(path), 0);
    }
}

TEST(a_range_is_a_part_or_beyond)
{
    struct http_reply r = get("metadata/1.root.json", "", "bytes=2-4");
    assert_int_equal(r.status, 206);
    assert_int_equal(r.offset, 2);
    assert_int_equal(r.bytes, 3);
    assert_string_equal(r.content_range, "bytes 2-4/10");
    http_reply_drop(&r);
    r = get("metadata/1.root.json", "", "bytes=10-");
    assert_int_equal(r.status, 416);
    assert_string_equal(r.content_range, "bytes */10");
    http_reply_drop(&r);
    r = get("metadata/1.root.json", "", "bytes=0-1,3-4");
    assert_int_equal(r.status, 200);
    http_reply_drop(&r);
}

TEST(if_range_with_another_tag_gives_the_whole)
{
    struct http_static_ask ask = {.path = rw_span_str("metadata/1.root.json"),
                                  .if_range = rw_span_str("\"old\""),
                                  .range = rw_span_str("bytes=2-4")};
    struct http_reply r = http_static_answer(files, &ask);
    assert_int_equal(r.status, 200);
    char tag[HTTP_ETAG_BYTES];
    (void)snprintf(tag, sizeof(tag), "%s", r.etag);
    http_reply_drop(&r);
    ask.if_range = rw_span_str(tag);
    r = http_static_answer(files, &ask);
    assert_int_equal(r.status, 206);
    http_reply_drop(&r);
}

static void served_over(struct rig *rig)
{
    struct http_settings s = rig_settings();
    s.repo_dir = repo;
    rig_start(rig, s);
}

TEST(files_arrive_over_the_wire_whole_and_in_parts)
{
    struct rig rig = {.repo_dir = -1};
    static struct answer a;
    char request[512];
    served_over(&rig);
    struct client *c = client_open(&rig);
    client_send(c, "GET /repo/" BIG " HTTP/1.1\r\nHost: t\r\n\r\n");
    client_read(c, &a, false);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_bytes, BIG_FILE);
    assert_int_equal(a.wrong, 0);
    assert_true(head_has(&a, "Content-Type: application/octet-stream"));
    assert_true(head_has(&a, "Accept-Ranges: bytes"));
    (void)snprintf(request, sizeof(request),
                   "GET /repo/%s HTTP/1.1\r\nHost: t\r\nRange: bytes=2999990-\r\n\r\n", BIG);
    client_send(c, request);
    client_read(c, &a, false);
    assert_int_equal(a.status, 206);
    assert_int_equal(a.body_bytes, 10);
    assert_int_equal((uint8_t)a.body[9], large_byte(BIG_FILE - 1));
    assert_true(head_has(&a, "Content-Range: bytes 2999990-2999999/3000000"));
    client_send(c, "HEAD /repo/" BIG " HTTP/1.1\r\nHost: t\r\n\r\n");
    client_read(c, &a, true);
    assert_int_equal(a.body_bytes, BIG_FILE);
    client_send(c, "GET /repo/targets/content/yara/empty.rwc HTTP/1.1\r\nHost: t\r\n\r\n");
    client_read(c, &a, false);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.body_bytes, 0);
    client_send(c,
                "GET /repo/metadata/1.root.json HTTP/1.1\r\nHost: t\r\nIf-None-Match: *\r\n\r\n");
    client_read(c, &a, true);
    assert_int_equal(a.status, 304);
    assert_null(strstr(a.head, "Content-Length"));
    client_send(c, "POST /repo/metadata/1.root.json HTTP/1.1\r\nHost: t\r\n\r\n");
    client_read(c, &a, false);
    assert_int_equal(a.status, 405);
    client_close(c);
    rig_stop(&rig);
}

/* --- publishing while clients ask, over two workers --- */

static atomic_int answered; /* greatest number that any client has read */
static atomic_int reading;

static void *read_timestamps(void *arg)
{
    static const char ask[] = "GET /repo/metadata/timestamp.json HTTP/1.1\r\nHost: t\r\n\r\n";
    struct answer *a = rw_mem_new(sizeof(*a));
    struct client *clients[4];
    for (size_t i = 0; i < RW_LEN(clients); i++) {
        clients[i] = client_open(arg);
    }
    for (size_t i = 0; atomic_load(&reading) != 0; i++) {
        int before = atomic_load(&answered);
        struct client *c = clients[i % RW_LEN(clients)];
        client_send(c, ask);
        client_read(c, a, false);
        assert_int_equal(a->status, 200);
        int number = (int)number_at(a->body);
        assert_true(number >= before);
        while (before < number && !atomic_compare_exchange_weak(&answered, &before, number)) {}
        if (head_has(a, "Connection: close")) {
            client_close(c);
            clients[i % RW_LEN(clients)] = client_open(arg);
        }
    }
    for (size_t i = 0; i < RW_LEN(clients); i++) {
        client_close(clients[i]);
    }
    rw_mem_free(a);
    return NULL;
}

TEST(no_worker_gives_an_older_timestamp_than_any_gave_before)
{
    enum { PUBLISHED = 400 };
    struct rig rig = {.repo_dir = -1};
    struct http_settings s = rig_settings();
    pthread_t readers[2];
    s.repo_dir = repo;
    s.workers = 2;
    put_number("timestamp.json", 0);
    rig_start(&rig, s);
    atomic_store(&answered, 0);
    atomic_store(&reading, 1);
    for (size_t i = 0; i < RW_LEN(readers); i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_timestamps, &rig), 0);
    }
    for (int i = 1; i <= PUBLISHED; i++) {
        put_number("timestamp.json", i);
    }
    struct client *c = client_open(&rig);
    const struct answer *a =
        client_ask(c, "GET /repo/metadata/timestamp.json HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_int_equal(number_at(a->body),
                     PUBLISHED); /* what is published is what the next request gets */
    client_close(c);
    atomic_store(&reading, 0);
    for (size_t i = 0; i < RW_LEN(readers); i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    assert_true(atomic_load(&answered) > 0);
    rig_stop(&rig);
}

/* The length was promised: a client must not take the rest of the next answer for the file. */
TEST(a_file_that_shrinks_ends_the_connection)
{
    struct rig rig = {.repo_dir = -1};
    char path[200];
    served_over(&rig);
    struct client *c = client_open(&rig);
    put("targets/content/yara", "shrinks.rwc", rw_span_str(""));
    (void)snprintf(path, sizeof(path), "%s/repo/targets/content/yara/shrinks.rwc", dir);
    assert_int_equal(truncate(path, 60000000), 0); /* sparse */
    client_send(c, "GET /repo/targets/content/yara/shrinks.rwc HTTP/1.1\r\nHost: t\r\n\r\n");
    size_t got = 0;
    while (client_fill(c)) {
        if (got == 0) { assert_int_equal(truncate(path, 10), 0); }
        got += c->n;
        client_use(c, c->n);
    }
    assert_true(got < 60000000);
    rig_wait_open(&rig, 0);
    client_close(c);
    rig_stop(&rig);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_plain_files_of_the_repository_are_served),
        cmocka_unit_test(a_known_tag_is_answered_with_304_until_the_file_changes),
        cmocka_unit_test(a_replaced_file_is_never_served_again),
        cmocka_unit_test(a_file_that_is_gone_is_not_there),
        cmocka_unit_test(more_files_than_are_kept_are_served_all_the_same),
        cmocka_unit_test(no_worker_gives_an_older_timestamp_than_any_gave_before),
        cmocka_unit_test(a_range_is_a_part_or_beyond),
        cmocka_unit_test(if_range_with_another_tag_gives_the_whole),
        cmocka_unit_test(files_arrive_over_the_wire_whole_and_in_parts),
        cmocka_unit_test(a_file_that_shrinks_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, make_repo, remove_repo);
}
