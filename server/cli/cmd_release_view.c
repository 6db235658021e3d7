#include "server/cli/cmd_release_view.h"

#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

#include <string.h>

enum { WORD_BYTES = 80, TEXT_BYTES = 600 };

static RW_RC add_release(struct cli_table *t, const struct json *r, struct rw_err *err)
{
    char text[TEXT_BYTES];
    const struct json *payload = json_find(r, "payload");
    const struct json *signatures = json_find(r, "signatures");
    RW_TRY(cli_table_addf(t, err, "%s/%lld", cli_view_str(r, "family", text, sizeof(text)),
                          (long long)cli_view_int(r, "release", 0)));
    RW_TRY(cli_table_add(t, cli_view_str(r, "state", text, sizeof(text)), err));
    RW_TRY(cli_table_add(t, cli_view_str(r, "class", text, sizeof(text)), err));
    RW_TRY(cli_table_addf(t, err, "%lld",
                          (long long)(payload == NULL ? 0 : cli_view_int(payload, "bytes", 0))));
    RW_TRY(cli_table_addf(t, err, "%zu/%lld", signatures == NULL ? 0 : json_count(signatures),
                          (long long)cli_view_int(r, "threshold", 0)));
    RW_TRY(cli_table_add(t, cli_view_bool(r, "unchecked") ? "NO" : "yes", err));
    RW_TRY(cli_table_add(t, cli_view_str(r, "created", text, sizeof(text)), err));
    return cli_table_add(t, cli_view_str(r, "notes", text, sizeof(text)), err);
}

RW_RC cmd_release_view_list(const struct json *list, struct rw_err *err)
{
    static const char *const header[] = {"RELEASE",    "STATE", "CLASS",   "BYTES",
                                         "SIGNATURES", "BOX",   "CREATED", "NOTES"};
    RW_AUTO(cli_table) struct cli_table t = {0};
    RW_TRY(cli_table_begin(&t, header, RW_LEN(header), err));
    for (const struct json *r = json_first(list); r != NULL; r = json_next(r)) {
        RW_TRY(add_release(&t, r, err));
    }
    (void)cli_table_print(&t);
    return cli_view_flush(err);
}

static const char *unit_of(const char *id)
{
    static const struct {
        const char *id;
        const char *unit;
    } units[] = {
        {"envelope", "bytes"}, {"count", "rules"},  {"memory", "KiB"},
        {"cpu", "ms"},         {"slowest", "us"},   {"coverage", "fields"},
        {"schema", "types"},   {"limits", "rules"}, {"dry_run", "criteria"},
    };
    for (size_t i = 0; i < RW_LEN(units); i++) {
        if (strcmp(units[i].id, id) == 0) { return units[i].unit; }
    }
    return "looked at";
}

static void print_checks(FILE *to, const struct json *verdict)
{
    const struct json *checks = json_find(verdict, "checks");
    for (const struct json *c = checks == NULL ? NULL : json_first(checks); c != NULL;
         c = json_next(c)) {
        char id[WORD_BYTES];
        (void)cli_view_str(c, "id", id, sizeof(id));
        (void)fprintf(to, "  %-16s %-7s %lld %s", id, cli_view_bool(c, "ok") ? "ok" : "FAILED",
                      (long long)cli_view_int(c, "n", 0), unit_of(id));
        if (json_find(c, "before") != NULL) {
            (void)fprintf(to, ", the release before %lld\n",
                          (long long)cli_view_int(c, "before", 0));
        } else {
            (void)fprintf(to, ", %lld wrong\n", (long long)cli_view_int(c, "wrong", 0));
        }
    }
}

static void print_strings(FILE *to, const char *label, const struct json *list)
{
    size_t n = 0;
    for (const struct json *s = list == NULL ? NULL : json_first(list); s != NULL;
         s = json_next(s)) {
        char text[WORD_BYTES];
        if (json_type(s) != JSON_STR) { continue; }
        struct rw_span span = json_str(s);
        (void)snprintf(text, sizeof(text), "%.*s", (int)(span.n < 79 ? span.n : 79), span.p);
        cli_view_clean(text);
        (void)fprintf(to, "%s%s", n == 0 ? label : ", ", text);
        n++;
    }
    if (n > 0) { (void)fprintf(to, "\n"); }
}

static void print_end(FILE *to, const struct json *verdict)
{
    const struct json *evidence = json_find(verdict, "evidence");
    const struct json *usage = json_find(verdict, "usage");
    char word[WORD_BYTES];
    if (evidence != NULL && cli_view_int(evidence, "signal", 0) > 0) {
        (void)fprintf(to, "  ended by signal  %lld (%s)\n",
                      (long long)cli_view_int(evidence, "signal", 0),
                      strsignal((int)cli_view_int(evidence, "signal", 0)));
    }
    if (evidence != NULL && cli_view_str(evidence, "syscall", word, sizeof(word))[0] != '\0') {
        (void)fprintf(to, "  denied call      %s\n", word);
    }
    if (usage != NULL && cli_view_int(usage, "wall_ms", 0) > 0) {
        (void)fprintf(to, "  used             %lld ms, %lld ms of CPU, %lld MiB\n",
                      (long long)cli_view_int(usage, "wall_ms", 0),
                      (long long)cli_view_int(usage, "cpu_ms", 0),
                      (long long)cli_view_int(usage, "peak_rss_kib", 0) / 1024);
    }
}

void cmd_release_view_verdict(FILE *to, const struct json *verdict, const char *where)
{
    char word[WORD_BYTES];
    char reason[TEXT_BYTES];
    char validator[WORD_BYTES] = "";
    const struct json *by = json_find(verdict, "validator");
    const struct json *sandbox = json_find(verdict, "sandbox");
    if (by != NULL) { (void)cli_view_str(by, "name", validator, sizeof(validator)); }
    (void)cli_view_str(verdict, "reason", reason, sizeof(reason));
    (void)fprintf(to, "box on %s: %s%s%s\n", where,
                  cli_view_str(verdict, "verdict", word, sizeof(word)),
                  reason[0] != '\0' ? ": " : "", reason);
    if (cli_view_int(verdict, "rules", 0) > 0) {
        (void)fprintf(to, "  compiles         ok      %lld rules by validator %s\n",
                      (long long)cli_view_int(verdict, "rules", 0), validator);
    }
    print_checks(to, verdict);
    print_end(to, verdict);
    if (sandbox == NULL) { return; }
    (void)fprintf(to, "  sandbox          grade %s\n",
                  cli_view_str(sandbox, "grade", word, sizeof(word)));
    print_strings(to, "  missing layers   ", json_find(sandbox, "missing"));
}

/* What brings the release one step further. */
static void print_next(const struct json *r, const char *id)
{
    static const struct step {
        const char *state;
        const char *command;
    } steps[] = {
        {"checked", "ringward release sign --key KEY"},
        {"approved", "ringward release publish"},
        {"published", "ringward rollout start"},
    };
    char state[WORD_BYTES];
    (void)cli_view_str(r, "state", state, sizeof(state));
    for (size_t i = 0; i < RW_LEN(steps); i++) {
        if (strcmp(state, steps[i].state) == 0) { printf("next: %s %s\n", steps[i].command, id); }
    }
}

static void print_part(const struct json *r, const char *part)
{
    char hex[WORD_BYTES];
    const struct json *o = json_find(r, part);
    if (o == NULL || json_type(o) != JSON_OBJECT) { return; }
    printf("  %-16s %lld bytes, SHA-256 %s\n", part, (long long)cli_view_int(o, "bytes", 0),
           cli_view_str(o, "sha256", hex, sizeof(hex)));
}

RW_RC cmd_release_view_one(const struct json *r, struct rw_err *err)
{
    char id[WORD_BYTES];
    char word[WORD_BYTES];
    char text[TEXT_BYTES];
    const struct json *signatures = json_find(r, "signatures");
    const struct json *check = json_find(r, "check");
    (void)snprintf(id, sizeof(id), "%.40s/%lld", cli_view_str(r, "family", word, sizeof(word)),
                   (long long)cli_view_int(r, "release", 0));
    (void)cli_view_str(r, "state", word, sizeof(word));
    printf("%s\n", id);
    printf("  %-16s %s%s%s\n", "state", cli_table_colour(word), word, cli_table_plain());
    printf("  %-16s %s\n", "class", cli_view_str(r, "class", word, sizeof(word)));
    printf("  %-16s %s\n", "notes", cli_view_str(r, "notes", text, sizeof(text)));
    printf("  %-16s %s at %s\n", "created by", cli_view_str(r, "author", word, sizeof(word)),
           cli_view_str(r, "created", text, sizeof(text)));
    print_part(r, "payload");
    print_part(r, "samples");
    printf("  %-16s %zu of %lld\n", "signatures", signatures == NULL ? 0 : json_count(signatures),
           (long long)cli_view_int(r, "threshold", 0));
    for (const struct json *s = signatures == NULL ? NULL : json_first(signatures); s != NULL;
         s = json_next(s)) {
        printf("  %-16s %s\n", "  by key", cli_view_str(s, "keyid", word, sizeof(word)));
    }
    if (cli_view_bool(r, "drill")) {
        printf("  %-16s a rehearsal: endpoints load it, report a failure and go back\n", "DRILL");
    }
    if (cli_view_bool(r, "unchecked")) {
        printf("  %-16s NOT CHECKED by any box: %s\n", "WARNING",
               cli_view_str(r, "reason", text, sizeof(text)));
    }
    if (check != NULL && json_type(check) == JSON_OBJECT) {
        cmd_release_view_verdict(stdout, check, "the server");
    }
    print_next(r, id);
    return cli_view_flush(err);
}
