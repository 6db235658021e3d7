#include "common/box/samples_codec.h"

#include <string.h>

static const uint8_t magic_full[4] = {'R', 'W', 'S', '1'};
static const uint8_t magic_blind[4] = {'R', 'W', 'V', '1'};
static const uint8_t magic_manifest[4] = {'R', 'W', 'M', '1'};

void samples_list_drop(struct samples_list *l)
{
    rw_mem_free(l->at);
    *l = (struct samples_list){.count = 0};
}

static bool take_u32(struct rw_span *rest, uint32_t *out)
{
    if (rest->n < 4) { return false; }
    *out = (uint32_t)rest->p[0] | (uint32_t)rest->p[1] << 8 | (uint32_t)rest->p[2] << 16 |
           (uint32_t)rest->p[3] << 24;
    *rest = rw_span_of(rest->p + 4, rest->n - 4);
    return true;
}

static RW_RC read_one(struct rw_span *rest, struct samples_one *out, size_t index,
                      struct rw_err *err)
{
    uint32_t length = 0;
    if (rest->n < 1 || rest->p[0] > 1) {
        return rw_fail(err, RW_E_SYNTAX, "sample %zu: the expectation is neither 0 nor 1", index);
    }
    out->must_match = rest->p[0] == 1;
    *rest = rw_span_of(rest->p + 1, rest->n - 1);
    if (!take_u32(rest, &length) || length > rest->n) {
        return rw_fail(err, RW_E_SYNTAX, "sample %zu is longer than the file", index);
    }
    out->bytes = rw_span_of(rest->p, length);
    *rest = rw_span_of(rest->p + length, rest->n - length);
    return RW_OK;
}

RW_RC samples_read(struct rw_span text, struct samples_list *out, struct rw_err *err)
{
    RW_AUTO(samples_list) struct samples_list l = {.count = 0};
    uint32_t count = 0;
    if (text.n < sizeof(magic_full) || memcmp(text.p, magic_full, sizeof(magic_full)) != 0) {
        return rw_fail(err, RW_E_SYNTAX, "not a samples file (RWS1)");
    }
    struct rw_span rest = rw_span_of(text.p + 4, text.n - 4);
    if (!take_u32(&rest, &count)) { return rw_fail(err, RW_E_SYNTAX, "samples file ends early"); }
    if (count > SAMPLES_COUNT_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%u samples, at most %d are allowed", count,
                       SAMPLES_COUNT_MAX);
    }
    if (count > 0) {
        l.at = rw_mem_new_array(count, sizeof(*l.at));
        if (l.at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %u samples", count); }
    }
    for (; l.count < count; l.count++) {
        RW_TRY(read_one(&rest, &l.at[l.count], l.count, err));
    }
    if (rest.n != 0) {
        return rw_fail(err, RW_E_SYNTAX, "%zu bytes behind the last sample", rest.n);
    }
    *out = l;
    l.at = NULL; /* handed over */
    return RW_OK;
}

static void put_u32(uint8_t *at, size_t value)
{
    for (int b = 0; b < 4; b++) {
        at[b] = (uint8_t)(value >> (8 * b));
    }
}

static void put_head(const uint8_t magic[static 4], size_t count, uint8_t *out)
{
    rw_copy(out, SAMPLES_HEAD_BYTES, magic, 4);
    put_u32(out + 4, count);
}

RW_RC samples_write(const struct samples_list *l, struct rw_buf *into, struct rw_err *err)
{
    uint8_t head[SAMPLES_HEAD_BYTES];
    uint8_t one[1 + SAMPLES_ONE_HEAD_BYTES];
    if (l->count > SAMPLES_COUNT_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%zu samples, at most %d are allowed", l->count,
                       SAMPLES_COUNT_MAX);
    }
    put_head(magic_full, l->count, head);
    RW_TRY(rw_buf_append(into, rw_span_of(head, sizeof(head)), err));
    for (size_t i = 0; i < l->count; i++) {
        one[0] = l->at[i].must_match ? 1 : 0;
        put_u32(one + 1, l->at[i].bytes.n);
        RW_TRY(rw_buf_append(into, rw_span_of(one, sizeof(one)), err));
        RW_TRY(rw_buf_append(into, l->at[i].bytes, err));
    }
    return RW_OK;
}

void samples_blind_head(uint32_t count, uint8_t out[static SAMPLES_HEAD_BYTES])
{
    put_head(magic_blind, count, out);
}

void samples_blind_one(uint32_t length, uint8_t out[static SAMPLES_ONE_HEAD_BYTES])
{
    put_u32(out, length);
}

void samples_blind_manifest(uint32_t length, uint8_t out[static SAMPLES_MANIFEST_HEAD_BYTES])
{
    put_head(magic_manifest, length, out);
}
