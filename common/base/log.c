#include "common/base/log.h"

#include "common/base/buf.h"
#include "common/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *log_program = "ringward";
static enum rw_log_level log_lowest = RW_LOG_INFO;

void rw_log_setup(const char *program, enum rw_log_level lowest)
{
    log_program = program;
    log_lowest = lowest;
}

RW_RC rw_log_level_parse(const char *name, enum rw_log_level *out, struct rw_err *err)
{
    for (size_t i = 0; i < RW_LEN(level_names); i++) {
        if (strcmp(name, level_names[i]) == 0) {
            *out = (enum rw_log_level)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_SYNTAX, "log level '%.40s' is not debug, info, warn or error", name);
}

static void put(struct rw_log_line *l, const char *text, size_t n)
{
    /* 8 bytes stay free for a closing quote, " cut=1" and the line end. Nothing follows a cut: a later, shorter
     * piece would make another text of it. */
    if (l->cut || l->n + n + 8 > sizeof(l->text)) {
        l->cut = true;
        return;
    }
    rw_copy(l->text + l->n, sizeof(l->text) - l->n, text, n);
    l->n += n;
}

static void put_str(struct rw_log_line *l, const char *text)
{
    put(l, text, strlen(text));
}

static bool needs_quotes(const char *value)
{
    if (*value == '\0') { return true; }
    for (const char *p = value; *p != '\0'; p++) {
        if (*p <= ' ' || *p > '~' || *p == '"' || *p == '=' || *p == '\\') { return true; }
    }
    return false;
}

static void put_quoted(struct rw_log_line *l, const char *value)
{
    put_str(l, "\"");
    for (const char *p = value; *p != '\0'; p++) {
        char one[8];
        if (*p == '"' || *p == '\\') {
            (void)snprintf(one, sizeof(one), "\\%c", *p);
        } else if (*p < ' ' || *p > '~') { /* also bytes >= 0x80 where char is signed */
            (void)snprintf(one, sizeof(one), "\\x%02x", (unsigned)(unsigned char)*p);
        } else {
            (void)snprintf(one, sizeof(one), "%c", *p);
        }
        put_str(l, one);
    }
    if (l->cut) {
        l->text[l->n++] = '"';
    } else {
        put_str(l, "\"");
    }
}

void rw_log_begin(struct rw_log_line *l, enum rw_log_level level, const char *event)
{
    *l = (struct rw_log_line){.silent = level < log_lowest};
    struct rw_clock clock = rw_clock_system();
    char ts[RW_TIME_TEXT_BYTES];
    rw_wall_format(ts, rw_clock_wall(&clock));
    rw_log_str(l, "ts", ts);
    rw_log_str(l, "level", level_names[level]);
    rw_log_str(l, "prog", log_program);
    rw_log_str(l, "event", event);
}

void rw_log_str(struct rw_log_line *l, const char *key, const char *value)
{
    if (l->silent || l->cut) { return; }
    if (l->n > 0) { put_str(l, " "); }
    put_str(l, key);
    put_str(l, "=");
    if (needs_quotes(value)) {
        put_quoted(l, value);
    } else {
        put_str(l, value);
    }
}

void rw_log_i64(struct rw_log_line *l, const char *key, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)value);
    rw_log_str(l, key, text);
}

void rw_log_err(struct rw_log_line *l, const struct rw_err *err)
{
    rw_log_str(l, "error", rw_code_name(err->code));
    rw_log_str(l, "text", err->text);
    if (err->hint[0] != '\0') { rw_log_str(l, "hint", err->hint); }
}

void rw_log_end(struct rw_log_line *l)
{
    if (l->silent) { return; }
    if (l->cut) { rw_copy(l->text + l->n, sizeof(l->text) - l->n, " cut=1", 6); }
    size_t n = l->n + (l->cut ? 6 : 0);
    l->text[n++] = '\n';
    /* A log that cannot be written must not stop the program; there is nowhere to tell it. */
    ssize_t written = write(STDERR_FILENO, l->text, n);
    (void)written;
}

void rw_log(enum rw_log_level level, const char *event, const char *key, const char *value)
{
    struct rw_log_line l;
    rw_log_begin(&l, level, event);
    if (key != NULL) { rw_log_str(&l, key, value); }
    rw_log_end(&l);
}
