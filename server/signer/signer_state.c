#include "server/signer/signer_state.h"

#include "common/base/alt.h"
#include "common/json/json_write.h"
#include "common/tuf/tuf_path.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FLOORS_BYTES_MAX = 16384 };

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

RW_RC signer_key_load(const struct signer *s, const char *role, struct key *out, struct rw_err *err)
{
    char path[SIGNER_PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s.key", s->key_dir, role);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return rw_fail(err, RW_E_RANGE, "the path of key '%.60s' is too long", role);
    }
    return key_load_private(path, NULL, out, err);
}

/* --- floors --- */
static struct signer_floor *find_floor(struct signer *s, const char *role)
{
    for (size_t i = 0; i < s->floor_count; i++) {
        if (strcmp(s->floors[i].role, role) == 0) { return &s->floors[i]; }
    }
    return NULL;
}

int64_t signer_state_floor(const struct signer *s, const char *role)
{
    for (size_t i = 0; i < s->floor_count; i++) {
        if (strcmp(s->floors[i].role, role) == 0) { return s->floors[i].version; }
    }
    return 0;
}

RW_RC signer_state_raise(struct signer *s, const char *role, int64_t version, struct rw_err *err)
{
    struct signer_floor *f = find_floor(s, role);
    if (f == NULL) {
        if (s->floor_count == SIGNER_ROLES_MAX) {
            return rw_fail(err, RW_E_FULL, "more than %d online roles", SIGNER_ROLES_MAX);
        }
        f = &s->floors[s->floor_count];
        *f = (struct signer_floor){.version = 0};
        RW_TRY(rw_span_to_str(f->role, sizeof(f->role), rw_span_str(role), "role", err));
        s->floor_count++;
    }
    if (version > f->version) { f->version = version; }
    return RW_OK;
}

RW_RC signer_state_save(struct signer *s, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(FLOORS_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    for (size_t i = 0; i < s->floor_count; i++) {
        json_put_int(&w, s->floors[i].role, s->floors[i].version);
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
        char role[SIGNER_ROLE_BYTES];
        int64_t version = 0;
        RW_TRY(rw_span_to_str(role, sizeof(role), json_name(e), "role", err));
        RW_TRY(json_get_int(tree, role, 1, INT32_MAX, &version, err));
        RW_TRY(signer_state_raise(s, role, version, err));
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
