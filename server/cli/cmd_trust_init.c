#include "server/cli/cmd_trust.h"

#include "common/base/file.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_trust_file.h"
#include "server/cli/cmd_trust_plan.h"

#include <string.h>

enum { SPEC_BYTES_MAX = 64 * 1024, FILE_BYTES = 1024 };

struct spec {
    const char *path; /* of the file: other names in it are meant from its folder */
    json_tree tree;
    struct ring_policy policy;
    struct rw_wall content_expires;
};

static void spec_drop(struct spec *s)
{
    json_tree_drop(&s->tree);
}

static RW_RC beside(const struct spec *s, const char *name, char dst[static CMD_TRUST_PATH_BYTES],
                    struct rw_err *err)
{
    const char *slash = strrchr(s->path, '/');
    int n = name[0] == '/' || slash == NULL ? snprintf(dst, CMD_TRUST_PATH_BYTES, "%s", name)
                                            : snprintf(dst, CMD_TRUST_PATH_BYTES, "%.*s/%s",
                                                       (int)(slash - s->path), s->path, name);
    if (n >= 0 && n < CMD_TRUST_PATH_BYTES) { return RW_OK; }
    return rw_fail(err, RW_E_RANGE, "the path of '%.60s' is too long", name);
}

/* {"threshold":N,"keys":[FILE,...]} */
static RW_RC take_role(const struct spec *s, const struct json *v, struct tuf_sigset_authority *a,
                       struct rw_err *err)
{
    static const char *const members[] = {"threshold", "keys"};
    const struct json *keys = NULL;
    if (json_type(v) != JSON_OBJECT) {
        return rw_fail(err, RW_E_SCHEMA, "line %u: a role is an object", json_line(v));
    }
    RW_TRY(json_only(v, members, RW_LEN(members), err));
    RW_TRY(json_get_int(v, "threshold", 1, TUF_KEYS_MAX, &a->threshold, err));
    RW_TRY(json_get(v, "keys", JSON_ARRAY, &keys, err));
    for (const struct json *k = json_first(keys); k != NULL; k = json_next(k)) {
        char name[FILE_BYTES];
        char path[CMD_TRUST_PATH_BYTES];
        if (json_type(k) != JSON_STR) {
            return rw_fail(err, RW_E_SCHEMA, "line %u: a key is the name of a file", json_line(k));
        }
        RW_TRY(rw_span_to_str(name, sizeof(name), json_str(k), "key file", err));
        RW_TRY(beside(s, name, path, err));
        RW_TRY(cmd_trust_plan_add_key(a, path, err));
    }
    return RW_OK;
}

static RW_RC take_people(const struct spec *s, struct cmd_trust_plan *p, struct rw_err *err)
{
    static const char *const tops[] = {"root", "targets"};
    const struct json *v = NULL;
    for (size_t i = 0; i < RW_LEN(tops); i++) {
        RW_TRY(json_get(s->tree, tops[i], JSON_OBJECT, &v, err));
        if (!rw_is_ok(take_role(s, v, cmd_trust_plan_find(p, tops[i]), err))) {
            return rw_wrap(err, "role '%s'", tops[i]);
        }
    }
    v = json_find(s->tree, "expedite");
    if (v != NULL) {
        struct tuf_sigset_authority *a = NULL;
        RW_TRY(cmd_trust_plan_role(p, "expedite", &a, err));
        if (!rw_is_ok(take_role(s, v, a, err))) { return rw_wrap(err, "role 'expedite'"); }
    }
    RW_TRY(json_get(s->tree, "families", JSON_OBJECT, &v, err));
    if (json_first(v) == NULL) { return rw_fail(err, RW_E_SCHEMA, "'families' is empty"); }
    for (const struct json *f = json_first(v); f != NULL; f = json_next(f)) {
        char role[CMD_TRUST_NAME_BYTES];
        struct rw_span name = json_name(f);
        struct tuf_sigset_authority *a = NULL;
        (void)snprintf(role, sizeof(role), "content-%.*s", (int)(name.n < 40 ? name.n : 40),
                       (const char *)name.p);
        RW_TRY(cmd_trust_plan_role(p, role, &a, err));
        if (!rw_is_ok(take_role(s, f, a, err))) { return rw_wrap(err, "role '%s'", role); }
    }
    return RW_OK;
}

static RW_RC take_online_key(const struct spec *s, const char *folder, const char *role,
                             struct tuf_sigset_authority *a, struct rw_err *err)
{
    char name[FILE_BYTES + CMD_TRUST_NAME_BYTES];
    char path[CMD_TRUST_PATH_BYTES];
    (void)snprintf(name, sizeof(name), "%s/%s.pub", folder, role);
    RW_TRY(beside(s, name, path, err));
    if (rw_is_ok(cmd_trust_plan_add_key(a, path, err))) { return RW_OK; }
    return rw_hint(err, "'ringward-server keys --policy FILE --out DIR' writes the online keys");
}

/* Public halves that the server exported: one key for snapshot, for timestamp, for each ring of the policy. */
static RW_RC take_online(const struct spec *s, struct cmd_trust_plan *p, struct rw_err *err)
{
    static const char *const tops[] = {"snapshot", "timestamp"};
    char folder[FILE_BYTES];
    RW_TRY(json_get_str(s->tree, "online", folder, sizeof(folder), err));
    for (size_t i = 0; i < RW_LEN(tops); i++) {
        RW_TRY(take_online_key(s, folder, tops[i], cmd_trust_plan_find(p, tops[i]), err));
    }
    for (size_t i = 0; i < s->policy.ring_count; i++) {
        char role[CMD_TRUST_NAME_BYTES];
        struct tuf_sigset_authority *a = NULL;
        (void)snprintf(role, sizeof(role), "ring-%s", s->policy.rings[i].name);
        RW_TRY(cmd_trust_plan_role(p, role, &a, err));
        RW_TRY(take_online_key(s, folder, role, a, err));
    }
    return RW_OK;
}

static RW_RC take_policy(struct spec *s, struct cmd_trust_plan *p, struct rw_err *err)
{
    char name[FILE_BYTES];
    char path[CMD_TRUST_PATH_BYTES];
    RW_TRY(json_get_str(s->tree, "policy", name, sizeof(name), err));
    RW_TRY(beside(s, name, path, err));
    RW_TRY(rw_file_read(path, RING_POLICY_BYTES_MAX, &p->policy, err));
    if (rw_is_ok(ring_policy_parse(rw_buf_span(&p->policy), &s->policy, err))) { return RW_OK; }
    return rw_wrap(err, "policy '%s'", path);
}

static RW_RC take_time(const struct json *v, const char *name, struct rw_wall *out,
                       struct rw_err *err)
{
    struct rw_span text;
    RW_TRY(json_get_span(v, name, &text, err));
    return rw_wall_parse(text, name, out, err);
}

/* Full times, not lives: two machines must make the same bytes, whenever they do it. */
static RW_RC take_expires(struct spec *s, struct cmd_trust_plan *p, struct rw_err *err)
{
    static const char *const members[] = {"root", "targets", "content"};
    const struct json *v = NULL;
    RW_TRY(json_get(s->tree, "expires", JSON_OBJECT, &v, err));
    RW_TRY(json_only(v, members, RW_LEN(members), err));
    if (json_find(s->tree, "made") != NULL) { RW_TRY(take_time(s->tree, "made", &p->made, err)); }
    RW_TRY(take_time(v, "root", &p->root_expires, err));
    RW_TRY(take_time(v, "targets", &p->targets_expires, err));
    return take_time(v, "content", &s->content_expires, err);
}

static RW_RC read_spec(struct spec *s, struct cmd_trust_plan *p, struct rw_err *err)
{
    static const char *const members[] = {"format", "root",   "targets", "families", "expedite",
                                          "online", "policy", "made",    "expires"};
    int64_t format = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(SPEC_BYTES_MAX);
    RW_TRY(rw_file_read(s->path, SPEC_BYTES_MAX, &text, err));
    RW_TRY(json_parse(rw_buf_span(&text), &json_limits_small, &s->tree, err));
    if (json_type(s->tree) != JSON_OBJECT) {
        return rw_fail(err, RW_E_SCHEMA, "it is no JSON object");
    }
    RW_TRY(json_get_int(s->tree, "format", 1, 1, &format, err));
    RW_TRY(json_only(s->tree, members, RW_LEN(members), err));
    RW_TRY(take_policy(s, p, err));
    RW_TRY(take_people(s, p, err));
    RW_TRY(take_online(s, p, err));
    return take_expires(s, p, err);
}

/* --- writing --- */
struct output {
    const char *dir;
    const struct spec *spec;
    const struct tuf_doc *root;
    struct rw_wall made;
};

static RW_RC write_content(void *ctx, const char *family, struct rw_err *err)
{
    const struct output *o = ctx;
    char role[CMD_TRUST_NAME_BYTES];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX);
    (void)snprintf(role, sizeof(role), "content-%s", family);
    RW_TRY(trust_check_outlives(o->root, role, o->spec->content_expires, err));
    RW_TRY(cmd_trust_plan_write_content(
        NULL, (struct tuf_make_life){o->made, o->spec->content_expires}, &text, err));
    return cmd_trust_file_write(o->dir, role, rw_buf_span(&text), err);
}

static RW_RC write_all(const char *dir, const struct spec *s, const struct cmd_trust_plan *p,
                       struct rw_err *err)
{
    char path[CMD_TRUST_PATH_BYTES];
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf targets = rw_buf_make(CMD_TRUST_DOC_BYTES_MAX);
    RW_AUTO(tuf_doc) struct tuf_doc root_doc = {0};
    RW_AUTO(tuf_doc) struct tuf_doc targets_doc = {0};
    RW_TRY(cmd_trust_plan_write_root(p, &root, err));
    RW_TRY(cmd_trust_plan_parse(rw_buf_span(&root), "root", &root_doc, err));
    RW_TRY(cmd_trust_plan_write_targets(p, &targets, err));
    RW_TRY(cmd_trust_plan_parse(rw_buf_span(&targets), "targets", &targets_doc, err));
    RW_TRY(trust_check_targets(&root_doc, &targets_doc, &s->policy, err));
    RW_TRY(cmd_trust_file_write(dir, "root", rw_buf_span(&root), err));
    RW_TRY(cmd_trust_file_write(dir, "targets", rw_buf_span(&targets), err));
    struct output o = {dir, s, &root_doc, p->made};
    RW_TRY(trust_check_each(&targets_doc, "content-", write_content, &o, err));
    int n = snprintf(path, sizeof(path), "%s/rings.json", dir);
    if (n < 0 || n >= CMD_TRUST_PATH_BYTES) { return rw_fail(err, RW_E_RANGE, "path too long"); }
    return rw_file_replace(path, 0644, rw_buf_span(&p->policy), err);
}

RW_RC cmd_trust_init(int argc, char **argv, struct rw_err *err)
{
    const char *out = NULL;
    RW_AUTO(spec) struct spec s = {.path = NULL};
    RW_AUTO(cmd_trust_plan) struct cmd_trust_plan plan = {.delegated = NULL};
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        {"spec", "FILE", "the reviewed text file: roles, keys, thresholds, ends (required)",
         &s.path, NULL},
        {"out", "DIR", "folder for the unsigned documents (required)", &out, NULL},
    };
    const struct opt_command command = {
        .program = "ringward trust init",
        .usage = "",
        .about =
            "Builds the first root, targets and content roles, unsigned, from a text file that\n"
            "several people have reviewed, and prints the SHA-256 of what will be signed.\n"
            "Every machine that does this with the same file must print the same hashes.",
        .examples = "  ringward trust init --spec ceremony.json --out ceremony\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    if (s.path == NULL || out == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--spec FILE and --out DIR are required"), "hint");
        return rw_hint(err,
                       "try 'ringward trust init --help'; docs/trust.md tells what a spec holds");
    }
    RW_TRY(cmd_trust_plan_begin(&plan, err));
    if (!rw_is_ok(read_spec(&s, &plan, err))) { return rw_wrap(err, "'%s'", s.path); }
    RW_TRY(write_all(out, &s, &plan, err));
    return cli_view_flush(err);
}
