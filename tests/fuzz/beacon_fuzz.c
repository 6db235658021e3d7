/* Batches of beacons: refused, or values that write and read again to the same. */
#include "common/wire/beacon_codec.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct beacon all[BEACON_BATCH_MAX];
    static struct beacon again[BEACON_BATCH_MAX];
    struct rw_err err = {0};
    size_t n = 0;
    size_t m = 0;
    if (!rw_is_ok(beacon_read_batch(rw_span_of(data, size), all, &n, &err))) { return 0; }
    RW_ASSERT(n >= 1 && n <= BEACON_BATCH_MAX);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(json_limits_small.bytes_max);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_open_array(&w, "beacons");
    for (size_t i = 0; i < n; i++) {
        beacon_write(&w, NULL, &all[i]);
    }
    json_close_array(&w);
    json_close_object(&w);
    RW_ASSERT(rw_is_ok(json_done(&w, &err)));
    RW_ASSERT(rw_is_ok(beacon_read_batch(rw_buf_span(&text), again, &m, &err)));
    RW_ASSERT(m == n);
    for (size_t i = 0; i < n; i++) {
        RW_ASSERT(memcmp(all[i].id, again[i].id, sizeof(all[i].id)) == 0);
        RW_ASSERT(all[i].kind == again[i].kind && all[i].release == again[i].release);
        RW_ASSERT(strcmp(all[i].detail, again[i].detail) == 0 &&
                  strcmp(all[i].ring, again[i].ring) == 0);
    }
    return 0;
}
