/* Goal: no bytes from the peer process can make the frame codec of the signer read outside of them, and whatever is
 * taken for a request or an answer can be written again and read as the same. */
#include "common/base/buf.h"
#include "common/wire/signer_codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct frame_reader reader_of(struct rw_span frame)
{
    /* As frame_recv prepares it: 4 bytes of length, 2 of type, then the fields. */
    return (struct frame_reader){
        .type = (uint16_t)(frame.p[4] | frame.p[5] << 8),
        .rest = rw_span_of(frame.p + FRAME_HEADER_BYTES, frame.n - FRAME_HEADER_BYTES)};
}

static void request(struct frame_reader frame)
{
    struct rw_err err;
    struct signer_request r;
    struct signer_request again;
    struct frame_writer w;
    if (!rw_is_ok(signer_request_read(&frame, &r, &err))) { return; }
    RW_ASSERT(rw_is_ok(signer_request_write(&r, &w, &err)));
    struct frame_reader second = reader_of(rw_buf_span(&w.buf));
    RW_ASSERT(rw_is_ok(signer_request_read(&second, &again, &err)));
    RW_ASSERT(again.type == r.type && again.release == r.release && again.hold == r.hold);
    RW_ASSERT(strcmp(again.family, r.family) == 0 && strcmp(again.ring, r.ring) == 0);
    RW_ASSERT(rw_span_eq(again.envelope, r.envelope));
    RW_ASSERT(rw_span_eq(again.root, r.root) && rw_span_eq(again.targets, r.targets));
    RW_ASSERT(again.bytes == r.bytes && memcmp(again.sha256, r.sha256, sizeof(r.sha256)) == 0);
    RW_ASSERT(again.content_count == r.content_count);
    for (size_t i = 0; i < r.content_count; i++) {
        RW_ASSERT(strcmp(again.contents[i].family, r.contents[i].family) == 0);
        RW_ASSERT(rw_span_eq(again.contents[i].envelope, r.contents[i].envelope));
    }
    frame_writer_drop(&w);
}

static void answer(struct frame_reader frame)
{
    static struct signer_answer a;
    static struct signer_answer again;
    struct rw_err err;
    struct frame_writer w;
    if (!rw_is_ok(signer_answer_read(&frame, &a, &err))) { return; }
    for (size_t i = 0; i < a.file_count; i++) {
        RW_ASSERT(strchr(a.files[i].name, '/') == NULL && a.files[i].name[0] != '.');
    }
    RW_ASSERT(rw_is_ok(signer_answer_write(&a, &w, &err)));
    struct frame_reader second = reader_of(rw_buf_span(&w.buf));
    RW_ASSERT(rw_is_ok(signer_answer_read(&second, &again, &err)));
    RW_ASSERT(again.refused == a.refused && again.more == a.more);
    RW_ASSERT(again.file_count == a.file_count);
    RW_ASSERT(strcmp(again.text, a.text) == 0 && strcmp(again.reason, a.reason) == 0);
    frame_writer_drop(&w);
}

/* The first byte chooses type and direction, the rest are the fields. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t types[] = {1, 2, 3, 4, 101, 102, 7, 5, 6, 103};
    if (size < 1) { return 0; }
    const struct frame_reader frame = {.type = types[data[0] % RW_LEN(types)],
                                       .rest = rw_span_of(data + 1, size - 1)};
    request(frame);
    answer(frame);
    return 0;
}
