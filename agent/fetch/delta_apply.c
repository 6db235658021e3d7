#include "agent/fetch/delta_apply.h"

#include <zstd.h>

RW_RC delta_apply_open(struct delta_apply *d, struct rw_err *err)
{
    d->decoder = ZSTD_createDCtx();
    if (d->decoder == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a decoder"); }
    return RW_OK;
}

void delta_apply_drop(struct delta_apply *d)
{
    (void)ZSTD_freeDCtx(d->decoder);
    d->decoder = NULL;
}

RW_RC delta_apply_run(struct delta_apply *d, struct rw_span base, struct rw_span delta,
                      uint8_t *out, size_t length, struct rw_err *err)
{
    if (base.n > DELTA_APPLY_BYTES_MAX || length > DELTA_APPLY_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "differences are for content of at most %d bytes",
                       DELTA_APPLY_BYTES_MAX);
    }
    /* Before a byte is decoded: one frame that says exactly the signed length. */
    if (ZSTD_getFrameContentSize(delta.p, delta.n) != length) {
        return rw_fail(err, RW_E_RANGE, "the difference is not one to content of %zu bytes",
                       length);
    }
    if (ZSTD_findFrameCompressedSize(delta.p, delta.n) != delta.n) {
        return rw_fail(err, RW_E_SYNTAX, "the difference is cut, or has something behind it");
    }
    size_t rc = ZSTD_DCtx_reset(d->decoder, ZSTD_reset_session_and_parameters);
    if (!ZSTD_isError(rc)) { rc = ZSTD_DCtx_refPrefix(d->decoder, base.p, base.n); }
    if (!ZSTD_isError(rc)) { rc = ZSTD_decompressDCtx(d->decoder, out, length, delta.p, delta.n); }
    if (ZSTD_isError(rc)) {
        return rw_fail(err, RW_E_SYNTAX, "the difference cannot be applied: %s",
                       ZSTD_getErrorName(rc));
    }
    if (rc != length) {
        return rw_fail(err, RW_E_RANGE, "the difference gives %zu bytes, want %zu", rc, length);
    }
    return RW_OK;
}
