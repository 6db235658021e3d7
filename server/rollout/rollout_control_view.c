/* What operators set, for people and for Prometheus: with its age, and what is left (INV-12). */
#include "common/base/num.h"
#include "server/rollout/rollout_control_hot.h"

#include <stdio.h>
#include <string.h>

static void put_scope(struct json_writer *w, const struct rollout_control_scope *s)
{
    json_put_str(w, s->endpoint ? "endpoint" : "tenant", s->name);
}

/* INV-11: a tenant sees its own; whose an endpoint is the set does not know. */
static bool is_seen(const struct rollout_control_scope *s, const char *tenant)
{
    return tenant[0] == '\0' || (!s->endpoint && strcmp(s->name, tenant) == 0);
}

void rollout_control_write(const struct rollout_control_set *set, const char *tenant,
                           const struct control_limits *l, struct rw_wall now,
                           struct json_writer *w)
{
    json_open_object(w, NULL);
    json_open_array(w, "controls");
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct rollout_control_entry *e = &set->entries[i];
        if (!is_seen(&e->scope, tenant)) { continue; }
        for (size_t k = 0; k < e->count; k++) {
            json_open_object(w, NULL);
            put_scope(w, &e->scope);
            control_codec_put_view(w, &e->set[k].control, l, now);
            json_put_str(w, "set_by", e->set[k].by);
            json_put_str(w, "reason", e->set[k].reason);
            json_close_object(w);
        }
    }
    json_close_array(w);
    json_close_object(w);
}

/* "pin n-1 of tenant acme: 81 days old, lapses in 9 days (set by bob)" */
static void put_alarm(struct json_writer *w, const struct rollout_control_scope *s,
                      const struct rollout_control_one *one, const struct control_limits *l,
                      struct rw_wall now)
{
    char text[320];
    char control[CONTROL_TEXT_BYTES];
    char span[32];
    char end[64] = "has lapsed";
    struct rw_wall ends;
    control_codec_text(&one->control, control);
    if (control_rule_life(&one->control, l, now, &ends) == CONTROL_IN_FORCE) {
        rw_say_duration_s(span, sizeof(span), ends.s - now.s);
        (void)snprintf(end, sizeof(end), "lapses in %s", span);
    }
    rw_say_duration_s(span, sizeof(span), now.s - one->control.since.s);
    (void)snprintf(text, sizeof(text), "%s of %s %s: %s old, %s (set by %s)", control,
                   s->endpoint ? "endpoint" : "tenant", s->name, span, end, one->by);
    json_put_str(w, NULL, text);
}

void rollout_control_write_alarms(const struct rollout_control_set *set, const char *tenant,
                                  const struct control_limits *l, struct rw_wall now,
                                  struct json_writer *w)
{
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct rollout_control_entry *e = &set->entries[i];
        if (!is_seen(&e->scope, tenant)) { continue; }
        for (size_t k = 0; k < e->count; k++) {
            if (control_rule_is_old(&e->set[k].control, l, now)) {
                put_alarm(w, &e->scope, &e->set[k], l, now);
            }
        }
    }
}

RW_RC rollout_control_metrics(const struct rollout_control_set *set, const struct control_limits *l,
                              struct rw_wall now, struct rw_buf *into, struct rw_err *err)
{
    static const char *const names[] = {"pause", "hold", "delay", "pin"};
    int64_t counts[RW_LEN(names)][3] = {{0}};
    int64_t oldest_s = 0;
    for (size_t i = 0; set != NULL && i < set->count; i++) {
        const struct rollout_control_entry *e = &set->entries[i];
        for (size_t k = 0; k < e->count; k++) {
            const struct control *c = &e->set[k].control;
            struct rw_wall ends;
            enum control_life life = control_rule_life(c, l, now, &ends);
            size_t kind = (size_t)(c->kind == CONTROL_RELEASE ? CONTROL_BACK : c->kind);
            counts[kind][life]++;
            int64_t age_s = now.s - c->since.s;
            if (life == CONTROL_IN_FORCE && age_s > oldest_s) { oldest_s = age_s; }
        }
    }
    RW_TRY(rw_buf_append_str(into,
                             "# HELP ringward_controls Controls that operators set.\n"
                             "# TYPE ringward_controls gauge\n",
                             err));
    for (size_t i = 0; i < RW_LEN(names); i++) {
        RW_TRY(rw_buf_appendf(into, err,
                              "ringward_controls{kind=\"%s\",state=\"in_force\"} %lld\n"
                              "ringward_controls{kind=\"%s\",state=\"lapsed\"} %lld\n",
                              names[i], (long long)counts[i][CONTROL_IN_FORCE], names[i],
                              (long long)(counts[i][CONTROL_OVER] + counts[i][CONTROL_LAPSED])));
    }
    return rw_buf_appendf(into, err,
                          "# HELP ringward_control_oldest_seconds Age of the oldest in force.\n"
                          "# TYPE ringward_control_oldest_seconds gauge\n"
                          "ringward_control_oldest_seconds %lld\n",
                          (long long)oldest_s);
}
