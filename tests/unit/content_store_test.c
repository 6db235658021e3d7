/* Goal: content gets its name only after length and hash are right; an interrupted download goes on where it ended. */
#include "agent/fetch/content_store.h"

#include "common/base/file.h"
#include "tests/harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char content[] = "0123456789abcdefghijklmnopqrstuvwxyz";
enum { CONTENT_BYTES = sizeof(content) - 1, OFFSETS_MAX = 8 };

static char path[64];
static int store = -1;
static uint8_t sha256[DIGEST_BYTES];
static struct http_client *http;
static pid_t server;
static int offsets_pipe = -1; /* the server writes the offset of each request there */

static int remove_one(const char *name, const struct stat *st, int flag, struct FTW *f)
{
    (void)st;
    (void)flag;
    (void)f;
    return remove(name);
}

struct server_plan {
    const char *body; /* what it serves */
    bool ranges;      /* knows Range */
    size_t cut;       /* ends the first answer after so many bytes of the body; 0: whole */
};

static void answer_one(int fd, const struct server_plan *p, size_t cut, int report)
{
    char request[2048] = {0};
    char head[256];
    size_t n = 0;
    unsigned offset = 0;
    while (strstr(request, "\r\n\r\n") == NULL && n + 1 < sizeof(request)) {
        ssize_t got = read(fd, request + n, sizeof(request) - 1 - n);
        if (got <= 0) { return; }
        n += (size_t)got;
    }
    const char *range = strstr(request, "Range: bytes=");
    for (const char *d = range == NULL ? "" : range + 13; *d >= '0' && *d <= '9'; d++) {
        offset = offset * 10 + (unsigned)(*d - '0');
    }
    (void)write(report, &offset, sizeof(offset));
    if (!p->ranges) { offset = 0; }
    size_t length = strlen(p->body) - offset;
    bool partial = p->ranges && offset > 0;
    char range_line[80] = "";
    if (partial) {
        (void)snprintf(range_line, sizeof(range_line), "Content-Range: bytes %u-%zu/%zu\r\n",
                       offset, strlen(p->body) - 1, strlen(p->body));
    }
    int used = snprintf(head, sizeof(head),
                        "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        partial ? "206 Partial Content" : "200 OK", range_line, length);
    (void)write(fd, head, (size_t)used);
    (void)write(fd, p->body + offset, cut > 0 && cut < length ? cut : length);
}

static void serve(int listener, const struct server_plan *p, int report)
{
    for (int i = 0;; i++) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) { _exit(1); }
        answer_one(fd, p, i == 0 ? p->cut : 0, report);
        (void)close(fd);
    }
}

static void begin(const struct server_plan *p)
{
    struct rw_err err;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t at_n = sizeof(at);
    char url[64];
    int pair[2];
    (void)snprintf(path, sizeof(path), "/tmp/rw-store-XXXXXX");
    assert_non_null(mkdtemp(path));
    MUST(rw_dir_open(path, &store, &err));
    MUST(digest_sha256(rw_span_str(content), sha256, &err));
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &at_n), 0);
    assert_int_equal(pipe(pair), 0);
    server = fork();
    if (server == 0) { serve(listener, p, pair[1]); }
    (void)close(listener);
    (void)close(pair[1]);
    offsets_pipe = pair[0];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(at.sin_port));
    const struct http_client_options o = {.base_url = url, .total_ms = 5000};
    MUST(http_client_open(&o, &http, &err));
}

static void end(void)
{
    http_client_drop(&http);
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    (void)close(offsets_pipe);
    rw_fd_drop(&store);
    (void)nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct rw_rc fetch(int64_t length, struct rw_err *err)
{
    const struct content_store_want want = {
        .url_path = "/repo/targets/content/yara/x.1.rwc", .length = length, .sha256 = sha256};
    return content_store_fetch(store, http, &want, err);
}

static unsigned next_offset(void)
{
    unsigned offset = 9999;
    assert_int_equal(read(offsets_pipe, &offset, sizeof(offset)), sizeof(offset));
    return offset;
}

TEST(whole_content_is_named_after_its_hash_and_asked_for_once)
{
    struct rw_err err;
    const struct server_plan p = {.body = content, .ranges = true};
    begin(&p);
    MUST(fetch(CONTENT_BYTES, &err));
    assert_true(content_store_has(store, sha256, CONTENT_BYTES));
    (void)kill(server, SIGKILL); /* no second request can succeed */
    MUST(fetch(CONTENT_BYTES, &err));
    end();
}

TEST(an_interrupted_download_goes_on_where_it_ended)
{
    struct rw_err err;
    const struct server_plan p = {.body = content, .ranges = true, .cut = 10};
    begin(&p);
    assert_false(rw_is_ok(fetch(CONTENT_BYTES, &err)));
    assert_false(content_store_has(store, sha256, CONTENT_BYTES));
    MUST(fetch(CONTENT_BYTES, &err));
    assert_int_equal(next_offset(), 0);
    assert_int_equal(next_offset(), 10);
    (void)kill(server, SIGKILL); /* and no third time */
    unsigned more = 0;
    assert_int_equal(read(offsets_pipe, &more, sizeof(more)), 0);
    assert_true(content_store_has(store, sha256, CONTENT_BYTES));
    end();
}

TEST(a_server_without_ranges_is_asked_for_the_whole)
{
    struct rw_err err;
    const struct server_plan p = {.body = content, .ranges = false, .cut = 10};
    begin(&p);
    assert_false(rw_is_ok(fetch(CONTENT_BYTES, &err)));
    MUST(fetch(CONTENT_BYTES, &err));
    assert_true(content_store_has(store, sha256, CONTENT_BYTES));
    end();
}

static const struct wrong_case {
    const char *id, *body;
    enum rw_code want;
} wrong[] = {
    {"another_byte", "0123456789abcdefghijklmnopqrstuvwxyZ", RW_E_TUF_HASH},
    {"shorter", "0123456789", RW_E_TUF_HASH},
    {"longer", "0123456789abcdefghijklmnopqrstuvwxyz!", RW_E_TOO_BIG},
};

TEST_EACH(wrong_bytes_get_no_name, wrong)
{
    struct rw_err err;
    const struct server_plan p = {.body = it->body, .ranges = true};
    begin(&p);
    MUST_FAIL(fetch(CONTENT_BYTES, &err), it->want);
    assert_false(content_store_has(store, sha256, CONTENT_BYTES));
    end();
}

TEST(a_length_above_the_cap_is_refused_before_any_request)
{
    struct rw_err err;
    const struct server_plan p = {.body = content, .ranges = true};
    begin(&p);
    MUST_FAIL(fetch((int64_t)CONTENT_STORE_BYTES_MAX + 1, &err), RW_E_TOO_BIG);
    end();
}

TEST(damaged_content_is_removed_and_fetched_anew)
{
    struct rw_err err;
    char name[DIGEST_HEX_BYTES];
    const struct server_plan p = {.body = content, .ranges = true};
    begin(&p);
    rw_hex_encode(name, sizeof(name), sha256, DIGEST_BYTES);
    MUST(rw_file_replace_at(store, name, 0400, rw_span_str("damaged"), &err));
    MUST(fetch(CONTENT_BYTES, &err));
    assert_true(content_store_has(store, sha256, CONTENT_BYTES));
    end();
}

TEST(a_poisoned_beginning_costs_one_more_download_and_nothing_else)
{
    struct rw_err err;
    char name[DIGEST_HEX_BYTES];
    char part[DIGEST_HEX_BYTES + 8];
    const struct server_plan p = {.body = content, .ranges = true};
    begin(&p);
    rw_hex_encode(name, sizeof(name), sha256, DIGEST_BYTES);
    (void)snprintf(part, sizeof(part), ".%s.part", name);
    MUST(rw_file_replace_at(store, part, 0600, rw_span_str("not the beginning"), &err));
    MUST(fetch(CONTENT_BYTES, &err));
    assert_int_equal(next_offset(), 17);
    assert_int_equal(next_offset(), 0);
    assert_true(content_store_has(store, sha256, CONTENT_BYTES));
    end();
}

TEST(a_part_that_is_longer_than_signed_is_begun_anew)
{
    struct rw_err err;
    char name[DIGEST_HEX_BYTES];
    char part[DIGEST_HEX_BYTES + 8];
    const struct server_plan p = {.body = content, .ranges = true};
    begin(&p);
    rw_hex_encode(name, sizeof(name), sha256, DIGEST_BYTES);
    (void)snprintf(part, sizeof(part), ".%s.part", name);
    MUST(rw_file_replace_at(store, part, 0600, rw_span_str("0123456789abcdefghijklmnopqrstuvwxyz!"),
                            &err));
    MUST(fetch(CONTENT_BYTES, &err));
    assert_int_equal(next_offset(), 0);
    end();
}

TEST(a_whole_part_needs_no_request)
{
    struct rw_err err;
    char name[DIGEST_HEX_BYTES];
    char part[DIGEST_HEX_BYTES + 8];
    const struct server_plan p = {.body = content, .ranges = true};
    begin(&p);
    (void)kill(server, SIGKILL);
    rw_hex_encode(name, sizeof(name), sha256, DIGEST_BYTES);
    (void)snprintf(part, sizeof(part), ".%s.part", name);
    assert_false(content_store_has_part(store, sha256));
    MUST(rw_file_replace_at(store, part, 0600, rw_span_str(content), &err));
    assert_true(content_store_has_part(store, sha256));
    MUST(fetch(CONTENT_BYTES, &err));
    assert_true(content_store_has(store, sha256, CONTENT_BYTES));
    assert_false(content_store_has_part(store, sha256));
    end();
}

TEST(a_part_that_was_interrupted_before_it_got_its_name_is_fetched_anew)
{
    struct rw_err err;
    char name[DIGEST_HEX_BYTES];
    char part[DIGEST_HEX_BYTES + 8];
    const struct server_plan p = {.body = content, .ranges = true};
    const uid_t nobody = 65534; /* without rights here */
    begin(&p);
    rw_hex_encode(name, sizeof(name), sha256, DIGEST_BYTES);
    (void)snprintf(part, sizeof(part), ".%s.part", name);
    MUST(rw_file_replace_at(store, part, 0400, rw_span_str(content), &err));
    bool root = geteuid() == 0; /* to whom modes mean nothing */
    if (root) {
        assert_int_equal(fchown(store, nobody, (gid_t)-1), 0);
        assert_int_equal(fchownat(store, part, nobody, (gid_t)-1, 0), 0);
        assert_int_equal(seteuid(nobody), 0);
    }
    struct rw_rc rc = fetch(CONTENT_BYTES, &err);
    if (root) { assert_int_equal(seteuid(0), 0); }
    assert_int_equal(rc.code, RW_E_NONE);
    assert_true(content_store_has(store, sha256, CONTENT_BYTES));
    end();
}

TEST(the_budget_counts_everything_in_the_store_and_what_is_there_of_this_file)
{
    struct rw_err err;
    const struct server_plan p = {.body = content, .ranges = true, .cut = 10};
    begin(&p);
    struct content_store_want want = {
        .url_path = "/x", .length = CONTENT_BYTES, .sha256 = sha256, .budget_bytes = 100};
    MUST(content_store_put(store, rw_span_str("0123456789012345678901234567890123456789"), &err));
    MUST(content_store_put(store, rw_span_str("01234567890123456789012345"), &err)); /* 66 bytes */
    MUST_FAIL(content_store_fetch(store, http, &want, &err), RW_E_FULL);
    assert_non_null(strstr(err.text, "store_max"));
    want.budget_bytes = 66 + CONTENT_BYTES;
    assert_false(rw_is_ok(content_store_fetch(store, http, &want, &err))); /* cut after 10 */
    MUST(content_store_fetch(store, http, &want, &err)); /* 10 of them are counted already */
    end();
}

TEST(what_came_in_a_call_is_told)
{
    struct rw_err err;
    int64_t got = -1;
    const struct server_plan p = {.body = content, .ranges = true, .cut = 10};
    begin(&p);
    const struct content_store_want want = {
        .url_path = "/x", .length = CONTENT_BYTES, .sha256 = sha256, .got = &got};
    assert_false(rw_is_ok(content_store_fetch(store, http, &want, &err)));
    assert_int_equal(got, 10);
    MUST(content_store_fetch(store, http, &want, &err));
    assert_int_equal(got, CONTENT_BYTES - 10);
    end();
}

RUN_TESTS(
    cmocka_unit_test(a_poisoned_beginning_costs_one_more_download_and_nothing_else),
    cmocka_unit_test(a_part_that_is_longer_than_signed_is_begun_anew),
    cmocka_unit_test(a_whole_part_needs_no_request),
    cmocka_unit_test(a_part_that_was_interrupted_before_it_got_its_name_is_fetched_anew),
    cmocka_unit_test(the_budget_counts_everything_in_the_store_and_what_is_there_of_this_file),
    cmocka_unit_test(what_came_in_a_call_is_told),
    cmocka_unit_test(whole_content_is_named_after_its_hash_and_asked_for_once),
    cmocka_unit_test(an_interrupted_download_goes_on_where_it_ended),
    cmocka_unit_test(a_server_without_ranges_is_asked_for_the_whole),
    cmocka_unit_test(wrong_bytes_get_no_name),
    cmocka_unit_test(a_length_above_the_cap_is_refused_before_any_request),
    cmocka_unit_test(damaged_content_is_removed_and_fetched_anew))
