/* What signed metadata say to one family on this endpoint: pointer, content, the role's list, an expedite. */
#include "agent/poll/poll_state.h"

#include <stdio.h>
#include <string.h>

static bool is_active(const struct manifest *m, const char *family, const uint8_t *sha256)
{
    const struct manifest_entry *e = manifest_find(m, family);
    return e != NULL && memcmp(e->sha256, sha256, DIGEST_BYTES) == 0;
}

bool poll_entries_held(const struct poll_input *in, const struct poll_family *f)
{
    return is_active(&in->active, f->family, f->content.sha256) ||
           is_active(&in->previous, f->family, f->content.sha256);
}

static RW_RC read_list(struct poll *p, const struct poll_input *in, struct poll_family *f,
                       struct entry_list *list, struct rw_err *err)
{
    char role[TUF_ROLE_NAME_BYTES];
    const struct json *signed_part = NULL;
    struct rw_wall expires;
    const struct manifest_entry *e = manifest_find(&in->active, f->family);
    (void)snprintf(role, sizeof(role), "content-%s", f->family);
    RW_TRY(trust_store_role(&p->trust, role, &signed_part, &expires, err));
    RW_TRY(entry_list_read(signed_part, f->family, list, err));
    f->dropped = e != NULL && !entry_list_has(list, e->release, e->sha256);
    f->withdrawn = e != NULL && entry_list_is_withdrawn(list, e->sha256);
    f->withdrawn_before = false;
    const struct manifest_entry *before = manifest_find(&in->previous, f->family);
    if (before != NULL && entry_list_is_withdrawn(list, before->sha256)) {
        f->withdrawn_before = true;
        rw_copy(f->withdrawn_before_sha256, DIGEST_BYTES, before->sha256, DIGEST_BYTES);
    }
    return RW_OK;
}

static RW_RC read_content(struct poll *p, size_t ring, struct poll_family *f, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    char *class_name = f->class_name;
    struct tuf_target t;
    size_t class_index = 0;
    RW_TRY(entry_codec_content_path(f->family, f->pointer.release, path, err));
    struct rw_rc rc = trust_store_find(&p->trust, path, &t, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; } /* content.listed stays false: refused */
    RW_TRY(rc);
    RW_TRY(
        entry_codec_read_content(&t, f->state.ring, p->o.platform, &f->content, class_name, err));
    RW_TRY(ring_policy_find_class(&p->policy, class_name, &class_index, err));
    f->state.min_bake_s = ring_policy_min_bake_s(&p->policy, class_index, ring);
    return RW_OK;
}

RW_RC poll_entries_content(struct poll *p, size_t ring, const struct poll_input *in,
                           const struct entry_list *list, struct poll_family *f, struct rw_err *err)
{
    f->content = (struct install_rule_content){.listed = false};
    RW_TRY(read_content(p, ring, f, err));
    if (!f->content.listed) { return RW_OK; }
    entry_list_apply(list, &f->content);
    f->state.held = poll_entries_held(in, f);
    return RW_OK;
}

RW_RC poll_entries_read(struct poll *p, size_t ring, const struct poll_input *in,
                        struct poll_family *f, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct tuf_target t;
    struct entry_list list;
    RW_TRY(entry_codec_pointer_path(f->state.ring, f->family, path, err));
    struct rw_rc rc = trust_store_find(&p->trust, path, &t, err);
    if (rc.code == RW_E_NOT_FOUND) {
        struct rw_err unused;
        RW_IGNORE(read_list(p, in, f, &list, &unused), "leaving the family needs no content role");
        return RW_OK;
    }
    RW_TRY(rc);
    RW_TRY(entry_codec_read_pointer(&t, &f->pointer, err));
    f->has_pointer = true;
    RW_TRY(read_list(p, in, f, &list, err));
    f->offered = f->pointer.release;
    RW_TRY(poll_entries_content(p, ring, in, &list, f, err));
    if (!f->content.listed) { return RW_OK; }
    return poll_control_apply(p, ring, in, &list, f, err);
}

static RW_RC read_expedite(struct poll *p, struct poll_family *f, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct tuf_target t;
    struct entry_codec_expedite x;
    const struct json *unused = NULL;
    struct rw_wall expires;
    RW_TRY(entry_codec_expedite_path(f->family, f->content.release, path, err));
    RW_TRY(trust_store_find(&p->trust, path, &t, err));
    if (strcmp(t.role, TRUST_STORE_EXPEDITE) != 0) {
        return rw_fail(err, RW_E_TRUST_RULE, "'%s' is listed by role '%s'", path, t.role);
    }
    RW_TRY(entry_codec_read_expedite(&t, &x, err));
    RW_TRY(trust_store_role(&p->trust, TRUST_STORE_EXPEDITE, &unused, &expires, err));
    entry_codec_expedite_for_ring(&t, &x, f->state.ring, &f->expedite);
    f->expedite.expires = expires;
    return RW_OK;
}

void poll_entries_expedite(struct poll *p, struct poll_family *f)
{
    struct rw_err err;
    if (p->expedite_none && p->expedite_looked.s == p->trust.last_full.s) { return; }
    p->expedite_none = false;
    struct rw_rc rc = read_expedite(p, f, &err);
    if (rw_is_ok(rc) || rc.code == RW_E_NOT_FOUND) { return; }
    /* The role may lie expired for months, and need not be published at all: no expedite then, and no reason to fetch
     * it again before metadata change. */
    f->expedite = (struct install_rule_expedite){.listed = false};
    p->expedite_none = true;
    p->expedite_looked = p->trust.last_full;
    (void)snprintf(f->note, sizeof(f->note), "no expedite: %.200s", err.text);
}
