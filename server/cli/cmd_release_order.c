/* Orders: what people sign besides new releases (cmd_release.h). Asking changes nothing: the last signature does. */
#include "server/cli/cmd_release.h"

#include "common/base/num.h"
#include "common/json/json_write.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_list.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>

enum { BODY_BYTES_MAX = 8192, WORD_BYTES = 80, TEXT_BYTES = 600, LONGEST_S = 30 * 86400 };

/* What the three verbs that ask take from the command line. */
struct ask_job {
    struct cli_view_args args;
    const char *kind;
    const char *reason;
    const char *floor_text;
    const char *rings; /* comma-separated */
    const char *until;
    char family[CLI_FAMILY_BYTES];
    int64_t release;
};

static RW_RC put_rings(struct json_writer *w, const char *list, struct rw_err *err)
{
    json_open_array(w, "rings");
    while (*list != '\0') {
        char ring[CLI_FAMILY_BYTES];
        size_t n = strcspn(list, ",");
        RW_TRY(rw_span_to_str(ring, sizeof(ring), rw_span_of(list, n), "--ring", err));
        RW_TRY(cli_view_name(ring, "ring", err));
        json_put_str(w, NULL, ring);
        list += n + (list[n] == ',' ? 1 : 0);
    }
    json_close_array(w);
    return RW_OK;
}

static RW_RC write_body(const struct ask_job *job, struct rw_buf *body, struct rw_err *err)
{
    int64_t number = 0;
    struct json_writer w = json_begin(body);
    json_open_object(&w, NULL);
    json_put_str(&w, "kind", job->kind);
    json_put_str(&w, "family", job->family);
    json_put_str(&w, "reason", job->reason == NULL ? "" : job->reason);
    if (strcmp(job->kind, "renew") == 0) {
        if (job->floor_text != NULL) {
            RW_TRY(rw_parse_i64(rw_span_str(job->floor_text), 1, RW_JSON_INT_MAX, "--floor",
                                &number, err));
        }
        json_put_int(&w, "floor", number);
    } else {
        json_put_int(&w, "release", job->release);
    }
    if (strcmp(job->kind, "expedite") == 0) {
        RW_TRY(rw_parse_duration_s(rw_span_str(job->until), LONGEST_S, "--until", &number, err));
        json_put_int(&w, "for_s", number);
        RW_TRY(put_rings(&w, job->rings, err));
    }
    json_close_object(&w);
    return json_done(&w, err);
}

static void print_next(const struct ask_job *job)
{
    if (job->release == 0) {
        printf("next: ringward release sign --renew %s--key KEY %s\n",
               job->floor_text != NULL ? "--floor N " : "", job->family);
    } else {
        printf("next: ringward release sign --%s --key KEY %s/%lld\n", job->kind, job->family,
               (long long)job->release);
    }
}

static RW_RC ask(const struct ask_job *job, struct rw_err *err)
{
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_AUTO(json_tree) json_tree answer = NULL;
    RW_AUTO(rw_buf) struct rw_buf body = rw_buf_make(BODY_BYTES_MAX);
    RW_TRY(write_body(job, &body, err));
    RW_TRY(cli_api_open(job->args.profile, &api, err));
    RW_TRY(cli_api_post(api, "/v1/orders", rw_buf_span(&body), &answer, err));
    if (job->args.format != CLI_TABLE) { return cli_view_print_json(answer, err); }
    const struct json *signatures = json_find(answer, "signatures");
    printf("order to %s %s waits for signatures: %zu of %lld\n", job->kind, job->args.operands[0],
           signatures == NULL ? 0 : json_count(signatures),
           (long long)cli_view_int(answer, "threshold", 0));
    print_next(job);
    return cli_view_flush(err);
}

RW_RC cmd_release_withdraw(int argc, char **argv, struct rw_err *err)
{
    struct ask_job job = {.kind = "withdraw"};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(job.args.profile),
        CLI_OPT_OUTPUT(job.args.output),
        {"reason", "TEXT", "why, for the audit log (required)", &job.reason, NULL},
    };
    const struct opt_command command = {
        .program = "ringward release withdraw",
        .usage = "FAMILY/NUMBER",
        .about =
            "Asks the engineers to withdraw a published release: it leaves the content role, and\n"
            "endpoints never take its bytes again. Refused while a ring points at it.",
        .examples = "  ringward release withdraw --reason \"ticket 4711\" yara/2\n"
                    "  ringward release sign --withdraw --key alice.key yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &job.args, err));
    if (job.args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_id(job.args.operands[0], job.family, &job.release, err));
    RW_TRY(cli_view_need_reason(job.reason, err));
    return ask(&job, err);
}

RW_RC cmd_release_renew(int argc, char **argv, struct rw_err *err)
{
    struct ask_job job = {.kind = "renew"};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(job.args.profile),
        CLI_OPT_OUTPUT(job.args.output),
        {"floor", "N", "raise the floor: no release below N is installed any more, ever",
         &job.floor_text, NULL},
        {"reason", "TEXT", "why, for the audit log (required with --floor)", &job.reason, NULL},
    };
    const struct opt_command command = {
        .program = "ringward release renew",
        .usage = "FAMILY",
        .about =
            "Asks the engineers to sign the family's content role anew, without a new release: it\n"
            "lives fourteen days, so a quiet family is renewed once a week. Entries and their "
            "dates\n"
            "stay as they are. Where keys, threshold or end shall change, or the engineers' "
            "machines\n"
            "reach no server, use 'ringward trust rotate --role content-FAMILY' (docs/trust.md).",
        .examples = "  ringward release renew yara\n"
                    "  ringward release sign --renew --key alice.key yara\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &job.args, err));
    if (job.args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_name(job.args.operands[0], "family", err));
    RW_TRY(rw_span_to_str(job.family, sizeof(job.family), rw_span_str(job.args.operands[0]),
                          "family", err));
    if (job.floor_text != NULL) { RW_TRY(cli_view_need_reason(job.reason, err)); }
    return ask(&job, err);
}

RW_RC cmd_release_expedite(int argc, char **argv, struct rw_err *err)
{
    struct ask_job job = {.kind = "expedite"};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(job.args.profile),
        CLI_OPT_OUTPUT(job.args.output),
        {"ring", "RING,...", "rings in which the release bakes shorter (required)", &job.rings,
         NULL},
        {"until", "DURATION", "how long the expedite is in force, from now (required)", &job.until,
         NULL},
        {"reason", "TEXT", "why; signed, and in the audit log (required)", &job.reason, NULL},
    };
    const struct opt_command command = {
        .program = "ringward release expedite",
        .usage = "FAMILY/NUMBER",
        .about =
            "Asks the duty officers to shorten a published release's bake to the policy's hard\n"
            "minimum. It skips no ring, no gate, no box, no window; engineers have no vote in it.",
        .examples = "  ringward release expedite --ring early,broad --until 4h \\\n"
                    "      --reason \"worm outbreak\" yara/2\n"
                    "  ringward release sign --expedite --key carol.key yara/2\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &job.args, err));
    if (job.args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_release_id(job.args.operands[0], job.family, &job.release, err));
    RW_TRY(cli_view_need(job.rings, "--ring RING,...", command.program, err));
    RW_TRY(cli_view_need(job.until, "--until DURATION", command.program, err));
    RW_TRY(cli_view_need_reason(job.reason, err));
    return ask(&job, err);
}

/* --- list --- */
static RW_RC add_order(struct cli_table *t, const struct json *o, struct rw_err *err)
{
    char text[TEXT_BYTES];
    char kind[WORD_BYTES];
    const struct json *signatures = json_find(o, "signatures");
    (void)cli_view_str(o, "kind", kind, sizeof(kind));
    RW_TRY(cli_table_add(t, kind, err));
    (void)cli_view_str(o, "family", text, sizeof(text));
    if (cli_view_int(o, "release", 0) == 0) {
        RW_TRY(cli_table_add(t, text, err));
    } else {
        RW_TRY(cli_table_addf(t, err, "%s/%lld", text, (long long)cli_view_int(o, "release", 0)));
    }
    RW_TRY(cli_table_add(t, cli_view_str(o, "state", text, sizeof(text)), err));
    RW_TRY(cli_table_addf(t, err, "%zu/%lld", signatures == NULL ? 0 : json_count(signatures),
                          (long long)cli_view_int(o, "threshold", 0)));
    RW_TRY(cli_table_add(t, cli_view_str(o, "created", text, sizeof(text)), err));
    RW_TRY(cli_table_add(t, cli_view_or_dash(o, "until", text, sizeof(text)), err));
    return cli_table_add(t, cli_view_or_dash(o, "reason", text, sizeof(text)), err);
}

static RW_RC print_orders(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"ORDER",   "ABOUT", "STATE", "SIGNATURES",
                                         "CREATED", "UNTIL", "REASON"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *o = json_first(list); o != NULL; o = json_next(o)) {
        RW_TRY(add_order(&t, o, err));
    }
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

RW_RC cmd_release_orders(int argc, char **argv, struct rw_err *err)
{
    static const struct cli_list what = {
        .program = "ringward release orders",
        .about = "Lists orders to withdraw, renew or expedite: open ones wait for signatures.",
        .examples = "  ringward release orders\n",
        .path = "/v1/orders",
        .member = "orders",
        .empty = "no orders: nobody asked to withdraw, renew or expedite",
        .print = print_orders,
    };
    return cli_list_run(&what, argc, argv, err);
}
