/* A box for tests of what surrounds it: passes its self-test, and accepts all content but that which begins with
 * "refuse". It contains nothing and runs no validator. RW_FAKE_BOX says what it gets wrong: "other" and "shorter" are
 * verdicts about other bytes, "refused" and "timed_out" other verdicts, "silent" is none, "blind" fails the self-test;
 * "load_refused" and "load_silent" are about the dry run of a whole set; "own_file" refuses when none was named.
 */
#include "common/base/file.h"
#include "common/box/verdict_codec.h"
#include "common/crypto/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTENT_BYTES_MAX = 1 << 20 };

static bool lies(const char *word)
{
    const char *lie = getenv("RW_FAKE_BOX");
    return lie != NULL && strcmp(lie, word) == 0;
}

static bool own_file_named;

static bool has_option(int argc, char **argv, const char *name)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) { return true; }
    }
    return false;
}

static RW_RC judge(const char *path, struct rw_buf *out, struct rw_err *err)
{
    struct verdict v = {
        .kind = VERDICT_ACCEPTED, .final = true, .exit_status = 0, .profile = "static"};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CONTENT_BYTES_MAX);
    RW_TRY(rw_file_read(path, CONTENT_BYTES_MAX, &text, err));
    RW_TRY(digest_sha256_hex(rw_buf_span(&text), v.content_sha256, err));
    v.content_bytes = (int64_t)text.n;
    if (lies("other")) { RW_TRY(digest_sha256_hex(rw_span_str("other"), v.content_sha256, err)); }
    if (lies("shorter")) { v.content_bytes--; }
    (void)snprintf(v.grade, sizeof(v.grade), "full");
    (void)snprintf(v.validator, sizeof(v.validator), "fake");
    if (lies("timed_out")) { v.kind = VERDICT_TIMED_OUT; }
    if (lies("refused") || (lies("own_file") && !own_file_named) ||
        rw_span_starts(rw_buf_span(&text), "refuse")) {
        v.kind = VERDICT_REFUSED;
        (void)snprintf(v.reason, sizeof(v.reason), "the content says so itself");
    }
    return verdict_write(&v, out, err);
}

static int load(struct rw_buf *out)
{
    struct rw_err err;
    struct verdict v = {.kind = lies("load_refused") ? VERDICT_REFUSED : VERDICT_ACCEPTED,
                        .final = true,
                        .profile = "static",
                        .grade = "full",
                        .validator = "loader"};
    if (lies("load_silent")) { return 1; }
    if (!rw_is_ok(verdict_write(&v, out, &err))) { return 1; }
    return rw_is_ok(rw_fd_write_all(1, rw_buf_span(out), &err)) ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(VERDICT_TEXT_BYTES_MAX);
    if (argc > 1 && strcmp(argv[1], "self-test") == 0) {
        if (lies("blind")) { return 1; }
        (void)printf("grade    full\n");
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "load") == 0) { return load(&out); }
    if (lies("silent")) { return 1; }
    own_file_named = has_option(argc, argv, "--own-file");
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--content") != 0) { continue; }
        if (!rw_is_ok(judge(argv[i + 1], &out, &err))) { return 1; }
        return rw_is_ok(rw_fd_write_all(1, rw_buf_span(&out), &err)) ? 0 : 1;
    }
    return 2;
}
