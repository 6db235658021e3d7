#include "server/cli/cmd_audit.h"

#include "common/base/file.h"
#include "common/base/num.h"
#include "server/cli/cli_api.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_verb.h"
#include "server/cli/cli_view.h"
#include "server/cli/cmd_audit_chain.h"

#include <stdio.h>
#include <string.h>

enum { PAGE = 200, EXPORT_BYTES_MAX = 256 * 1024 * 1024, TEXT_BYTES = 400, FILES_MAX = 10000 };

/* What is done with each record, and with what says that those before it were moved into files. */
struct sink {
    RW_RC (*take)(void *ctx, const struct json *record, struct rw_err *err);
    RW_RC (*anchor)(void *ctx, const struct json *anchor, struct rw_err *err);
    void *ctx;
};

/* Walks the records behind `after`, at most `limit` of them, page by page. */
static RW_RC walk(struct cli_api *api, int64_t after, int64_t limit, const struct sink *sink,
                  struct rw_err *err)
{
    int64_t next = after;
    do {
        char path[CLI_PATH_BYTES];
        RW_AUTO(json_tree) json_tree page = NULL;
        const struct json *records = NULL;
        int64_t size = limit < PAGE ? limit : PAGE;
        (void)snprintf(path, sizeof(path), "/v1/audit?after=%lld&limit=%lld", (long long)next,
                       (long long)size);
        RW_TRY(cli_api_get(api, path, &page, err));
        RW_TRY(json_get(page, "records", JSON_ARRAY, &records, err));
        const struct json *anchor = json_find(page, "anchor");
        if (anchor != NULL) { RW_TRY(sink->anchor(sink->ctx, anchor, err)); }
        for (const struct json *r = json_first(records); r != NULL; r = json_next(r)) {
            RW_TRY(sink->take(sink->ctx, r, err));
        }
        int64_t at = next;
        limit -= (int64_t)json_count(records);
        next = cli_view_int(page, "next", 0);
        if (next != 0 && next <= at) {
            return rw_fail(err, RW_E_PROTOCOL, "the server's pages do not advance");
        }
    } while (next != 0 && limit > 0);
    if (next != 0) {
        (void)fprintf(stderr, "ringward: there are more records; go on with --after %lld\n",
                      (long long)next);
    }
    return RW_OK;
}

static RW_RC print_one(void *ctx, const struct json *record, struct rw_err *err)
{
    (void)ctx;
    return cli_view_print_json(record, err);
}

static RW_RC tell_moved(void *ctx, const struct json *anchor, struct rw_err *err)
{
    (void)ctx;
    (void)err;
    (void)fprintf(stderr, "ringward: records up to %lld are in files on the server (DIR/audit)\n",
                  (long long)cli_view_int(anchor, "seq", 0));
    return RW_OK;
}

static RW_RC add_row(void *ctx, const struct json *r, struct rw_err *err)
{
    static const char *const members[] = {"at", "actor", "action", "object", "reason"};
    char text[TEXT_BYTES];
    struct cli_table *t = ctx;
    RW_TRY(cli_table_addf(t, err, "%lld", (long long)cli_view_int(r, "seq", 0)));
    for (size_t i = 0; i < RW_LEN(members); i++) {
        RW_TRY(cli_table_add(t, cli_view_or_dash(r, members[i], text, sizeof(text)), err));
    }
    return RW_OK;
}

static RW_RC parse_range(const char *after_text, const char *limit_text, int64_t *after_out,
                         int64_t *limit_out, struct rw_err *err)
{
    if (after_text != NULL) {
        RW_TRY(
            rw_parse_i64(rw_span_str(after_text), 0, RW_JSON_INT_MAX, "--after", after_out, err));
    }
    if (limit_text == NULL) { return RW_OK; }
    return rw_parse_i64(rw_span_str(limit_text), 1, 1000000, "--limit", limit_out, err);
}

static RW_RC run_show(int argc, char **argv, struct rw_err *err)
{
    static const char *const header[] = {"SEQ", "AT", "WHO", "WHAT", "OF", "REASON"};
    const char *after_text = NULL;
    const char *limit_text = NULL;
    int64_t after = 0;
    int64_t limit = 1000;
    struct cli_view_args args = {0};
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"after", "N", "only records behind number N", &after_text, NULL},
        {"limit", "N", "at most N records (default 1000)", &limit_text, NULL},
    };
    const struct opt_command command = {
        .program = "ringward audit show",
        .usage = "",
        .about = "Shows who changed what and why, the oldest first. -o json and ndjson print one "
                 "record a line.",
        .examples = "  ringward audit show --after 120\n  ringward audit show -o ndjson\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_TRY(parse_range(after_text, limit_text, &after, &limit, err));
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    if (args.format != CLI_TABLE) {
        const struct sink lines = {print_one, tell_moved, NULL};
        return walk(api, after, limit, &lines, err);
    }
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    const struct sink rows = {add_row, tell_moved, &t};
    RW_TRY(walk(api, after, limit, &rows, err));
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

/* The chain so far, and whether the record that somebody remembered was met. */
struct check {
    struct cmd_audit_chain chain;
    const char *remembered; /* hash in hex; NULL: none */
    bool met;
};

static void look_for_remembered(struct check *check)
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), check->chain.hash, DIGEST_BYTES);
    if (check->remembered != NULL && strcmp(hex, check->remembered) == 0) { check->met = true; }
}

static RW_RC check_one(void *ctx, const struct json *record, struct rw_err *err)
{
    struct check *check = ctx;
    RW_TRY(cmd_audit_chain_add(&check->chain, record, err));
    look_for_remembered(check);
    return RW_OK;
}

static RW_RC check_anchor(void *ctx, const struct json *anchor, struct rw_err *err)
{
    struct check *check = ctx;
    RW_TRY(cmd_audit_chain_anchor(&check->chain, anchor, "seq", err));
    look_for_remembered(check);
    return RW_OK;
}

/* A line of a file: a record, or the head that says what it follows. */
static RW_RC check_line(struct check *check, const struct json *line, struct rw_err *err)
{
    const struct json *format = json_find(line, "format");
    if (format == NULL) { return check_one(check, line, err); }
    if (json_type(format) != JSON_STR || !rw_span_is(json_str(format), "ringward-audit-1")) {
        return rw_fail(err, RW_E_SCHEMA, "the format is not ringward-audit-1");
    }
    return cmd_audit_chain_anchor(&check->chain, line, "after", err);
}

/* One record a line, as `audit export` and the server's segments have them. */
static RW_RC check_file(const char *path, struct check *check, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(EXPORT_BYTES_MAX);
    RW_TRY(rw_file_read(path, EXPORT_BYTES_MAX, &text, err));
    size_t line = 1;
    for (size_t at = 0; at < text.n; line++) {
        const uint8_t *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end == NULL ? text.n - at : (size_t)(end - text.p) - at;
        RW_AUTO(json_tree) json_tree record = NULL;
        struct rw_rc rc = json_parse(rw_span_of(text.p + at, n), &json_limits_small, &record, err);
        if (rw_is_ok(rc)) { rc = check_line(check, record, err); }
        if (!rw_is_ok(rc)) { return rw_wrap(err, "%s, line %zu", path, line); }
        at += n + 1;
    }
    return RW_OK;
}

static RW_RC report(const struct check *check, enum cli_format format, struct rw_err *err)
{
    char hex[DIGEST_HEX_BYTES];
    rw_hex_encode(hex, sizeof(hex), check->chain.hash, DIGEST_BYTES);
    if (check->remembered != NULL && !check->met) {
        return rw_fail(err, RW_E_TUF_HASH,
                       "the chain holds together, but the remembered record %.16s... is not in it: "
                       "the log was cut or written anew",
                       check->remembered);
    }
    int64_t count = check->chain.seq - check->chain.from;
    if (format != CLI_TABLE) {
        printf("{\"records\":%lld,\"after\":%lld,\"hash\":\"%s\"}\n", (long long)count,
               (long long)check->chain.from, hex);
        return cli_view_flush(err);
    }
    printf("%lld record%s fit%s together; the last hash is %s\n", (long long)count,
           rw_plural(count), count == 1 ? "s" : "", hex);
    if (check->chain.from > 0) {
        printf(
            "records 1 to %lld were not looked at: they are in files of the server (DIR/audit)\n",
            (long long)check->chain.from);
    }
    return cli_view_flush(err);
}

static RW_RC run_verify(int argc, char **argv, struct rw_err *err)
{
    struct check check = {.remembered = NULL};
    struct cli_view_args args = {0};
    bool live = false;
    const struct opt opts[] = {
        CLI_OPT_PROFILE(args.profile),
        CLI_OPT_OUTPUT(args.output),
        {"remembered", "HASH", "the last hash of an earlier run: must still be in the log",
         &check.remembered, NULL},
        {"live", NULL, "go on with the log of the server behind the files", NULL, &live},
    };
    const struct opt_command command = {
        .program = "ringward audit verify",
        .usage = "[FILE...]",
        .about = "Checks the hash chain of the audit log on this machine: every record fits its "
                 "predecessor, none\n"
                 "is missing. With FILEs an exported log, or segments of a server in their order, "
                 "are checked,\n"
                 "without a server unless --live is given. Keep the last hash: with\n"
                 "--remembered a log that was cut or written anew is found out. Exit status 9: it "
                 "does not fit.",
        .examples = "  ringward audit verify\n"
                    "  ringward audit export > audit.ndjson; ringward audit verify audit.ndjson\n"
                    "  ringward audit verify --live DIR/audit/audit-*.ndjson\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
        .operands_max = FILES_MAX,
    };
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    for (int i = 0; i < args.count; i++) {
        RW_TRY(check_file(args.operands[i], &check, err));
    }
    if (args.count > 0 && !live) { return report(&check, args.format, err); }
    RW_AUTO(cli_api) cli_api api = NULL;
    const struct sink sink = {check_one, check_anchor, &check};
    RW_TRY(cli_api_open(args.profile, &api, err));
    RW_TRY(walk(api, check.chain.seq, INT64_MAX, &sink, err));
    return report(&check, args.format, err);
}

/* What was moved into files is not in the export: the file says what it follows. */
static RW_RC print_head(void *ctx, const struct json *anchor, struct rw_err *err)
{
    char hash[DIGEST_HEX_BYTES];
    RW_TRY(json_get_str(anchor, "hash", hash, sizeof(hash), err));
    cli_view_clean(hash);
    printf("{\"format\":\"ringward-audit-1\",\"after\":%lld,\"hash\":\"%s\"}\n",
           (long long)cli_view_int(anchor, "seq", 0), hash);
    return tell_moved(ctx, anchor, err);
}

static RW_RC run_export(int argc, char **argv, struct rw_err *err)
{
    struct cli_view_args args = {0};
    const struct opt opts[] = {CLI_OPT_PROFILE(args.profile)};
    const struct opt_command command = {
        .program = "ringward audit export",
        .usage = "",
        .about = "Writes the whole audit log to standard output, one JSON record a line, each with "
                 "its hash.",
        .examples = "  ringward audit export > audit.ndjson\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    const struct sink sink = {print_one, print_head, NULL};
    RW_TRY(cli_view_args(&command, argc, argv, &args, err));
    if (args.help_shown) { return RW_OK; }
    RW_AUTO(cli_api) cli_api api = NULL;
    RW_TRY(cli_api_open(args.profile, &api, err));
    return walk(api, 0, INT64_MAX, &sink, err);
}

static const struct cli_verb verbs[] = {
    {"show", run_show, "shows who changed what and why"},
    {"verify", run_verify, "checks the hash chain on this machine"},
    {"export", run_export, "writes the whole log, one record a line"},
};

RW_RC cmd_audit(int argc, char **argv, struct rw_err *err)
{
    return cli_verb_run("ringward audit", verbs, RW_LEN(verbs), argc, argv, err);
}
