/* Goal: a change of trust that a crash cut off is finished at the next start, once: what was kept of it is gone for
 * good before anything newer is signed, so that no later crash brings it back over newer files. */
#include "common/base/file.h"
#include "common/wire/signer_codec.h"
#include "server/release/release_signer.h"
#include "tests/harness.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The program's own calls stand before the C library's and keep a diary: "u" unlinked, "d" a directory synced. */
static char diary[64];

static void note(char c)
{
    size_t n = strlen(diary);
    assert_true(n + 1 < sizeof(diary));
    diary[n] = c;
    diary[n + 1] = '\0';
}

int fsync(int fd)
{
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    if (S_ISDIR(st.st_mode)) { note('d'); }
    return (int)syscall(SYS_fsync, fd);
}

int unlinkat(int fd, const char *name, int flag)
{
    if (strcmp(name, "unfinished") == 0) { note('u'); }
    return (int)syscall(SYS_unlinkat, fd, name, flag);
}

static void keep_answer(int repo)
{
    struct rw_err err;
    const struct signer_answer a = {
        .files = {{.name = "timestamp.json", .bytes = rw_span_str("{}")}}, .file_count = 1};
    RW_AUTO(frame_writer) struct frame_writer w = {.buf = rw_buf_make(1)};
    MUST(signer_answer_write(&a, &w, &err));
    MUST(rw_file_replace_at(repo, "unfinished", 0600, rw_buf_span(&w.buf), &err));
}

TEST(what_was_kept_is_written_and_gone_for_good)
{
    struct rw_err err;
    RW_AUTO(harness_dir) struct harness_dir d = harness_dir();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(100);
    RW_AUTO(rw_fd) rw_fd metadata = -1;
    RW_AUTO(rw_fd) rw_fd targets = -1;
    struct release_signer *s = NULL;
    MUST(rw_dir_make_at(d.fd, "metadata", 0755, &metadata, &err));
    MUST(rw_dir_make_at(d.fd, "targets", 0755, &targets, &err));
    keep_answer(d.fd);
    diary[0] = '\0';
    /* By a socket at which nobody listens: it is not needed for this. */
    const struct release_signer_settings settings = {
        .program = "none", .key_dir = "none", .repo_dir = d.path, .socket = "/nowhere"};
    MUST(release_signer_start(&settings, &s, &err));
    MUST(rw_file_read_at(metadata, "timestamp.json", 100, &text, &err));
    assert_string_equal(rw_buf_str(&text), "{}");
    assert_int_equal(faccessat(d.fd, "unfinished", F_OK, 0), -1);
    assert_string_equal(
        diary, "dud"); /* the file is there for good before, the other gone for good after */
    release_signer_drop(&s);
}

RUN_TESTS(cmocka_unit_test(what_was_kept_is_written_and_gone_for_good))
