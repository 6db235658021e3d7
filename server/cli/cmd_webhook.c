#include "server/cli/cmd_webhook.h"

#include "common/base/clock.h"
#include "common/base/num.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_list.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TEXT_BYTES = 500, TEST_MS = 30000, TEST_MAX_MS = 3600000, LOOK_EVERY_MS = 200 };

static RW_RC print_list(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"NAME",      "TO",      "EVENTS",  "STATE",
                                         "DELIVERED", "WAITING", "DROPPED", "ERROR"};
    static const char *const texts[] = {"name", "url", "events", "state"};
    static const char *const counts[] = {"delivered", "waiting", "dropped"};
    char text[TEXT_BYTES];
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *h = json_first(list); h != NULL; h = json_next(h)) {
        for (size_t i = 0; i < RW_LEN(texts); i++) {
            RW_TRY(cli_table_add(&t, cli_view_str(h, texts[i], text, sizeof(text)), err));
        }
        for (size_t i = 0; i < RW_LEN(counts); i++) {
            RW_TRY(cli_table_addf(&t, err, "%lld", (long long)cli_view_int(h, counts[i], 0)));
        }
        RW_TRY(cli_table_add(&t, cli_view_or_dash(h, "error", text, sizeof(text)), err));
    }
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

static const struct json *find(const struct json *list, const char *name)
{
    char text[TEXT_BYTES];
    for (const struct json *h = json_first(list); h != NULL; h = json_next(h)) {
        if (strcmp(cli_view_str(h, "name", text, sizeof(text)), name) == 0) { return h; }
    }
    return NULL;
}

/* A target that fails is something to look after: exit status 6. */
static RW_RC outcome(const struct json *list, struct rw_err *err)
{
    char name[TEXT_BYTES];
    char why[TEXT_BYTES];
    for (const struct json *h = json_first(list); h != NULL; h = json_next(h)) {
        if (cli_view_int(h, "failures", 0) == 0) { continue; }
        return rw_fail(err, RW_E_ATTENTION, "webhook %s: %s",
                       cli_view_str(h, "name", name, sizeof(name)),
                       cli_view_str(h, "error", why, sizeof(why)));
    }
    return RW_OK;
}

static RW_RC run_status(int argc, char **argv, struct rw_err *err)
{
    static const struct cli_list what = {
        .program = "ringward webhook status",
        .about = "Shows how deliveries stand. WAITING counts audit records that a target has not "
                 "got or not\n"
                 "wanted yet. Exit status: 0 all is well, 6 a target is not reached.",
        .examples = "  ringward webhook status\n  ringward webhook status -o json\n",
        .path = "/v1/webhooks",
        .member = "webhooks",
        .empty = "no webhooks: targets are files NAME.conf in DIR/webhooks of the server",
        .print = print_list,
        .judge = outcome,
    };
    return cli_list_run(&what, argc, argv, err);
}

/* Looks until the target took an event, failed, or the time is over. */
static RW_RC wait_for(struct cli_api *api, const char *name, int64_t delivered, int64_t timeout_ms,
                      struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    int64_t end_ms = rw_clock_mono(&clock).ms + timeout_ms;
    const struct timespec pause = {.tv_nsec = LOOK_EVERY_MS * 1000000L};
    for (;;) {
        RW_AUTO(json_tree) json_tree answer = NULL;
        const struct json *list = NULL;
        char why[TEXT_BYTES];
        RW_TRY(cli_api_get(api, "/v1/webhooks", &answer, err));
        RW_TRY(json_get(answer, "webhooks", JSON_ARRAY, &list, err));
        const struct json *h = find(list, name);
        if (h == NULL) { return rw_fail(err, RW_E_NOT_FOUND, "webhook '%.40s' has gone", name); }
        if (cli_view_int(h, "delivered", 0) > delivered) { return RW_OK; }
        if (cli_view_int(h, "failures", 0) > 0) {
            return rw_fail(err, RW_E_ATTENTION, "webhook %s: %s", name,
                           cli_view_str(h, "error", why, sizeof(why)));
        }
        if (rw_clock_mono(&clock).ms >= end_ms) {
            return rw_fail(err, RW_E_TIMEOUT, "webhook %s has not delivered yet", name);
        }
        (void)nanosleep(&pause, NULL);
    }
}

static RW_RC test(struct cli_api *api, const char *name, int64_t timeout_ms, struct rw_err *err)
{
    char path[CLI_PATH_BYTES];
    char events[TEXT_BYTES];
    RW_AUTO(json_tree) json_tree answer = NULL;
    const struct json *list = NULL;
    (void)snprintf(path, sizeof(path), "/v1/webhooks/%s/test", name);
    RW_TRY(cli_api_post(api, path, rw_span_str("{}"), &answer, err));
    RW_TRY(json_get(answer, "webhooks", JSON_ARRAY, &list, err));
    const struct json *h = find(list, name);
    if (h == NULL) { return rw_fail(err, RW_E_PROTOCOL, "the answer does not name '%s'", name); }
    RW_TRY(wait_for(api, name, cli_view_int(h, "delivered", 0), timeout_ms, err));
    printf("%s has taken an event (it wants: %s)\n", name,
           cli_view_str(h, "events", events, sizeof(events)));
    return cli_view_flush(err);
}

static RW_RC run_test(int argc, char **argv, struct rw_err *err)
{
    const char *timeout = NULL;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"timeout", "TIME", "how long to wait for the delivery (default 30s)", &timeout, NULL},
    };
    const struct opt_command command = {
        .program = "ringward webhook test",
        .usage = "NAME",
        .about = "Records an event webhook.test, which every target that wants it gets in its "
                 "turn, and waits until\n"
                 "this one has taken one. Exit status: 0 taken, 3 not in time, 6 it fails.",
        .examples = "  ringward webhook test pager\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_min = 1,
        .operands_max = 1,
    };
    int64_t timeout_ms = TEST_MS;
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(cli_view_name(args.operands[0], "webhook", err));
    if (timeout != NULL) {
        RW_TRY(
            rw_parse_duration_ms(rw_span_str(timeout), TEST_MAX_MS, "--timeout", &timeout_ms, err));
    }
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    return test(api, args.operands[0], timeout_ms, err);
}

static const struct cli_verb verbs[] = {
    {"status", run_status, "how deliveries stand"},
    {"test", run_test, "sends a test event the ordinary way"},
};

RW_RC cmd_webhook(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward webhook", verbs, RW_LEN(verbs), argc, argv, err);
}
