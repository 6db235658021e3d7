/* Goal: a payload is hashed once, in slices, and known afterwards; whatever happens to the file behind that makes it
 * unknown, so that nothing is signed over bytes that the signer has not seen in this very file. */
#include "common/policy/entry_codec.h"
#include "server/signer/signer_payload.h"
#include "server/signer/signer_rule.h"
#include "tests/harness.h"

#include <sys/stat.h>

enum { SLICE = SIGNER_PAYLOAD_SLICE_BYTES, LARGE_BYTES = 2 * SLICE + SLICE / 2, RACES = 300 };

struct rig {
    struct harness_dir d;
    struct signer *s;
    struct signer_request r; /* speaks of what lies there */
    struct tuf_target t;     /* the same */
    char path[256];
};

static struct rw_mono now = {.ms = 1000};

static struct rw_mono fake_mono(void *ctx)
{
    (void)ctx;
    return now;
}

static void rig_drop(struct rig *r)
{
    signer_payload_drop_look(&r->s->look);
    rw_fd_drop(&r->s->targets);
    rw_mem_free(r->s);
    harness_dir_drop(&r->d);
}

static struct rw_span pattern(uint8_t *bytes, size_t n, uint8_t first)
{
    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(first + i % 251);
    }
    return rw_span_of(bytes, n);
}

static void write_over(const struct rig *r, struct rw_span content)
{
    struct rw_err err = {0};
    int fd = open(r->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(fd >= 0);
    MUST(rw_fd_write_all(fd, content, &err));
    (void)close(fd);
}

/* What was written in this tick of the clock of files may be written again without a trace, and is not remembered. */
static void wait_for_tick(const char *path)
{
    struct stat st;
    struct timespec t = {0};
    assert_int_equal(stat(path, &st), 0);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(clock_gettime(CLOCK_REALTIME_COARSE, &t), 0);
        bool later = t.tv_sec > st.st_ctim.tv_sec ||
                     (t.tv_sec == st.st_ctim.tv_sec && t.tv_nsec > st.st_ctim.tv_nsec);
        if (later) { return; }
        (void)usleep(1000);
    }
    fail_msg("the clock of files stands still");
}

static struct rig rig_make(size_t bytes)
{
    struct rw_err err = {0};
    char hex[DIGEST_HEX_BYTES];
    struct rig r = {.d = harness_dir(), .s = rw_mem_new(sizeof(*r.s))};
    uint8_t *content = rw_mem_new(bytes + 1);
    struct rw_span span = pattern(content, bytes, 7);
    now.ms = 1000;
    r.s->clock = rw_clock_system();
    r.s->clock.mono = fake_mono;
    r.s->look.fd = -1;
    r.r = (struct signer_request){
        .type = SIGNER_LOOK, .family = "yara", .release = 4, .bytes = (int64_t)bytes};
    MUST(digest_sha256(span, r.r.sha256, &err));
    r.t.length = (int64_t)bytes;
    rw_copy(r.t.sha256, sizeof(r.t.sha256), r.r.sha256, sizeof(r.r.sha256));
    MUST(entry_codec_content_path("yara", 4, r.t.path, &err));
    rw_hex_encode(hex, sizeof(hex), r.r.sha256, sizeof(r.r.sha256));
    (void)snprintf(r.path, sizeof(r.path), "%s/content", r.d.path);
    MUST(rw_dir_make(r.path, 0755, &err));
    (void)snprintf(r.path, sizeof(r.path), "%s/content/yara", r.d.path);
    MUST(rw_dir_make(r.path, 0755, &err));
    (void)snprintf(r.path, sizeof(r.path), "%s/content/yara/%s.4.rwc", r.d.path, hex);
    MUST(rw_file_replace(r.path, 0644, span, &err));
    wait_for_tick(r.path);
    MUST(rw_dir_open(r.d.path, &r.s->targets, &err));
    rw_mem_free(content);
    return r;
}

static int look_to_the_end(struct rig *r)
{
    struct rw_err err = {0};
    int calls = 0;
    for (bool more = true; more; calls++) {
        MUST(signer_payload_look(r->s, &r->r, &more, &err));
    }
    return calls;
}

/* Whether the next check would take the file as known: it does not read it then, so it believes what it remembers. */
static bool is_known(struct rig *r)
{
    struct rw_err err = {0};
    struct tuf_target other = r->t;
    other.sha256[0] ^= 1;
    for (size_t i = 0; i < SIGNER_PAYLOADS_MAX; i++) {
        r->s->payloads[i].sha256[0] ^= 1;
    }
    /* The name holds the hash: the file is found under that of the other one. */
    char path[TUF_PATH_BYTES + DIGEST_HEX_BYTES];
    char link[512];
    MUST(tuf_target_url(&other, path, sizeof(path), &err));
    (void)snprintf(link, sizeof(link), "%s/%s", r->d.path, path);
    assert_int_equal(rename(r->path, link), 0);
    struct stat st;
    assert_int_equal(stat(link, &st), 0);
    for (size_t i = 0; i < SIGNER_PAYLOADS_MAX; i++) { /* the renaming itself shows in its time */
        if (r->s->payloads[i].file.inode == st.st_ino) {
            r->s->payloads[i].file.changed = st.st_ctim;
        }
    }
    return rw_is_ok(signer_payload_check(r->s, &other, &err));
}

TEST(a_payload_is_hashed_in_slices_and_known_then)
{
    RW_AUTO(rig) struct rig r = rig_make(LARGE_BYTES);
    assert_int_equal(look_to_the_end(&r), 3);
    assert_int_equal(look_to_the_end(&r), 1);
    assert_true(is_known(&r));
}

TEST(a_check_without_a_look_hashes_by_itself_and_knows_it_then)
{
    RW_AUTO(rig) struct rig r = rig_make(LARGE_BYTES);
    struct rw_err err = {0};
    MUST(signer_payload_check(r.s, &r.t, &err));
    assert_int_equal(look_to_the_end(&r), 1);
    assert_true(is_known(&r));
}

TEST(a_look_that_was_not_finished_is_no_knowledge)
{
    RW_AUTO(rig) struct rig r = rig_make(LARGE_BYTES);
    struct rw_err err = {0};
    bool more = false;
    MUST(signer_payload_look(r.s, &r.r, &more, &err));
    assert_true(more);
    assert_false(is_known(&r));
}

TEST(a_look_at_something_else_begins_there)
{
    RW_AUTO(rig) struct rig r = rig_make(LARGE_BYTES);
    struct rw_err err = {0};
    bool more = false;
    struct signer_request other = r.r;
    other.release = 5;
    MUST(signer_payload_look(r.s, &r.r, &more, &err));
    MUST_FAIL(signer_payload_look(r.s, &other, &more, &err), RW_E_TUF_HASH);
    assert_false(more);
    assert_int_equal(r.s->look.fd, -1);
    assert_int_equal(look_to_the_end(&r), 3);
}

TEST(what_is_known_is_forgotten_after_a_day)
{
    RW_AUTO(rig) struct rig r = rig_make(LARGE_BYTES);
    assert_int_equal(look_to_the_end(&r), 3);
    now.ms += (int64_t)SIGNER_PAYLOAD_GOOD_S * 1000;
    assert_int_equal(look_to_the_end(&r), 1);
    now.ms += 1;
    assert_int_equal(look_to_the_end(&r), 3);
}

TEST(the_oldest_knowledge_makes_room)
{
    RW_AUTO(rig) struct rig r = rig_make(LARGE_BYTES);
    struct rw_err err = {0};
    assert_int_equal(look_to_the_end(&r), 3);
    assert_int_equal(r.s->payload_next, 1);
    for (size_t i = 1; i < SIGNER_PAYLOADS_MAX; i++) {
        r.s->payloads[0].file.bytes = 0; /* somebody else's: this one is hashed again */
        MUST(signer_payload_check(r.s, &r.t, &err));
        assert_int_equal(r.s->payload_next, (i + 1) % SIGNER_PAYLOADS_MAX);
        r.s->payloads[i].file.bytes = 0;
    }
    MUST(signer_payload_check(r.s, &r.t, &err));
    assert_int_equal(r.s->payloads[0].file.bytes, LARGE_BYTES);
}

/* --- what a server that was taken over, or a disk, may do behind the look --- */
static void same_length(const struct rig *r)
{
    uint8_t *b = rw_mem_new(LARGE_BYTES);
    struct stat st;
    assert_int_equal(stat(r->path, &st), 0);
    write_over(r, pattern(b, LARGE_BYTES, 8));
    /* The time of writing can be set back by whoever owns the file; that of the last change cannot. */
    const struct timespec times[] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, r->path, times, 0), 0);
    rw_mem_free(b);
}
static void one_byte(const struct rig *r)
{
    int fd = open(r->path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, SLICE), 1);
    (void)close(fd);
}
static void shorter(const struct rig *r)
{
    assert_int_equal(truncate(r->path, LARGE_BYTES - 1), 0);
}
static void longer(const struct rig *r)
{
    assert_int_equal(truncate(r->path, LARGE_BYTES + 1), 0);
}
static void another_file(const struct rig *r)
{
    struct rw_err err = {0};
    uint8_t *b = rw_mem_new(LARGE_BYTES);
    MUST(rw_file_replace(r->path, 0644, pattern(b, LARGE_BYTES, 8), &err));
    rw_mem_free(b);
}
static void removed(const struct rig *r)
{
    assert_int_equal(unlink(r->path), 0);
}
static void a_folder(const struct rig *r)
{
    assert_int_equal(unlink(r->path), 0);
    assert_int_equal(mkdir(r->path, 0755), 0);
}
static void a_fifo(const struct rig *r)
{
    assert_int_equal(unlink(r->path), 0);
    assert_int_equal(mkfifo(r->path, 0644), 0);
}
static void a_link(const struct rig *r)
{
    char elsewhere[300];
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s.old", r->path);
    assert_int_equal(rename(r->path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, r->path), 0);
}

static const struct spoiled {
    const char *id;
    void (*spoil)(const struct rig *r);
    enum rw_code code;
} spoils[] = {
    {"other_bytes_of_that_length_dated_back", same_length, RW_E_TUF_HASH},
    {"one_byte_in_place", one_byte, RW_E_TUF_HASH},
    {"a_byte_less", shorter, RW_E_TUF_HASH},
    {"a_byte_more", longer, RW_E_TUF_HASH},
    {"another_file_of_that_name", another_file, RW_E_TUF_HASH},
    {"no_file", removed, RW_E_TUF_HASH},
    {"a_folder", a_folder, RW_E_TUF_HASH},
    {"a_fifo", a_fifo, RW_E_TUF_HASH},
    {"a_link_to_the_right_bytes", a_link, RW_E_IO},
};

TEST_EACH(what_was_known_is_not_believed_of_another_file, spoils)
{
    RW_AUTO(rig) struct rig r = rig_make(LARGE_BYTES);
    struct rw_err err = {0};
    bool more = false;
    assert_int_equal(look_to_the_end(&r), 3);
    it->spoil(&r);
    MUST_FAIL(signer_payload_check(r.s, &r.t, &err), it->code);
    MUST_FAIL(signer_payload_check(r.s, &r.t, &err), it->code);
    while (rw_is_ok(signer_payload_look(r.s, &r.r, &more, &err))) {
        assert_true(more);
    }
    assert_int_equal(err.code, it->code);
}

TEST_EACH(a_file_that_changes_while_it_is_hashed_is_not_known, spoils)
{
    RW_AUTO(rig) struct rig r = rig_make(LARGE_BYTES);
    struct rw_err err = {0};
    bool more = false;
    MUST(signer_payload_look(r.s, &r.r, &more, &err));
    it->spoil(&r);
    while (rw_is_ok(signer_payload_look(r.s, &r.r, &more, &err)) && more) {}
    MUST_FAIL(signer_payload_check(r.s, &r.t, &err), it->code);
}

/* Times of files have the grain of a clock tick: what is written in the tick of the look must not go unseen. */
TEST(a_write_right_behind_the_check_is_seen)
{
    RW_AUTO(rig) struct rig r = rig_make(64);
    struct rw_err err = {0};
    uint8_t good[64];
    uint8_t bad[64];
    for (int i = 0; i < RACES; i++) {
        write_over(&r, pattern(good, sizeof(good), 7));
        MUST(signer_payload_check(r.s, &r.t, &err));
        write_over(&r, pattern(bad, sizeof(bad), 8));
        MUST_FAIL(signer_payload_check(r.s, &r.t, &err), RW_E_TUF_HASH);
    }
}

static const struct settled_case {
    const char *id;
    int64_t changed_ns;
    int64_t now_ns;
    bool settled;
} settled_cases[] = {
    {"in_the_same_tick", INT64_C(100004000000), INT64_C(100004000000), false},
    {"one_tick_later", INT64_C(100004000000), INT64_C(100008000000), true},
    {"in_the_next_second", INT64_C(100004000000), INT64_C(101000000001), true},
    {"a_clock_that_was_put_back", INT64_C(100004000000), INT64_C(99900000000), false},
    {"whole_seconds_a_moment_later", INT64_C(100000000000), INT64_C(100900000000), false},
    {"whole_seconds_of_two_seconds", INT64_C(100000000000), INT64_C(102900000000), false},
    {"whole_seconds_long_after", INT64_C(100000000000), INT64_C(103000000000), true},
};

TEST_EACH(a_file_is_settled_when_the_clock_of_files_has_gone_on, settled_cases)
{
    assert_int_equal(signer_rule_settled(it->changed_ns, it->now_ns), it->settled);
}

TEST(a_look_leads_nowhere_but_to_payloads)
{
    RW_AUTO(rig) struct rig r = rig_make(64);
    struct rw_err err = {0};
    bool more = false;
    (void)snprintf(r.r.family, sizeof(r.r.family), "../yara");
    assert_false(rw_is_ok(signer_payload_look(r.s, &r.r, &more, &err)));
    assert_int_equal(strncmp(err.text, "unknown-family", strlen("unknown-family")), 0);
    assert_false(more);
}

RUN_TESTS(cmocka_unit_test(a_payload_is_hashed_in_slices_and_known_then),
          cmocka_unit_test(a_check_without_a_look_hashes_by_itself_and_knows_it_then),
          cmocka_unit_test(a_look_that_was_not_finished_is_no_knowledge),
          cmocka_unit_test(a_look_at_something_else_begins_there),
          cmocka_unit_test(what_is_known_is_forgotten_after_a_day),
          cmocka_unit_test(the_oldest_knowledge_makes_room),
          cmocka_unit_test(what_was_known_is_not_believed_of_another_file),
          cmocka_unit_test(a_file_that_changes_while_it_is_hashed_is_not_known),
          cmocka_unit_test(a_write_right_behind_the_check_is_seen),
          cmocka_unit_test(a_file_is_settled_when_the_clock_of_files_has_gone_on),
          cmocka_unit_test(a_look_leads_nowhere_but_to_payloads))
