#include "agent/sensor/sensor_load.h"

#include "agent/sensor/sensor_supply.h"
#include "common/base/file.h"
#include "common/box/content_type.h"
#include "common/crypto/digest.h"
#include "common/json/json_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { MANIFEST_BYTES_MAX = 65536 };

void sensor_set_drop(struct sensor_set *s)
{
    for (size_t i = 0; i < s->count; i++) {
        yara_set_drop(&s->at[i].rules);
        template_set_drop(&s->at[i].templates);
    }
    s->count = 0;
    if (s->dir > 0) { rw_fd_drop(&s->dir); }
    s->dir = 0;
}

/* A mark that is there and cannot be read is one: what is fresh acts within its budget. */
static RW_RC load_trial(int dir, struct sensor_set *set, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SENSOR_FAMILY_BYTES);
    struct rw_rc rc = rw_file_read_at(dir, "trial", SENSOR_FAMILY_BYTES - 1, &text, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; }
    RW_TRY(rc);
    return rw_span_to_str(set->trial, sizeof(set->trial), rw_buf_span(&text), "trial", err);
}

/* A family's name becomes a file name: only what the protocol allows, so no path can be smuggled in. */
RW_RC sensor_load_check_name(const char *name, struct rw_err *err)
{
    if (name[0] == '\0' || name[0] == '-' ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name)) {
        return rw_fail(err, RW_E_SCHEMA, "'%.40s' is not the name of a family", name);
    }
    return RW_OK;
}

static RW_RC load_templates(struct rw_span text, struct sensor_family *f, struct rw_err *err)
{
    RW_AUTO(template_set) struct template_set set = {.tree = NULL};
    RW_TRY(template_set_read(text, &set, err));
    RW_TRY(template_manifest_check(&sensor_supply, &set, err));
    f->templates = set;
    set = (struct template_set){.tree = NULL}; /* handed over */
    return RW_OK;
}

static RW_RC load_family(int dir, struct sensor_family *f, int64_t bytes, struct rw_err *err)
{
    char file[SENSOR_FAMILY_BYTES + 8];
    uint8_t found[DIGEST_BYTES];
    RW_AUTO(rw_buf) struct rw_buf source = rw_buf_make(YARA_SOURCE_BYTES_MAX);
    (void)snprintf(file, sizeof(file), "%s.rwc", f->name);
    RW_TRY(rw_file_read_at(dir, file, YARA_SOURCE_BYTES_MAX, &source, err));
    RW_TRY(digest_sha256(rw_buf_span(&source), found, err));
    if (source.n != (size_t)bytes || !digest_same(found, f->sha256, sizeof(found))) {
        return rw_fail(err, RW_E_TUF_HASH, "'%s' is not the content that the manifest names", file);
    }
    if (strcmp(content_type_of(f->name), "template") == 0) {
        return load_templates(rw_buf_span(&source), f, err);
    }
    return yara_compile(&source, &f->rules, err);
}

static RW_RC load_entry(int dir, const struct json *entry, struct sensor_set *set,
                        struct rw_err *err)
{
    static const char *const members[] = {"family", "release", "sha256", "bytes"};
    struct rw_span hex;
    int64_t bytes = 0;
    struct sensor_family *f = &set->at[set->count];
    if (set->count == SENSOR_FAMILIES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d families", SENSOR_FAMILIES_MAX);
    }
    *f = (struct sensor_family){.rules = NULL};
    RW_TRY(json_only(entry, members, RW_LEN(members), err));
    RW_TRY(json_get_str(entry, "family", f->name, sizeof(f->name), err));
    RW_TRY(sensor_load_check_name(f->name, err));
    for (size_t i = 0; i < set->count; i++) {
        if (strcmp(set->at[i].name, f->name) == 0) {
            return rw_fail(err, RW_E_SCHEMA, "the manifest names %s twice", f->name);
        }
    }
    RW_TRY(json_get_int(entry, "release", 1, RW_JSON_INT_MAX, &f->release, err));
    RW_TRY(json_get_int(entry, "bytes", 0, YARA_SOURCE_BYTES_MAX, &bytes, err));
    RW_TRY(json_get_span(entry, "sha256", &hex, err));
    RW_TRY(rw_hex_decode(f->sha256, sizeof(f->sha256), hex, "sha256", err));
    if (!rw_is_ok(load_family(dir, f, bytes, err))) {
        return rw_wrap(err, "%s/%lld", f->name, (long long)f->release);
    }
    set->count++;
    return RW_OK;
}

int64_t sensor_set_rules(const struct sensor_set *s)
{
    int64_t total = 0;
    for (size_t i = 0; i < s->count; i++) {
        total += (int64_t)s->at[i].templates.instance_count;
        if (s->at[i].rules != NULL) { total += yara_count(s->at[i].rules); }
    }
    return total;
}

struct names {
    struct sensor_whole_name *at; /* owned */
    size_t count, cap, family;
};

static void names_drop(struct names *n)
{
    rw_mem_free(n->at);
}

static void add_name(void *ctx, const char *name)
{
    struct names *n = ctx;
    RW_ASSERT(n->count < n->cap);
    n->at[n->count++] = (struct sensor_whole_name){.name = name, .family = n->family};
}

/* What no validator can see, since each gets one family: the set as a whole. */
static RW_RC check_whole(const struct sensor_set *set, struct rw_err *err)
{
    int64_t total = sensor_set_rules(set);
    size_t a = 0;
    size_t b = 0;
    if (total > SENSOR_RULES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "the whole set holds %lld rules, the limit is %d",
                       (long long)total, SENSOR_RULES_MAX);
    }
    RW_AUTO(names) struct names n = {.cap = (size_t)total};
    if (total == 0) { return RW_OK; }
    n.at = rw_mem_grow(NULL, n.cap, sizeof(*n.at));
    if (n.at == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu names", n.cap); }
    for (n.family = 0; n.family < set->count; n.family++) {
        const struct sensor_family *f = &set->at[n.family];
        if (f->rules != NULL) { yara_each_name(f->rules, add_name, &n); }
        for (size_t i = 0; i < f->templates.instance_count; i++) {
            add_name(&n, f->templates.instances[i].id);
        }
    }
    if (!sensor_whole_clash(n.at, n.count, &a, &b)) { return RW_OK; }
    return rw_fail(err, RW_E_SCHEMA, "%s and %s both hold a rule '%.80s'",
                   set->at[n.at[a].family].name, set->at[n.at[b].family].name, n.at[a].name);
}

RW_RC sensor_load_set(const char *active, struct sensor_set *out, struct rw_err *err)
{
    static const char *const members[] = {"set", "content"};
    int64_t number = 0;
    const struct json *list = NULL;
    RW_AUTO(sensor_set) struct sensor_set set = {.count = 0};
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(MANIFEST_BYTES_MAX);
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_fd) rw_fd dir = open(active, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno,
                             "active set '%s'", active);
    }
    RW_TRY(rw_file_read_at(dir, "manifest.json", MANIFEST_BYTES_MAX, &text, err));
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_small, &tree, err));
    RW_TRY(json_only(tree, members, RW_LEN(members), err));
    RW_TRY(json_get_int(tree, "set", 0, RW_JSON_INT_MAX, &number, err));
    RW_TRY(json_get(tree, "content", JSON_ARRAY, &list, err));
    for (const struct json *e = json_first(list); e != NULL; e = json_next(e)) {
        RW_TRY(load_entry(dir, e, &set, err));
    }
    RW_TRY(check_whole(&set, err));
    RW_TRY(load_trial(dir, &set, err));
    set.number = number;
    set.dir = rw_fd_steal(&dir);
    *out = set;
    set = (struct sensor_set){.count = 0}; /* handed over */
    return RW_OK;
}
