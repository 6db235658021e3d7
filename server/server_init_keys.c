#include "server/server_init_keys.h"

#include "common/base/file.h"
#include "common/policy/ring_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

static const char ending[] = ".key";
static const char next_ending[] = ".next.key";

/* "snapshot", "timestamp" or "ring-RING". */
static RW_RC check_role(const char *role, struct rw_err *err)
{
    static const char prefix[] = "ring-";
    struct rw_err unused;
    if (strcmp(role, "snapshot") == 0 || strcmp(role, "timestamp") == 0) { return RW_OK; }
    if (strncmp(role, prefix, sizeof(prefix) - 1) == 0 &&
        rw_is_ok(ring_policy_check_name(role + sizeof(prefix) - 1, "ring", &unused))) {
        return RW_OK;
    }
    return rw_fail(err, RW_E_USAGE, "'%.60s' is no online role: snapshot, timestamp or ring-RING",
                   role);
}

static RW_RC path_of(const char *dir, const char *role, bool next, char dst[static PATH_BYTES],
                     struct rw_err *err)
{
    int n = snprintf(dst, PATH_BYTES, "%s/signer/%s%s", dir, role, next ? next_ending : ending);
    if (n >= 0 && n < PATH_BYTES) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "directory name '%.60s...' is too long", dir);
}

RW_RC server_keys_load(const char *dir, const char *role, bool next, struct key *out,
                       struct rw_err *err)
{
    char path[PATH_BYTES];
    RW_TRY(path_of(dir, role, next, path, err));
    return key_load_private(path, NULL, out, err);
}

RW_RC server_keys_make(const char *dir, const char *role, bool next, struct rw_err *err)
{
    char path[PATH_BYTES];
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    RW_TRY(check_role(role, err));
    RW_TRY(path_of(dir, role, next, path, err));
    if (access(path, F_OK) == 0) {
        return rw_fail(err, RW_E_EXISTS, "'%s' exists; a key is never overwritten", path);
    }
    RW_TRY(key_generate(KEY_ED25519, &k, err));
    return key_save_private(&k, path, NULL, err);
}

static RW_RC add_role(void *ctx, const char *name, struct rw_err *err)
{
    struct server_keys_roles *r = ctx;
    char role[SERVER_KEYS_NAME_BYTES] = "";
    struct rw_err unused;
    size_t n = strlen(name);
    size_t tail = sizeof(ending) - 1;
    if (n <= tail || n - tail >= sizeof(role) || strcmp(name + n - tail, ending) != 0) {
        return RW_OK;
    }
    rw_copy(role, sizeof(role) - 1, name, n - tail);
    if (!rw_is_ok(check_role(role, &unused))) { return RW_OK; } /* "X.next" too */
    if (r->count == SERVER_KEYS_ROLES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d keys", SERVER_KEYS_ROLES_MAX);
    }
    rw_copy(r->names[r->count++], SERVER_KEYS_NAME_BYTES, role, sizeof(role));
    return RW_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

RW_RC server_keys_list(const char *dir, struct server_keys_roles *out, struct rw_err *err)
{
    char path[PATH_BYTES];
    RW_AUTO(rw_fd) rw_fd fd = -1;
    *out = (struct server_keys_roles){.count = 0};
    int n = snprintf(path, sizeof(path), "%s/signer", dir);
    if (n < 0 || n >= PATH_BYTES) { return rw_fail(err, RW_E_RANGE, "directory name too long"); }
    RW_TRY(rw_dir_open(path, &fd, err));
    RW_TRY(rw_dir_each(fd, add_role, out, err));
    qsort(out->names, out->count, sizeof(out->names[0]), compare);
    return RW_OK;
}
