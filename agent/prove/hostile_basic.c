/* The five behaviours that a sandbox has to tell apart before it may judge content, and the honest-looking answer. */
#include "agent/prove/hostile.h"
#include "common/base/file.h"
#include "common/base/num.h"
#include "common/box/samples_codec.h"
#include "common/crypto/digest.h"
#include "common/json/json_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAID_BYTES_MAX = 65536 };

static uint32_t sample_count(void)
{
    uint8_t head[8] = {0};
    if (pread(HOSTILE_SAMPLES_FD, head, sizeof(head), 0) != (ssize_t)sizeof(head)) { return 0; }
    return (uint32_t)head[4] | (uint32_t)head[5] << 8;
}

void hostile_say(const char *verdict, const char *reason, char hit)
{
    RW_AUTO(rw_buf) struct rw_buf said = rw_buf_make(SAID_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf hits = rw_buf_make(SAMPLES_BLIND_COUNT_MAX);
    uint8_t hash[DIGEST_BYTES];
    char hex[DIGEST_HEX_BYTES] = "";
    uint64_t length = 0;
    struct rw_err err;
    (void)lseek(HOSTILE_CONTENT_FD, 0, SEEK_SET);
    if (!rw_is_ok(digest_fd(HOSTILE_CONTENT_FD, UINT64_C(1) << 30, hash, &length, &err))) {
        _exit(2);
    }
    rw_hex_encode(hex, sizeof(hex), hash, sizeof(hash));
    for (uint32_t i = 0; i < sample_count(); i++) {
        if (!rw_is_ok(rw_buf_append(&hits, rw_span_of(&hit, 1), &err))) { _exit(2); }
    }
    struct json_writer w = json_begin(&said);
    json_open_object(&w, NULL);
    json_put_str(&w, "format", "rwv1");
    json_put_str(&w, "verdict", verdict);
    json_put_str(&w, "reason", reason);
    json_put_str(&w, "content_sha256", hex);
    json_put_int(&w, "rules", 1);
    json_put_span(&w, "hits", rw_buf_span(&hits));
    json_close_object(&w);
    if (!rw_is_ok(json_done(&w, &err)) ||
        !rw_is_ok(rw_fd_write_all(HOSTILE_VERDICT_FD, rw_buf_span(&said), &err))) {
        _exit(2);
    }
}

void hostile_put(const char *text)
{
    struct rw_err err;
    RW_IGNORE(rw_fd_write_all(HOSTILE_VERDICT_FD, rw_span_str(text), &err),
              "a hostile one does not care");
}

const char *hostile_outcome(bool worked)
{
    const char *name = worked ? "works" : strerrorname_np(errno);
    return name != NULL ? name : "an error without a name";
}

const char *hostile_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    const char *outcome = hostile_outcome(fd >= 0);
    if (fd >= 0) { (void)close(fd); }
    return outcome;
}

static const char *do_good(void)
{
    return "fine";
}

static const char *do_segv(void)
{
    volatile int *volatile nowhere = NULL;
    /* cppcheck-suppress nullPointer */
    *nowhere = 1; /* NOLINT(clang-analyzer-core.NullDereference): that is the test */
    return "works";
}

static const char *do_openat(void)
{
    return hostile_open("/etc/passwd", O_RDONLY);
}

static const char *do_spin(void)
{
    for (volatile unsigned i = 0;; i++) {}
    return "works";
}

static const char *do_alloc(void)
{
    const size_t chunk = 4 << 20;
    for (size_t total = 0; total < (size_t)3 << 30; total += chunk) {
        volatile char *p = rw_mem_new(chunk);
        if (p == NULL) { abort(); }
        for (size_t i = 0; i < chunk; i += 4096) {
            p[i] = 1;
        }
    }
    return "works";
}

const struct hostile_mode hostile_basic[] = {
    {"good", do_good, false}, {"segv", do_segv, false},   {"openat", do_openat, false},
    {"spin", do_spin, false}, {"alloc", do_alloc, false},
};
const size_t hostile_basic_count = RW_LEN(hostile_basic);

int hostile_main(const struct hostile_mode *const *lists, const size_t *counts, size_t list_count,
                 int argc, char **argv)
{
    struct rw_err err;
    char byte = 0;
    const struct hostile_mode *mode = NULL;
    if (!rw_is_ok(digest_without_files(&err))) { return 2; }
    for (size_t l = 0; argc == 3 && l < list_count; l++) {
        for (size_t i = 0; i < counts[l]; i++) {
            if (strcmp(lists[l][i].name, argv[2]) == 0) { mode = &lists[l][i]; }
        }
    }
    if (mode == NULL) {
        (void)fprintf(stderr, "started by ringward-box for tests of the sandbox only\n");
        return 2;
    }
    if (!mode->early && pread(HOSTILE_CONTENT_FD, &byte, 1, 0) < 0) { return 2; }
    hostile_say("accepted", mode->run(), '0'); /* whatever it tried, it got away with it */
    return 0;
}
