#include "server/cli/cmd_release.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/json/json_write.h"
#include "common/tuf/tuf_write.h"
#include "server/cli/cli_key.h"
#include "server/cli/cli_repo.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_release_paper.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_BYTES_MAX = 2 * 1024 * 1024, BODY_BYTES_MAX = 8192 };

struct sign_job {
    struct cli_key_source key;
    const char *payload_file;
    const char *root_file;
    struct cmd_release_paper paper;
    char family[CLI_FAMILY_BYTES];
    char hex[DIGEST_HEX_BYTES]; /* of the payload */
    char path[CLI_PATH_BYTES];  /* "/v1/releases/F/N" or "/v1/orders/KIND/F/N" */
};

/* The payload that the engineer means, read from the own disk or downloaded: what is signed is its hash. */
static RW_RC payload_digest(struct cli_api *api, struct sign_job *job, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(CLI_PAYLOAD_BYTES_MAX);
    if (job->paper.kind != CMD_RELEASE_PAPER_RELEASE) { return RW_OK; }
    if (job->payload_file != NULL) {
        RW_TRY(rw_file_read(job->payload_file, CLI_PAYLOAD_BYTES_MAX, &bytes, err));
    } else {
        char path[CLI_PATH_BYTES + 16];
        (void)snprintf(path, sizeof(path), "%s/payload", job->path);
        RW_TRY(cli_api_download(api, path, CLI_PAYLOAD_BYTES_MAX, &bytes, err));
    }
    job->paper.length = (int64_t)bytes.n;
    job->paper.sha256 = job->hex;
    return digest_sha256_hex(rw_buf_span(&bytes), job->hex, err);
}

/* A role that nobody has signed yet is no document. */
static RW_RC published(struct cli_repo *repo, const char *role, struct tuf_doc *out,
                       struct rw_err *err)
{
    struct rw_rc rc = cli_repo_doc(repo, role, out, err);
    if (rc.code != RW_E_TUF_ROLE) { return rc; }
    *out = (struct tuf_doc){.version = 0};
    return RW_OK;
}

/* The server proposes the document; the signer's machine decides, by the published repository that it verifies from
 * its own trusted root. What has expired may be signed anew, so the clock does not matter for what is published. */
static RW_RC check_document(struct cli_api *api, struct sign_job *job, const struct json *doc,
                            struct rw_err *err)
{
    char role[TUF_ROLE_NAME_BYTES];
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(cli_repo) struct cli_repo repo = {.dir = -1};
    RW_AUTO(tuf_doc) struct tuf_doc root = {0};
    RW_AUTO(tuf_doc) struct tuf_doc content = {0};
    RW_AUTO(tuf_doc) struct tuf_doc expedite = {0};
    job->paper.now = rw_clock_wall(&clock);
    (void)snprintf(role, sizeof(role), "content-%s", job->family);
    RW_TRY(cli_repo_open(api, job->root_file, &repo, err));
    RW_TRY(cli_repo_refresh(&repo, err));
    RW_TRY(cli_repo_doc(&repo, "root", &root, err));
    job->paper.root_expires = root.expires;
    RW_TRY(published(&repo, role, &content, err));
    if (job->paper.kind != CMD_RELEASE_PAPER_EXPEDITE) {
        return cmd_release_paper_check(&job->paper, doc, &content, NULL, err);
    }
    RW_TRY(published(&repo, "expedite", &expedite, err));
    return cmd_release_paper_check(&job->paper, doc, &expedite, &content, err);
}

/* Said before the key is touched: the officer sees what the signature is for. */
static RW_RC tell_expedite(const struct sign_job *job, const struct json *doc, struct rw_err *err)
{
    struct entry_codec_expedite x;
    char from[RW_TIME_TEXT_BYTES];
    char until[RW_TIME_TEXT_BYTES];
    if (job->paper.kind != CMD_RELEASE_PAPER_EXPEDITE) { return RW_OK; }
    RW_TRY(cmd_release_paper_expedite(&job->paper, doc, &x, err));
    rw_wall_format(from, x.not_before);
    rw_wall_format(until, x.until);
    cli_view_clean(x.reason);
    (void)fprintf(stderr, "expedites %s/%lld from %s until %s in:", x.family, (long long)x.release,
                  from, until);
    for (size_t i = 0; i < x.ring_count; i++) {
        (void)fprintf(stderr, " %s", x.rings[i]);
    }
    (void)fprintf(stderr, "\n  reason: %s\n", x.reason);
    return RW_OK;
}

static RW_RC sign_and_send(struct cli_api *api, const struct sign_job *job, struct rw_span document,
                           struct json **answer_out, struct rw_err *err)
{
    char sig[2 * SIG_BYTES_MAX + 1];
    char path[CLI_PATH_BYTES + 16];
    RW_AUTO(key) struct key key = {0};
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_TRY(cli_key_load(&job->key, &key, err));
    RW_TRY(tuf_write_sign(document, &key, sig, err));
    struct json_writer w = json_begin(&body);
    json_open_object(&w, NULL);
    json_put_str(&w, "keyid", key.id);
    json_put_str(&w, "sig", sig);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    (void)snprintf(path, sizeof(path), "%s/signatures", job->path);
    return cli_api_post(api, path, rw_buf_span(&body), answer_out, err);
}

static void tell_outcome(const struct sign_job *job, const struct json *answer)
{
    char state[64];
    const struct json *signatures = json_find(answer, "signatures");
    if (job->paper.kind == CMD_RELEASE_PAPER_RELEASE) {
        printf("signed %s/%lld (%lld bytes, SHA-256 %s): ", job->family,
               (long long)job->paper.release, (long long)job->paper.length, job->hex);
    } else {
        printf("signed the order for %s/%lld: ", job->family, (long long)job->paper.release);
    }
    printf("%zu of %lld signatures, state %s\n", signatures == NULL ? 0 : json_count(signatures),
           (long long)cli_view_int(answer, "threshold", 0),
           cli_view_str(answer, "state", state, sizeof(state)));
}

static RW_RC run(const char *profile, enum cli_format format, struct sign_job *job,
                 struct rw_err *err)
{
    char path[CLI_PATH_BYTES + 16];
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(rw_buf) struct rw_buf document = rw_buf_make(DOCUMENT_BYTES_MAX);
    RW_AUTO(json_tree) json_tree doc = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    (void)snprintf(path, sizeof(path), "%s/tosign", job->path);
    RW_TRY(cli_api_download(api, path, DOCUMENT_BYTES_MAX, &document, err));
    RW_TRY(json_parse(rw_buf_span(&document), &json_limits_metadata, &doc, err));
    RW_TRY(payload_digest(api, job, err));
    RW_TRY(check_document(api, job, doc, err));
    RW_TRY(tell_expedite(job, doc, err));
    RW_TRY(sign_and_send(api, job, rw_buf_span(&document), &answer, err));
    if (format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    tell_outcome(job, answer);
    return cli_view_flush(err);
}

/* Which of the four documents, and its path. */
struct which {
    bool withdraw;
    bool renew;
    bool expedite;
    const char *floor_text;
};

static RW_RC take_operand(const struct which *w, const char *operand, struct sign_job *job,
                          struct rw_err *err)
{
    if ((w->withdraw ? 1 : 0) + (w->renew ? 1 : 0) + (w->expedite ? 1 : 0) > 1) {
        return rw_fail(err, RW_E_USAGE, "--withdraw, --renew and --expedite exclude each other");
    }
    if (w->floor_text != NULL && !w->renew) {
        return rw_fail(err, RW_E_USAGE, "--floor goes with --renew");
    }
    job->paper.family = job->family;
    if (w->renew) {
        job->paper.kind = CMD_RELEASE_PAPER_RENEW;
        RW_TRY(cli_view_name(operand, "family", err));
        RW_TRY(
            rw_span_to_str(job->family, sizeof(job->family), rw_span_str(operand), "family", err));
        (void)snprintf(job->path, sizeof(job->path), "/v1/orders/renew/%s/0", job->family);
        if (w->floor_text == NULL) { return RW_OK; }
        return rw_parse_i64(rw_span_str(w->floor_text), 1, RW_JSON_INT_MAX, "--floor",
                            &job->paper.floor, err);
    }
    RW_TRY(cli_view_release_id(operand, job->family, &job->paper.release, err));
    if (w->withdraw) { job->paper.kind = CMD_RELEASE_PAPER_WITHDRAW; }
    if (w->expedite) { job->paper.kind = CMD_RELEASE_PAPER_EXPEDITE; }
    return cli_view_release_path(w->withdraw   ? "/v1/orders/withdraw"
                                 : w->expedite ? "/v1/orders/expedite"
                                               : "/v1/releases",
                                 operand, "", job->path, err);
}

RW_RC cmd_release_sign(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    struct which which = {.withdraw = false};
    struct sign_job job = {.key = {.name = NULL}};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"key", "KEY", "private key of an engineer or officer: a file or a pkcs11: URI (required)",
         &job.key.name, NULL},
        CLI_OPT_PASSPHRASE(job.key),
        CLI_OPT_PIN(job.key),
        {"payload", "FILE", "compare with this file (default: the server's copy)",
         &job.payload_file, NULL},
        {"root", "FILE", "trusted root (default: root.json beside the profile)", &job.root_file,
         NULL},
        {"drill", NULL, "the release is meant to be a drill", NULL, &job.paper.drill},
        {"withdraw", NULL, "sign the order to withdraw the release", NULL, &which.withdraw},
        {"renew", NULL, "sign the order to renew the family's role", NULL, &which.renew},
        {"floor", "N", "the renewal raises the floor to N", &which.floor_text, NULL},
        {"expedite", NULL, "sign the order to expedite the release, as a duty officer", NULL,
         &which.expedite},
    };
    const struct opt_command command = {
        .program = "ringward release sign",
        .usage = "FAMILY/NUMBER | --renew FAMILY",
        .about =
            "Signs a checked release, or an order (withdraw, renew, expedite). The key never "
            "leaves\n"
            "this machine; the document is compared with the payload and with what is published,\n"
            "verified from the trusted root, before it is signed. As many people must sign as the\n"
            "trust root demands, and each key counts once. A release is dated when its document "
            "is\n"
            "made: all sign and publish within ten minutes, or it was created with --sign-within.",
        .examples = "  ringward release sign --key alice.key --payload rules.yar yara/2\n"
                    "  ringward release sign --key 'pkcs11:token=alice;object=release' \\\n"
                    "      --pin-file pin yara/2\n"
                    "  ringward release sign --key alice.key --renew yara\n"
                    "  ringward release sign --key carol.key --expedite yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(take_operand(&which, args.operands[0], &job, err));
    RW_TRY(cli_view_need(job.key.name, "--key KEY", command.program, err));
    return run(args.profile, args.format, &job, err);
}
