#include "server/release/release_tosign.h"

#include "common/policy/entry_codec.h"
#include "common/policy/entry_list.h"
#include "common/tuf/tuf_make.h"

#include <stdio.h>
#include <string.h>

/* A release that is listed already. */
struct listed {
    int64_t number;
    const struct json *entry;
    bool pointed; /* a ring points at it: it may not leave the list */
};

enum { LISTED_READ_MAX = 256 };

struct list {
    struct listed at[LISTED_READ_MAX];
    size_t count;
};

static bool is_pointed(const struct release_repo *repo, int64_t number)
{
    for (size_t i = 0; i < repo->policy.ring_count; i++) {
        if (repo->pointed[i] == number) { return true; }
    }
    return false;
}

static RW_RC read_list(const struct release_repo *repo, struct list *out, struct rw_err *err)
{
    const struct json *targets = json_find(repo->content.signed_part, "targets");
    if (json_count(targets) > LISTED_READ_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "%zu releases are listed, at most %d are allowed",
                       json_count(targets), LISTED_READ_MAX);
    }
    for (const struct json *e = json_first(targets); e != NULL; e = json_next(e)) {
        const struct json *custom = NULL;
        const struct json *ours = NULL;
        struct listed *l = &out->at[out->count++];
        l->entry = e;
        RW_TRY(json_get(e, "custom", JSON_OBJECT, &custom, err));
        RW_TRY(json_get(custom, "ringward", JSON_OBJECT, &ours, err));
        RW_TRY(json_get_int(ours, "release", 1, RW_JSON_INT_MAX, &l->number, err));
        l->pointed = is_pointed(repo, l->number);
    }
    return RW_OK;
}

/* How many listed releases are newer: old ones leave first. */
static size_t newer_than(const struct list *list, int64_t number)
{
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i].number > number) { n++; }
    }
    return n;
}

/* When the bake begins. Dates of a family rise: endpoints refuse others. */
static struct rw_wall date_of(const struct entry_list *said, const struct release *r,
                              struct rw_wall now)
{
    struct rw_wall date = {now.s + r->sign_within_s - RELEASE_SIGN_WITHIN_S_MIN};
    for (size_t i = 0; i < said->listed_count; i++) {
        if (said->listed[i].signed_at.s > date.s) { date = said->listed[i].signed_at; }
    }
    return date;
}

/* The bake of the release's class in every ring, counted from its date: signed by people, enforced by endpoints
 * (INV-7). */
static RW_RC fill_entry(const struct release_repo *repo, const struct release *r,
                        struct rw_wall now, struct entry_codec_content *out, struct rw_err *err)
{
    size_t class_index = 0;
    if (!rw_is_ok(ring_policy_find_class(&repo->policy, r->class_name, &class_index, err))) {
        return rw_fail(err, RW_E_RANGE, "the policy has no class '%.40s'", r->class_name);
    }
    *out = (struct entry_codec_content){.release = r->id.number,
                                        .signed_at = now,
                                        .engine_min = r->engine_min,
                                        .engine_max = r->engine_max,
                                        .platform_count = r->platform_count,
                                        .drill = r->drill};
    rw_copy(out->family, sizeof(out->family), r->id.family, sizeof(r->id.family));
    rw_copy(out->class_name, sizeof(out->class_name), r->class_name, sizeof(r->class_name));
    for (size_t i = 0; i < repo->policy.ring_count; i++) {
        out->not_before[i].s = now.s + ring_policy_min_bake_s(&repo->policy, class_index, i);
    }
    for (size_t i = 0; i < r->platform_count; i++) {
        rw_copy(out->platforms[i], sizeof(out->platforms[i]), r->platforms[i],
                sizeof(r->platforms[i]));
    }
    return RW_OK;
}

static RW_RC check_number(const struct list *list, const struct release *r, struct rw_err *err)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i].number == r->id.number) {
            return rw_fail(err, RW_E_EXISTS, "release %s/%lld is listed already", r->id.family,
                           (long long)r->id.number);
        }
    }
    if (newer_than(list, r->id.number) == 0) { return RW_OK; }
    /* Endpoints take a lower number for a way back, which needs no bake (INV-7). */
    RW_IGNORE(rw_fail(err, RW_E_POLICY,
                      "a later release of %s was published: %lld can no longer be", r->id.family,
                      (long long)r->id.number),
              "the hint follows");
    return rw_hint(err, "create it again: it gets a new number");
}

RW_RC release_tosign_write(const struct release_repo *repo, const struct release *r,
                           struct rw_wall now, struct rw_buf *into, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct entry_codec_content entry;
    struct list list = {.count = 0};
    struct entry_list said;
    RW_TRY(read_list(repo, &list, err));
    RW_TRY(check_number(&list, r, err));
    RW_TRY(entry_list_read(repo->content.signed_part, r->id.family, &said, err));
    RW_TRY(fill_entry(repo, r, date_of(&said, r, now), &entry, err));
    struct json_writer w = json_begin(into);
    tuf_make_open(&w, "targets", repo->content.version + 1,
                  release_repo_life(repo, now, RELEASE_EXPIRES_S));
    entry_list_write(&w, &said);
    json_open_object(&w, "targets");
    for (size_t i = 0; i < list.count; i++) {
        const struct listed *l = &list.at[i];
        if (!l->pointed && newer_than(&list, l->number) >= RELEASE_LISTED_MAX - 1) { continue; }
        RW_TRY(rw_span_to_str(path, sizeof(path), json_name(l->entry), "target path", err));
        json_put_tree(&w, path, l->entry);
    }
    RW_TRY(entry_codec_content_path(r->id.family, r->id.number, path, err));
    entry_codec_write_content(&w, path, &entry, &repo->policy, r->payload.bytes, r->payload.sha256);
    json_close_object(&w);
    json_close_object(&w);
    return json_done(&w, err);
}

/* What rings point at may have moved since the document was made. */
static RW_RC keeps_pointed(const struct release_repo *repo, const struct json *targets,
                           const char *family, bool *out, struct rw_err *err)
{
    *out = true;
    for (size_t i = 0; i < repo->policy.ring_count; i++) {
        char path[TUF_PATH_BYTES];
        if (repo->pointed[i] == 0) { continue; }
        RW_TRY(entry_codec_content_path(family, repo->pointed[i], path, err));
        *out = *out && json_find(targets, path) != NULL;
    }
    return RW_OK;
}

/* Read from the document itself. */
static RW_RC read_date(const struct release *r, const struct json *targets, struct rw_wall *out,
                       struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    const struct json *entry = NULL;
    struct tuf_target t;
    struct install_rule_content c;
    char class_name[INSTALL_NAME_BYTES];
    RW_TRY(entry_codec_content_path(r->id.family, r->id.number, path, err));
    RW_TRY(json_get(targets, path, JSON_OBJECT, &entry, err));
    RW_TRY(tuf_target_read(entry, "content", 0, &t, err));
    RW_TRY(entry_codec_read_content(&t, "", "", &c, class_name, err));
    *out = c.signed_at;
    return RW_OK;
}

RW_RC release_tosign_expires(struct rw_span tosign, struct rw_wall *out, struct rw_err *err)
{
    struct rw_span text;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_TRY(json_parse(tosign, &json_limits_metadata, &tree, err));
    RW_TRY(json_get_span(tree, "expires", &text, err));
    return rw_wall_parse(text, "expires", out, err);
}

RW_RC release_tosign_fits(const struct release_repo *repo, const struct release *r,
                          struct rw_wall now, const char **why_out, struct rw_err *err)
{
    bool keeps = false;
    struct rw_wall expires;
    struct rw_wall date;
    RW_AUTO(json_tree) json_tree tree = NULL;
    *why_out = NULL;
    if (r->tosign.n == 0) {
        *why_out = "no document was made yet";
        return RW_OK;
    }
    RW_TRY(json_parse(rw_buf_span(&r->tosign), &json_limits_metadata, &tree, err));
    RW_TRY(release_tosign_expires(rw_buf_span(&r->tosign), &expires, err));
    RW_TRY(keeps_pointed(repo, json_find(tree, "targets"), r->id.family, &keeps, err));
    RW_TRY(read_date(r, json_find(tree, "targets"), &date, err));
    if (r->base_version != repo->content.version) {
        *why_out = "the content role changed meanwhile";
    } else if (strcmp(r->policy_sha256, repo->policy_sha256) != 0) {
        *why_out = "the policy changed meanwhile";
    } else if (r->threshold != repo->authority.threshold) {
        *why_out = "the delegation changed meanwhile";
    } else if (expires.s > repo->root_expires.s) {
        *why_out = "it would end after root";
    } else if (expires.s < release_repo_life(repo, now, RELEASE_TOSIGN_LEFT_S_MIN).expires.s) {
        *why_out = "the document is too old";
    } else if (now.s > date.s + RELEASE_SIGNED_AGE_S_MAX) {
        *why_out = "its date is more than ten minutes ago";
    } else if (!keeps) {
        *why_out = "it drops a release that a ring points at";
    }
    return RW_OK;
}
