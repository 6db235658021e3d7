/* samples_codec.h: files of sample vectors (RWS1): what content must match and must not match.
 *
 * With expectations (the release's file): magic "RWS1", u32 count, then per sample u8 expect, u32 length, bytes.
 * Without (what a validator gets): magic "RWV1", the same without the expect byte, and perhaps "RWM1", u32 length and
 * the sensor's manifest behind the last. Integers little endian.
 *
 * memory   samples borrow from the text
 * threads  no shared state
 * source   docs/protocol.md 11
 */
#ifndef RINGWARD_SAMPLES_CODEC_H
#define RINGWARD_SAMPLES_CODEC_H

#include "common/base/buf.h"

enum {
    SAMPLES_COUNT_MAX = 4096,
    SAMPLES_BYTES_MAX = 64 * 1024 * 1024,
    /* What a validator may get: the release's samples and clean files of the host. */
    SAMPLES_BLIND_COUNT_MAX = SAMPLES_COUNT_MAX + 2048,
    SAMPLES_HEAD_BYTES = 8,
    SAMPLES_ONE_HEAD_BYTES = 4,
    SAMPLES_MANIFEST_HEAD_BYTES = 8,
};

struct samples_one {
    bool must_match;
    struct rw_span bytes;
};

struct samples_list {
    struct samples_one *at; /* owned */
    size_t count;
};

void samples_list_drop(struct samples_list *l);
/* Fails with RW_E_SYNTAX (magic, lengths, bytes left over) or RW_E_TOO_BIG. */
RW_RC samples_read(struct rw_span text, struct samples_list *out, struct rw_err *err);
RW_RC samples_write(const struct samples_list *l, struct rw_buf *into, struct rw_err *err);
/* The validator's view, without expectations, piece by piece (it may be too large for memory): the head, then per
 * sample its own head and its bytes. */
void samples_blind_head(uint32_t count, uint8_t out[static SAMPLES_HEAD_BYTES]);
void samples_blind_one(uint32_t length, uint8_t out[static SAMPLES_ONE_HEAD_BYTES]);
/* What may stand behind the last sample of the validator's view: the installed sensor's manifest. */
void samples_blind_manifest(uint32_t length, uint8_t out[static SAMPLES_MANIFEST_HEAD_BYTES]);

#endif
