#include "server/cli/cmd_rings.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "common/policy/ring_policy.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_rings_view.h"

#include <stdio.h>

/* As text for programs: the policy itself, byte for byte. */
static RW_RC print_policy(const struct rw_buf *text, const struct cmd_rings_options *options,
                          enum cli_format format, struct rw_err *err)
{
    struct ring_policy policy;
    RW_TRY(ring_policy_parse(rw_buf_span(text), &policy, err));
    if (format == CLI_TABLE) { return cmd_rings_view(&policy, options, err); }
    (void)fwrite(text->p, 1, text->n, stdout);
    return cli_view_flush(err);
}

static RW_RC parse_hosts(const char *text, int64_t *hosts_out, struct rw_err *err)
{
    if (text == NULL) { return RW_OK; }
    return rw_parse_i64(rw_span_str(text), 1, INT64_C(1000000000), "--hosts", hosts_out, err);
}

static RW_RC run_check(int argc, char **argv, struct rw_err *err)
{
    const char *hosts = NULL;
    struct cli_view_args args = {0};
    struct cmd_rings_options options = {0};
    const struct opt opts[] = {
        CLI_OPT_OUTPUT(args.output),
        {"hosts", "N", "endpoints of the fleet: shows how many each ring would hold", &hosts, NULL},
    };
    const struct opt_command command = {
        .program = "ringward rings check",
        .usage = "FILE",
        .about = "Checks a policy and explains it: who is in which ring, when the next ring opens, "
                 "how much\n"
                 "proof a gate needs, and where a ring could never give that proof. Needs no "
                 "server.",
        .examples = "  ringward rings check rings.json\n"
                    "  ringward rings check --hosts 50000 rings.json\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(parse_hosts(hosts, &options.hosts, err));
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_TRY(rw_file_read(args.operands[0], RING_POLICY_BYTES_MAX, &text, err));
    struct rw_rc rc = print_policy(&text, &options, args.format, err);
    return rw_is_ok(rc) ? rc : rw_wrap(err, "%s", args.operands[0]);
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    const char *hosts = NULL;
    struct cli_view_args args = {0};
    struct cmd_rings_options options = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"hosts", "N", "endpoints of the fleet: shows how many each ring would hold", &hosts, NULL},
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
    RW_TRY(parse_hosts(hosts, &options.hosts, err));
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(RING_POLICY_BYTES_MAX);
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(cli_api_download(api, "/v1/policy", RING_POLICY_BYTES_MAX, &text, err));
    return print_policy(&text, &options, args.format, err);
}

static const struct cli_verb verbs[] = {
    {"check", run_check, "checks and explains a policy file, without a server"},
    {"show", run_show, "explains the policy in force"},
};

RW_RC cmd_rings(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward rings", verbs, RW_LEN(verbs), argc, argv, err);
}
