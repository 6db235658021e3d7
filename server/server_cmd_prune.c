#include "server/server_cmd.h"

#include "common/base/num.h"
#include "common/base/opt.h"
#include "common/json/json_write.h"
#include "server/server_conf.h"
#include "server/server_prune.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AGE_DEFAULT  "90d"
#define KEEP_DEFAULT "3"

enum { KEEP_MAX = 1000000, BY_BYTES = 32, JSON_BYTES_MAX = 512 * 1024 * 1024 };

#define AGE_S_MAX (INT64_C(36500) * 86400)

static const struct {
    enum prune_verdict verdict;
    const char *name;
} kept[] = {
    {PRUNE_REFERRED, "referred"},
    {PRUNE_YOUNG, "young"},
    {PRUNE_FEW, "few"},
    {PRUNE_OPEN, "open"},
};

static int64_t count(const struct prune_list *list, enum prune_verdict verdict)
{
    int64_t n = 0;
    for (size_t i = 0; i < list->count; i++) {
        n += list->at[i].verdict == verdict;
    }
    return n;
}

/* --- output --- */
static void print_text(const struct prune_list *list, bool dry_run)
{
    const char *verb = dry_run ? "would remove" : "removed";
    for (size_t i = 0; i < list->count; i++) {
        const struct prune_entry *e = &list->at[i];
        if (e->verdict == PRUNE_GO) {
            printf("%s %s (%lld bytes)\n", verb, e->path, (long long)e->bytes);
        }
        if (e->verdict == PRUNE_UNKNOWN) { printf("left %s: unknown\n", e->path); }
    }
    for (enum prune_kind kind = PRUNE_METADATA; kind < PRUNE_STRANGER; kind++) {
        struct server_prune_sum sum = server_prune_sum(list, kind);
        printf("%s: %s %lld, %lld bytes\n", prune_list_kind(kind), verb, (long long)sum.files,
               (long long)sum.bytes);
    }
    printf("kept:");
    for (size_t i = 0; i < RW_LEN(kept); i++) {
        printf(" %lld %s,", (long long)count(list, kept[i].verdict),
               prune_rule_why(kept[i].verdict));
    }
    printf(" %lld %s\n", (long long)count(list, PRUNE_UNKNOWN), prune_rule_why(PRUNE_UNKNOWN));
}

static RW_RC print_json(const struct prune_list *list, bool dry_run, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(JSON_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_open_object(&w, NULL);
    json_put_str(&w, "format", "ringward-prune-1");
    json_put_bool(&w, "dry_run", dry_run);
    json_open_array(&w, "removed");
    for (size_t i = 0; i < list->count; i++) {
        const struct prune_entry *e = &list->at[i];
        if (e->verdict != PRUNE_GO) { continue; }
        json_open_object(&w, NULL);
        json_put_str(&w, "kind", prune_list_kind(e->kind));
        json_put_str(&w, "path", e->path);
        json_put_int(&w, "bytes", e->bytes);
        json_close_object(&w);
    }
    json_close_array(&w);
    json_open_object(&w, "kept");
    for (size_t i = 0; i < RW_LEN(kept); i++) {
        json_put_int(&w, kept[i].name, count(list, kept[i].verdict));
    }
    json_close_object(&w);
    json_open_array(&w, "unknown");
    for (size_t i = 0; i < list->count; i++) {
        if (list->at[i].verdict == PRUNE_UNKNOWN) { json_put_str(&w, NULL, list->at[i].path); }
    }
    json_close_array(&w);
    json_close_object(&w);
    RW_TRY(json_done(&w, err));
    printf("%s\n", rw_buf_str(&text));
    return RW_OK;
}

/* --- the verb --- */
struct wanted {
    const char *dir;
    const char *older_than;
    const char *keep;
    const char *output;
    bool dry_run;
    bool json;
    struct prune_limits limits;
};

static RW_RC read_wanted(struct wanted *w, struct rw_err *err)
{
    struct rw_clock clock = rw_clock_system();
    if (w->dir == NULL) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "--dir is required"), "hint follows");
        return rw_hint(err, "try 'ringward-server prune --help'");
    }
    w->json = w->output != NULL && strcmp(w->output, "json") == 0;
    if (w->output != NULL && !w->json && strcmp(w->output, "text") != 0) {
        return rw_fail(err, RW_E_USAGE, "output '%.40s' is neither text nor json", w->output);
    }
    w->limits.now_s = rw_clock_wall(&clock).s;
    RW_TRY(rw_parse_duration_s(rw_span_str(w->older_than), AGE_S_MAX, "--older-than",
                               &w->limits.age_s, err));
    return rw_parse_i64(rw_span_str(w->keep), 1, KEEP_MAX, "--keep", &w->limits.keep, err);
}

static RW_RC work(const struct wanted *w, struct store *store, struct rw_err *err)
{
    char by[BY_BYTES];
    RW_AUTO(prune_list) struct prune_list list = {.at = NULL};
    (void)snprintf(by, sizeof(by), "local uid %u", (unsigned)getuid());
    const struct server_prune_settings settings = {
        .dir = w->dir, .store = store, .limits = w->limits, .dry_run = w->dry_run, .by = by};
    RW_TRY(server_prune(&settings, &list, err));
    if (w->json) { return print_json(&list, w->dry_run, err); }
    print_text(&list, w->dry_run);
    return RW_OK;
}

RW_RC server_cmd_prune(int argc, char **argv, struct rw_err *err)
{
    struct wanted w = {.older_than = AGE_DEFAULT, .keep = KEEP_DEFAULT};
    const struct opt opts[] = {
        {"dir", "DIR", "directory of a server, which may be running (required)", &w.dir, NULL},
        {"older-than", "TIME", "only what has been of no use for so long (default " AGE_DEFAULT ")",
         &w.older_than, NULL},
        {"keep", "N", "newest versions and measures that always stay (default " KEEP_DEFAULT ")",
         &w.keep, NULL},
        {"dry-run", NULL, "tell what would go, remove nothing", NULL, &w.dry_run},
        {"output", "FORMAT", "text or json, also as -o (default text)", &w.output, NULL},
    };
    const struct opt_command command = {
        .program = "ringward-server prune",
        .usage = "",
        .about =
            "Removes metadata versions that nothing in force names (never a root), payloads, "
            "policies\n"
            "and differences that no version that stays lists, and uploads of releases that are\n"
            "refused, withdrawn, or published and not listed any more. What is not understood\n"
            "stays and is named; damaged metadata end the run before anything is removed.\n"
            "A running server does it by itself (settings retention_*): --dry-run tells what\n"
            "will go.",
        .examples = "  ringward-server prune --dir /var/lib/ringward --dry-run\n"
                    "  ringward-server prune --dir /var/lib/ringward --older-than 30d --keep 5\n",
        .opts = opts,
        .opt_count = RW_LEN(opts),
    };
    enum opt_outcome outcome = OPT_RUN;
    char **operands = NULL;
    int operand_count = 0;
    struct server_conf conf;
    struct store store = {.backend = NULL};
    RW_TRY(opt_parse(&command, argc, argv, &outcome, &operands, &operand_count, err));
    if (outcome == OPT_HELP_SHOWN) { return RW_OK; }
    RW_TRY(read_wanted(&w, err));
    RW_TRY(server_conf_load(w.dir, &conf, err));
    RW_TRY(server_conf_store(&conf, w.dir, &store, err));
    struct rw_rc rc = work(&w, &store, err);
    store_close(&store);
    return rc;
}
