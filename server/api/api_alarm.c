#include "server/api/api_alarm.h"

#include "common/base/log.h"
#include "server/report/alarm_log.h"

enum { LIMITED_MS = 600000 }; /* an alarm lasts so long behind the last refusal */

static void put(struct json_writer *w, const char *what, const char *text)
{
    struct rw_err joined;
    if (text[0] == '\0') { return; }
    RW_IGNORE(rw_fail(&joined, RW_E_BUSY, "%s: %s", what, text), "only the text is wanted");
    json_put_str(w, NULL, joined.text);
}

/* Strangers raise none: whoever reaches the port could write into the audit log with them. The texts name nobody:
 * viewers of every tenant read them (INV-11); the log does. */
static void put_limited(const struct api_core *c, struct json_writer *w)
{
    static const struct {
        enum http_limit_kind kind;
        const char *text;
    } told[] = {
        {HTTP_LIMIT_ENDPOINT, "an endpoint, or several, ask more than endpoint_rate allows"},
        {HTTP_LIMIT_OPERATOR, "an operator's token asks more than operator_rate allows"},
        {HTTP_LIMIT_TENANT, "a tenant, or several, have filled their share of the queue"},
    };
    struct http_counters n = {.accepted = 0};
    c->outside.counters(c->outside.ctx, &n);
    for (size_t i = 0; i < RW_LEN(told); i++) {
        const struct http_limit_count *count = &n.limited[told[i].kind];
        if (count->refused > 0 && count->ago_ms < LIMITED_MS) { put(w, "limits", told[i].text); }
    }
}

static void put_inner(struct json_writer *w, bool of_tenant, const char *what, const char *text)
{
    bool hidden = of_tenant && text[0] != '\0';
    put(w, what, hidden ? "does not work; operators of all tenants see why" : text);
}

void api_alarm_write(const struct api_core *c, struct rw_wall now, bool of_tenant,
                     struct json_writer *w)
{
    const struct api_certificate certificate = api_core_certificate(c);
    const struct api_retention retention = api_core_retention(c);
    api_trust_write_alarms(c->trust, now, w);
    api_certificate_write_alarms(&certificate, now, w);
    api_clock_write_alarms(c->steady, w);
    put_inner(w, of_tenant, "signer", c->signer_alarm);
    put_inner(w, of_tenant, "store", c->store_alarm);
    put_inner(w, of_tenant, "controller", c->tick_alarm);
    put_inner(w, of_tenant, "webhooks", c->tell_alarm);
    put_inner(w, of_tenant, "retention", retention.on ? retention.failure : "");
    rollout_run_write_alarms(c->rollouts, w);
    clone_watch_write_alarms(&c->shared, !of_tenant, w);
    fleet_state_write_alarms(c->fleet, w);
    put_limited(c, w);
}

static RW_RC record(struct api_core *c, struct rw_err *err)
{
    struct rw_wall now = rw_clock_wall(&c->clock);
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(ALARM_LOG_BYTES_MAX);
    RW_TRY(api_core_heal(c, err));
    struct json_writer w = json_begin(&text);
    json_open_array(&w, NULL);
    api_alarm_write(c, now, false, &w);
    json_close_array(&w);
    RW_TRY(json_done(&w, err));
    return alarm_log_update(c->store, rw_buf_span(&text), now, err);
}

void api_alarm_record(struct api_core *c)
{
    struct rw_err err;
    struct rw_log_line l;
    if (rw_is_ok(record(c, &err))) { return; }
    rw_log_begin(&l, RW_LOG_ERROR, "alarms_not_recorded");
    rw_log_err(&l, &err);
    rw_log_end(&l);
}
