#include "server/server_cmd.h"

#include "common/base/file.h"
#include "common/base/opt.h"
#include "common/policy/trust_bundle.h"
#include "server/server_init.h"

#include <stdio.h>
#include <string.h>

enum { NAMES_MAX = 16, LIST_BYTES = 1024 };

_Static_assert((int)NAMES_MAX <= (int)SERVER_INIT_FAMILIES_MAX &&
                   (int)TRUST_BUNDLE_CONTENTS_MAX <= (int)SERVER_INIT_FAMILIES_MAX &&
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

struct init_args {
    const char *dir;
    const char *policy;
    const char *trust;
    bool dev;
    size_t families; /* that were named */
};

static RW_RC require(const struct init_args *a, struct rw_err *err)
{
    if (a->dir == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--dir is required"), "hint follows");
        return rw_hint(err, "try 'ringward-server init --help'");
    }
    if (a->dev == (a->trust != NULL)) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE,
                          "say --dev (every key on this machine) or --trust DIR (documents of a "
                          "ceremony)"),
                  "hint follows");
        return rw_hint(err, "docs/trust.md tells how a ceremony goes");
    }
    if (a->trust != NULL && (a->policy != NULL || a->families > 0)) {
        return rw_fail(err, RW_E_USAGE, "policy and families stand in the ceremony's documents");
    }
    return RW_OK;
}

static RW_RC run(const struct init_args *a, const struct server_init_settings *given,
                 struct rw_err *err)
{
    struct server_init_settings settings = *given;
    struct rw_clock clock = rw_clock_system();
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_AUTO(trust_bundle) struct trust_bundle bundle = {.content_count = 0};
    const char *families[TRUST_BUNDLE_CONTENTS_MAX];
    if (a->policy != NULL) { RW_TRY(rw_file_read(a->policy, RING_POLICY_BYTES_MAX, &text, err)); }
    settings.dir = a->dir;
    settings.now = rw_clock_wall(&clock);
    settings.policy = rw_buf_span(&text);
    if (a->trust != NULL) {
        RW_TRY(trust_bundle_load(a->trust, &bundle, err));
        settings.trust = &bundle;
        settings.policy = rw_buf_span(&bundle.policy);
        for (size_t i = 0; i < bundle.content_count; i++) {
            families[i] = bundle.contents[i].family;
        }
        settings.families = families;
        settings.family_count = bundle.content_count;
    }
    return server_init(&settings, err);
}

RW_RC server_cmd_init(int argc, char **argv, struct rw_err *err)
{
    struct init_args a = {.dir = NULL};
    const char *family = NULL;
    const char *host = NULL;
    const char *listen = NULL;
    const char *store = NULL;
    const struct opt opts[] = {
        {"dir", "DIR", "directory to make; it must be empty or missing (required)", &a.dir, NULL},
        {"dev", NULL, "development trust: all keys on this machine", NULL, &a.dev},
        {"trust", "DIR", "documents of a ceremony; DIR/signer holds the online keys already",
         &a.trust, NULL},
        {"policy", "FILE", "rings.json to begin with (default: a built-in one)", &a.policy, NULL},
        {"family", "NAME,...", "content families; may be repeated (default: yara)", &family, NULL},
        {"host", "NAME,...", "names of the TLS certificate (default: localhost)", &host, NULL},
        {"listen", "ADDRESS", "address for server.conf (default: 127.0.0.1:8443)", &listen, NULL},
        {"store", "URL", "postgresql://... of an empty database, for several nodes", &store, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-server init",
        .usage = "",
        .about =
            "Makes a whole server directory: signed metadata, TLS, tokens, store. With --dev all\n"
            "keys are made here too, and everything says that it is development trust. With\n"
            "--trust root and targets come signed from a ceremony and no key of people is here.",
        .examples = "  ringward-server init --dir try --dev\n"
                    "  ringward-server keys --dir prod --policy rings.json --out online\n"
                    "  ringward-server init --dir prod --trust signed --host rings.example.com\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int count = 0;
    struct names families = {.count = 0};
    struct names hosts = {.count = 0};
    RW_TRY(collect(argc, argv, "family", &families, err)); /* parsing moves the operands */
    RW_TRY(collect(argc, argv, "host", &hosts, err));
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    a.families = families.count;
    RW_TRY(require(&a, err));
    const struct server_init_settings settings = {.families = families.at,
                                                  .family_count = families.count,
                                                  .hosts = hosts.at,
                                                  .host_count = hosts.count,
                                                  .listen = listen,
                                                  .store = store};
    RW_TRY(run(&a, &settings, err));
    printf("Made %s with %s.\n"
           "  run the server:   ringward-server serve --dir %s\n"
           "  operate it:       RINGWARD_PROFILE=%s/operator.conf ringward status\n"
           "  agents need:      %s/root.json, %s/tls/ca.pem, %s/tokens/enrol.token\n",
           a.dir,
           a.dev ? "development trust: every key lies on this machine"
                 : "the ceremony's trust: no key of people lies on this machine",
           a.dir, a.dir, a.dir, a.dir, a.dir);
    return RW_OK;
}
