#include "server/cli/cmd_trust_plan.h"

#include "common/crypto/key_public.h"
#include "common/tuf/tuf_client.h"
#include "common/tuf/tuf_make.h"
#include "common/tuf/tuf_write.h"

#include <stdio.h>
#include <string.h>

enum { PATTERN_BYTES = 80, KEY_BYTES_MAX = 16384 };

static const char *const top_names[CMD_TRUST_TOP_ROLES] = {"root", "snapshot", "targets",
                                                           "timestamp"};
static const char content_prefix[] = "content-";
static const char ring_prefix[] = "ring-";
static const char expedite_role[] = "expedite";
static const char policy_path[] = "policy/rings.json";

RW_RC cmd_trust_plan_begin(struct cmd_trust_plan *p, struct rw_err *err)
{
    *p = (struct cmd_trust_plan){.root_version = 1, .targets_version = 1};
    p->delegated = rw_mem_new_array(TRUST_CHECK_DELEGATIONS_MAX, sizeof(*p->delegated));
    if (p->delegated == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for roles"); }
    p->policy = rw_buf_make(RING_POLICY_BYTES_MAX);
    for (size_t i = 0; i < CMD_TRUST_TOP_ROLES; i++) {
        rw_copy(p->top[i].role, sizeof(p->top[i].role), top_names[i], strlen(top_names[i]));
        p->top[i].threshold = 1;
    }
    return RW_OK;
}

void cmd_trust_plan_drop(struct cmd_trust_plan *p)
{
    for (size_t i = 0; i < CMD_TRUST_TOP_ROLES; i++) {
        tuf_sigset_authority_drop(&p->top[i]);
    }
    for (size_t i = 0; i < p->delegated_count; i++) {
        tuf_sigset_authority_drop(&p->delegated[i]);
    }
    rw_mem_free(p->delegated);
    tuf_doc_drop(&p->root);
    tuf_doc_drop(&p->targets);
    if (p->policy.max > 0) { rw_buf_drop(&p->policy); }
}

/* --- reading what is published --- */
static RW_RC take_delegated(void *ctx, const char *role, struct rw_err *err)
{
    struct cmd_trust_plan *p = ctx;
    if (p->delegated_count == TRUST_CHECK_DELEGATIONS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d delegated roles",
                       TRUST_CHECK_DELEGATIONS_MAX);
    }
    RW_TRY(tuf_sigset_of_delegation(&p->targets, role, &p->delegated[p->delegated_count], err));
    p->delegated_count++;
    return RW_OK;
}

RW_RC cmd_trust_plan_take(struct cmd_trust_plan *p, struct tuf_doc *root, struct tuf_doc *targets,
                          struct rw_err *err)
{
    p->root = *root;
    p->targets = *targets;
    *root = *targets = (struct tuf_doc){0}; /* handed over */
    p->root_version = p->root.version;
    p->root_expires = p->root.expires;
    p->targets_version = p->targets.version;
    p->targets_expires = p->targets.expires;
    for (size_t i = 0; i < CMD_TRUST_TOP_ROLES; i++) {
        RW_TRY(tuf_sigset_of_root(&p->root, top_names[i], &p->top[i], err));
    }
    return trust_check_each(&p->targets, "", take_delegated, p, err);
}

/* --- changing --- */
struct tuf_sigset_authority *cmd_trust_plan_find(struct cmd_trust_plan *p, const char *role)
{
    for (size_t i = 0; i < CMD_TRUST_TOP_ROLES; i++) {
        if (strcmp(p->top[i].role, role) == 0) { return &p->top[i]; }
    }
    for (size_t i = 0; i < p->delegated_count; i++) {
        if (strcmp(p->delegated[i].role, role) == 0) { return &p->delegated[i]; }
    }
    return NULL;
}

static const char *rest_of(const char *role, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(role, prefix, n) == 0 ? role + n : NULL;
}

RW_RC cmd_trust_plan_role(struct cmd_trust_plan *p, const char *role,
                          struct tuf_sigset_authority **out, struct rw_err *err)
{
    const char *family = rest_of(role, content_prefix);
    const char *ring = rest_of(role, ring_prefix);
    struct rw_err unused;
    *out = cmd_trust_plan_find(p, role);
    if (*out != NULL) { return RW_OK; }
    bool known = strcmp(role, expedite_role) == 0;
    if (!known && (family != NULL || ring != NULL)) {
        known = rw_is_ok(ring_policy_check_name(family != NULL ? family : ring, "role", &unused));
    }
    if (!known) {
        return rw_fail(err, RW_E_USAGE,
                       "'%.60s' is no role: root, targets, snapshot, timestamp, content-FAMILY, "
                       "ring-RING or expedite",
                       role);
    }
    if (p->delegated_count == TRUST_CHECK_DELEGATIONS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d delegated roles",
                       TRUST_CHECK_DELEGATIONS_MAX);
    }
    struct tuf_sigset_authority *a = &p->delegated[p->delegated_count++];
    rw_copy(a->role, sizeof(a->role), role, strlen(role));
    a->threshold = ring != NULL ? 1 : TRUST_CHECK_CONTENT_THRESHOLD_MIN;
    *out = a;
    return RW_OK;
}

RW_RC cmd_trust_plan_add_key(struct tuf_sigset_authority *role, const char *file,
                             struct rw_err *err)
{
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    RW_TRY(key_public_read(file, &k, err));
    for (size_t i = 0; i < role->count; i++) {
        if (key_same_public(&role->keys[i], &k)) {
            return rw_fail(err, RW_E_EXISTS, "role '%s' has the key of '%s' already", role->role,
                           file);
        }
    }
    if (role->count == TUF_KEYS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "role '%s' has %d keys already", role->role,
                       TUF_KEYS_MAX);
    }
    role->voter[role->count] = role->count;
    role->keys[role->count++] = k;
    k.pkey = NULL; /* handed over */
    return RW_OK;
}

/* --- writing --- */
static RW_RC put_keys(struct json_writer *w, const struct tuf_sigset_authority *roles, size_t count,
                      struct rw_err *err)
{
    json_open_object(w, "keys");
    for (size_t r = 0; r < count; r++) {
        for (size_t k = 0; k < roles[r].count; k++) {
            const struct key *key = &roles[r].keys[k];
            bool written = false;
            for (size_t before = 0; before < r && !written; before++) {
                for (size_t i = 0; i < roles[before].count; i++) {
                    written = written || strcmp(roles[before].keys[i].id, key->id) == 0;
                }
            }
            if (written) { continue; }
            if (key->scheme == KEY_UNKNOWN) {
                return rw_fail(err, RW_E_SCHEMA, "key %.12s of role '%s' is of no known kind",
                               key->id, roles[r].role);
            }
            RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_BYTES_MAX);
            RW_TRY(key_write_public(key, &text, err));
            json_put_raw(w, key->id, rw_buf_span(&text));
        }
    }
    json_close_object(w);
    return RW_OK;
}

static void put_votes(struct json_writer *w, const struct tuf_sigset_authority *a)
{
    json_open_array(w, "keyids");
    for (size_t i = 0; i < a->count; i++) {
        json_put_str(w, NULL, a->keys[i].id);
    }
    json_close_array(w);
    json_put_int(w, "threshold", a->threshold);
}

RW_RC cmd_trust_plan_parse(struct rw_span text, const char *type, struct tuf_doc *out,
                           struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(CMD_TRUST_ENVELOPE_BYTES_MAX);
    RW_TRY(tuf_write_envelope_of(text, NULL, 0, &envelope, err));
    return tuf_doc_parse(rw_buf_span(&envelope), type, out, err);
}

RW_RC cmd_trust_plan_write_root(const struct cmd_trust_plan *p, struct rw_buf *into,
                                struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    const struct json *ours =
        p->root.tree == NULL ? NULL : json_find(p->root.signed_part, "ringward");
    struct json_writer w = json_begin(into);
    tuf_make_open(&w, "root", p->root_version, (struct tuf_make_life){p->made, p->root_expires});
    json_put_bool(&w, "consistent_snapshot", true);
    RW_TRY(put_keys(&w, p->top, CMD_TRUST_TOP_ROLES, err));
    /* Development trust stays development trust: only a new beginning makes keys of people of it. */
    if (ours != NULL) { json_put_tree(&w, "ringward", ours); }
    json_open_object(&w, "roles");
    for (size_t i = 0; i < CMD_TRUST_TOP_ROLES; i++) {
        json_open_object(&w, p->top[i].role);
        put_votes(&w, &p->top[i]);
        json_close_object(&w);
    }
    json_close_object(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    RW_TRY(cmd_trust_plan_parse(rw_buf_span(into), "root", &doc, err));
    return trust_check_root(&doc, err);
}

static void put_delegation(struct json_writer *w, const struct tuf_sigset_authority *a)
{
    char pattern[PATTERN_BYTES] = "expedite/*/*";
    const char *family = rest_of(a->role, content_prefix);
    const char *ring = rest_of(a->role, ring_prefix);
    if (family != NULL || ring != NULL) {
        (void)snprintf(pattern, sizeof(pattern), "%s/%s/*", family != NULL ? "content" : "rings",
                       family != NULL ? family : ring);
    }
    json_open_object(w, NULL);
    put_votes(w, a);
    json_put_str(w, "name", a->role);
    json_open_array(w, "paths");
    json_put_str(w, NULL, pattern);
    json_close_array(w);
    json_put_bool(w, "terminating", true);
    json_close_object(w);
}

/* What targets listed stays, but for a policy that is replaced. */
static RW_RC put_targets(const struct cmd_trust_plan *p, struct json_writer *w, struct rw_err *err)
{
    const struct json *had =
        p->targets.tree == NULL ? NULL : json_first(json_find(p->targets.signed_part, "targets"));
    json_open_object(w, "targets");
    for (const struct json *e = had; e != NULL; e = json_next(e)) {
        char path[TUF_PATH_BYTES];
        RW_TRY(rw_span_to_str(path, sizeof(path), json_name(e), "target path", err));
        if (p->policy.n > 0 && strcmp(path, policy_path) == 0) { continue; }
        json_put_tree(w, path, e);
    }
    if (p->policy.n > 0) { RW_TRY(tuf_make_target(w, policy_path, rw_buf_span(&p->policy), err)); }
    json_close_object(w);
    return RW_OK;
}

RW_RC cmd_trust_plan_write_targets(const struct cmd_trust_plan *p, struct rw_buf *into,
                                   struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    tuf_make_open(&w, "targets", p->targets_version,
                  (struct tuf_make_life){p->made, p->targets_expires});
    json_open_object(&w, "delegations");
    RW_TRY(put_keys(&w, p->delegated, p->delegated_count, err));
    json_open_array(&w, "roles");
    for (size_t i = 0; i < p->delegated_count; i++) {
        put_delegation(&w, &p->delegated[i]);
    }
    json_close_array(&w);
    json_close_object(&w);
    RW_TRY(put_targets(p, &w, err));
    json_close_object(&w);
    return json_done(&w, err);
}

/* Everything that the former document says but its head: also what this program does not know (floor, withdrawals). */
static RW_RC put_rest(struct json_writer *w, const struct tuf_doc *had, struct rw_err *err)
{
    static const char *const head[] = {"_type", "expires", "spec_version", "version",
                                       TUF_MADE_MEMBER};
    for (const struct json *e = json_first(had->signed_part); e != NULL; e = json_next(e)) {
        char name[PATTERN_BYTES];
        bool in_head = false;
        RW_TRY(rw_span_to_str(name, sizeof(name), json_name(e), "member", err));
        for (size_t i = 0; i < RW_LEN(head); i++) {
            in_head = in_head || strcmp(name, head[i]) == 0;
        }
        if (!in_head) { json_put_tree(w, name, e); }
    }
    return RW_OK;
}

RW_RC cmd_trust_plan_write_content(const struct tuf_doc *had, struct tuf_make_life life,
                                   struct rw_buf *into, struct rw_err *err)
{
    bool first = had == NULL || had->tree == NULL;
    struct json_writer w = json_begin(into);
    tuf_make_open(&w, "targets", first ? 1 : had->version + 1, life);
    if (first) {
        json_open_object(&w, "targets");
        json_close_object(&w);
    } else {
        RW_TRY(put_rest(&w, had, err));
    }
    json_close_object(&w);
    return json_done(&w, err);
}
