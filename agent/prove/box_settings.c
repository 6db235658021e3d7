#include "agent/prove/box_settings.h"

#include "agent/prove/box_calls.h"
#include "common/base/conf.h"
#include "common/base/file.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 16384 };

#define FIELD(name) offsetof(struct box_settings, name), sizeof(((struct box_settings *)0)->name)

/* What a validator may ask for at most: content that needs more is no content for this host. */
#define MEMORY_MIN  (INT64_C(16) << 20)
#define MEMORY_MAX  (INT64_C(1) << 30)
#define CPU_MS_MAX  INT64_C(45000)
#define WALL_MS_MAX INT64_C(60000)

static const struct conf_setting known[] = {
    {"profile", CONF_STR, FIELD(profile_name), 0, 0, "static", "static, dynamic or files"},
    {"program", CONF_STR, FIELD(program), 0, 0, "",
     "the executable, as a path or a name in this file's folder; empty: what it is named after"},
    {"sha256", CONF_STR, FIELD(sha256), 0, 0, "", "of the executable; empty: not compared"},
    {"speaks", CONF_STR, FIELD(speaks), 0, 0, "rwv1",
     "rwv1: one object on descriptor 5; lines: prints what it found in /samples; exit: a loader"},
    {"hit_word", CONF_STR, FIELD(hit_word), 0, 0, "FOUND",
     "lines: word that a line with /samples/N bears when that sample matched"},
    {"extension", CONF_STR, FIELD(extension), 0, 0, "",
     "files: content is /content.EXTENSION; empty: the content type"},
    {"arguments", CONF_STR, FIELD(arguments), 0, 0, "",
     "split at blanks; empty: validate and the content type"},
    {"soft_calls", CONF_STR, FIELD(soft_calls), 0, 0, "",
     "system calls that are refused with an error instead of the end, split at blanks"},
    {"memory", CONF_BYTES, FIELD(memory_bytes), MEMORY_MIN, MEMORY_MAX, "256MiB",
     "memory asked for"},
    {"cpu", CONF_DURATION_MS, FIELD(cpu_ms), 1000, CPU_MS_MAX, "5s", "processor time of each run"},
    {"wall", CONF_DURATION_MS, FIELD(wall_ms), 1000, WALL_MS_MAX, "20s", "time for all runs"},
};

static const struct conf_table table = {known, RW_LEN(known)};

/* Harmless to answer with an error, and asked for by common libraries. Never a call that an attack would need: its
 * attempt has to be noticed. */
static const char *const soft_permitted[] = {
    "chdir",
    "fadvise64",
    "fchdir",
    "fchown",
    "fchownat",
    "fdatasync",
    "flock",
    "fstatfs",
    "fsync",
    "getcpu",
    "getpgrp",
    "getpgid",
    "getpriority",
    "getresuid",
    "getrusage",
    "getsid",
    "mincore",
    "mlock",
    "msync",
    "sched_getparam",
    "setpriority",
    "statfs",
    "times",
    "umask",
    "utimensat",
    "pipe2",
    "poll",
    "ppoll",
    "getresgid",
    "getgroups",
    "sched_setaffinity",
};

static RW_RC find_profile(struct box_settings *m, const char *name, struct rw_err *err)
{
    for (int i = 0; i < BOX_PROFILES; i++) {
        if (strcmp(m->profile_name, box_profile_name((enum box_profile)i)) == 0) {
            m->profile = (enum box_profile)i;
            return RW_OK;
        }
    }
    return rw_fail(err, RW_E_CONFIG, "%s: profile '%s' is neither static, dynamic nor files", name,
                   m->profile_name);
}

static bool is_permitted(const char *word, size_t n)
{
    for (size_t i = 0; i < RW_LEN(soft_permitted); i++) {
        if (strlen(soft_permitted[i]) == n && strncmp(soft_permitted[i], word, n) == 0) {
            return true;
        }
    }
    return false;
}

static RW_RC find_soft(struct box_settings *m, const char *name, struct rw_err *err)
{
    for (const char *at = m->soft_calls + strspn(m->soft_calls, " "); *at != '\0';) {
        size_t n = strcspn(at, " ");
        int nr = box_calls_number(at, n);
        if (!is_permitted(at, n)) {
            return rw_fail(err, RW_E_CONFIG, "%s: soft_calls: '%.*s' may not be refused softly",
                           name, (int)(n < 40 ? n : 40), at);
        }
        if (m->soft_count == BOX_PHASE_SOFT_MAX) {
            return rw_fail(err, RW_E_CONFIG, "%s: soft_calls: more than %d", name,
                           BOX_PHASE_SOFT_MAX);
        }
        if (nr >= 0) { m->soft[m->soft_count++] = nr; } /* or this architecture has no such call */
        at += n;
        at += strspn(at, " ");
    }
    return RW_OK;
}

static bool is_plain(const char *text, const char *set)
{
    return text[0] != '\0' && strspn(text, set) == strlen(text);
}

/* A name without a slash is looked for where the settings lie: both were installed together. */
static RW_RC find_program(struct box_settings *m, const char *name, struct rw_err *err)
{
    char path[BOX_SETTINGS_PATH_BYTES];
    const char *slash = strrchr(name, '/');
    if (m->program[0] == '\0' || m->program[0] == '/') { return RW_OK; }
    if (strchr(m->program, '/') != NULL) {
        return rw_fail(err, RW_E_CONFIG,
                       "%s: program '%.80s' is neither an absolute path nor a name beside it", name,
                       m->program);
    }
    int folder = slash == NULL ? 1 : (int)(slash - name);
    int n = snprintf(path, sizeof(path), "%.*s/%s", folder, slash == NULL ? "." : name, m->program);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return rw_fail(err, RW_E_RANGE, "%s: the path of the program is too long", name);
    }
    rw_copy(m->program, sizeof(m->program), path, (size_t)n + 1);
    return RW_OK;
}

static RW_RC complete(struct box_settings *m, const char *name, const char *type,
                      struct rw_err *err)
{
    RW_TRY(find_profile(m, name, err));
    RW_TRY(find_soft(m, name, err));
    RW_TRY(find_program(m, name, err));
    m->lines = strcmp(m->speaks, "lines") == 0;
    m->by_exit = strcmp(m->speaks, "exit") == 0;
    if (!m->lines && !m->by_exit && strcmp(m->speaks, "rwv1") != 0) {
        return rw_fail(err, RW_E_CONFIG, "%s: speaks '%s' is neither rwv1, lines nor exit", name,
                       m->speaks);
    }
    if (m->by_exit && (m->profile != BOX_PROFILE_FILES || m->arguments[0] == '\0')) {
        return rw_fail(err, RW_E_CONFIG, "%s: a loader needs profile files and arguments", name);
    }
    if (m->lines && (m->profile != BOX_PROFILE_FILES || m->hit_word[0] == '\0')) {
        return rw_fail(err, RW_E_CONFIG,
                       "%s: a program that speaks lines needs profile files and a hit_word", name);
    }
    if (m->extension[0] == '\0') {
        (void)snprintf(m->extension, sizeof(m->extension), "%.16s", type);
    }
    if (!is_plain(m->extension, "abcdefghijklmnopqrstuvwxyz0123456789-")) {
        return rw_fail(err, RW_E_CONFIG, "%s: extension '%s' has other signs than a-z, 0-9, '-'",
                       name, m->extension);
    }
    if (m->sha256[0] != '\0' &&
        (!is_plain(m->sha256, "0123456789abcdef") || strlen(m->sha256) != 64)) {
        return rw_fail(err, RW_E_CONFIG, "%s: sha256 is not 64 lower-case hex digits", name);
    }
    return RW_OK;
}

RW_RC box_settings_parse(const char *name, struct rw_span text, const char *type,
                         struct box_settings *out, struct rw_err *err)
{
    struct box_settings m = {.profile = BOX_PROFILE_STATIC};
    RW_TRY(conf_parse(&table, name, text, &m, err));
    RW_TRY(complete(&m, name, type, err));
    *out = m;
    return RW_OK;
}

RW_RC box_settings_load(const char *validator, const char *type, struct box_settings *out,
                        struct rw_err *err)
{
    char path[BOX_SETTINGS_PATH_BYTES + 8];
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TEXT_BYTES_MAX);
    int used = snprintf(path, sizeof(path), "%s.conf", validator);
    if (used < 0 || (size_t)used >= sizeof(path)) {
        return rw_fail(err, RW_E_RANGE, "the path of the validator is too long");
    }
    struct rw_rc rc = rw_file_read(path, TEXT_BYTES_MAX, &text, err);
    if (rc.code != RW_E_NOT_FOUND) { RW_TRY(rc); }
    return box_settings_parse(path, rw_buf_span(&text), type, out, err);
}

void box_settings_arguments(const struct box_settings *m, const char *name, const char *type,
                            char words[static BOX_SETTINGS_WORDS_BYTES],
                            char *argv[static BOX_SETTINGS_WORDS_MAX + 2])
{
    size_t count = 0;
    if (m->arguments[0] != '\0') {
        (void)snprintf(words, BOX_SETTINGS_WORDS_BYTES, "%.200s %s", name, m->arguments);
    } else {
        (void)snprintf(words, BOX_SETTINGS_WORDS_BYTES, "%.200s validate %.64s", name, type);
    }
    for (char *at = words; *at != '\0' && count <= BOX_SETTINGS_WORDS_MAX;) {
        argv[count++] = at;
        at += strcspn(at, " ");
        if (*at != '\0') { *at++ = '\0'; }
        at += strspn(at, " ");
    }
    argv[count] = NULL;
}
