#include "server/cli/cmd_trust.h"

#include "server/cli/cli_key.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_trust_file.h"

#include <string.h>

struct sign_args {
    struct cli_key_source key;
    const char *expect;
    const char *file;
};

/* Whoever compared the hash on another machine signs that and nothing else. */
static RW_RC check_expected(const struct sign_args *a, const struct cmd_trust_file *f,
                            struct rw_err *err)
{
    if (a->expect == NULL || strcmp(a->expect, f->sha256) == 0) { return RW_OK; }
    return rw_fail(err, RW_E_TRUST_RULE,
                   "'%s' has SHA-256 %s, not the expected one; nothing is signed", a->file,
                   f->sha256);
}

static RW_RC run(const struct sign_args *a, struct rw_err *err)
{
    char written[CMD_TRUST_PATH_BYTES];
    char when[RW_TIME_TEXT_BYTES];
    RW_AUTO(cmd_trust_file) struct cmd_trust_file f = {.version = 0};
    RW_AUTO(key) struct key k = {.scheme = KEY_UNKNOWN};
    RW_TRY(cmd_trust_file_read(a->file, &f, err));
    RW_TRY(check_expected(a, &f, err));
    RW_TRY(cli_key_load(&a->key, &k, err));
    RW_TRY(cmd_trust_file_sign(a->file, &f, &k, written, err));
    rw_wall_format(when, f.expires);
    printf("signed %s version %lld, until %s\n  SHA-256   %s\n  key       %s\n  signature %s\n",
           f.type, (long long)f.version, when, f.sha256, k.id, written);
    return cli_view_flush(err);
}

RW_RC cmd_trust_sign(int argc, char **argv, struct rw_err *err)
{
    struct sign_args a = {.file = NULL};
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        {"key", "KEY", "private key: a file or a pkcs11: URI (required)", &a.key.name, NULL},
        CLI_OPT_PASSPHRASE(a.key),
        CLI_OPT_PIN(a.key),
        {"expect", "SHA256", "sign only a document with this hash", &a.expect, NULL},
    };
    const struct opt_command command = {
        .program = "ringward trust sign",
        .usage = "FILE",
        .about =
            "Signs one document of a ceremony and writes the signature beside it, a small file\n"
            "that is carried to where the others are collected. No server is asked.",
        .examples = "  ringward trust sign --key root-1.key ceremony/root.json\n"
                    "  ringward trust sign --key 'pkcs11:token=root;object=root-2' \\\n"
                    "      --pin-file pin ceremony/root.json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_need(a.key.name, "--key KEY", command.program, err));
    a.file = args.operands[0];
    return run(&a, err);
}
