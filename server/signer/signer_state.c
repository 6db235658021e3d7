#include "server/signer/signer_state.h"

#include "common/base/alt.h"
#include "common/json/json_write.h"
#include "common/tuf/tuf_path.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FLOORS_BYTES_MAX = 60 * 1024 };

static const char floors_name[] = "floors";

RW_RC signer_refuse(struct rw_err *err, enum rw_code code, const char *reason, const char *fmt, ...)
{
    char text[RW_ERR_TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return rw_fail(err, code, "%s: %s", reason, text);
}

/* --- floors --- */
static void floor_name(char dst[static SIGNER_FLOOR_BYTES], const char *role, const char *keyid)
{
    (void)snprintf(dst, SIGNER_FLOOR_BYTES, "%s/%s", role, keyid);
}

int64_t signer_state_floor(const struct signer *s, const char *role, const char *keyid)
{
    char name[SIGNER_FLOOR_BYTES];
    floor_name(name, role, keyid);
    for (size_t i = 0; i < s->floor_count; i++) {
        if (strcmp(s->floors[i].name, name) == 0) { return s->floors[i].version; }
    }
    return 0;
}

/* An entry that is raised moves to the end, so the first one rested the longest. */
static void raise_named(struct signer *s, const char name[static SIGNER_FLOOR_BYTES],
                        int64_t version)
{
    size_t at = 0;
    while (at < s->floor_count && strcmp(s->floors[at].name, name) != 0) {
        at++;
    }
    if (at == s->floor_count && at == SIGNER_FLOORS_MAX) { at = 0; }
    struct signer_floor f = {.version = version};
    rw_copy(f.name, sizeof(f.name), name, SIGNER_FLOOR_BYTES);
    if (at < s->floor_count) {
        if (strcmp(s->floors[at].name, name) == 0 && s->floors[at].version > version) {
            f.version = s->floors[at].version;
        }
        for (size_t i = at + 1; i < s->floor_count; i++) {
            s->floors[i - 1] = s->floors[i];
        }
        s->floor_count--;
    }
    s->floors[s->floor_count++] = f;
}

void signer_state_raise(struct signer *s, const char *role, const char *keyid, int64_t version)
{
    char name[SIGNER_FLOOR_BYTES];
    floor_name(name, role, keyid);
    raise_named(s, name, version);
}

RW_RC signer_state_save(struct signer *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FLOORS_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    for (size_t i = 0; i < s->floor_count; i++) {
        json_put_int(&w, s->floors[i].name, s->floors[i].version);
    }
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    return rw_alt_save(s->state, floors_name, rw_buf_span(&text), err);
}

RW_RC signer_state_load(struct signer *s, struct rw_err *err)
{
    uint64_t serial = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FLOORS_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    struct rw_rc rc = rw_alt_load(s->state, floors_name, &text, &serial, err);
    /* A new signer has no floors; one that lost both copies still has those of the published versions. */
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_small, &tree, err));
    for (const struct json *e = json_first(tree); e != NULL; e = json_next(e)) {
        char name[SIGNER_FLOOR_BYTES] = "";
        int64_t version = 0;
        RW_TRY(rw_span_to_str(name, sizeof(name), json_name(e), "role", err));
        RW_TRY(json_get_int(tree, name, 1, INT32_MAX, &version, err));
        raise_named(s, name, version);
    }
    return RW_OK;
}

/* --- batch --- */
void signer_batch_clear(struct signer_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        rw_buf_drop(&b->files[i].bytes);
    }
    b->count = 0;
}

RW_RC signer_batch_add(struct signer_batch *b, const char *role, int64_t version,
                       struct rw_span bytes, struct rw_err *err)
{
    if (b->count == SIGNER_FILES_MAX) {
        return rw_fail(err, RW_E_FULL, "more than %d files in one change", SIGNER_FILES_MAX);
    }
    size_t at = b->count;
    b->files[at].bytes = rw_buf_make(SIGNER_FILE_BYTES_MAX);
    b->files[at].version = version;
    RW_TRY(rw_span_to_str(b->files[at].role, SIGNER_ROLE_BYTES, rw_span_str(role), "role", err));
    RW_TRY(tuf_path_metadata_name(role, version, b->files[at].name, SIGNER_FILE_NAME_BYTES, err));
    RW_TRY(rw_buf_append(&b->files[at].bytes, bytes, err));
    b->count++;
    return RW_OK;
}
