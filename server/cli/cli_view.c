#include "server/cli/cli_view.h"

#include "common/base/num.h"
#include "common/json/json_write.h"
#include "common/policy/ring_policy.h"

#include <string.h>

enum { PRINT_BYTES_MAX = 32 * 1024 * 1024 };

RW_RC cli_view_need(const char *value, const char *option, const char *program, struct rw_err *err)
{
    if (value != NULL && value[0] != '\0') { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "%s is required", option), "hint");
    return rw_hint(err, "try '%s --help'", program);
}

RW_RC cli_view_need_reason(const char *reason, struct rw_err *err)
{
    if (reason != NULL && reason[0] != '\0') { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_USAGE, "a reason is required"), "hint");
    return rw_hint(err, "add --reason \"...\"; it is kept in the audit log");
}

RW_RC cli_view_format(const char *name, enum cli_format *out, struct rw_err *err)
{
    static const char *const names[] = {"table", "json", "ndjson"};
    if (name == NULL) { name = names[CLI_TABLE]; }
    for (size_t i = 0; i < RW_LEN(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (enum cli_format)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_USAGE, "output format '%.20s' is not table, json or ndjson", name);
}

RW_RC cli_view_name(const char *name, const char *what, struct rw_err *err)
{
    if (rw_is_ok(ring_policy_check_name(name, what, err))) { return RW_OK; }
    err->code = RW_E_USAGE; /* it came from the command line */
    return rw_hint(err, "for instance yara-linux");
}

RW_RC cli_view_release_id(const char *text, char family[static CLI_FAMILY_BYTES],
                          int64_t *release_out, struct rw_err *err)
{
    const char *slash = strchr(text, '/');
    static const char form[] =
        "write it as FAMILY/NUMBER, for instance yara/2; 'ringward release list' shows them";
    if (slash == NULL || slash == text || slash - text >= CLI_FAMILY_BYTES) {
        RW_IGNORE(rw_fail(err, RW_E_USAGE, "'%.60s' does not name a release", text), "hint");
        return rw_hint(err, form);
    }
    struct rw_span number = rw_span_str(slash + 1);
    if (!rw_is_ok(rw_parse_i64(number, 1, RW_JSON_INT_MAX, "release number", release_out, err))) {
        err->code = RW_E_USAGE;
        RW_IGNORE(rw_wrap(err, "'%.60s'", text), "hint");
        return rw_hint(err, form);
    }
    RW_TRY(rw_span_to_str(family, CLI_FAMILY_BYTES, rw_span_of(text, (size_t)(slash - text)),
                          "family", err));
    return cli_view_name(family, "family", err);
}

RW_RC cli_view_release_path(const char *prefix, const char *operand, const char *suffix,
                            char path[static CLI_PATH_BYTES], struct rw_err *err)
{
    char family[CLI_FAMILY_BYTES];
    int64_t release = 0;
    RW_TRY(cli_view_release_id(operand, family, &release, err));
    (void)snprintf(path, CLI_PATH_BYTES, "%s/%s/%lld%s", prefix, family, (long long)release,
                   suffix);
    return RW_OK;
}

int64_t cli_view_int(const struct json *object, const char *name, int64_t fallback)
{
    const struct json *v = json_find(object, name);
    return v != NULL && json_type(v) == JSON_INT ? json_int(v) : fallback;
}

bool cli_view_bool(const struct json *object, const char *name)
{
    const struct json *v = json_find(object, name);
    return v != NULL && json_type(v) == JSON_TRUE;
}

const char *cli_view_str(const struct json *object, const char *name, char *dst, size_t cap)
{
    const struct json *v = json_find(object, name);
    struct rw_span s = v != NULL && json_type(v) == JSON_STR ? json_str(v) : rw_span_str("");
    size_t n = s.n < cap - 1 ? s.n : cap - 1;
    rw_copy(dst, cap, s.p, n);
    dst[n] = '\0';
    cli_view_clean(dst);
    return dst;
}

const char *cli_view_or_dash(const struct json *object, const char *name, char *dst, size_t cap)
{
    if (cli_view_str(object, name, dst, cap)[0] == '\0') { (void)snprintf(dst, cap, "-"); }
    return dst;
}

const char *cli_view_duration(int64_t seconds, char *dst, size_t cap)
{
    rw_say_duration_s(dst, cap, seconds);
    return dst;
}

const char *cli_view_cohort(const struct json *cohort, char *dst, size_t cap)
{
    char os[48];
    char arch[48];
    char engine[48];
    dst[0] = '\0';
    if (cohort == NULL || json_type(cohort) != JSON_OBJECT) { return dst; }
    (void)snprintf(dst, cap, "%s/%s/%s", cli_view_or_dash(cohort, "os", os, sizeof(os)),
                   cli_view_or_dash(cohort, "arch", arch, sizeof(arch)),
                   cli_view_or_dash(cohort, "engine", engine, sizeof(engine)));
    return dst;
}

/* Bytes of the UTF-8 character that starts here by its lead byte; 0 when it is none or is not complete. */
static size_t character_bytes(const unsigned char *p)
{
    size_t n = 0;
    if (p[0] < 0x80) { return 1; }
    if (p[0] >= 0xC2 && p[0] <= 0xDF) { n = 2; }
    if (p[0] >= 0xE0 && p[0] <= 0xEF) { n = 3; }
    if (p[0] >= 0xF0 && p[0] <= 0xF4) { n = 4; }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) { return 0; } /* also the end of the text */
    }
    return n;
}

void cli_view_clean(char *text)
{
    unsigned char *p = (unsigned char *)text;
    while (*p != '\0') {
        size_t n = character_bytes(p);
        bool c1 = n == 2 && p[0] == 0xC2 && p[1] < 0xA0;
        if (n == 0 && strlen((const char *)p) < 4 && p[0] >= 0xC2) {
            *p = '\0'; /* a character that was cut by a copy */
            return;
        }
        if (n == 0 || (n == 1 && (*p < 0x20 || *p == 0x7f))) {
            *p = '?';
            n = 1;
        }
        if (c1) { p[0] = p[1] = '?'; }
        p += n;
    }
}

size_t cli_view_length(const char *text)
{
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if ((*p & 0xC0) != 0x80) { n++; }
    }
    return n;
}

RW_RC cli_view_flush(struct rw_err *err)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        return rw_fail(err, RW_E_IO, "cannot write to standard output");
    }
    return RW_OK;
}

RW_RC cli_view_args(const struct opt_command *command, int argc, char **argv,
                    struct cli_view_args *args, struct rw_err *err)
{
    enum opt_outcome outcome = OPT_RUN;
    RW_TRY(opt_parse(command, argc, argv, &outcome, &args->operands, &args->count, err));
    args->help_shown = outcome == OPT_HELP_SHOWN;
    if (args->help_shown) { return RW_OK; }
    return cli_view_format(args->output, &args->format, err);
}

RW_RC cli_view_print_json(const struct json *v, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PRINT_BYTES_MAX);
    struct json_writer w = json_begin(&text);
    json_put_tree(&w, NULL, v);
    RW_TRY(json_done(&w, err));
    (void)printf("%s\n", rw_buf_str(&text));
    return cli_view_flush(err);
}

RW_RC cli_view_print_each(const struct json *list, struct rw_err *err)
{
    for (const struct json *v = json_first(list); v != NULL; v = json_next(v)) {
        RW_TRY(cli_view_print_json(v, err));
    }
    return RW_OK;
}
