#include "server/api/api_certificate.h"

#include "server/api/certificate_rule.h"

void api_certificate_write(const struct api_certificate *c, struct json_writer *w)
{
    char until[RW_TIME_TEXT_BYTES];
    if (!c->tls) { return; }
    rw_wall_format(until, c->until);
    json_open_object(w, "certificate");
    json_put_str(w, "expires", until);
    if (c->refusal[0] != '\0') { json_put_str(w, "refused", c->refusal); }
    json_close_object(w);
}

void api_certificate_write_alarms(const struct api_certificate *c, struct rw_wall now,
                                  struct json_writer *w)
{
    struct rw_err text;
    if (!c->tls) { return; }
    if (c->refusal[0] != '\0') {
        RW_IGNORE(rw_fail(&text, RW_E_CONFIG, "certificate refused, the former one is in use: %s",
                          c->refusal),
                  "only the text is wanted");
        json_put_str(w, NULL, text.text);
    }
    if (certificate_rule_ends_soon(c->from, c->until, now)) {
        char until[RW_TIME_TEXT_BYTES];
        rw_wall_format(until, c->until);
        RW_IGNORE(rw_fail(&text, RW_E_CONFIG, "TLS certificate %s %s",
                          c->until.s <= now.s ? "expired:" : "expires soon:", until),
                  "only the text is wanted");
        json_put_str(w, NULL, text.text);
    }
}

RW_RC api_certificate_metrics(const struct api_certificate *c, struct rw_wall now,
                              struct rw_buf *into, struct rw_err *err)
{
    if (!c->tls) { return RW_OK; }
    return rw_buf_appendf(
        into, err,
        "# HELP ringward_certificate_left_seconds Time until the TLS certificate in use expires.\n"
        "# TYPE ringward_certificate_left_seconds gauge\nringward_certificate_left_seconds %lld\n"
        "# HELP ringward_certificate_loaded_total TLS certificates taken into use since the "
        "start.\n"
        "# TYPE ringward_certificate_loaded_total counter\n"
        "ringward_certificate_loaded_total %llu\n"
        "# HELP ringward_certificate_refused_total TLS certificates that were not taken into use.\n"
        "# TYPE ringward_certificate_refused_total counter\n"
        "ringward_certificate_refused_total %llu\n"
        "# HELP ringward_certificate_refused Whether the files hold one that is not in use.\n"
        "# TYPE ringward_certificate_refused gauge\nringward_certificate_refused %d\n",
        (long long)(c->until.s - now.s), (unsigned long long)c->loaded,
        (unsigned long long)c->refused, c->refusal[0] != '\0');
}
