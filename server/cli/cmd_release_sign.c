#include "server/cli/cmd_release.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/crypto/key.h"
#include "common/json/json_write.h"
#include "common/policy/entry_codec.h"
#include "common/tuf/tuf_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_key.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENT_BYTES_MAX = 2 * 1024 * 1024, BODY_BYTES_MAX = 8192 };

struct sign_job {
    struct cli_key_source key;
    const char *payload_file;
    char family[CLI_FAMILY_BYTES];
    int64_t release;
    char path[CLI_PATH_BYTES]; /* "/v1/releases/F/N" */
};

/* The payload that the engineer means, read from the own disk or downloaded: what is signed is its hash. */
static RW_RC payload_digest(struct cli_api *api, const struct sign_job *job,
                            char hex[static DIGEST_HEX_BYTES], int64_t *length_out,
                            struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf bytes = rw_buf_make(CLI_PAYLOAD_BYTES_MAX);
    if (job->payload_file != NULL) {
        RW_TRY(rw_file_read(job->payload_file, CLI_PAYLOAD_BYTES_MAX, &bytes, err));
    } else {
        char path[CLI_PATH_BYTES + 16];
        (void)snprintf(path, sizeof(path), "%s/payload", job->path);
        RW_TRY(cli_api_download(api, path, CLI_PAYLOAD_BYTES_MAX, &bytes, err));
    }
    *length_out = (int64_t)bytes.n;
    return digest_sha256_hex(rw_buf_span(&bytes), hex, err);
}

/* The server proposes the document; the engineer's machine decides: the entry must be the release that was
 * asked for, with the very payload, and the document nothing else than a content role. */
static RW_RC check_document(const struct json *doc, const struct sign_job *job, const char *hex,
                            int64_t length, struct rw_err *err)
{
    char path[TUF_PATH_BYTES];
    struct rw_span text;
    const struct json *targets = NULL;
    const struct json *entry = NULL;
    const struct json *hashes = NULL;
    int64_t signed_length = 0;
    RW_TRY(json_get_span(doc, "_type", &text, err));
    if (!rw_span_is(text, "targets") || json_find(doc, "delegations") != NULL) {
        return rw_fail(err, RW_E_TRUST_RULE,
                       "the server asks to sign something else than a release");
    }
    RW_TRY(entry_codec_content_path(job->family, job->release, path, err));
    RW_TRY(json_get(doc, "targets", JSON_OBJECT, &targets, err));
    RW_TRY(json_get(targets, path, JSON_OBJECT, &entry, err));
    RW_TRY(json_get(entry, "hashes", JSON_OBJECT, &hashes, err));
    RW_TRY(json_get_span(hashes, "sha256", &text, err));
    RW_TRY(json_get_int(entry, "length", 0, RW_JSON_INT_MAX, &signed_length, err));
    if (!rw_span_is(text, hex) || signed_length != length) {
        return rw_fail(err, RW_E_TRUST_RULE,
                       "the document lists another payload than the one at hand (SHA-256 %.16s...)",
                       hex);
    }
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

static RW_RC run(const char *profile, enum cli_format format, const struct sign_job *job,
                 struct rw_err *err)
{
    char path[CLI_PATH_BYTES + 16];
    char hex[DIGEST_HEX_BYTES];
    char state[64];
    int64_t length = 0;
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(rw_buf) struct rw_buf document = rw_buf_make(DOCUMENT_BYTES_MAX);
    RW_AUTO(json_tree) json_tree doc = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_TRY(cli_api_open(profile, &api, err));
    (void)snprintf(path, sizeof(path), "%s/tosign", job->path);
    RW_TRY(cli_api_download(api, path, DOCUMENT_BYTES_MAX, &document, err));
    RW_TRY(json_parse(rw_buf_span(&document), &json_limits_metadata, &doc, err));
    RW_TRY(payload_digest(api, job, hex, &length, err));
    RW_TRY(check_document(doc, job, hex, length, err));
    RW_TRY(sign_and_send(api, job, rw_buf_span(&document), &answer, err));
    if (format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    const struct json *signatures = json_find(answer, "signatures");
    printf("signed %s/%lld (%lld bytes, SHA-256 %s): %zu of %lld signatures, state %s\n",
           job->family, (long long)job->release, (long long)length, hex,
           signatures == NULL ? 0 : json_count(signatures),
           (long long)cli_view_int(answer, "threshold", 0),
           cli_view_str(answer, "state", state, sizeof(state)));
    return cli_view_flush(err);
}

RW_RC cmd_release_sign(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    struct sign_job job = {.key = {.name = NULL}};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"key", "KEY", "private key of a release engineer: a file or a pkcs11: URI (required)",
         &job.key.name, NULL},
        CLI_OPT_PASSPHRASE(job.key),
        CLI_OPT_PIN(job.key),
        {"payload", "FILE", "compare with this file (default: the server's copy)",
         &job.payload_file, NULL},
    };
    const struct opt_command command = {
        .program = "ringward release sign",
        .usage = "FAMILY/NUMBER",
        .about =
            "Signs a checked release. The key never leaves this machine; the document is checked\n"
            "against the payload before it is signed. As many engineers must sign as the trust\n"
            "root demands, and each key counts once.",
        .examples = "  ringward release sign --key alice.key --payload rules.yar yara/2\n"
                    "  ringward release sign --key 'pkcs11:token=alice;object=release' \\\n"
                    "      --pin-file pin yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_id(args.operands[0], job.family, &job.release, err));
    if (job.key.name == NULL) { return rw_fail(err, RW_E_USAGE, "--key KEY is required"); }
    RW_TRY(cli_view_release_path("/v1/releases", args.operands[0], "", job.path, err));
    return run(args.profile, args.format, &job, err);
}
