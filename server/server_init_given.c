#include "server/server_init_given.h"

#include "common/policy/trust_bundle.h"
#include "server/server_init_keys.h"
#include "server/server_init_online.h"

#include <stdio.h>
#include <string.h>

enum { ROLE_BYTES = 64 };

/* --- keys --- */
static RW_RC load_named(const char *dir, const struct tuf_sigset_authority *a, struct key *out,
                        struct rw_err *err)
{
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    if (!rw_is_ok(server_keys_load(dir, a->role, false, &k, err))) {
        return rw_hint(err, "'ringward-server keys' makes the online keys before the ceremony");
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!key_same_public(&a->keys[i], &k)) { continue; }
        *out = k;
        k.pkey = NULL; /* handed over */
        return RW_OK;
    }
    return rw_fail(err, RW_E_TRUST_RULE, "signer/%s.key is not the key that the documents name",
                   a->role);
}

static RW_RC load_of_root(const struct server_init_settings *s, const char *role, struct key *out,
                          struct rw_err *err)
{
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_root(&s->trust->root.doc, role, &a, err));
    return load_named(s->dir, &a, out, err);
}

static RW_RC load_of_ring(const struct server_init_settings *s, const char *ring, struct key *out,
                          struct rw_err *err)
{
    char role[ROLE_BYTES];
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    (void)snprintf(role, sizeof(role), "ring-%s", ring);
    RW_TRY(tuf_sigset_of_delegation(&s->trust->targets.doc, role, &a, err));
    return load_named(s->dir, &a, out, err);
}

static RW_RC check_ring(void *ctx, const char *ring, struct rw_err *err)
{
    const struct server_init_settings *s = ctx;
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    return load_of_ring(s, ring, &k, err);
}

RW_RC server_given_check(const struct server_init_settings *settings, struct rw_err *err)
{
    static const char *const roles[] = {"snapshot", "timestamp"};
    struct server_init_settings s = *settings;
    if (!rw_is_ok(trust_bundle_check_first(s.trust, s.now, err))) {
        return rw_wrap(err, "documents of the ceremony");
    }
    for (size_t i = 0; i < RW_LEN(roles); i++) {
        RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
        RW_TRY(load_of_root(&s, roles[i], &k, err));
    }
    return trust_check_each(&s.trust->targets.doc, "ring-", check_ring, &s, err);
}

/* --- making --- */
struct making {
    const struct server_init_settings *s;
    struct server_online online;
};

static void making_drop(struct making *m)
{
    server_online_drop(&m->online);
}

static RW_RC make_ring(void *ctx, const char *ring, struct rw_err *err)
{
    struct making *m = ctx;
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    RW_TRY(load_of_ring(m->s, ring, &k, err));
    return server_online_make_ring(&m->online, ring, &k, err);
}

static RW_RC put_contents(struct making *m, struct rw_err *err)
{
    const struct trust_bundle *b = m->s->trust;
    for (size_t i = 0; i < b->content_count; i++) {
        char role[ROLE_BYTES];
        const struct trust_bundle_doc *d = &b->contents[i].role;
        (void)snprintf(role, sizeof(role), "content-%s", b->contents[i].family);
        RW_TRY(
            server_online_put_role(&m->online, role, d->doc.version, rw_buf_span(&d->bytes), err));
    }
    return RW_OK;
}

RW_RC server_given_make(const struct server_init_settings *s, struct rw_err *err)
{
    RW_AUTO(key) struct key snapshot = {.scheme = KEY_UNKNOWN};
    RW_AUTO(key) struct key timestamp = {.scheme = KEY_UNKNOWN};
    RW_AUTO(making) struct making m = {.s = s};
    const struct trust_bundle *b = s->trust;
    RW_TRY(load_of_root(s, "snapshot", &snapshot, err));
    RW_TRY(load_of_root(s, "timestamp", &timestamp, err));
    RW_TRY(server_online_begin(s->dir, s->now, b->root.doc.expires, &m.online, err));
    RW_TRY(
        server_online_put_root(&m.online, b->root.doc.version, rw_buf_span(&b->root.bytes), err));
    RW_TRY(server_online_put_policy(&m.online, s->policy, err));
    RW_TRY(server_online_put_role(&m.online, "targets", b->targets.doc.version,
                                  rw_buf_span(&b->targets.bytes), err));
    RW_TRY(put_contents(&m, err));
    RW_TRY(trust_check_each(&b->targets.doc, "ring-", make_ring, &m, err));
    return server_online_seal(&m.online, &snapshot, &timestamp, err);
}
