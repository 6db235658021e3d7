/* A peer process that sends anything: the first byte says in what order the typed getters read, the rest is what comes
 * out of the socket. */
#include "common/base/frame.h"

#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_fields(struct frame_reader *r, uint8_t order)
{
    struct rw_err err = {0};
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    struct rw_span bytes;
    char text[32];
    for (int i = 0; i < 4; i++, order >>= 2) {
        size_t left = r->rest.n;
        switch (order & 3) {
        case 0:
            RW_IGNORE(frame_get_u32(r, "a", &u32, &err), "either way");
            break;
        case 1:
            RW_IGNORE(frame_get_u64(r, "b", &u64, &err), "either way");
            break;
        case 2:
            RW_IGNORE(frame_get_bytes(r, 100, "c", &bytes, &err), "either way");
            break;
        default:
            RW_IGNORE(frame_get_str(r, text, sizeof(text), "d", &err), "either way");
            break;
        }
        RW_ASSERT(r->rest.n <= left);
    }
    struct rw_rc end = frame_end(r, &err);
    RW_ASSERT(!rw_is_ok(end) || (r->rest.n == 0 && !r->bad));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int pair[2];
    struct rw_err err = {0};
    struct frame_reader r;
    RW_AUTO(rw_buf) struct rw_buf got = rw_buf_make(4096);
    if (size < 1 || size > 8192 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return 0;
    }
    ssize_t put = send(pair[0], data + 1, size - 1, MSG_NOSIGNAL);
    (void)put;
    (void)close(pair[0]);
    while (rw_is_ok(frame_recv(pair[1], &got, 1000, &r, &err))) {
        read_fields(&r, data[0]);
    }
    RW_ASSERT(err.code == RW_E_NOT_FOUND || err.code == RW_E_PROTOCOL);
    (void)close(pair[1]);
    return 0;
}
