/* Permit requests (server's side) and answers (agent's side): what reads writes and reads again to the same, and a
 * grant always has its number and its times (INV-2). */
#include "common/wire/beacon_codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_request(struct rw_span text)
{
    struct rw_err err = {0};
    struct beacon_permit_request r;
    struct beacon_permit_request again;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(PERMIT_BODY_BYTES_MAX);
    if (!rw_is_ok(beacon_permit_read_request(text, &r, &err))) { return; }
    RW_ASSERT(r.release >= 1 && r.from >= 0);
    RW_ASSERT(rw_is_ok(beacon_permit_write_request(&r, &out, &err)));
    RW_ASSERT(rw_is_ok(beacon_permit_read_request(rw_buf_span(&out), &again, &err)));
    RW_ASSERT(r.release == again.release && strcmp(r.family, again.family) == 0);
}

static void as_answer(struct rw_span text)
{
    struct rw_err err = {0};
    struct beacon_permit_answer a;
    struct beacon_permit_answer again;
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(PERMIT_BODY_BYTES_MAX);
    if (!rw_is_ok(beacon_permit_read_answer(text, &a, &err))) { return; }
    RW_ASSERT(a.decision != BEACON_PERMIT_GRANTED ||
              (a.permit > 0 && a.valid_s > 0 && a.deadline_s > 0));
    RW_ASSERT(rw_is_ok(beacon_permit_write_answer(&a, &out, &err)));
    RW_ASSERT(rw_is_ok(beacon_permit_read_answer(rw_buf_span(&out), &again, &err)));
    RW_ASSERT(a.decision == again.decision && a.permit == again.permit);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    as_request(rw_span_of(data, size));
    as_answer(rw_span_of(data, size));
    return 0;
}
