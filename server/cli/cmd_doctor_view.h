/* cmd_doctor_view.h: the doctor's findings, judged and printed.
 *
 * memory   a report owns its rows until cmd_doctor_report_drop
 * threads  one thread
 * source   docs/trust.md (who renews which role)
 */
#ifndef RINGWARD_CMD_DOCTOR_VIEW_H
#define RINGWARD_CMD_DOCTOR_VIEW_H

#include "common/json/json_write.h"
#include "common/tuf/tuf_client.h"
#include "server/cli/cli_table.h"
#include "server/cli/cli_view.h"

enum { CMD_DOCTOR_ROLES_MAX = 128 };

struct cmd_doctor_report {
    struct rw_wall now;
    enum cli_format format;
    struct cli_table table;
    struct rw_buf text; /* JSON */
    struct json_writer w;
    size_t bad; /* findings that somebody must look at */
};

void cmd_doctor_report_drop(struct cmd_doctor_report *r);
RW_RC cmd_doctor_view_begin(struct cmd_doctor_report *r, enum cli_format format,
                            struct rw_err *err);
/* A role that verifies. */
RW_RC cmd_doctor_view_role(struct cmd_doctor_report *r, const struct tuf_role_status *role,
                           struct rw_err *err);
/* The certificate of the server. */
RW_RC cmd_doctor_view_cert(struct cmd_doctor_report *r, struct rw_wall not_before,
                           struct rw_wall not_after, struct rw_err *err);
/* A role, or the whole refresh, that does not; `why` is the finding. */
RW_RC cmd_doctor_view_broken(struct cmd_doctor_report *r, const char *role,
                             const struct rw_err *why, struct rw_err *err);
/* Prints. Fails with RW_E_ATTENTION when anything is bad. */
RW_RC cmd_doctor_view_end(struct cmd_doctor_report *r, struct rw_err *err);

#endif
