/* Look-ups of tuf_client.h: the pre-order search through delegations (TUF-5.6.7). */
#include "common/tuf/tuf_bins.h"
#include "common/tuf/tuf_client_state.h"
#include "common/tuf/tuf_path.h"

#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

/* One edge that waits to be visited. */
struct visit {
    char role[TUF_ROLE_NAME_BYTES];
    char delegator[TUF_ROLE_NAME_BYTES];
};

struct search {
    struct tuf_client *c;
    const char *path;
    struct visit waiting[TUF_DELEGATIONS_MAX];
    size_t waiting_count;
    char visited[TUF_VISITS_MAX][TUF_ROLE_NAME_BYTES];
    size_t visited_count;
};

static const struct tuf_doc *doc_of(const struct tuf_client *c, const char *role)
{
    if (strcmp(role, "targets") == 0) { return &c->targets; }
    for (size_t i = c->role_count; i > 0; i--) {
        if (strcmp(c->roles[i - 1].role, role) == 0) { return &c->roles[i - 1].doc; }
    }
    return NULL;
}

/* Loads a delegated role in the context of the delegator that led here. */
static RW_RC load_delegated(struct tuf_client *c, const struct visit *v, const struct tuf_doc **out,
                            struct rw_err *err)
{
    char file[TUF_FILE_NAME_BYTES];
    struct tuf_meta meta;
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    const struct tuf_doc *delegator = doc_of(c, v->delegator);
    RW_ASSERT(delegator != NULL);
    for (size_t i = 0; i < c->role_count; i++) {
        const struct tuf_cached_role *r = &c->roles[i];
        if (strcmp(r->role, v->role) == 0 && strcmp(r->delegator, v->delegator) == 0 &&
            r->delegator_version == delegator->version) {
            *out = &r->doc;
            return RW_OK;
        }
    }
    if (c->role_count == TUF_ROLES_CACHED_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d delegated roles", TUF_ROLES_CACHED_MAX);
    }
    (void)snprintf(file, sizeof(file), "%s.json", v->role);
    RW_TRY(tuf_doc_meta(&c->snapshot, file, &meta, err));
    RW_TRY(tuf_sigset_of_delegation(delegator, v->role, &a, err));
    const struct tuf_client_want want = {.role = v->role,
                                         .type = "targets",
                                         .authority = &a,
                                         .meta = &meta,
                                         .bytes_max = TUF_TARGETS_BYTES_MAX};
    struct tuf_cached_role *slot = &c->roles[c->role_count];
    *slot = (struct tuf_cached_role){.delegator_version = delegator->version};
    rw_copy(slot->role, sizeof(slot->role), v->role, sizeof(v->role));
    rw_copy(slot->delegator, sizeof(slot->delegator), v->delegator, sizeof(v->delegator));
    RW_TRY(tuf_client_load_role(c, &want, &slot->doc, err));
    c->role_count++;
    *out = &slot->doc;
    return RW_OK;
}

RW_RC tuf_target_read(const struct json *entry, const char *role, int64_t role_version,
                      struct tuf_target *out, struct rw_err *err)
{
    struct tuf_target t = {.role_version = role_version, .custom = json_find(entry, "custom")};
    const struct json *hashes = NULL;
    struct rw_span hex;
    RW_TRY(rw_span_to_str(t.path, sizeof(t.path), json_name(entry), "target path", err));
    RW_TRY(json_get_int(entry, "length", 0, RW_JSON_INT_MAX, &t.length, err));
    RW_TRY(json_get(entry, "hashes", JSON_OBJECT, &hashes, err));
    RW_TRY(json_get_span(hashes, "sha256", &hex, err));
    RW_TRY(rw_hex_decode(t.sha256, sizeof(t.sha256), hex, "sha256 of a target", err));
    RW_TRY(rw_span_to_str(t.role, sizeof(t.role), rw_span_str(role), "role name", err));
    *out = t;
    return RW_OK;
}

/* TAP 15: exactly one bin covers a path. */
static RW_RC push_bin(struct search *s, const char *role, const struct json *delegations,
                      struct rw_err *err)
{
    const struct json *bins = delegations == NULL ? NULL : json_find(delegations, "succinct_roles");
    if (bins == NULL) { return RW_OK; }
    if (s->waiting_count == TUF_DELEGATIONS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d delegations wait in one search",
                       TUF_DELEGATIONS_MAX);
    }
    struct visit *v = &s->waiting[s->waiting_count];
    *v = (struct visit){.role = ""};
    RW_TRY(tuf_bins_role(bins, s->path, v->role, sizeof(v->role), err));
    (void)snprintf(v->delegator, sizeof(v->delegator), "%s", role);
    s->waiting_count++;
    return RW_OK;
}

/* Children go onto the stack in reverse, so that the first listed is visited first. A matching terminating
 * one ends the search for later siblings and for everything that still waits higher up. */
static RW_RC push_children(struct search *s, const char *role, const struct tuf_doc *doc,
                           struct rw_err *err)
{
    const struct json *delegations = json_find(doc->signed_part, "delegations");
    const struct json *roles = delegations == NULL ? NULL : json_find(delegations, "roles");
    const struct json *matching[TUF_DELEGATIONS_MAX];
    size_t n = 0;
    if (roles == NULL) { return push_bin(s, role, delegations, err); }
    for (const struct json *r = json_first(roles); r != NULL; r = json_next(r)) {
        bool covered = false;
        bool terminating = false;
        RW_TRY(tuf_path_covered(r, s->path, &covered, err));
        if (!covered) { continue; }
        RW_ASSERT(n < TUF_DELEGATIONS_MAX); /* tuf_doc refuses longer lists */
        matching[n++] = r;
        RW_TRY(json_get_bool(r, "terminating", &terminating, err));
        if (terminating) {
            s->waiting_count = 0;
            break;
        }
    }
    for (; n > 0; n--) {
        if (s->waiting_count == TUF_DELEGATIONS_MAX) {
            return rw_fail(err, RW_E_TOO_BIG, "more than %d delegations wait in one search",
                           TUF_DELEGATIONS_MAX);
        }
        struct visit *v = &s->waiting[s->waiting_count];
        *v = (struct visit){.role = ""};
        RW_TRY(json_get_str(matching[n - 1], "name", v->role, sizeof(v->role), err));
        (void)snprintf(v->delegator, sizeof(v->delegator), "%s", role);
        s->waiting_count++;
    }
    return RW_OK;
}

static bool seen_before(struct search *s, const char *role)
{
    for (size_t i = 0; i < s->visited_count; i++) {
        if (strcmp(s->visited[i], role) == 0) { return true; }
    }
    (void)snprintf(s->visited[s->visited_count++], TUF_ROLE_NAME_BYTES, "%s", role);
    return false;
}

static RW_RC require_targets(const struct tuf_client *c, struct rw_err *err)
{
    if (c->targets.tree != NULL) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_ROLE, "no trusted targets metadata: refresh first");
}

RW_RC tuf_client_find(struct tuf_client *c, const char *path, struct tuf_target *out,
                      struct rw_err *err)
{
    RW_TRY(require_targets(c, err));
    struct search *s = rw_mem_new(sizeof(*s));
    if (s == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a target search"); }
    s->c = c;
    s->path = path;
    s->waiting[s->waiting_count++] = (struct visit){.role = "targets"};
    struct rw_rc rc = RW_OK;
    bool found = false;
    /* A role that cannot be loaded ends the whole search: it is not "not found, try the next". */
    while (rw_is_ok(rc) && !found && s->waiting_count > 0 && s->visited_count < TUF_VISITS_MAX) {
        struct visit at = s->waiting[--s->waiting_count];
        const struct tuf_doc *doc = &c->targets;
        if (seen_before(s, at.role)) { continue; }
        if (at.delegator[0] != '\0') { rc = load_delegated(c, &at, &doc, err); }
        if (!rw_is_ok(rc)) { break; }
        const struct json *entry = json_find(json_find(doc->signed_part, "targets"), path);
        if (entry != NULL) {
            rc = tuf_target_read(entry, at.role, doc->version, out, err);
            found = true;
        } else {
            rc = push_children(s, at.role, doc, err);
        }
    }
    rw_mem_free(s);
    if (rw_is_ok(rc) && !found) {
        RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "no trusted role lists target '%s'", path), "hint");
        return rw_hint(err, "it was never published, or it was withdrawn; 'ringward release list' "
                            "shows what there is");
    }
    return rc;
}

static RW_RC load_named(struct tuf_client *c, const char *role, const struct tuf_doc **out,
                        struct rw_err *err)
{
    struct visit at = {.delegator = "targets"};
    RW_TRY(require_targets(c, err));
    RW_TRY(rw_span_to_str(at.role, sizeof(at.role), rw_span_str(role), "role name", err));
    return load_delegated(c, &at, out, err);
}

RW_RC tuf_client_role(struct tuf_client *c, const char *role, const struct json **signed_out,
                      struct rw_wall *expires_out, struct rw_err *err)
{
    const struct tuf_doc *doc = NULL;
    RW_TRY(load_named(c, role, &doc, err));
    *signed_out = doc->signed_part;
    *expires_out = doc->expires;
    return RW_OK;
}

RW_RC tuf_client_each(struct tuf_client *c, const char *role,
                      RW_RC (*each)(void *ctx, const struct tuf_target *t, struct rw_err *err),
                      void *ctx, struct rw_err *err)
{
    const struct tuf_doc *doc = NULL;
    RW_TRY(load_named(c, role, &doc, err));
    const struct json *targets = json_find(doc->signed_part, "targets");
    for (const struct json *e = json_first(targets); e != NULL; e = json_next(e)) {
        struct tuf_target t;
        RW_TRY(tuf_target_read(e, role, doc->version, &t, err));
        RW_TRY(each(ctx, &t, err));
    }
    return RW_OK;
}
