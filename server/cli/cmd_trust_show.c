#include "server/cli/cmd_trust.h"

#include "common/json/json_write.h"
#include "server/cli/cli_repo.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_trust_file.h"
#include "server/cli/cmd_trust_plan.h"

#include <string.h>

enum { OUT_BYTES_MAX = 1024 * 1024 };

struct showing {
    enum cli_format format;
    struct rw_buf text; /* JSON */
    struct json_writer w;
};

static void showing_drop(struct showing *s)
{
    if (s->text.max > 0) { rw_buf_drop(&s->text); }
}

/* --- pieces --- */
static void show_role(struct showing *s, const struct tuf_sigset_authority *a)
{
    if (s->format == CLI_TABLE) {
        printf("  %-20s %lld of %zu\n", a->role, (long long)a->threshold, a->count);
    } else {
        json_open_object(&s->w, a->role);
        json_put_int(&s->w, "threshold", a->threshold);
        json_open_array(&s->w, "keys");
    }
    for (size_t i = 0; i < a->count; i++) {
        if (s->format == CLI_TABLE) {
            printf("    %s\n", a->keys[i].id);
        } else {
            json_put_str(&s->w, NULL, a->keys[i].id);
        }
    }
    if (s->format != CLI_TABLE) {
        json_close_array(&s->w);
        json_close_object(&s->w);
    }
}

struct delegating {
    struct showing *s;
    const struct tuf_doc *doc;
};

static RW_RC show_delegated(void *ctx, const char *role, struct rw_err *err)
{
    const struct delegating *d = ctx;
    RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
    RW_TRY(tuf_sigset_of_delegation(d->doc, role, &a, err));
    show_role(d->s, &a);
    return RW_OK;
}

static RW_RC show_roles(struct showing *s, const struct tuf_doc *doc, bool root, struct rw_err *err)
{
    static const char *const tops[] = {"root", "targets", "snapshot", "timestamp"};
    struct delegating d = {s, doc};
    if (!root) { return trust_check_each(doc, "", show_delegated, &d, err); }
    for (size_t i = 0; i < RW_LEN(tops); i++) {
        RW_AUTO(tuf_sigset_authority) struct tuf_sigset_authority a = {.count = 0};
        RW_TRY(tuf_sigset_of_root(doc, tops[i], &a, err));
        show_role(s, &a);
    }
    return RW_OK;
}

/* Whose signatures are there; whether they are valid, `publish` and the signer tell. */
static RW_RC show_signatures(struct showing *s, const struct tuf_doc *doc, struct rw_err *err)
{
    if (s->format != CLI_TABLE) { json_open_array(&s->w, "signed_by"); }
    for (const struct json *e = json_first(doc->signatures); e != NULL; e = json_next(e)) {
        char id[DIGEST_HEX_BYTES];
        RW_TRY(json_get_str(e, "keyid", id, sizeof(id), err));
        if (s->format == CLI_TABLE) {
            printf("  signed by %s\n", id);
        } else {
            json_put_str(&s->w, NULL, id);
        }
    }
    if (s->format != CLI_TABLE) { json_close_array(&s->w); }
    return RW_OK;
}

static RW_RC show_doc(struct showing *s, const char *name, const struct tuf_doc *doc,
                      struct rw_err *err)
{
    char when[RW_TIME_TEXT_BYTES];
    char hex[DIGEST_HEX_BYTES];
    bool root = strcmp(name, "root") == 0;
    if (doc->tree == NULL) { return RW_OK; }
    rw_wall_format(when, doc->expires);
    RW_TRY(digest_sha256_hex(rw_buf_span(&doc->canon), hex, err));
    if (s->format == CLI_TABLE) {
        printf("%s version %lld, until %s\n  SHA-256 %s\n", name, (long long)doc->version, when,
               hex);
    } else {
        json_open_object(&s->w, name);
        json_put_int(&s->w, "version", doc->version);
        json_put_str(&s->w, "expires", when);
        json_put_str(&s->w, "sha256", hex);
        json_open_object(&s->w, "roles");
    }
    RW_TRY(show_roles(s, doc, root, err));
    if (s->format != CLI_TABLE) { json_close_object(&s->w); }
    RW_TRY(show_signatures(s, doc, err));
    if (s->format != CLI_TABLE) { json_close_object(&s->w); }
    return RW_OK;
}

/* --- sources --- */
static RW_RC show_folder(struct showing *s, const char *dir, struct rw_err *err)
{
    RW_AUTO(trust_bundle) struct trust_bundle b = {.content_count = 0};
    RW_TRY(cmd_trust_file_gather(dir, &b, err));
    RW_TRY(show_doc(s, "root", &b.root.doc, err));
    RW_TRY(show_doc(s, "targets", &b.targets.doc, err));
    for (size_t i = 0; i < b.content_count; i++) {
        char role[CMD_TRUST_NAME_BYTES];
        (void)snprintf(role, sizeof(role), "content-%s", b.contents[i].family);
        RW_TRY(show_doc(s, role, &b.contents[i].role.doc, err));
    }
    return RW_OK;
}

struct published {
    struct showing *s;
    struct cli_repo *repo;
};

static RW_RC show_content(void *ctx, const char *family, struct rw_err *err)
{
    const struct published *p = ctx;
    char role[CMD_TRUST_NAME_BYTES];
    RW_AUTO(tuf_doc) struct tuf_doc doc = {0};
    (void)snprintf(role, sizeof(role), "content-%s", family);
    RW_TRY(cli_repo_doc(p->repo, role, &doc, err));
    return show_doc(p->s, role, &doc, err);
}

static RW_RC show_published(struct showing *s, const char *profile, const char *root_file,
                            struct rw_err *err)
{
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(cli_repo) struct cli_repo repo = {.dir = -1};
    RW_AUTO(tuf_doc) struct tuf_doc root = {0};
    RW_AUTO(tuf_doc) struct tuf_doc targets = {0};
    struct published p = {s, &repo};
    RW_TRY(cli_api_open(profile, &api, err));
    RW_TRY(cli_repo_open(api, root_file, &repo, err));
    RW_TRY(cli_repo_refresh(&repo, err));
    RW_TRY(cli_repo_doc(&repo, "root", &root, err));
    RW_TRY(cli_repo_doc(&repo, "targets", &targets, err));
    RW_TRY(show_doc(s, "root", &root, err));
    RW_TRY(show_doc(s, "targets", &targets, err));
    return trust_check_each(&targets, "content-", show_content, &p, err);
}

RW_RC cmd_trust_show(int argc, char **argv, struct rw_err *err)
{
    const char *root_file = NULL;
    struct cli_view_args args = {0};
    RW_AUTO(showing) struct showing s = {.format = CLI_TABLE};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"root", "FILE", "trusted root (default: root.json beside the profile)", &root_file, NULL},
    };
    const struct opt_command command = {
        .program = "ringward trust show",
        .usage = "[DIR]",
        .about = "Shows root, targets and content roles: hash, version, end, keys, thresholds and\n"
                 "who signed. Without a folder: those that the server publishes, verified.",
        .examples = "  ringward trust show ceremony\n  ringward trust show\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 0,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    s.format = args.format;
    s.text = rw_buf_make(OUT_BYTES_MAX);
    s.w = json_begin(&s.text);
    if (s.format != CLI_TABLE) { json_open_object(&s.w, NULL); }
    RW_TRY(args.count > 0 ? show_folder(&s, args.operands[0], err)
                          : show_published(&s, args.profile, root_file, err));
    if (s.format != CLI_TABLE) {
        json_close_object(&s.w);
        RW_TRY(json_done(&s.w, err));
        printf("%s\n", rw_buf_str(&s.text));
    }
    return cli_view_flush(err);
}
