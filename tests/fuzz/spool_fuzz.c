/* The spool of beacons on a disk that may hold anything: names and files are the input's pieces (cut at NUL bytes).
 * What is sent from it is a batch that a server reads; what is no beacon goes. */
#include "agent/report/beacon_spool.h"
#include "common/json/json_read.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES_MAX = 8, SPOOL_MAX = 4 };

/* A file name, or as much of the input as can be one. */
static bool name_of(struct rw_span piece, char dst[static 256])
{
    size_t n = piece.n < 255 ? piece.n : 255;
    if (n == 0 || memchr(piece.p, '/', n) != NULL) { return false; }
    memcpy(dst, piece.p, n);
    dst[n] = '\0';
    return strcmp(dst, ".") != 0 && strcmp(dst, "..") != 0;
}

static void check_batch(struct beacon_spool *s)
{
    static struct beacon all[BEACON_BATCH_MAX];
    struct rw_err err;
    uint64_t seqs[BEACON_BATCH_MAX];
    size_t count = 0;
    size_t read = 0;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(1 << 20);
    if (!rw_is_ok(beacon_spool_batch(s, &body, seqs, &count, &err)) || count == 0) { return; }
    RW_ASSERT(rw_is_ok(beacon_read_batch(rw_buf_span(&body), all, &read, &err)) && read == count);
    RW_ASSERT(rw_is_ok(beacon_spool_remove(s, seqs, count, &err)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct rw_span rest = rw_span_of(data, size);
    RW_AUTO(beacon_spool) struct beacon_spool s = {.dir = -1};
    int dir = fuzz_folder();
    RW_AUTO(rw_fd) rw_fd spool = -1;
    RW_ASSERT(rw_is_ok(rw_dir_make_at(dir, "spool", 0700, &spool, &err)));
    fuzz_folder_empty_at(spool);
    for (int i = 0; i < FILES_MAX && rest.n > 0; i++) {
        char name[256];
        bool named = name_of(fuzz_folder_piece(&rest), name);
        struct rw_span text = fuzz_folder_piece(&rest);
        if (named) { fuzz_folder_put_at(spool, name, text); }
    }
    if (!rw_is_ok(beacon_spool_open(dir, SPOOL_MAX, &s, &err))) { return 0; }
    size_t before = s.count;
    check_batch(&s);
    RW_ASSERT(s.count <= before);
    return 0;
}
