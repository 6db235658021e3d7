/* Hostile datagrams of a sensor that its own files took over: read or refused. What reads must write, if it fits,
 * and read again to the same type. The order to load, the one message of the other direction, is never also one of the
 * sensor's. */
#include "common/wire/sensor_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct sensor_message m;
    struct sensor_message again;
    bool load = sensor_is_load(rw_span_of(data, size));
    if (!rw_is_ok(sensor_read(rw_span_of(data, size), &m, &err))) { return 0; }
    RW_ASSERT(!load);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make((size_t)8 * SENSOR_MESSAGE_BYTES_MAX);
    RW_ASSERT(rw_is_ok(sensor_write(&m, &out, &err)));
    if (out.n <= SENSOR_MESSAGE_BYTES_MAX) {
        RW_ASSERT(rw_is_ok(sensor_read(rw_buf_span(&out), &again, &err)));
        RW_ASSERT(again.type == m.type && again.generation == m.generation);
    }
    return 0;
}
