/* A copy is: magic "RWALT1\n\0", serial u64, length u32, CRC-32 u32 over serial, length and payload,
 * then the payload; integers little endian. Torn or bit-flipped copies fail the checksum and the
 * other one is used. The newest copy is never written: a torn write damages the older one only, so
 * at every instant one complete copy exists (INV-6). The older one is written over in place when it has
 * the same size, which needs no room on a full disk; else it is replaced by a new file.
 */
#include "common/base/alt.h"

#include "common/base/file.h"

#include <stdio.h>
#include <string.h>

enum { ALT_HEADER_BYTES = 24, ALT_PAYLOAD_BYTES_MAX = 65536 };

static const uint8_t alt_magic[8] = {'R', 'W', 'A', 'L', 'T', '1', '\n', 0};

static uint32_t crc32_more(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static void put_le(uint8_t *dst, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        dst[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get_le(const uint8_t *src, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)src[i] << (8 * i);
    }
    return value;
}

static uint32_t copy_checksum(const uint8_t header[static ALT_HEADER_BYTES], struct rw_span payload)
{
    return crc32_more(crc32_more(0, header + 8, 12), payload.p, payload.n);
}

struct alt_copy {
    struct rw_buf file;
    uint64_t serial;
    bool valid;
    bool unreadable; /* it may well be there: nothing may be concluded from not seeing it */
};

static void alt_copy_drop(struct alt_copy *c)
{
    rw_buf_drop(&c->file);
}

static struct rw_span copy_payload(const struct alt_copy *c)
{
    return rw_span_of(c->file.p + ALT_HEADER_BYTES, c->file.n - ALT_HEADER_BYTES);
}

/* An invalid or unreadable copy is left out: the caller decides by the other one. */
static void copy_load(int dir, const char *name, char which, struct alt_copy *c)
{
    char file[256];
    struct rw_err err;
    (void)snprintf(file, sizeof(file), "%s.%c", name, which);
    c->file = rw_buf_make(ALT_HEADER_BYTES + ALT_PAYLOAD_BYTES_MAX);
    c->valid = false;
    c->serial = 0;
    struct rw_rc rc = rw_file_read_at(dir, file, c->file.max, &c->file, &err);
    if (rc.code ==
        RW_E_IO) { /* once more: without the newest copy an older state would come back */
        rw_buf_clear(&c->file);
        rc = rw_file_read_at(dir, file, c->file.max, &c->file, &err);
    }
    c->unreadable = rc.code != RW_E_NOT_FOUND && rc.code != RW_E_TOO_BIG && !rw_is_ok(rc);
    if (!rw_is_ok(rc) || c->file.n < ALT_HEADER_BYTES ||
        memcmp(c->file.p, alt_magic, sizeof(alt_magic)) != 0 ||
        get_le(c->file.p + 16, 4) != c->file.n - ALT_HEADER_BYTES ||
        get_le(c->file.p + 20, 4) != copy_checksum(c->file.p, copy_payload(c))) {
        return;
    }
    c->serial = get_le(c->file.p + 8, 8);
    c->valid = true;
}

static void copies_load(int dir, const char *name, struct alt_copy *a, struct alt_copy *b)
{
    copy_load(dir, name, 'a', a);
    copy_load(dir, name, 'b', b);
}

/* Another process may write meanwhile: one copy was looked at while it was written, then the other one. */
static bool seen_in_between(const struct alt_copy *a, const struct alt_copy *b)
{
    return !a->valid && !b->valid && a->file.n > 0 && b->file.n > 0;
}

/* Without a valid copy, one that cannot be read must not pass for missing: the caller would begin anew, and
 * the new state would lose against the old one when that is readable again. */
static RW_RC check_readable(const struct alt_copy *a, const struct alt_copy *b, const char *name,
                            struct rw_err *err)
{
    if (a->valid || b->valid || !(a->unreadable || b->unreadable)) { return RW_OK; }
    return rw_fail(err, RW_E_IO, "state '%s': its copies cannot be read", name);
}

RW_RC rw_alt_load(int dir, const char *name, struct rw_buf *into, uint64_t *serial_out,
                  struct rw_err *err)
{
    enum { LOOKS_MAX = 3 };
    RW_AUTO(alt_copy) struct alt_copy a;
    RW_AUTO(alt_copy) struct alt_copy b;
    copies_load(dir, name, &a, &b);
    for (int look = 1; look < LOOKS_MAX && seen_in_between(&a, &b); look++) {
        alt_copy_drop(&a);
        alt_copy_drop(&b);
        copies_load(dir, name, &a, &b);
    }
    RW_TRY(check_readable(&a, &b, name, err));
    if (!a.valid && !b.valid) {
        return rw_fail(err, RW_E_NOT_FOUND, "state '%s': no valid copy", name);
    }
    const struct alt_copy *best = !b.valid || (a.valid && a.serial > b.serial) ? &a : &b;
    RW_TRY(rw_buf_append(into, copy_payload(best), err));
    *serial_out = best->serial;
    return RW_OK;
}

RW_RC rw_alt_save(int dir, const char *name, struct rw_span payload, struct rw_err *err)
{
    if (payload.n > ALT_PAYLOAD_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "state '%s': %zu bytes, at most %d are allowed", name,
                       payload.n, ALT_PAYLOAD_BYTES_MAX);
    }
    RW_AUTO(alt_copy) struct alt_copy a;
    RW_AUTO(alt_copy) struct alt_copy b;
    copies_load(dir, name, &a, &b);
    RW_TRY(check_readable(&a, &b, name, err));
    bool a_is_newest = a.valid && (!b.valid || a.serial > b.serial);
    uint64_t serial = (a_is_newest ? a.serial : b.serial) + 1;
    uint8_t header[ALT_HEADER_BYTES];
    rw_copy(header, sizeof(header), alt_magic, sizeof(alt_magic));
    put_le(header + 8, serial, 8);
    put_le(header + 16, payload.n, 4);
    put_le(header + 20, copy_checksum(header, payload), 4);
    RW_AUTO(rw_buf) struct rw_buf whole = rw_buf_make(ALT_HEADER_BYTES + ALT_PAYLOAD_BYTES_MAX);
    RW_TRY(rw_buf_append(&whole, rw_span_of(header, sizeof(header)), err));
    RW_TRY(rw_buf_append(&whole, payload, err));
    char file[256];
    (void)snprintf(file, sizeof(file), "%s.%c", name, a_is_newest ? 'b' : 'a');
    /* A part of the disk that cannot be written is no reason to fail: the new file lies elsewhere. */
    if ((a_is_newest ? b : a).file.n == whole.n &&
        rw_is_ok(rw_file_overwrite_at(dir, file, rw_buf_span(&whole), err))) {
        return RW_OK;
    }
    return rw_file_replace_at(dir, file, 0600, rw_buf_span(&whole), err);
}
