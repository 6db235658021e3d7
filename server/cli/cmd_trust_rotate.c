#include "server/cli/cmd_trust.h"

#include "common/base/file.h"
#include "server/cli/cli_repo.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_trust_file.h"
#include "server/cli/cmd_trust_plan.h"

#include <string.h>
#include <unistd.h>

enum {
    DAY_S = 86400,
    ROOT_DAYS = 365,
    TARGETS_DAYS = 180,
    CONTENT_DAYS = 14,
    LIFE_DAYS_MAX = 3650
};
enum { ITEM_BYTES = 1024, KEYID_PREFIX_MIN = 8, CONTENTS_MAX = 16 };

struct rotate_args {
    const char *roles;
    const char *add;
    const char *remove;
    const char *threshold;
    const char *keys;
    const char *policy;
    const char *expires;
    const char *out;
    const char *root_file;
    struct cli_view_args view;
};

/* What the change touches. */
struct rotation {
    const struct rotate_args *a;
    struct cli_repo repo;
    struct cmd_trust_plan plan;
    bool root;
    bool targets;
    char contents[CONTENTS_MAX][CMD_TRUST_NAME_BYTES]; /* roles to be signed anew */
    size_t content_count;
    struct rw_wall now;
    struct rw_wall expires; /* s 0: by default */
};

static void rotation_drop(struct rotation *r)
{
    cli_repo_drop(&r->repo);
    cmd_trust_plan_drop(&r->plan);
}

/* Calls `each` for every item of "a,b,c"; NULL has none. */
static RW_RC each_item(const char *list,
                       RW_RC (*each)(void *ctx, const char *item, struct rw_err *err), void *ctx,
                       struct rw_err *err)
{
    while (list != NULL) {
        char item[ITEM_BYTES];
        size_t n = strcspn(list, ",");
        RW_TRY(rw_span_to_str(item, sizeof(item), rw_span_of(list, n), "list", err));
        RW_TRY(each(ctx, item, err));
        list = list[n] == '\0' ? NULL : list + n + 1;
    }
    return RW_OK;
}

static bool changes_people(const struct rotate_args *a)
{
    return a->add != NULL || a->remove != NULL || a->threshold != NULL;
}

/* --- keys of people --- */
static RW_RC add_key(void *ctx, const char *file, struct rw_err *err)
{
    struct tuf_sigset_authority *role = ctx;
    return cmd_trust_plan_add_key(role, file, err);
}

static RW_RC remove_key(void *ctx, const char *id, struct rw_err *err)
{
    struct tuf_sigset_authority *role = ctx;
    size_t n = strlen(id);
    if (n < KEYID_PREFIX_MIN || n >= DIGEST_HEX_BYTES) {
        return rw_fail(err, RW_E_USAGE, "--remove wants key ids or their first %d digits and more",
                       KEYID_PREFIX_MIN);
    }
    for (size_t i = 0; i < role->count; i++) {
        if (strncmp(role->keys[i].id, id, n) != 0) { continue; }
        key_drop(&role->keys[i]);
        for (size_t k = i + 1; k < role->count; k++) {
            role->keys[k - 1] = role->keys[k];
        }
        role->count--;
        return RW_OK;
    }
    return rw_fail(err, RW_E_NOT_FOUND, "role '%s' has no key %s", role->role, id);
}

static RW_RC change_people(const struct rotate_args *a, struct tuf_sigset_authority *role,
                           struct rw_err *err)
{
    RW_TRY(each_item(a->remove, remove_key, role, err));
    RW_TRY(each_item(a->add, add_key, role, err));
    if (a->threshold == NULL) { return RW_OK; }
    return rw_parse_i64(rw_span_str(a->threshold), 1, TUF_KEYS_MAX, "--threshold", &role->threshold,
                        err);
}

/* --- online keys --- */

/* The key that waits on the server, else the one in use: a server that was built anew has no other. */
static RW_RC change_online(const struct rotate_args *a, struct tuf_sigset_authority *role,
                           struct rw_err *err)
{
    char path[CMD_TRUST_PATH_BYTES];
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority had = {.count = 0};
    if (a->keys == NULL) {
        RW_IGNORE(
            rw_fail(err, RW_E_USAGE, "role '%s' is online: --keys DIR is required", role->role),
            "hint");
        return rw_hint(err, "'ringward-server keys --new %s --out DIR' makes key and folder",
                       role->role);
    }
    (void)snprintf(path, sizeof(path), "%s/%s.next.pub", a->keys, role->role);
    if (access(path, F_OK) != 0) {
        (void)snprintf(path, sizeof(path), "%s/%s.pub", a->keys, role->role);
    }
    had = *role;
    role->count = 0;
    RW_TRY(cmd_trust_plan_add_key(role, path, err));
    if (!trust_check_shares_key(&had, role)) { return RW_OK; }
    return rw_fail(err, RW_E_EXISTS, "'%s' is the key of role '%s' already", path, role->role);
}

/* --- roles --- */
static RW_RC sign_anew(struct rotation *r, const char *role, struct rw_err *err)
{
    if (r->content_count == CONTENTS_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "more than %d content roles at once", CONTENTS_MAX);
    }
    rw_copy(r->contents[r->content_count++], CMD_TRUST_NAME_BYTES, role, strlen(role) + 1);
    return RW_OK;
}

static RW_RC touch_role(void *ctx, const char *name, struct rw_err *err)
{
    struct rotation *r = ctx;
    const struct rotate_args *a = r->a;
    struct tuf_sigset_authority *role = NULL;
    RW_TRY(cmd_trust_plan_role(&r->plan, name, &role, err));
    if (strcmp(name, "snapshot") == 0 || strcmp(name, "timestamp") == 0) {
        r->root = true;
        return change_online(a, role, err);
    }
    if (strncmp(name, "ring-", 5) == 0) {
        r->targets = true;
        return change_online(a, role, err);
    }
    if (changes_people(a)) { RW_TRY(change_people(a, role, err)); }
    if (strcmp(name, "root") == 0) {
        r->root = true;
    } else if (strcmp(name, "targets") == 0) {
        r->targets = true;
        r->root = r->root || changes_people(a);
    } else if (strcmp(name, "expedite") == 0) {
        r->targets = true; /* its own documents come with each expedite */
    } else {
        r->targets = r->targets || changes_people(a);
        RW_TRY(sign_anew(r, name, err));
    }
    return RW_OK;
}

struct naming {
    size_t people;
};

static RW_RC count_people(void *ctx, const char *name, struct rw_err *err)
{
    struct naming *n = ctx;
    (void)err;
    bool online = strcmp(name, "snapshot") == 0 || strcmp(name, "timestamp") == 0 ||
                  strncmp(name, "ring-", 5) == 0;
    n->people += online ? 0 : 1;
    return RW_OK;
}

static RW_RC take_policy(struct rotation *r, struct rw_err *err)
{
    struct ring_policy unused;
    if (r->a->policy == NULL) { return RW_OK; }
    RW_TRY(rw_file_read(r->a->policy, RING_POLICY_BYTES_MAX, &r->plan.policy, err));
    r->targets = true;
    if (rw_is_ok(ring_policy_parse(rw_buf_span(&r->plan.policy), &unused, err))) { return RW_OK; }
    return rw_wrap(err, "policy '%s'", r->a->policy);
}

static RW_RC take_expires(struct rotation *r, struct rw_err *err)
{
    int64_t life_s = 0;
    struct rw_err unused;
    if (r->a->expires == NULL) { return RW_OK; }
    struct rw_span text = rw_span_str(r->a->expires);
    if (rw_is_ok(rw_wall_parse(text, "--expires", &r->expires, &unused))) { return RW_OK; }
    RW_TRY(rw_parse_duration_s(text, (int64_t)LIFE_DAYS_MAX * DAY_S, "--expires", &life_s, err));
    r->expires.s = r->now.s + life_s;
    return RW_OK;
}

/* --- writing --- */

/* Nothing lives longer than the root that it hangs on. */
static struct rw_wall end_of(const struct rotation *r, int64_t days)
{
    struct rw_wall end = {r->now.s + days * DAY_S};
    if (r->expires.s > 0) { return r->expires; }
    return end.s < r->plan.root_expires.s ? end : r->plan.root_expires;
}

static RW_RC write_root(struct rotation *r, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX);
    if (!r->root) { return RW_OK; }
    r->plan.root_version++;
    r->plan.root_expires =
        r->expires.s > 0 ? r->expires : (struct rw_wall){r->now.s + (int64_t)ROOT_DAYS * DAY_S};
    RW_TRY(cmd_trust_plan_write_root(&r->plan, &text, err));
    return cmd_trust_file_write(r->a->out, "root", rw_buf_span(&text), err);
}

static RW_RC write_targets(struct rotation *r, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX);
    char path[CMD_TRUST_PATH_BYTES];
    if (!r->targets) { return RW_OK; }
    r->plan.targets_version++;
    r->plan.targets_expires = end_of(r, TARGETS_DAYS);
    RW_TRY(cmd_trust_plan_write_targets(&r->plan, &text, err));
    RW_TRY(cmd_trust_file_write(r->a->out, "targets", rw_buf_span(&text), err));
    if (r->plan.policy.n == 0) { return RW_OK; }
    int n = snprintf(path, sizeof(path), "%s/rings.json", r->a->out);
    if (n < 0 || n >= CMD_TRUST_PATH_BYTES) { return rw_fail(err, RW_E_RANGE, "path too long"); }
    return rw_file_replace(path, 0644, rw_buf_span(&r->plan.policy), err);
}

static RW_RC write_content(struct rotation *r, const char *role, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX);
    RW_AUTO(tuf_doc) struct tuf_doc had = {0};
    struct rw_rc rc = cli_repo_doc(&r->repo, role, &had, err);
    if (!rw_is_ok(rc) && rc.code != RW_E_TUF_ROLE) { return rc; } /* a new family has none */
    RW_TRY(cmd_trust_plan_write_content(
        &had, (struct tuf_make_life){r->now, end_of(r, CONTENT_DAYS)}, &text, err));
    return cmd_trust_file_write(r->a->out, role, rw_buf_span(&text), err);
}

static RW_RC rotate(struct rotation *r, struct rw_err *err)
{
    RW_AUTO(tuf_doc) struct tuf_doc root = {0};
    RW_AUTO(tuf_doc) struct tuf_doc targets = {0};
    RW_TRY(cli_repo_refresh(&r->repo, err));
    RW_TRY(cli_repo_doc(&r->repo, "root", &root, err));
    RW_TRY(cli_repo_doc(&r->repo, "targets", &targets, err));
    RW_TRY(cmd_trust_plan_begin(&r->plan, err));
    RW_TRY(cmd_trust_plan_take(&r->plan, &root, &targets, err));
    r->plan.made = r->now;
    RW_TRY(take_expires(r, err));
    RW_TRY(each_item(r->a->roles, touch_role, r, err));
    RW_TRY(take_policy(r, err));
    RW_TRY(write_root(r, err));
    RW_TRY(write_targets(r, err));
    for (size_t i = 0; i < r->content_count; i++) {
        RW_TRY(write_content(r, r->contents[i], err));
    }
    return cli_view_flush(err);
}

static RW_RC require(const struct rotate_args *a, struct rw_err *err)
{
    struct naming n = {0};
    if ((a->roles == NULL && a->policy == NULL) || a->out == NULL) {
        RW_IGNORE(
            rw_fail(err, RW_E_USAGE, "--role ROLE or --policy FILE, and --out DIR are required"),
            "hint");
        return rw_hint(err, "try 'ringward trust rotate --help'");
    }
    RW_TRY(each_item(a->roles, count_people, &n, err));
    if (!changes_people(a) || n.people == 1) { return RW_OK; }
    return rw_fail(err, RW_E_USAGE,
                   "--add, --remove and --threshold want exactly one role of people");
}

static RW_RC run(const struct rotate_args *a, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(rotation)
    struct rotation r = {.a = a, .repo = {.dir = -1}, .now = rw_clock_wall(&clock)};
    RW_TRY(require(a, err));
    RW_TRY(cli_api_open(a->view.profile, &api, err));
    RW_TRY(cli_repo_open(api, a->root_file, &r.repo, err));
    return rotate(&r, err);
}

RW_RC cmd_trust_rotate(int argc, char **argv, struct rw_err *err)
{
    struct rotate_args a = {.roles = NULL};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(a.view.profile),
        {"role", "ROLE,...",
         "root, targets, snapshot, timestamp, content-FAMILY, ring-RING, expedite", &a.roles, NULL},
        {"add", "FILE,...", "public keys of people that the role gains", &a.add, NULL},
        {"remove", "KEYID,...", "keys of people that the role loses", &a.remove, NULL},
        {"threshold", "N", "how many of its people must sign from now on", &a.threshold, NULL},
        {"keys", "DIR", "public halves of online keys, by 'ringward-server keys --out'", &a.keys,
         NULL},
        {"policy", "FILE", "another rings.json", &a.policy, NULL},
        {"expires", "TIME", "end of the new documents: a time, or a life like 180d", &a.expires,
         NULL},
        {"out", "DIR", "folder for the unsigned documents (required)", &a.out, NULL},
        {"root", "FILE", "trusted root (default: root.json beside the profile)", &a.root_file,
         NULL},
    };
    const struct opt_command command = {
        .program = "ringward trust rotate",
        .usage = "",
        .about =
            "Prepares the next root, targets or content roles from those that are published:\n"
            "with other keys, another threshold, another policy, or just a later end. People\n"
            "sign them ('trust sign'), 'trust publish' sends them. For the weekly renewal of a\n"
            "content role by the same engineers 'ringward release renew FAMILY' is simpler.",
        .examples = "  ringward trust rotate --role root --out next\n"
                    "  ringward trust rotate --role timestamp,snapshot --keys online --out next\n"
                    "  ringward trust rotate --role content-yara --remove 1a2b3c4d --out next\n"
                    "  ringward trust rotate --policy rings.json --out next\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &a.view, err));
    return a.view.help_shown ? RW_OK : run(&a, err);
}
