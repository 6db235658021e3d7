#include "server/server_cmd.h"

#include "common/base/file.h"
#include "common/base/opt.h"
#include "common/crypto/key_public.h"
#include "common/policy/ring_policy.h"
#include "server/server_init_keys.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

struct keys_args {
    const char *dir;
    const char *policy;
    const char *fresh; /* --new */
    const char *out;
};

static RW_RC make_missing(const char *dir, const char *role, struct rw_err *err)
{
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    struct rw_rc rc = server_keys_load(dir, role, false, &k, err);
    return rc.code == RW_E_NOT_FOUND ? server_keys_make(dir, role, false, err) : rc;
}

/* Keys that the policy needs and that are not there yet; those that are there stay. */
static RW_RC make_for_policy(const struct keys_args *a, struct rw_err *err)
{
    char path[PATH_BYTES];
    struct ring_policy policy;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(rw_file_read(a->policy, RING_POLICY_BYTES_MAX, &text, err));
    if (!rw_is_ok(ring_policy_parse(rw_buf_span(&text), &policy, err))) {
        return rw_wrap(err, "policy '%s'", a->policy);
    }
    int n = snprintf(path, sizeof(path), "%s/signer", a->dir);
    if (n < 0 || n >= PATH_BYTES) { return rw_fail(err, RW_E_RANGE, "directory name too long"); }
    RW_TRY(rw_dir_make(a->dir, 0700, err));
    RW_TRY(rw_dir_make(path, 0700, err));
    RW_TRY(make_missing(a->dir, "snapshot", err));
    RW_TRY(make_missing(a->dir, "timestamp", err));
    for (size_t i = 0; i < policy.ring_count; i++) {
        char role[SERVER_KEYS_NAME_BYTES];
        (void)snprintf(role, sizeof(role), "ring-%s", policy.rings[i].name);
        RW_TRY(make_missing(a->dir, role, err));
    }
    return RW_OK;
}

/* A key that waits: it signs nothing before a ceremony has named it, and the one in use goes on until then. */
static RW_RC make_next(const struct keys_args *a, struct rw_err *err)
{
    const char *list = a->fresh;
    for (;;) {
        char role[SERVER_KEYS_NAME_BYTES];
        size_t n = strcspn(list, ",");
        RW_TRY(rw_span_to_str(role, sizeof(role), rw_span_of(list, n), "--new", err));
        struct rw_rc rc = server_keys_make(a->dir, role, true, err);
        if (rc.code == RW_E_EXISTS) {
            return rw_hint(err, "it waits for a ceremony; remove it if that one was given up");
        }
        RW_TRY(rc);
        if (list[n] == '\0') { return RW_OK; }
        list += n + 1;
    }
}

static RW_RC export_key(const char *out, const char *name, const struct key *k, struct rw_err *err)
{
    char path[PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(KEY_PUBLIC_BYTES_MAX);
    if (out == NULL) { return RW_OK; }
    int n = snprintf(path, sizeof(path), "%s/%s.pub", out, name);
    if (n < 0 || n >= PATH_BYTES) { return rw_fail(err, RW_E_RANGE, "directory name too long"); }
    RW_TRY(key_public_write(k, &text, err));
    RW_TRY(rw_buf_append_str(&text, "\n", err));
    return rw_file_replace(path, 0644, rw_buf_span(&text), err);
}

static RW_RC show_role(const struct keys_args *a, const char *role, bool next, struct rw_err *err)
{
    char name[SERVER_KEYS_NAME_BYTES + 8];
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    struct rw_rc rc = server_keys_load(a->dir, role, next, &k, err);
    if (rc.code == RW_E_NOT_FOUND && next) { return RW_OK; }
    RW_TRY(rc);
    (void)snprintf(name, sizeof(name), "%s%s", role, next ? ".next" : "");
    printf("%-24s %s\n", name, k.id);
    return export_key(a->out, name, &k, err);
}

static RW_RC run(const struct keys_args *a, struct rw_err *err)
{
    struct server_keys_roles roles;
    if (a->policy != NULL) { RW_TRY(make_for_policy(a, err)); }
    if (a->fresh != NULL) { RW_TRY(make_next(a, err)); }
    if (a->out != NULL) { RW_TRY(rw_dir_make(a->out, 0755, err)); }
    struct rw_rc rc = server_keys_list(a->dir, &roles, err);
    if (rc.code == RW_E_NOT_FOUND) {
        return rw_hint(err, "give --policy FILE to make the first keys: one per ring and two more");
    }
    RW_TRY(rc);
    for (size_t i = 0; i < roles.count; i++) {
        RW_TRY(show_role(a, roles.names[i], false, err));
        RW_TRY(show_role(a, roles.names[i], true, err));
    }
    return RW_OK;
}

RW_RC server_cmd_keys(int argc, char **argv, struct rw_err *err)
{
    struct keys_args a = {.dir = NULL};
    const struct opt opts[] = {
        {"dir", "DIR", "directory of the server (required)", &a.dir, NULL},
        {"policy", "FILE", "make the keys that this rings.json needs and that are missing",
         &a.policy, NULL},
        {"new", "ROLE,...", "make a key that waits for a rotation: snapshot, timestamp, ring-RING",
         &a.fresh, NULL},
        {"out", "DIR", "write the public halves there, ROLE.pub and ROLE.next.pub", &a.out, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-server keys",
        .usage = "",
        .about = "Shows the online keys of a server and makes new ones. Private halves stay in\n"
                 "DIR/signer; the public ones go into a ceremony.",
        .examples = "  ringward-server keys --dir prod --policy rings.json --out online\n"
                    "  ringward-server keys --dir prod --new timestamp,snapshot --out online\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    if (a.dir == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--dir is required"), "hint follows");
        return rw_hint(err, "try 'ringward-server keys --help'");
    }
    return run(&a, err);
}
