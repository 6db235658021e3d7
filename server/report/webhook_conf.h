/* webhook_conf.h: the targets of webhooks: one file NAME.conf each in DIR/webhooks.
 *
 * memory   plain values; secrets are wiped by webhook_conf_wipe
 * threads  no shared state
 * source   docs/server.md "Webhooks"
 */
#ifndef RINGWARD_WEBHOOK_CONF_H
#define RINGWARD_WEBHOOK_CONF_H

#include "common/base/conf.h"

enum {
    WEBHOOK_TARGETS_MAX = 8,
    WEBHOOK_NAME_BYTES = 33,
    WEBHOOK_URL_BYTES = 768,
    WEBHOOK_PATH_BYTES = 4096,
    WEBHOOK_EVENTS_BYTES = 256,
    WEBHOOK_SECRET_BYTES_MAX = 256,
    WEBHOOK_SECRET_BYTES_MIN = 16,
};

struct webhook_target {
    char name[WEBHOOK_NAME_BYTES]; /* of the file */
    char url[WEBHOOK_URL_BYTES];   /* as written */
    char base[WEBHOOK_URL_BYTES];  /* "https://host:port" */
    char path[WEBHOOK_URL_BYTES];  /* "/..." */
    char secret_file[WEBHOOK_PATH_BYTES];
    char ca_file[WEBHOOK_PATH_BYTES]; /* "": the system's store */
    char events[WEBHOOK_EVENTS_BYTES];
    int64_t timeout_ms;
    int64_t keep; /* records of the audit log that may wait */
    uint8_t secret[WEBHOOK_SECRET_BYTES_MAX];
    size_t secret_bytes;
};

struct webhook_conf {
    struct webhook_target targets[WEBHOOK_TARGETS_MAX]; /* in order of name */
    size_t count;
};

extern const struct conf_table webhook_conf_table;

/* Reads all targets; a missing folder means none. A secret comes from a file only, which nobody else may read.
 * Fails with RW_E_CONFIG naming file and setting, RW_E_IO, RW_E_FULL (too many). */
RW_RC webhook_conf_load(const char *folder, struct webhook_conf *out, struct rw_err *err);
void webhook_conf_wipe(struct webhook_conf *conf);

#endif
