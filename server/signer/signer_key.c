#include "server/signer/signer_key.h"

#include "common/policy/trust_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const endings[] = {".key", ".next.key"};

static RW_RC load(const struct signer *s, const char *role, const char *ending, struct key *out,
                  struct rw_err *err)
{
    char path[SIGNER_PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s%s", s->key_dir, role, ending);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return rw_fail(err, RW_E_RANGE, "the path of key '%.60s' is too long", role);
    }
    return key_load_private(path, NULL, out, err);
}

static bool names(const struct tuf_sigset_authority *a, const struct key *k)
{
    for (size_t i = 0; i < a->count; i++) {
        if (key_same_public(&a->keys[i], k)) { return true; }
    }
    return false;
}

/* *at_out: index of the ending. */
static RW_RC find(const struct signer *s, const struct tuf_sigset_authority *a, size_t *at_out,
                  struct key *out, struct rw_err *err)
{
    for (size_t i = 0; i < RW_LEN(endings); i++) {
        RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
        struct rw_rc rc = load(s, a->role, endings[i], &k, err);
        if (rc.code == RW_E_NOT_FOUND) { continue; }
        RW_TRY(rc);
        if (!names(a, &k)) { continue; }
        *at_out = i;
        *out = k;
        k.pkey = NULL; /* handed over */
        return RW_OK;
    }
    RW_IGNORE(signer_refuse(err, RW_E_NOT_FOUND, "key",
                            "neither %s.key nor %s.next.key is a key of role '%s'", a->role,
                            a->role, a->role),
              "hint");
    return rw_hint(err, "'ringward-server keys --new ROLE' makes one; a ceremony must name it");
}

RW_RC signer_key_of_root(const struct signer *s, const struct signer_view *v, const char *role,
                         struct key *out, struct rw_err *err)
{
    size_t unused = 0;
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_root(&v->root, role, &a, err));
    return find(s, &a, &unused, out, err);
}

RW_RC signer_key_of_delegation(const struct signer *s, const struct signer_view *v,
                               const char *role, struct key *out, struct rw_err *err)
{
    size_t unused = 0;
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_delegation(&v->targets, role, &a, err));
    return find(s, &a, &unused, out, err);
}

RW_RC signer_key_look(const struct signer *s, const char *role, struct rw_err *err)
{
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    struct rw_err unused;
    struct rw_rc rc = load(s, role, endings[0], &k, err);
    if (rc.code != RW_E_NOT_FOUND) { return rc; }
    return rw_is_ok(load(s, role, endings[1], &k, &unused)) ? RW_OK : rc;
}

/* --- after a rotation --- */
static RW_RC settle(struct signer *s, const struct tuf_sigset_authority *a, struct rw_err *err)
{
    size_t at = 0;
    char from[SIGNER_FLOOR_BYTES];
    char to[SIGNER_FLOOR_BYTES];
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    struct rw_rc rc = find(s, a, &at, &k, err);
    if (rc.code == RW_E_NOT_FOUND) { return RW_OK; } /* who needs the key to sign will tell */
    RW_TRY(rc);
    if (at == 0) { return RW_OK; }
    (void)snprintf(from, sizeof(from), "%s%s", a->role, endings[1]);
    (void)snprintf(to, sizeof(to), "%s%s", a->role, endings[0]);
    if (renameat(s->keys, from, s->keys, to) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "key file '%s'", from);
    }
    return rw_fd_sync(s->keys, "key directory", err);
}

struct settling {
    struct signer *s;
    const struct signer_view *v;
};

static RW_RC settle_ring(void *ctx, const char *ring, struct rw_err *err)
{
    const struct settling *job = ctx;
    char role[SIGNER_ROLE_BYTES];
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    (void)snprintf(role, sizeof(role), "ring-%s", ring);
    RW_TRY(tuf_sigset_of_delegation(&job->v->targets, role, &a, err));
    return settle(job->s, &a, err);
}

RW_RC signer_key_settle(struct signer *s, const struct signer_view *v, struct rw_err *err)
{
    static const char *const roles[] = {"snapshot", "timestamp"};
    struct settling job = {s, v};
    for (size_t i = 0; i < RW_LEN(roles); i++) {
        RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
        RW_TRY(tuf_sigset_of_root(&v->root, roles[i], &a, err));
        RW_TRY(settle(s, &a, err));
    }
    return trust_check_each(&v->targets, "ring-", settle_ring, &job, err);
}
