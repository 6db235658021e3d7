/* conf.h: settings files ("key = value", '#' comments) read against a table of known settings.
 *
 * memory   the target struct owns its strings as fixed arrays
 * threads  no shared state
 * source   style guide 6: one table gives parsing, limits, help and manual
 */
#ifndef RINGWARD_CONF_H
#define RINGWARD_CONF_H

#include "common/base/buf.h"

enum conf_type {
    CONF_STR,         /* char[cap] */
    CONF_INT,         /* int64_t */
    CONF_BOOL,        /* bool: yes | no */
    CONF_DURATION_MS, /* int64_t, written "15m" */
    CONF_BYTES,       /* int64_t, written "64MiB" */
};

struct conf_setting {
    const char *key;
    enum conf_type type;
    size_t offset; /* of the field in the target struct */
    size_t cap;    /* CONF_STR: size of the array */
    int64_t min;   /* INT, DURATION_MS, BYTES */
    int64_t max;
    const char *fallback; /* default as it would be written; NULL: required */
    const char *help;
};

struct conf_table {
    const struct conf_setting *settings;
    size_t count;
};

enum {
    CONF_SETTINGS_MAX = 64,
    CONF_FILES_MAX = 32,
    CONF_PATH_BYTES = 512,
    CONF_IGNORED_MAX = 16,
    CONF_IGNORED_BYTES = 64,
};

struct conf_place {
    size_t file; /* index into conf_trace.files */
    int line;    /* 0: the default */
};

/* Where each setting comes from. */
struct conf_trace {
    char files[CONF_FILES_MAX][CONF_PATH_BYTES];
    size_t file_count;
    struct conf_place places[CONF_SETTINGS_MAX];        /* as the table */
    char ignored[CONF_IGNORED_MAX][CONF_IGNORED_BYTES]; /* names in conf.d that are not read */
    size_t ignored_count;
};

/* In steps: defaults, then any number of files (a later one wins per key, twice in one is refused), then the required
 * ones. Fail as conf_load. */
RW_RC conf_begin(const struct conf_table *table, void *target, struct conf_trace *trace,
                 struct rw_err *err);
RW_RC conf_add(const struct conf_table *table, const char *name, struct rw_span text, void *target,
               struct conf_trace *trace, struct rw_err *err);
RW_RC conf_end(const struct conf_table *table, const char *name, const struct conf_trace *trace,
               struct rw_err *err);
/* Prints the settings in force on stdout, each below a comment with the file and line that it comes from. */
void conf_print(const struct conf_table *table, const void *target, const struct conf_trace *trace);

/* Reads `path` into `target`: defaults first, then the file. Unknown and repeated keys, bad values and
 * missing required ones are refused with file and line. Fails with RW_E_CONFIG, RW_E_NOT_FOUND, RW_E_IO. */
RW_RC conf_load(const struct conf_table *table, const char *path, void *target, struct rw_err *err);
/* The same from memory; `name` stands for the file in errors. */
RW_RC conf_parse(const struct conf_table *table, const char *name, struct rw_span text,
                 void *target, struct rw_err *err);
/* Prints the table as a documented sample file on stdout. */
void conf_print_sample(const struct conf_table *table);

#endif
