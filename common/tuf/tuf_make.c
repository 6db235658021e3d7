#include "common/tuf/tuf_make.h"

#include "common/crypto/digest.h"

/* What the public clients write too; all take any minor version of major 1. */
static const char spec_version[] = "1.0.31";

void tuf_make_open(struct json_writer *w, const char *type, int64_t version,
                   struct tuf_make_life life)
{
    char text[RW_TIME_TEXT_BYTES];
    RW_ASSERT(version >= 1);
    rw_wall_format(text, life.expires);
    json_open_object(w, NULL);
    json_put_str(w, "_type", type);
    json_put_str(w, "expires", text);
    json_put_str(w, "spec_version", spec_version);
    json_put_int(w, "version", version);
    if (life.made.s <= 0) { return; }
    rw_wall_format(text, life.made);
    json_put_str(w, TUF_MADE_MEMBER, text);
}

static void put_hash_and_length(struct json_writer *w, const char *hex, size_t length)
{
    json_open_object(w, "hashes");
    json_put_str(w, "sha256", hex);
    json_close_object(w);
    json_put_int(w, "length", (int64_t)length);
}

RW_RC tuf_make_meta(struct json_writer *w, const char *file, int64_t version, struct rw_span bytes,
                    struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    RW_TRY(digest_sha256_hex(bytes, hex, err));
    json_open_object(w, file);
    put_hash_and_length(w, hex, bytes.n);
    json_put_int(w, "version", version);
    json_close_object(w);
    return RW_OK;
}

RW_RC tuf_make_target(struct json_writer *w, const char *path, struct rw_span bytes,
                      struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    RW_TRY(digest_sha256_hex(bytes, hex, err));
    json_open_object(w, path);
    put_hash_and_length(w, hex, bytes.n);
    json_close_object(w);
    return RW_OK;
}
