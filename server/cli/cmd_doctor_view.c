#include "server/cli/cmd_doctor_view.h"

#include <stdio.h>
#include <string.h>

enum {
    ONLINE_WARN_S = 3600,
    DAY_S = 86400,
    TWO_DAYS_S = 172800,
    HOUR_S = 3600,
    OUT_BYTES_MAX = 1024 * 1024
};

void cmd_doctor_report_drop(struct cmd_doctor_report *r)
{
    if (r->table.columns > 0) { cli_table_drop(&r->table); }
    if (r->text.max > 0) { rw_buf_drop(&r->text); }
}

static bool is_online(const char *role)
{
    return strcmp(role, "timestamp") == 0 || strcmp(role, "snapshot") == 0 ||
           strncmp(role, "ring-", 5) == 0;
}

const char *cmd_doctor_judge(const char *role, int64_t left_s, int64_t warn_s)
{
    if (left_s <= 0) { return "expired"; }
    return left_s < (is_online(role) ? (int64_t)ONLINE_WARN_S : warn_s) ? "soon" : "ok";
}

RW_RC cmd_doctor_view_begin(struct cmd_doctor_report *r, enum cli_format format, struct rw_err *err)
{
    static const char *const header[] = {"ROLE", "SIGNED", "VERSION", "EXPIRES", "LEFT", "VERDICT"};
    r->format = format;
    if (format == CLI_TABLE) { return cli_table_begin(&r->table, header, RW_LEN(header), err); }
    r->text = rw_buf_make(OUT_BYTES_MAX);
    r->w = json_begin(&r->text);
    json_open_object(&r->w, NULL);
    json_open_array(&r->w, "roles");
    return RW_OK;
}

static void left_text(int64_t left_s, char *dst, size_t cap)
{
    int64_t s = left_s < 0 ? -left_s : left_s;
    const char *sign = left_s < 0 ? "-" : "";
    if (s >= TWO_DAYS_S) {
        (void)snprintf(dst, cap, "%s%lld days", sign, (long long)(s / DAY_S));
    } else {
        (void)snprintf(dst, cap, "%s%lldh %lldm", sign, (long long)(s / HOUR_S),
                       (long long)(s % HOUR_S / 60));
    }
}

RW_RC cmd_doctor_view_role(struct cmd_doctor_report *r, const struct tuf_role_status *role,
                           struct rw_err *err)
{
    char expires[RW_TIME_TEXT_BYTES];
    char left[48];
    int64_t left_s = role->expires.s - r->now.s;
    const char *verdict = cmd_doctor_judge(role->role, left_s, r->warn_s);
    r->bad += strcmp(verdict, "ok") == 0 ? 0 : 1;
    rw_wall_format(expires, role->expires);
    if (r->format != CLI_TABLE) {
        json_open_object(&r->w, NULL);
        json_put_str(&r->w, "role", role->role);
        json_put_int(&r->w, "version", role->version);
        json_put_str(&r->w, "expires", expires);
        json_put_int(&r->w, "left_s", left_s);
        json_put_str(&r->w, "verdict", verdict);
        json_close_object(&r->w);
        return RW_OK;
    }
    left_text(left_s, left, sizeof(left));
    RW_TRY(cli_table_add(&r->table, role->role, err));
    RW_TRY(cli_table_add(&r->table, is_online(role->role) ? "online" : "offline", err));
    RW_TRY(cli_table_addf(&r->table, err, "%lld", (long long)role->version));
    RW_TRY(cli_table_add(&r->table, expires, err));
    RW_TRY(cli_table_add(&r->table, left, err));
    return cli_table_add(&r->table, verdict, err);
}

RW_RC cmd_doctor_view_broken(struct cmd_doctor_report *r, const char *role,
                             const struct rw_err *why, struct rw_err *err)
{
    r->bad++;
    if (r->format != CLI_TABLE) {
        json_open_object(&r->w, NULL);
        json_put_str(&r->w, "role", role);
        json_put_str(&r->w, "verdict", "broken");
        json_put_str(&r->w, "reason", why->text);
        json_close_object(&r->w);
        return RW_OK;
    }
    RW_TRY(cli_table_add(&r->table, role, err));
    for (int i = 0; i < 4; i++) {
        RW_TRY(cli_table_add(&r->table, "-", err));
    }
    return cli_table_addf(&r->table, err, "BROKEN: %s", why->text);
}

RW_RC cmd_doctor_view_end(struct cmd_doctor_report *r, struct rw_err *err)
{
    if (r->format == CLI_TABLE) {
        (void)cli_table_print(&r->table);
    } else {
        json_close_array(&r->w);
        json_put_int(&r->w, "bad", (int64_t)r->bad);
        json_close_object(&r->w);
        RW_TRY(json_done(&r->w, err));
        printf("%s\n", rw_buf_str(&r->text));
    }
    RW_TRY(cli_view_flush(err));
    if (r->bad == 0) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_TUF_EXPIRED, "%zu role%s attention", r->bad,
                      r->bad == 1 ? " needs" : "s need"),
              "hint");
    return rw_hint(err,
                   "offline roles are renewed by those who hold their keys, online ones by the "
                   "running server");
}
