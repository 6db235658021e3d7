#include "server/server_cmd.h"

#include "common/base/file.h"
#include "common/base/opt.h"
#include "common/policy/ring_policy.h"
#include "server/server_init.h"

#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 16, LIST_BYTES = 1024 };

_Static_assert((int)NAMES_MAX <= (int)SERVER_INIT_FAMILIES_MAX &&
                   (int)NAMES_MAX <= (int)SERVER_INIT_HOSTS_MAX,
               "every list that is read fits");

/* Names of an option that may be repeated and hold comma lists. */
struct names {
    const char *at[NAMES_MAX];
    size_t count;
    char text[LIST_BYTES]; /* what `at` points into */
    size_t used;
};

static RW_RC add_name(struct names *n, const char *option, struct rw_span name, struct rw_err *err)
{
    if (name.n == 0) { return rw_fail(err, RW_E_USAGE, "--%s: an empty name", option); }
    if (n->count == NAMES_MAX || n->used + name.n + 1 > sizeof(n->text)) {
        return rw_fail(err, RW_E_USAGE, "--%s: more than %d names", option, NAMES_MAX);
    }
    rw_copy(n->text + n->used, sizeof(n->text) - n->used, name.p, name.n);
    n->at[n->count++] = n->text + n->used;
    n->used += name.n + 1; /* the NUL stands there already */
    return RW_OK;
}

static RW_RC add_list(struct names *n, const char *option, const char *list, struct rw_err *err)
{
    for (;;) {
        size_t bytes = strcspn(list, ",");
        RW_TRY(add_name(n, option, rw_span_of(list, bytes), err));
        if (list[bytes] == '\0') { return RW_OK; }
        list += bytes + 1;
    }
}

/* The option table keeps the last value only; here every occurrence counts. */
static RW_RC collect(int argc, char **argv, const char *option, struct names *out,
                     struct rw_err *err)
{
    size_t n = strlen(option);
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, option, n) != 0) { continue; }
        if (arg[2 + n] == '=') {
            RW_TRY(add_list(out, option, arg + 3 + n, err));
        } else if (arg[2 + n] == '\0' && i + 1 < argc) {
            RW_TRY(add_list(out, option, argv[++i], err));
        }
    }
    return RW_OK;
}

static RW_RC require(const char *dir, bool dev, struct rw_err *err)
{
    if (dir == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--dir is required"), "hint follows");
        return rw_hint(err, "try 'ringward-server init --help'");
    }
    if (!dev) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE,
                          "say --dev: init makes development trust only, with every "
                          "key on this machine"),
                  "hint follows");
        return rw_hint(err, "for production make keys and root in a ceremony: docs/trust.md");
    }
    return RW_OK;
}

RW_RC server_cmd_init(int argc, char **argv, struct rw_err *err)
{
    const char *dir = NULL;
    const char *policy = NULL;
    const char *family = NULL;
    const char *host = NULL;
    const char *listen = NULL;
    bool dev = false;
    const struct opt opts[] = {
        {"dir", "DIR", "directory to make; it must be empty or missing (required)", &dir, NULL},
        {"dev", NULL, "development trust: all keys on this machine (required)", NULL, &dev},
        {"policy", "FILE", "rings.json to begin with (default: a built-in one)", &policy, NULL},
        {"family", "NAME,...", "content families; may be repeated (default: yara)", &family, NULL},
        {"host", "NAME,...", "names of the TLS certificate (default: localhost)", &host, NULL},
        {"listen", "ADDRESS", "address for server.conf (default: 127.0.0.1:8443)", &listen, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-server init",
        .usage = "",
        .about = "Makes a whole server directory to try with: keys, signed metadata, TLS, tokens,\n"
                 "store. Everything says that it is development trust.",
        .examples = "  ringward-server init --dir try --dev\n"
                    "  ringward-server serve --dir try\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    struct names families = {.count = 0};
    struct names hosts = {.count = 0};
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(collect(argc, argv, "family", &families, err)); /* parsing moves the operands */
    RW_TRY(collect(argc, argv, "host", &hosts, err));
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(require(dir, dev, err));
    if (policy != NULL) { RW_TRY(rw_file_read(policy, RING_POLICY_BYTES_MAX, &text, err)); }
    const struct server_init_settings settings = {.dir = dir,
                                                  .policy = rw_buf_span(&text),
                                                  .families = families.at,
                                                  .family_count = families.count,
                                                  .hosts = hosts.at,
                                                  .host_count = hosts.count,
                                                  .listen = listen,
                                                  .now = rw_clock_wall(&clock)};
    RW_TRY(server_init_dev(&settings, err));
    printf("Made %s with development trust: every key lies on this machine.\n"
           "  run the server:   ringward-server serve --dir %s\n"
           "  operate it:       ringward --profile %s/operator.conf ...\n"
           "  agents need:      %s/root.json, %s/tls/ca.pem, %s/tokens/enrol.token\n",
           dir, dir, dir, dir, dir, dir);
    return RW_OK;
}
