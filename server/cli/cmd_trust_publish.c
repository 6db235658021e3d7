/* `trust assemble` and `trust publish`: the same checks as the signer's, before anything leaves the machine. */
#include "server/cli/cmd_trust.h"

#include "common/base/file.h"
#include "common/json/json_write.h"
#include "server/cli/cli_repo.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_trust_file.h"

#include <string.h>

enum { BODY_BYTES_MAX = 4 * 1024 * 1024 };

/* What is published, and what will be in force afterwards. */
struct publication {
    struct cli_repo repo;
    struct trust_bundle bundle;
    struct tuf_doc root;
    struct tuf_doc targets;
    struct ring_policy policy;
    struct rw_wall now;
};

static void publication_drop(struct publication *p)
{
    cli_repo_drop(&p->repo);
    trust_bundle_drop(&p->bundle);
    tuf_doc_drop(&p->root);
    tuf_doc_drop(&p->targets);
}

static RW_RC check_votes(const struct tuf_doc *root, const char *role, const struct tuf_doc *doc,
                         struct rw_err *err)
{
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_root(root, role, &a, err));
    if (rw_is_ok(tuf_sigset_check(doc, &a, NULL, err))) { return RW_OK; }
    return rw_hint(err, "'ringward trust show DIR' tells whose signatures are there");
}

static RW_RC check_next(const char *role, int64_t had, const struct tuf_doc *doc,
                        struct rw_wall now, struct rw_err *err)
{
    if (doc->version != had + 1) {
        return rw_fail(err, RW_E_TUF_VERSION, "%s version %lld cannot follow %lld", role,
                       (long long)doc->version, (long long)had);
    }
    if (doc->expires.s > now.s) { return RW_OK; }
    return rw_fail(err, RW_E_TUF_EXPIRED, "%s has expired already", role);
}

static RW_RC check_root(const struct publication *p, struct rw_err *err)
{
    const struct tuf_doc *next = &p->bundle.root.doc;
    if (next->tree == NULL) { return RW_OK; }
    RW_TRY(check_next("root", p->root.version, next, p->now, err));
    if (!rw_is_ok(check_votes(&p->root, "root", next, err))) {
        return rw_wrap(err, "by the keys of the published root");
    }
    if (!rw_is_ok(check_votes(next, "root", next, err))) {
        return rw_wrap(err, "by the keys of the new root");
    }
    return trust_check_root(next, err);
}

static const struct tuf_doc *root_after(const struct publication *p)
{
    return p->bundle.root.doc.tree != NULL ? &p->bundle.root.doc : &p->root;
}

static const struct tuf_doc *targets_after(const struct publication *p)
{
    return p->bundle.targets.doc.tree != NULL ? &p->bundle.targets.doc : &p->targets;
}

/* The policy file of the folder, or the published one when targets go on listing it. */
static RW_RC take_policy(struct publication *p, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    struct rw_span policy = rw_buf_span(&p->bundle.policy);
    if (policy.n == 0) {
        RW_TRY(cli_api_download(p->repo.api, "/v1/policy", RING_POLICY_BYTES_MAX, &text, err));
        policy = rw_buf_span(&text);
    }
    return trust_bundle_check_policy(targets_after(p), policy, &p->policy, err);
}

static RW_RC check_targets(struct publication *p, struct rw_err *err)
{
    const struct tuf_doc *next = &p->bundle.targets.doc;
    if (next->tree != NULL) {
        RW_TRY(check_next("targets", p->targets.version, next, p->now, err));
    }
    RW_TRY(check_votes(root_after(p), "targets", targets_after(p), err));
    RW_TRY(take_policy(p, err));
    return trust_check_targets(root_after(p), targets_after(p), &p->policy, err);
}

static RW_RC check_content(struct publication *p, size_t at, struct rw_err *err)
{
    char role[CMD_TRUST_NAME_BYTES];
    const struct tuf_doc *next = &p->bundle.contents[at].role.doc;
    RW_AUTO(tuf_doc) struct tuf_doc had = {0};
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    (void)snprintf(role, sizeof(role), "content-%s", p->bundle.contents[at].family);
    struct rw_rc rc = cli_repo_doc(&p->repo, role, &had, err);
    if (!rw_is_ok(rc) && rc.code != RW_E_TUF_ROLE) { return rc; }
    RW_TRY(check_next(role, had.tree == NULL ? 0 : had.version, next, p->now, err));
    RW_TRY(tuf_sigset_of_delegation(targets_after(p), role, &a, err));
    if (!rw_is_ok(tuf_sigset_check(next, &a, NULL, err))) {
        return rw_hint(err, "'ringward trust show DIR' tells whose signatures are there");
    }
    return trust_check_outlives(root_after(p), role, next->expires, err);
}

static RW_RC check_all(struct publication *p, struct rw_err *err)
{
    RW_TRY(cli_repo_refresh(&p->repo, err));
    RW_TRY(cli_repo_doc(&p->repo, "root", &p->root, err));
    RW_TRY(cli_repo_doc(&p->repo, "targets", &p->targets, err));
    RW_TRY(check_root(p, err));
    RW_TRY(check_targets(p, err));
    for (size_t i = 0; i < p->bundle.content_count; i++) {
        RW_TRY(check_content(p, i, err));
    }
    return RW_OK;
}

static RW_RC write_body(const struct trust_bundle *b, struct rw_buf *into, struct rw_err *err)
{
    struct json_writer w = json_begin(into);
    json_open_object(&w, NULL);
    if (b->root.doc.tree != NULL) { json_put_raw(&w, "root", rw_buf_span(&b->root.bytes)); }
    if (b->targets.doc.tree != NULL) {
        json_put_raw(&w, "targets", rw_buf_span(&b->targets.bytes));
        if (b->policy.n > 0) { json_put_span(&w, "policy", rw_buf_span(&b->policy)); }
    }
    if (b->content_count > 0) {
        json_open_object(&w, "content");
        for (size_t i = 0; i < b->content_count; i++) {
            json_put_raw(&w, b->contents[i].family, rw_buf_span(&b->contents[i].role.bytes));
        }
        json_close_object(&w);
    }
    json_close_object(&w);
    return json_done(&w, err);
}

static const char *path_for(const struct trust_bundle *b)
{
    return b->root.doc.tree != NULL      ? "/v1/trust/root"
           : b->targets.doc.tree != NULL ? "/v1/trust/targets"
                                         : "/v1/trust/content";
}

static void print_roles(const struct json *answer)
{
    const struct json *roles = json_find(answer, "roles");
    for (const struct json *r = roles == NULL ? NULL : json_first(roles); r != NULL;
         r = json_next(r)) {
        char role[CMD_TRUST_NAME_BYTES];
        char until[CMD_TRUST_NAME_BYTES];
        printf("%-20s version %-6lld until %s\n", cli_view_str(r, "role", role, sizeof(role)),
               (long long)cli_view_int(r, "version", 0),
               cli_view_str(r, "expires", until, sizeof(until)));
    }
}

struct publish_args {
    const char *root_file;
    struct cli_view_args view;
};

static RW_RC publish(const struct publish_args *a, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(publication) struct publication p = {.repo = {.dir = -1}, .now = rw_clock_wall(&clock)};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cmd_trust_file_gather(a->view.operands[0], &p.bundle, err));
    RW_TRY(cli_api_open(a->view.profile, &api, err));
    RW_TRY(cli_repo_open(api, a->root_file, &p.repo, err));
    if (!rw_is_ok(check_all(&p, err))) { return rw_wrap(err, "nothing was sent"); }
    RW_TRY(write_body(&p.bundle, &body, err));
    RW_TRY(cli_api_post(api, path_for(&p.bundle), rw_buf_span(&body), &answer, err));
    if (a->view.format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    printf("published; now in force:\n");
    print_roles(answer);
    return cli_view_flush(err);
}

RW_RC cmd_trust_publish(int argc, char **argv, struct rw_err *err)
{
    struct publish_args a = {.root_file = NULL};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(a.view.profile),
        CLI_OPT_OUTPUT(a.view.output),
        {"root", "FILE", "trusted root (default: root.json beside the profile)", &a.root_file,
         NULL},
    };
    const struct opt_command command = {
        .program = "ringward trust publish",
        .usage = "DIR",
        .about = "Puts the documents of a folder and their signatures together, checks versions,\n"
                 "thresholds and what they say against what is published, and sends them. The\n"
                 "server's signer checks all of it again, then signs what depends on it.",
        .examples = "  ringward trust publish rotation-2027-03\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &a.view, err));
    return a.view.help_shown ? RW_OK : publish(&a, err);
}

/* --- assemble --- */
static RW_RC put(const char *dir, const char *name, struct rw_span bytes, struct rw_err *err)
{
    char path[CMD_TRUST_PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s.json", dir, name);
    if (n < 0 || n >= CMD_TRUST_PATH_BYTES) { return rw_fail(err, RW_E_RANGE, "path too long"); }
    return rw_file_replace(path, 0644, bytes, err);
}

static RW_RC assemble(const char *dir, const char *out, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(trust_bundle) struct trust_bundle b = {.content_count = 0};
    RW_TRY(cmd_trust_file_gather(dir, &b, err));
    if (!rw_is_ok(trust_bundle_check_first(&b, rw_clock_wall(&clock), err))) {
        return rw_wrap(err, "nothing was written");
    }
    RW_TRY(rw_dir_make(out, 0755, err));
    RW_TRY(put(out, "root", rw_buf_span(&b.root.bytes), err));
    RW_TRY(put(out, "targets", rw_buf_span(&b.targets.bytes), err));
    for (size_t i = 0; i < b.content_count; i++) {
        char role[CMD_TRUST_NAME_BYTES];
        (void)snprintf(role, sizeof(role), "content-%s", b.contents[i].family);
        RW_TRY(put(out, role, rw_buf_span(&b.contents[i].role.bytes), err));
    }
    RW_TRY(put(out, "rings", rw_buf_span(&b.policy), err));
    printf("complete: ringward-server init --dir DIR --trust %s\n", out);
    return cli_view_flush(err);
}

RW_RC cmd_trust_assemble(int argc, char **argv, struct rw_err *err)
{
    const char *out = NULL;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        {"out", "DIR", "folder for the signed documents (required)", &out, NULL},
    };
    const struct opt_command command = {
        .program = "ringward trust assemble",
        .usage = "DIR",
        .about = "Puts the documents of a first ceremony and their signatures together. Refuses\n"
                 "while a threshold is not reached or something does not fit.",
        .examples = "  ringward trust assemble ceremony --out signed\n"
                    "  ringward-server init --dir prod --trust signed\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_need(out, "--out DIR", command.program, err));
    return assemble(args.operands[0], out, err);
}
