#include "common/policy/entry_list.h"

#include "common/base/num.h"
#include "common/policy/entry_codec.h"

#include <string.h>

enum { LIST_FORMAT = 1 };

/* --- reading --- */
static RW_RC read_withdrawn(const struct json *list, struct entry_list *out, struct rw_err *err)
{
    int64_t last = 0;
    if (json_count(list) > ENTRY_LIST_WITHDRAWN_MAX) {
        return rw_fail(err, RW_E_RANGE, "%zu withdrawn releases, at most %d are allowed",
                       json_count(list), ENTRY_LIST_WITHDRAWN_MAX);
    }
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
        struct entry_list_withdrawn *w = &out->withdrawn[out->withdrawn_count];
        struct rw_span hex;
        if (json_type(one) != JSON_OBJECT) {
            return rw_fail(err, RW_E_SCHEMA, "withdrawn: want objects");
        }
        RW_TRY(json_get_int(one, "release", last + 1, RW_JSON_INT_MAX, &w->release, err));
        RW_TRY(json_get_span(one, "sha256", &hex, err));
        RW_TRY(rw_hex_decode(w->sha256, sizeof(w->sha256), hex, "withdrawn sha256", err));
        last = w->release;
        out->withdrawn_count++;
    }
    return RW_OK;
}

static RW_RC read_member(const struct json *signed_part, struct entry_list *out, struct rw_err *err)
{
    const struct json *member = NULL;
    const struct json *list = NULL;
    int64_t format = 0;
    if (json_find(signed_part, "ringward") == NULL) { return RW_OK; }
    RW_TRY(json_get(signed_part, "ringward", JSON_OBJECT, &member, err));
    RW_TRY(json_get_int(member, "format", 1, RW_JSON_INT_MAX, &format, err));
    if (format != LIST_FORMAT) {
        RW_IGNORE(rw_fail(err, RW_E_SCHEMA, "the role has format %lld; this agent knows %d",
                          (long long)format, LIST_FORMAT),
                  "hint");
        return rw_hint(err, "the agent is too old: update it");
    }
    RW_TRY(json_get_int(member, "floor", 0, RW_JSON_INT_MAX, &out->floor, err));
    RW_TRY(json_get(member, "withdrawn", JSON_ARRAY, &list, err));
    return read_withdrawn(list, out, err);
}

static void add_entry(const struct json *entry, const char *family, struct entry_list *out)
{
    struct tuf_target t;
    struct install_rule_content c;
    char class_name[INSTALL_NAME_BYTES];
    struct rw_err unused;
    if (!rw_is_ok(tuf_target_read(entry, "", 0, &t, &unused)) ||
        !rw_is_ok(entry_codec_read_content(&t, "", "", &c, class_name, &unused)) ||
        strcmp(c.family, family) != 0) {
        return;
    }
    size_t n = out->listed_count++;
    out->listed[n].release = c.release;
    out->listed[n].signed_at = c.signed_at;
    rw_copy(out->listed[n].sha256, INSTALL_HASH_BYTES, c.sha256, INSTALL_HASH_BYTES);
}

RW_RC entry_list_read(const struct json *signed_part, const char *family, struct entry_list *out,
                      struct rw_err *err)
{
    const struct json *targets = NULL;
    *out = (struct entry_list){.floor = 0};
    RW_TRY(read_member(signed_part, out, err));
    RW_TRY(json_get(signed_part, "targets", JSON_OBJECT, &targets, err));
    if (json_count(targets) > ENTRY_LIST_ENTRIES_MAX) {
        return rw_fail(err, RW_E_RANGE, "%zu releases are listed, at most %d are allowed",
                       json_count(targets), ENTRY_LIST_ENTRIES_MAX);
    }
    for (const struct json *e = json_first(targets); e != NULL; e = json_next(e)) {
        add_entry(e, family, out);
    }
    return RW_OK;
}

/* --- asking --- */
bool entry_list_is_withdrawn(const struct entry_list *list,
                             const uint8_t sha256[static INSTALL_HASH_BYTES])
{
    for (size_t i = 0; i < list->withdrawn_count; i++) {
        if (memcmp(list->withdrawn[i].sha256, sha256, INSTALL_HASH_BYTES) == 0) { return true; }
    }
    return false;
}

bool entry_list_has(const struct entry_list *list, int64_t release,
                    const uint8_t sha256[static INSTALL_HASH_BYTES])
{
    for (size_t i = 0; i < list->listed_count; i++) {
        if (list->listed[i].release == release &&
            memcmp(list->listed[i].sha256, sha256, INSTALL_HASH_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

void entry_list_apply(const struct entry_list *list, struct install_rule_content *c)
{
    c->floor = list->floor;
    c->withdrawn = entry_list_is_withdrawn(list, c->sha256);
    c->signed_before = (struct rw_wall){0};
    for (size_t i = 0; i < list->listed_count; i++) {
        if (list->listed[i].release < c->release &&
            list->listed[i].signed_at.s > c->signed_before.s) {
            c->signed_before = list->listed[i].signed_at;
        }
    }
}

/* --- changing --- */
static void forget_below_floor(struct entry_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->withdrawn_count; i++) {
        if (list->withdrawn[i].release >= list->floor) {
            list->withdrawn[kept++] = list->withdrawn[i];
        }
    }
    list->withdrawn_count = kept;
}

/* Index of the first entry that is not below the release. */
static size_t place_of(const struct entry_list *list, int64_t release)
{
    size_t at = 0;
    while (at < list->withdrawn_count && list->withdrawn[at].release < release) {
        at++;
    }
    return at;
}

RW_RC entry_list_withdraw(struct entry_list *list, int64_t release,
                          const uint8_t sha256[static INSTALL_HASH_BYTES], struct rw_err *err)
{
    struct entry_list_withdrawn added = {.release = release};
    if (place_of(list, release) < list->withdrawn_count &&
        list->withdrawn[place_of(list, release)].release == release) {
        return RW_OK;
    }
    if (list->withdrawn_count == ENTRY_LIST_WITHDRAWN_MAX) { forget_below_floor(list); }
    if (list->withdrawn_count == ENTRY_LIST_WITHDRAWN_MAX) {
        RW_IGNORE(rw_fail(err, RW_E_FULL, "the family lists %d withdrawn releases already",
                          ENTRY_LIST_WITHDRAWN_MAX),
                  "hint");
        return rw_hint(err, "raise its floor above the oldest: release renew --floor");
    }
    size_t at = place_of(list, release);
    for (size_t i = list->withdrawn_count; i > at; i--) {
        list->withdrawn[i] = list->withdrawn[i - 1];
    }
    rw_copy(added.sha256, sizeof(added.sha256), sha256, INSTALL_HASH_BYTES);
    list->withdrawn[at] = added;
    list->withdrawn_count++;
    return RW_OK;
}

void entry_list_write(struct json_writer *w, const struct entry_list *list)
{
    if (list->floor == 0 && list->withdrawn_count == 0) { return; }
    json_open_object(w, "ringward");
    json_put_int(w, "format", LIST_FORMAT);
    json_put_int(w, "floor", list->floor);
    json_open_array(w, "withdrawn");
    for (size_t i = 0; i < list->withdrawn_count; i++) {
        char hex[2 * INSTALL_HASH_BYTES + 1];
        rw_hex_encode(hex, sizeof(hex), list->withdrawn[i].sha256, INSTALL_HASH_BYTES);
        json_open_object(w, NULL);
        json_put_int(w, "release", list->withdrawn[i].release);
        json_put_str(w, "sha256", hex);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

RW_RC entry_list_check_next(const struct entry_list *had, const struct entry_list *next,
                            struct rw_err *err)
{
    if (next->floor < had->floor) {
        return rw_fail(err, RW_E_TRUST_RULE, "the floor would sink from %lld to %lld",
                       (long long)had->floor, (long long)next->floor);
    }
    for (size_t i = 0; i < had->withdrawn_count; i++) {
        const struct entry_list_withdrawn *w = &had->withdrawn[i];
        if (w->release >= next->floor && !entry_list_is_withdrawn(next, w->sha256)) {
            return rw_fail(err, RW_E_TRUST_RULE, "release %lld would be withdrawn no longer",
                           (long long)w->release);
        }
    }
    for (size_t i = 0; i < next->listed_count; i++) {
        if (entry_list_is_withdrawn(next, next->listed[i].sha256)) {
            return rw_fail(err, RW_E_TRUST_RULE, "release %lld is listed and withdrawn",
                           (long long)next->listed[i].release);
        }
        if (next->listed[i].release < next->floor) {
            return rw_fail(err, RW_E_TRUST_RULE, "release %lld is listed below the floor %lld",
                           (long long)next->listed[i].release, (long long)next->floor);
        }
    }
    return RW_OK;
}
