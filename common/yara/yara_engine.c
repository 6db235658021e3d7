#include "common/yara/yara_engine.h"

#include "common/crypto/digest.h"

#include <stdio.h>
#include <string.h>
#include <yara.h>

/* Not on the list: magic (opens its database), cuckoo (reads a report), console (collects messages without
 * bound), time (content must give the same answer tomorrow). */
static const char *const modules[] = {"pe",  "elf",   "math",   "hash",
                                      "dex", "macho", "dotnet", "string"};

enum { FIRST_ERROR_BYTES = 200, PROBE_TIMEOUT_S = 2 };

struct yara_rules {
    YR_RULES *compiled; /* owned */
};

void yara_set_drop(yara_set *set)
{
    if (*set == NULL) { return; }
    if ((*set)->compiled != NULL) { (void)yr_rules_destroy((*set)->compiled); }
    rw_mem_free(*set);
    *set = NULL;
}

RW_RC yara_begin(struct rw_err *err)
{
    RW_TRY(digest_without_files(err)); /* libyara's hash module uses libcrypto */
    int code = yr_initialize();
    if (code == ERROR_INSUFFICIENT_MEMORY) {
        return rw_fail(err, RW_E_NOMEM, "no memory for libyara");
    }
    if (code != ERROR_SUCCESS) {
        return rw_fail(err, RW_E_PROCESS, "libyara could not be initialised (error %d)", code);
    }
    return RW_OK;
}

void yara_end(void)
{
    (void)yr_finalize();
}

struct first_error {
    bool any;
    char text[FIRST_ERROR_BYTES];
};

/* The parameter list is libyara's. */
static void on_message(int level, const char *file, int line, const YR_RULE *rule,
                       const char *message, void *ctx)
{
    struct first_error *first = ctx;
    (void)file;
    if (level != YARA_ERROR_LEVEL_ERROR || first->any) { return; }
    first->any = true;
    (void)snprintf(first->text, sizeof(first->text), "line %d%s%.60s: %.110s", line,
                   rule != NULL ? ", rule " : "", rule != NULL ? rule->identifier : "", message);
}

static RW_RC code_to_rc(int code, const char *what, struct rw_err *err)
{
    switch (code) {
    case ERROR_SUCCESS:
        return RW_OK;
    case ERROR_INSUFFICIENT_MEMORY:
        return rw_fail(err, RW_E_NOMEM, "%s: out of memory", what);
    case ERROR_SCAN_TIMEOUT:
        return rw_fail(err, RW_E_TIMEOUT, "%s: takes too long", what);
    default:
        return rw_fail(err, RW_E_SYNTAX, "%s: libyara gave up with error %d", what, code);
    }
}

static RW_RC add_source(YR_COMPILER *compiler, const struct rw_buf *source, YR_RULES **out,
                        struct rw_err *err)
{
    struct first_error first = {.any = false};
    yr_compiler_set_callback(compiler, on_message, &first);
    yr_compiler_set_include_callback(compiler, NULL, NULL, NULL); /* includes would read files */
    if (yr_compiler_add_string(compiler, rw_buf_str(source), NULL) != 0) {
        if (compiler->last_error == ERROR_INSUFFICIENT_MEMORY) {
            return rw_fail(err, RW_E_NOMEM, "compiling: out of memory");
        }
        return rw_fail(err, RW_E_SYNTAX, "%s", first.any ? first.text : "libyara gave no reason");
    }
    return code_to_rc(yr_compiler_get_rules(compiler, out), "compiling", err);
}

/* A scan tells each imported module before it is loaded: so one byte is scanned to learn their names. */
static int on_probe(YR_SCAN_CONTEXT *context, int message, void *data, void *ctx)
{
    char *forbidden = ctx;
    (void)context;
    if (message != CALLBACK_MSG_IMPORT_MODULE) { return CALLBACK_CONTINUE; }
    const char *name = ((const YR_MODULE_IMPORT *)data)->module_name;
    for (size_t i = 0; i < RW_LEN(modules); i++) {
        if (strcmp(modules[i], name) == 0) { return CALLBACK_CONTINUE; }
    }
    (void)snprintf(forbidden, FIRST_ERROR_BYTES, "%s", name);
    return CALLBACK_ERROR;
}

static RW_RC check_modules(YR_RULES *compiled, struct rw_err *err)
{
    static const uint8_t probe[1] = {0};
    char forbidden[FIRST_ERROR_BYTES] = "";
    int code = yr_rules_scan_mem(compiled, probe, sizeof(probe), SCAN_FLAGS_NO_TRYCATCH, on_probe,
                                 forbidden, PROBE_TIMEOUT_S);
    if (forbidden[0] != '\0') {
        return rw_fail(err, RW_E_SYNTAX, "module '%.60s' is not permitted", forbidden);
    }
    return code_to_rc(code, "scanning one byte", err);
}

RW_RC yara_compile(const struct rw_buf *source, struct yara_rules **out, struct rw_err *err)
{
    YR_COMPILER *compiler = NULL;
    RW_AUTO(yara_set) yara_set set = rw_mem_new(sizeof(*set));
    if (set == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a rule set"); }
    const uint8_t *nul = source->n == 0 ? NULL : memchr(source->p, 0, source->n);
    if (nul != NULL) {
        return rw_fail(err, RW_E_SYNTAX, "NUL byte at offset %zu: this is not rule text",
                       (size_t)(nul - source->p));
    }
    RW_TRY(code_to_rc(yr_compiler_create(&compiler), "preparing the compiler", err));
    struct rw_rc rc = add_source(compiler, source, &set->compiled, err);
    yr_compiler_destroy(compiler);
    RW_TRY(rc);
    if (yara_count(set) == 0) { return rw_fail(err, RW_E_SYNTAX, "there is no rule in it"); }
    RW_TRY(check_modules(set->compiled, err));
    *out = RW_STEAL(set);
    return RW_OK;
}

int64_t yara_count(const struct yara_rules *rules)
{
    int64_t count = 0;
    YR_RULE *rule = NULL;
    yr_rules_foreach(rules->compiled, rule)
    {
        count++;
    }
    return count;
}

void yara_each_name(const struct yara_rules *rules, void (*each)(void *ctx, const char *name),
                    void *ctx)
{
    YR_RULE *rule = NULL;
    yr_rules_foreach(rules->compiled, rule)
    {
        each(ctx, rule->identifier);
    }
}

bool yara_meta(const struct yara_rules *rules, const char *name, int64_t *after, char *dst,
               size_t cap)
{
    int64_t at = 0;
    YR_RULE *rule = NULL;
    YR_META *meta = NULL;
    yr_rules_foreach(rules->compiled, rule)
    {
        yr_rule_metas_foreach(rule, meta)
        {
            bool is_it = meta->type == META_TYPE_STRING && strcmp(meta->identifier, name) == 0;
            if (is_it && at++ >= *after) {
                (void)snprintf(dst, cap, "%s", meta->string);
                *after = at;
                return true;
            }
        }
    }
    return false;
}

struct scan_target {
    yara_on_hit *hit;
    void *ctx;
};

static const char *action_of(const YR_RULE *rule)
{
    YR_META *meta = NULL;
    yr_rule_metas_foreach(rule, meta)
    {
        if (meta->type == META_TYPE_STRING && strcmp(meta->identifier, "action") == 0) {
            return meta->string;
        }
    }
    return NULL;
}

static int on_scan(YR_SCAN_CONTEXT *context, int message, void *data, void *ctx)
{
    const struct scan_target *target = ctx;
    (void)context;
    if (message == CALLBACK_MSG_RULE_MATCHING) {
        const YR_RULE *rule = data;
        target->hit(target->ctx, rule->identifier, action_of(rule));
    }
    return CALLBACK_CONTINUE;
}

RW_RC yara_scan(struct yara_rules *rules, struct rw_span bytes, int timeout_s, yara_on_hit *hit,
                void *ctx, struct rw_err *err)
{
    struct scan_target target = {hit, ctx};
    static const uint8_t nothing[1] = {0};
    int flags = SCAN_FLAGS_NO_TRYCATCH | SCAN_FLAGS_REPORT_RULES_MATCHING;
    RW_ASSERT(timeout_s >= 1);
    return code_to_rc(yr_rules_scan_mem(rules->compiled, bytes.n > 0 ? bytes.p : nothing, bytes.n,
                                        flags, on_scan, &target, timeout_s),
                      "scanning", err);
}
