#include "common/wire/signer_codec.h"

#include "common/base/num.h"

#include <string.h>

/* Frame types: requests have the number of their enum; answers follow. */
enum { FRAME_GRANTED = 101, FRAME_REFUSED = 102, FRAME_MORE = 103 };

/* --- requests --- */
static RW_RC put_trust(const struct signer_request *r, struct frame_writer *w, struct rw_err *err)
{
    RW_ASSERT(r->content_count <= SIGNER_CONTENTS_MAX);
    RW_TRY(frame_put_bytes(w, r->root, err));
    RW_TRY(frame_put_bytes(w, r->targets, err));
    RW_TRY(frame_put_u32(w, (uint32_t)r->content_count, err));
    for (size_t i = 0; i < r->content_count; i++) {
        RW_TRY(frame_put_str(w, r->contents[i].family, err));
        RW_TRY(frame_put_bytes(w, r->contents[i].envelope, err));
    }
    return RW_OK;
}

static RW_RC put_look(const struct signer_request *r, struct frame_writer *w, struct rw_err *err)
{
    RW_ASSERT(r->release >= 0 && r->bytes >= 0);
    RW_TRY(frame_put_str(w, r->family, err));
    RW_TRY(frame_put_u64(w, (uint64_t)r->release, err));
    RW_TRY(frame_put_u64(w, (uint64_t)r->bytes, err));
    return frame_put_bytes(w, rw_span_of(r->sha256, sizeof(r->sha256)), err);
}

static RW_RC put_request(const struct signer_request *r, struct frame_writer *w, struct rw_err *err)
{
    switch (r->type) {
    case SIGNER_PUBLISH:
        RW_TRY(frame_put_str(w, r->family, err));
        return frame_put_bytes(w, r->envelope, err);
    case SIGNER_POINT:
        RW_ASSERT(r->release >= 0);
        RW_TRY(frame_put_str(w, r->ring, err));
        RW_TRY(frame_put_str(w, r->family, err));
        RW_TRY(frame_put_u64(w, (uint64_t)r->release, err));
        return frame_put_u32(w, r->hold ? 1 : 0, err);
    case SIGNER_RENEW:
        return RW_OK;
    case SIGNER_TRUST:
        return put_trust(r, w, err);
    case SIGNER_EXPEDITE:
        return frame_put_bytes(w, r->envelope, err);
    case SIGNER_LOOK:
        return put_look(r, w, err);
    }
    return rw_fail(err, RW_E_PROTOCOL, "unknown type of request");
}

RW_RC signer_request_write(const struct signer_request *r, struct frame_writer *out,
                           struct rw_err *err)
{
    struct frame_writer w = frame_begin((uint16_t)r->type);
    struct rw_rc rc = put_request(r, &w, err);
    if (!rw_is_ok(rc)) {
        frame_writer_drop(&w);
        return rc;
    }
    *out = w;
    return RW_OK;
}

static RW_RC get_bool(struct frame_reader *f, const char *what, bool *out, struct rw_err *err)
{
    uint32_t value = 0;
    RW_TRY(frame_get_u32(f, what, &value, err));
    if (value > 1) { return rw_fail(err, RW_E_PROTOCOL, "%s is neither 0 nor 1", what); }
    *out = value == 1;
    return RW_OK;
}

static RW_RC get_number(struct frame_reader *f, const char *what, int64_t *out, struct rw_err *err)
{
    uint64_t value = 0;
    RW_TRY(frame_get_u64(f, what, &value, err));
    if (value > (uint64_t)RW_JSON_INT_MAX) {
        return rw_fail(err, RW_E_PROTOCOL, "%s is too large", what);
    }
    *out = (int64_t)value;
    return RW_OK;
}

static RW_RC get_point(struct frame_reader *f, struct signer_request *r, struct rw_err *err)
{
    RW_TRY(frame_get_str(f, r->ring, sizeof(r->ring), "ring", err));
    RW_TRY(frame_get_str(f, r->family, sizeof(r->family), "family", err));
    RW_TRY(get_number(f, "release", &r->release, err));
    return get_bool(f, "hold", &r->hold, err);
}

static RW_RC get_look(struct frame_reader *f, struct signer_request *r, struct rw_err *err)
{
    struct rw_span sha256;
    RW_TRY(frame_get_str(f, r->family, sizeof(r->family), "family", err));
    RW_TRY(get_number(f, "release", &r->release, err));
    RW_TRY(get_number(f, "length", &r->bytes, err));
    RW_TRY(frame_get_bytes(f, sizeof(r->sha256), "SHA-256", &sha256, err));
    if (sha256.n != sizeof(r->sha256)) {
        return rw_fail(err, RW_E_PROTOCOL, "a SHA-256 has %zu bytes, not %zu", sizeof(r->sha256),
                       sha256.n);
    }
    rw_copy(r->sha256, sizeof(r->sha256), sha256.p, sha256.n);
    return RW_OK;
}

static RW_RC get_trust(struct frame_reader *f, struct signer_request *r, struct rw_err *err)
{
    uint32_t count = 0;
    RW_TRY(frame_get_bytes(f, SIGNER_ENVELOPE_BYTES_MAX, "root", &r->root, err));
    RW_TRY(frame_get_bytes(f, SIGNER_ENVELOPE_BYTES_MAX, "targets", &r->targets, err));
    RW_TRY(frame_get_u32(f, "number of content roles", &count, err));
    if (count > SIGNER_CONTENTS_MAX) {
        return rw_fail(err, RW_E_PROTOCOL, "%u content roles, at most %d are allowed", count,
                       SIGNER_CONTENTS_MAX);
    }
    for (; r->content_count < count; r->content_count++) {
        struct signer_content *c = &r->contents[r->content_count];
        RW_TRY(frame_get_str(f, c->family, sizeof(c->family), "family", err));
        RW_TRY(frame_get_bytes(f, SIGNER_ENVELOPE_BYTES_MAX, c->family, &c->envelope, err));
    }
    return RW_OK;
}

RW_RC signer_request_read(struct frame_reader *frame, struct signer_request *out,
                          struct rw_err *err)
{
    struct signer_request r = {.family = ""};
    switch (frame->type) {
    case SIGNER_PUBLISH:
        r.type = SIGNER_PUBLISH;
        RW_TRY(frame_get_str(frame, r.family, sizeof(r.family), "family", err));
        RW_TRY(frame_get_bytes(frame, SIGNER_ENVELOPE_BYTES_MAX, "content role", &r.envelope, err));
        break;
    case SIGNER_POINT:
        r.type = SIGNER_POINT;
        RW_TRY(get_point(frame, &r, err));
        break;
    case SIGNER_RENEW:
        r.type = SIGNER_RENEW;
        break;
    case SIGNER_EXPEDITE:
        r.type = SIGNER_EXPEDITE;
        RW_TRY(
            frame_get_bytes(frame, SIGNER_ENVELOPE_BYTES_MAX, "expedite role", &r.envelope, err));
        break;
    case SIGNER_TRUST:
        r.type = SIGNER_TRUST;
        RW_TRY(get_trust(frame, &r, err));
        break;
    case SIGNER_LOOK:
        r.type = SIGNER_LOOK;
        RW_TRY(get_look(frame, &r, err));
        break;
    default:
        return rw_fail(err, RW_E_PROTOCOL, "unknown type of request: %u", frame->type);
    }
    RW_TRY(frame_end(frame, err));
    *out = r;
    return RW_OK;
}

/* --- answers --- */
static RW_RC put_refusal(const struct signer_answer *a, struct frame_writer *w, struct rw_err *err)
{
    RW_TRY(frame_put_u32(w, (uint32_t)a->code, err));
    RW_TRY(frame_put_str(w, a->reason, err));
    RW_TRY(frame_put_str(w, a->text, err));
    return frame_put_str(w, a->hint, err);
}

static RW_RC put_files(const struct signer_answer *a, struct frame_writer *w, struct rw_err *err)
{
    RW_ASSERT(a->file_count <= SIGNER_FILES_MAX);
    RW_TRY(frame_put_u32(w, (uint32_t)a->file_count, err));
    for (size_t i = 0; i < a->file_count; i++) {
        RW_TRY(frame_put_str(w, a->files[i].name, err));
        RW_TRY(frame_put_bytes(w, a->files[i].bytes, err));
    }
    return RW_OK;
}

RW_RC signer_answer_write(const struct signer_answer *a, struct frame_writer *out,
                          struct rw_err *err)
{
    RW_ASSERT(!a->more || (!a->refused && a->file_count == 0));
    struct frame_writer w = frame_begin(a->refused ? FRAME_REFUSED
                                        : a->more  ? FRAME_MORE
                                                   : FRAME_GRANTED);
    struct rw_rc rc = a->refused ? put_refusal(a, &w, err)
                      : a->more  ? RW_OK
                                 : put_files(a, &w, err);
    if (!rw_is_ok(rc)) {
        frame_writer_drop(&w);
        return rw_wrap(err, "signer's answer");
    }
    *out = w;
    return RW_OK;
}

static bool known_code(uint32_t value)
{
    static const enum rw_code codes[] = {
#define RW_ERROR(name, value, retry, http, exit) RW_E_##name,
#include "common/base/err.def"
#undef RW_ERROR
    };
    for (size_t i = 0; i < RW_LEN(codes); i++) {
        if ((uint32_t)codes[i] == value) { return true; }
    }
    return false;
}

static RW_RC get_refusal(struct frame_reader *f, struct signer_answer *a, struct rw_err *err)
{
    uint32_t code = 0;
    RW_TRY(frame_get_u32(f, "code", &code, err));
    if (!known_code(code)) { return rw_fail(err, RW_E_PROTOCOL, "unknown error code %u", code); }
    a->refused = true;
    a->code = (enum rw_code)code;
    RW_TRY(frame_get_str(f, a->reason, sizeof(a->reason), "reason", err));
    RW_TRY(frame_get_str(f, a->text, sizeof(a->text), "text", err));
    return frame_get_str(f, a->hint, sizeof(a->hint), "hint", err);
}

/* The receiver writes under this name: no folder, no dot file, nothing but metadata. */
static RW_RC check_name(const char *name, struct rw_err *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    static const char ending[] = ".json";
    size_t n = strlen(name);
    if (n > sizeof(ending) - 1 && strspn(name, allowed) == n && name[0] != '.' && name[0] != '-' &&
        strcmp(name + n - (sizeof(ending) - 1), ending) == 0) {
        return RW_OK;
    }
    return rw_fail(err, RW_E_PROTOCOL, "'%.60s' is no name of a metadata file", name);
}

static RW_RC get_files(struct frame_reader *f, struct signer_answer *a, struct rw_err *err)
{
    uint32_t count = 0;
    RW_TRY(frame_get_u32(f, "number of files", &count, err));
    if (count > SIGNER_FILES_MAX) {
        return rw_fail(err, RW_E_PROTOCOL, "%u files, at most %d are allowed", count,
                       SIGNER_FILES_MAX);
    }
    for (; a->file_count < count; a->file_count++) {
        struct signer_file *file = &a->files[a->file_count];
        RW_TRY(frame_get_str(f, file->name, sizeof(file->name), "file name", err));
        RW_TRY(check_name(file->name, err));
        RW_TRY(frame_get_bytes(f, SIGNER_FILE_BYTES_MAX, file->name, &file->bytes, err));
    }
    return RW_OK;
}

RW_RC signer_answer_read(struct frame_reader *frame, struct signer_answer *out, struct rw_err *err)
{
    *out = (struct signer_answer){.refused = false};
    if (frame->type == FRAME_REFUSED) {
        RW_TRY(get_refusal(frame, out, err));
    } else if (frame->type == FRAME_GRANTED) {
        RW_TRY(get_files(frame, out, err));
    } else if (frame->type == FRAME_MORE) {
        out->more = true;
    } else {
        return rw_fail(err, RW_E_PROTOCOL, "unknown type of answer: %u", frame->type);
    }
    return frame_end(frame, err);
}

RW_RC signer_answer_kept(struct rw_span frame, struct signer_answer *out, struct rw_err *err)
{
    if (frame.n < FRAME_HEADER_BYTES || (frame.p[4] | frame.p[5] << 8) != FRAME_GRANTED) {
        return rw_fail(err, RW_E_PROTOCOL, "the bytes are no kept answer of the signer");
    }
    /* The length in the header says nothing new: the kept file is the frame. */
    struct frame_reader r = {
        .type = FRAME_GRANTED,
        .rest = rw_span_of(frame.p + FRAME_HEADER_BYTES, frame.n - FRAME_HEADER_BYTES)};
    return signer_answer_read(&r, out, err);
}
