#include "common/crypto/key_public.h"

#include "common/base/file.h"
#include "common/json/json_write.h"

#include <string.h>

RW_RC key_public_write(const struct key *k, struct rw_buf *into, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf object = rw_buf_make(KEY_PUBLIC_BYTES_MAX);
    RW_TRY(key_write_public(k, &object, err));
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    json_put_str(&w, "keyid", k->id);
    json_put_raw(&w, "key", rw_buf_span(&object));
    json_close_object(&w);
    return json_done(&w, err);
}

static RW_RC read_object(struct rw_span text, struct key *out, struct rw_err *err)
{
    static const char *const members[] = {"key", "keyid"};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    const struct json *object = NULL;
    struct rw_span id;
    RW_TRY(json_parse(text, &json_limits_small, &tree, err));
    RW_TRY(json_get(tree, "key", JSON_OBJECT, &object, err));
    RW_TRY(json_only(tree, members, RW_LEN(members), err));
    RW_TRY(json_get_span(tree, "keyid", &id, err));
    RW_TRY(key_read_public(object, &k, err));
    if (k.scheme == KEY_UNKNOWN) {
        return rw_fail(err, RW_E_SCHEMA, "the key is of no kind that Ringward uses");
    }
    if (!rw_span_is(id, k.id)) {
        return rw_fail(err, RW_E_SCHEMA, "the key id is not that of the key");
    }
    *out = k;
    k.pkey = NULL; /* handed over */
    return RW_OK;
}

RW_RC key_public_read(const char *path, struct key *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_PUBLIC_BYTES_MAX);
    RW_TRY(rw_file_read(path, KEY_PUBLIC_BYTES_MAX, &text, err));
    if (rw_is_ok(read_object(rw_buf_span(&text), out, err))) { return RW_OK; }
    RW_IGNORE(rw_wrap(err, "public key '%s'", path), "hint");
    return rw_hint(err, "'ringward key show -o json KEY' makes such a file");
}
