/* log.h: one line per event on stderr: "ts=... level=info event=permit_granted key=value ...".
 *
 * memory   a line is built in a fixed buffer; what does not fit is cut and marked cut=1
 * threads  a line is written with one write(2); safe from any thread
 * source   style guide 12. Library layers return errors and do not log.
 */
#ifndef RINGWARD_LOG_H
#define RINGWARD_LOG_H

#include "common/base/err.h"

enum rw_log_level { RW_LOG_DEBUG, RW_LOG_INFO, RW_LOG_WARN, RW_LOG_ERROR };

struct rw_log_line {
    char text[1024];
    size_t n;
    bool cut;
    bool silent; /* below the level in force */
};

/* Names the program in every line ("prog=agent") and sets the lowest level written. Call once. */
void rw_log_setup(const char *program, enum rw_log_level lowest);
/* "debug", "info", "warn", "error". Fails with RW_E_SYNTAX. */
RW_RC rw_log_level_parse(const char *name, enum rw_log_level *out, struct rw_err *err);

void rw_log_begin(struct rw_log_line *l, enum rw_log_level level, const char *event);
/* Values with blanks, quotes or unprintable bytes are quoted and escaped; foreign text is safe here. */
void rw_log_str(struct rw_log_line *l, const char *key, const char *value);
void rw_log_i64(struct rw_log_line *l, const char *key, int64_t value);
void rw_log_err(struct rw_log_line *l, const struct rw_err *err); /* error=CODE text=... hint=... */
void rw_log_end(struct rw_log_line *l);                           /* writes the line */

/* Short form for an event with at most one text. `key` may be NULL. */
void rw_log(enum rw_log_level level, const char *event, const char *key, const char *value);

#endif
