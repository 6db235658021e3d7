#include "server/cli/cmd_rings.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/policy/ring_policy.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rings_diff.h"
#include "server/cli/cmd_rings_view.h"
#include "server/cli/cmd_trust.h"

#include <stdio.h>
#include <unistd.h>

/* The fleet that the words are about, as typed. */
struct fleet_words {
    const char *hosts;
    const char *staff;
    const char *cohorts;
};

#define OPT_FLEET(words)                                                                           \
    {"hosts", "N", "endpoints of the fleet (default 1000000)", &(words).hosts, NULL},              \
        {"staff", "N", "endpoints in each ring that is joined by hand (default: as advised)",      \
         &(words).staff, NULL},                                                                    \
    {                                                                                              \
        "cohorts", "P,P,...", "shares of cohorts in percent (default " SIM_USUAL_COHORTS ")",      \
            &(words).cohorts, NULL                                                                 \
    }

static RW_RC read_fleet(const struct fleet_words *words, struct cmd_rings_options *out,
                        struct rw_err *err)
{
    *out = (struct cmd_rings_options){.staff = -1, .cohorts = words->cohorts};
    if (words->hosts != NULL) {
        RW_TRY(rw_parse_i64(rw_span_str(words->hosts), 1, INT64_C(1000000000), "--hosts",
                            &out->hosts, err));
    }
    if (words->staff == NULL) { return RW_OK; }
    return rw_parse_i64(rw_span_str(words->staff), 0, CMD_RINGS_STAFF_MAX, "--staff", &out->staff,
                        err);
}

static RW_RC explain(const struct rw_buf *text, const struct cmd_rings_options *options,
                     enum cli_format format, struct rw_err *err)
{
    struct ring_policy policy;
    struct cmd_rings_facts facts;
    RW_TRY(ring_policy_parse(rw_buf_span(text), &policy, err));
    RW_TRY(cmd_rings_facts(&policy, options, &facts, err));
    return format == CLI_TABLE ? cmd_rings_view(&facts, err) : cmd_rings_view_json(&facts, err);
}

/* The policy itself, byte for byte: what was signed can be kept and edited. */
static RW_RC print_bytes(const struct rw_buf *text, struct rw_err *err)
{
    struct ring_policy policy;
    RW_TRY(ring_policy_parse(rw_buf_span(text), &policy, err));
    (void)fwrite(text->p, 1, text->n, stdout);
    return cli_view_flush(err);
}

static RW_RC run_check(int argc, char **argv, struct rw_err *err)
{
    struct fleet_words fleet = {.hosts = NULL};
    struct cmd_rings_options options;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_OUTPUT(args.output),
        OPT_FLEET(fleet),
    };
    const struct opt_command command = {
        .program = "ringward rings check",
        .usage = "FILE",
        .about = "Checks a policy and explains it: who is in which ring, when the next ring opens, "
                 "how much\n"
                 "proof a gate needs, how long it takes until 95% of the fleet have a release, and "
                 "where a ring\n"
                 "could never give its proof. Needs no server; -o json prints the same for "
                 "programs.",
        .examples = "  ringward rings check rings.json\n"
                    "  ringward rings check --hosts 50000 rings.json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(read_fleet(&fleet, &options, err));
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(rw_file_read(args.operands[0], RING_POLICY_BYTES_MAX, &text, err));
    struct rw_rc rc = explain(&text, &options, args.format, err);
    return rw_is_ok(rc) ? rc : rw_wrap(err, "%s", args.operands[0]);
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    struct fleet_words fleet = {.hosts = NULL};
    struct cmd_rings_options options;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        OPT_FLEET(fleet),
    };
    const struct opt_command command = {
        .program = "ringward rings show",
        .usage = "",
        .about = "Explains the policy that is in force on the server; -o json prints the signed "
                 "file itself.",
        .examples = "  ringward rings show\n  ringward rings show -o json > rings.json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(read_fleet(&fleet, &options, err));
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_download(api, "/v1/policy", RING_POLICY_BYTES_MAX, &text, err));
    return args.format == CLI_TABLE ? explain(&text, &options, args.format, err)
                                    : print_bytes(&text, err);
}

/* --- publish --- */

struct publishing {
    struct cli_view_args args;
    const char *out;
    const char *root_file;
    const char *expires;
};

static RW_RC read_policy(const char *path, struct ring_policy *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(rw_file_read(path, RING_POLICY_BYTES_MAX, &text, err));
    struct rw_rc rc = ring_policy_parse(rw_buf_span(&text), out, err);
    return rw_is_ok(rc) ? rc : rw_wrap(err, "%s", path);
}

/* In words, before anything is signed or sent. Fails with RW_E_EXISTS when there is nothing to change. */
static RW_RC tell_diff(const char *profile, const char *path, struct rw_err *err)
{
    struct ring_policy had;
    struct ring_policy next;
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(read_policy(path, &next, err));
    RW_TRY(cli_api_open(profile, &api, err));
    RW_TRY(cli_api_download(api, "/v1/policy", RING_POLICY_BYTES_MAX, &text, err));
    RW_TRY(ring_policy_parse(rw_buf_span(&text), &had, err));
    printf("%s, compared with the policy in force:\n", path);
    struct cmd_rings_diff d = cmd_rings_diff(&had, &next);
    if (d.changes == 0) {
        return rw_fail(err, RW_E_EXISTS, "%s says what is in force already", path);
    }
    printf("%zu change%s, %zu of them less careful\n\n", d.changes, rw_plural((int64_t)d.changes),
           d.looser);
    return cli_view_flush(err);
}

/* A verb of the ceremony and its options, in pairs; those without a value were not given. */
struct handed_on {
    char *argv[16];
    int argc;
};

static void hand(struct handed_on *h, const char *word)
{
    RW_ASSERT((size_t)h->argc < RW_LEN(h->argv) - 1);
    rw_copy((void *)&h->argv[h->argc++], sizeof(h->argv[0]), (const void *)&word, sizeof(word));
}

static void hand_option(struct handed_on *h, const char *option, const char *value)
{
    if (value == NULL) { return; }
    hand(h, option);
    hand(h, value);
}

static RW_RC prepare(const struct publishing *p, struct rw_err *err)
{
    const char *policy = p->args.operands[0];
    struct handed_on h = {.argc = 0};
    hand(&h, "rotate");
    hand_option(&h, "--policy", policy);
    hand_option(&h, "--out", p->out);
    hand_option(&h, "--profile", p->args.profile);
    hand_option(&h, "--root", p->root_file);
    hand_option(&h, "--expires", p->expires);
    RW_TRY(tell_diff(p->args.profile, policy, err));
    RW_TRY(cmd_trust_rotate(h.argc, h.argv, err));
    printf("\nnext: holders of the targets keys sign, then it is sent:\n"
           "  ringward trust sign --key targets-1.key %s/targets.json\n"
           "  ringward rings publish %s\n",
           p->out, p->out);
    return cli_view_flush(err);
}

static RW_RC send(const struct publishing *p, struct rw_err *err)
{
    char path[4096];
    const char *folder = p->args.operands[0];
    struct handed_on h = {.argc = 0};
    int length = snprintf(path, sizeof(path), "%s/rings.json", folder);
    if (length < 0 || (size_t)length >= sizeof(path)) {
        return rw_fail(err, RW_E_RANGE, "path too long");
    }
    if (access(path, R_OK) != 0) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%s' is no folder with a prepared policy", folder),
                  "hint");
        return rw_hint(err, "prepare one: ringward rings publish --out DIR rings.json");
    }
    if (p->args.format == CLI_TABLE) { RW_TRY(tell_diff(p->args.profile, path, err)); }
    hand(&h, "publish");
    hand_option(&h, "--profile", p->args.profile);
    hand_option(&h, "--output", p->args.output);
    hand_option(&h, "--root", p->root_file);
    hand(&h, folder);
    return cmd_trust_publish(h.argc, h.argv, err);
}

static RW_RC run_publish(int argc, char **argv, struct rw_err *err)
{
    struct publishing p = {.out = NULL};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(p.args.profile),
        CLI_OPT_OUTPUT(p.args.output),
        {"out", "DIR", "prepare: folder for the documents that people sign", &p.out, NULL},
        {"expires", "TIME", "prepare: end of the new targets: a time, or a life like 180d",
         &p.expires, NULL},
        {"root", "FILE", "trusted root (default: root.json beside the profile)", &p.root_file,
         NULL},
    };
    const struct opt_command command = {
        .program = "ringward rings publish",
        .usage = "--out DIR FILE | DIR",
        .about =
            "Brings another policy into force, in two steps around the signatures of the targets "
            "role.\n"
            "With --out: checks the file, tells what it changes against the policy in force, and "
            "writes\n"
            "the documents to sign. With the signed folder: tells the same once more, checks all\n"
            "signatures and sends it. A change marked ! is less careful than what is in force.",
        .examples = "  ringward rings publish --out next rings.json\n"
                    "  ringward trust sign --key targets-1.key next/targets.json\n"
                    "  ringward rings publish next\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &p.args, err));
    if (p.args.help_shown) { return RW_OK; }
    return p.out != NULL ? prepare(&p, err) : send(&p, err);
}

static RW_RC run_diff(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile)};
    const struct opt_command command = {
        .program = "ringward rings diff",
        .usage = "FILE",
        .about =
            "Tells in words what a policy would change against the one in force. A change marked "
            "!\n"
            "is less careful. Exit status 9: it changes nothing.",
        .examples = "  ringward rings diff rings.json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    return args.help_shown ? RW_OK : tell_diff(args.profile, args.operands[0], err);
}

static const struct cli_verb verbs[] = {
    {"check", run_check, "checks and explains a policy file, without a server"},
    {"show", run_show, "explains the policy in force"},
    {"diff", run_diff, "tells what a policy file would change against the one in force"},
    {"publish", run_publish, "prepares another policy for signing, then sends it"},
};

RW_RC cmd_rings(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward rings", verbs, RW_LEN(verbs), argc, argv, err);
}
