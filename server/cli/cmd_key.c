#include "server/cli/cmd_key.h"

#include "common/crypto/key_public.h"
#include "server/cli/cli_key.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PUBLIC_BYTES_MAX = 8192, PRINT_BYTES_MAX = 16384 };

static RW_RC print_key(const struct key *k, enum cli_format format, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf object = rw_buf_make(PUBLIC_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PRINT_BYTES_MAX);
    RW_TRY(key_write_public(k, &object, err));
    if (format == CLI_TABLE) {
        printf("keyid  %s\npublic %s\n", k->id, rw_buf_str(&object));
        return cli_view_flush(err);
    }
    RW_TRY(key_public_write(k, &text, err));
    printf("%s\n", rw_buf_str(&text));
    return cli_view_flush(err);
}

static RW_RC parse_scheme(const char *name, enum key_scheme *out, struct rw_err *err)
{
    static const struct named {
        const char *name;
        enum key_scheme scheme;
    } schemes[] = {{"ed25519", KEY_ED25519}, {"ecdsa", KEY_ECDSA_P256}};
    for (size_t i = 0; i < RW_LEN(schemes); i++) {
        if (strcmp(name, schemes[i].name) == 0) {
            *out = schemes[i].scheme;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_USAGE, "--type '%.20s' is not ed25519 or ecdsa", name);
}

/* Takes the name, so that a key that stands there already can never be lost. */
static RW_RC reserve(const char *path, struct rw_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
        (void)close(fd);
        return RW_OK;
    }
    if (errno != EEXIST) { return rw_fail_errno(err, RW_E_IO, errno, "key file '%s'", path); }
    RW_IGNORE(rw_fail(err, RW_E_EXISTS, "'%s' exists; a key file is never overwritten", path),
              "hint");
    return rw_hint(err, "choose another --out FILE");
}

static RW_RC save(const struct key *k, const char *path, const char *passphrase_file,
                  struct rw_err *err)
{
    char passphrase[CLI_KEY_PASSPHRASE_BYTES] = "";
    if (passphrase_file != NULL) { RW_TRY(cli_key_passphrase(passphrase_file, passphrase, err)); }
    RW_TRY(reserve(path, err));
    struct rw_rc rc = key_save_private(k, path, passphrase_file == NULL ? NULL : passphrase, err);
    rw_wipe(passphrase, sizeof(passphrase));
    if (!rw_is_ok(rc)) { (void)unlink(path); }
    return rc;
}

static RW_RC run_generate(int argc, char **argv, struct rw_err *err)
{
    const char *out = NULL;
    const char *type = "ed25519";
    const char *passphrase_file = NULL;
    struct cli_view_args args = {0};
    enum key_scheme scheme = KEY_ED25519;
    const struct opt opts[] = {
        CLI_OPT_OUTPUT(args.output),
        {"out", "FILE", "where to write the private key, mode 0600 (required)", &out, NULL},
        {"type", "TYPE", "ed25519 (default) or ecdsa", &type, NULL},
        {"passphrase-file", "FILE", "encrypt the key with the first line of this file",
         &passphrase_file, NULL},
    };
    const struct opt_command command = {
        .program = "ringward key generate",
        .usage = "",
        .about = "Makes a key. The private half stays in the file; what is printed is public and "
                 "goes to those\n"
                 "who keep the targets role.",
        .examples = "  ringward key generate --out alice.key --passphrase-file alice.pass\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_need(out, "--out FILE", command.program, err));
    RW_TRY(parse_scheme(type, &scheme, err));
    RW_AUTO(key) struct key k = {0};
    RW_TRY(key_generate(scheme, &k, err));
    RW_TRY(save(&k, out, passphrase_file, err));
    if (passphrase_file == NULL) {
        (void)fprintf(stderr, "ringward: '%s' is not encrypted; --passphrase-file would do that\n",
                      out);
    }
    return print_key(&k, args.format, err);
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    struct cli_key_source source = {.name = NULL};
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_OUTPUT(args.output),
        CLI_OPT_PASSPHRASE(source),
        CLI_OPT_PIN(source),
    };
    const struct opt_command command = {
        .program = "ringward key show",
        .usage = "KEY",
        .about = "Shows the public half of a private key, a file or a pkcs11: URI: key id and TUF\n"
                 "key object. The JSON form is what a ceremony takes.",
        .examples = "  ringward key show alice.key\n"
                    "  ringward key show -o json alice.key > alice.pub\n"
                    "  ringward key show --pin-file pin 'pkcs11:token=alice;object=release'\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_AUTO(key) struct key k = {0};
    source.name = args.operands[0];
    RW_TRY(cli_key_load(&source, &k, err));
    return print_key(&k, args.format, err);
}

static const struct cli_verb verbs[] = {
    {"generate", run_generate, "makes a private key file and prints its public half"},
    {"show", run_show, "prints key id and public half of a key file or token"},
};

RW_RC cmd_key(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward key", verbs, RW_LEN(verbs), argc, argv, err);
}
