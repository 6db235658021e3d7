#include "server/cli/cmd_doctor_view.h"

#include "common/policy/trust_life_rule.h"

#include <stdio.h>
#include <string.h>

enum { DAY_S = 86400, TWO_DAYS_S = 172800, HOUR_S = 3600, OUT_BYTES_MAX = 1024 * 1024 };

void cmd_doctor_report_drop(struct cmd_doctor_report *r)
{
    if (r->table.columns > 0) { cli_table_drop(&r->table); }
    if (r->text.max > 0) { rw_buf_drop(&r->text); }
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

struct finding {
    const char *name;
    const char *signed_by; /* "online", "offline", "authority" */
    int64_t version;       /* 0: none */
    struct rw_wall expires;
    int64_t life_s;
    bool online;
};

static RW_RC put_row(struct cmd_doctor_report *r, const struct finding *f, const char *expires,
                     const char *verdict, struct rw_err *err)
{
    char left[48];
    int64_t left_s = f->expires.s - r->now.s;
    left_text(left_s, left, sizeof(left));
    RW_TRY(cli_table_add(&r->table, f->name, err));
    RW_TRY(cli_table_add(&r->table, f->signed_by, err));
    if (f->version > 0) {
        RW_TRY(cli_table_addf(&r->table, err, "%lld", (long long)f->version));
    } else {
        RW_TRY(cli_table_add(&r->table, "-", err));
    }
    RW_TRY(cli_table_add(&r->table, expires, err));
    RW_TRY(cli_table_addf(&r->table, err, "%s (%lld %%)", left,
                          (long long)trust_life_rule_percent(left_s, f->life_s)));
    return cli_table_add(&r->table, verdict, err);
}

static RW_RC put_finding(struct cmd_doctor_report *r, const struct finding *f, struct rw_err *err)
{
    char expires[RW_TIME_TEXT_BYTES];
    int64_t left_s = f->expires.s - r->now.s;
    enum trust_life life = trust_life_rule_judge(left_s, f->life_s, f->online);
    r->bad += life == TRUST_LIFE_OK ? 0 : 1;
    rw_wall_format(expires, f->expires);
    if (r->format == CLI_TABLE) { return put_row(r, f, expires, trust_life_rule_name(life), err); }
    json_open_object(&r->w, NULL);
    json_put_str(&r->w, "role", f->name);
    json_put_int(&r->w, "version", f->version);
    json_put_str(&r->w, "expires", expires);
    json_put_int(&r->w, "left_s", left_s);
    json_put_int(&r->w, "left_days", left_s / DAY_S);
    json_put_int(&r->w, "left_percent", trust_life_rule_percent(left_s, f->life_s));
    json_put_str(&r->w, "verdict", trust_life_rule_name(life));
    json_close_object(&r->w);
    return RW_OK;
}

RW_RC cmd_doctor_view_role(struct cmd_doctor_report *r, const struct tuf_role_status *role,
                           struct rw_err *err)
{
    bool online = trust_life_rule_online(role->role);
    const struct finding f = {.name = role->role,
                              .signed_by = online ? "online" : "offline",
                              .version = role->version,
                              .expires = role->expires,
                              .life_s =
                                  trust_life_rule_of(role->role, role->made, role->expires, r->now),
                              .online = online};
    return put_finding(r, &f, err);
}

RW_RC cmd_doctor_view_cert(struct cmd_doctor_report *r, struct rw_wall not_before,
                           struct rw_wall not_after, struct rw_err *err)
{
    int64_t life_s = not_after.s - not_before.s;
    const struct finding f = {.name = "tls-certificate",
                              .signed_by = "authority",
                              .expires = not_after,
                              .life_s = life_s > 0 ? life_s : 1};
    return put_finding(r, &f, err);
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
    RW_IGNORE(rw_fail(err, RW_E_ATTENTION, "%zu finding%s attention", r->bad,
                      r->bad == 1 ? " needs" : "s need"),
              "hint");
    return rw_hint(err,
                   "offline roles are renewed by those who hold their keys, online ones by the "
                   "running server");
}
