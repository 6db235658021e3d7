/* The beacons of activate.h. */
#include "agent/activate/activate_steps.h"

#include "common/base/log.h"

#include <stdio.h>
#include <string.h>

static struct beacon about(enum beacon_kind kind, const char *family, int64_t release,
                           const uint8_t sha256[static DIGEST_BYTES], int64_t generation)
{
    struct beacon b = {.kind = kind, .release = release, .generation = generation};
    (void)snprintf(b.family, sizeof(b.family), "%s", family);
    rw_copy(b.sha256, sizeof(b.sha256), sha256, DIGEST_BYTES);
    return b;
}

/* INV-12: what is not as it should be on this endpoint stands in every sign of life. */
static void say_lacking(const struct activate *a, struct beacon *b)
{
    char text[BEACON_DETAIL_BYTES];
    (void)snprintf(text, sizeof(text), "%s%s%s", a->link_owed ? ACTIVATE_LINK_STUCK : "",
                   a->link_owed && a->report->lacking[0] != '\0' ? "; " : "", a->report->lacking);
    report_detail(b, text);
}

void activate_report_alive(const struct activate *a)
{
    /* What the sensor says, never what the agent believes to have given it. */
    bool any = false;
    for (size_t i = 0; i < a->sensor.loaded_count && sensor_running(&a->sensor); i++) {
        const struct sensor_loaded *l = &a->sensor.loaded[i];
        if (l->release == 0) { continue; }
        struct beacon b =
            about(BEACON_ALIVE, l->family, l->release, l->sha256, a->sensor.generation);
        if (report_is_dropped(a->report, l->family)) {
            report_detail(&b, "dropped: this release is not listed any more");
        } else {
            say_lacking(a, &b);
        }
        (void)report_add_alive(a->report, &b);
        any = true;
    }
    if (any) { return; }
    struct beacon b = {.kind = BEACON_ALIVE};
    report_detail(&b, sensor_running(&a->sensor) ? "no content is loaded" : "the sensor is down");
    (void)report_add(a->report, &b);
}

struct crash {
    int64_t signal_number;
    const char *detail;
};

static void report_crash_of(const struct activate *a, struct beacon b, const struct crash *c)
{
    if (b.release == 0) { return; } /* the empty set */
    b.stage = BEACON_STAGE_ACTIVE;
    b.signal = c->signal_number;
    report_detail(&b, c->detail);
    (void)report_add(a->report, &b);
}

void activate_report_crash(const struct activate *a, int64_t signal_number, const char *detail)
{
    const struct crash c = {signal_number, detail};
    const struct sensor *s = &a->sensor;
    /* The sensor is one process: every family it held is part of what it died with. On the way back from bad content
     * it may die before it has taken the good one: then it died with what it proved last. */
    for (size_t i = 0; i < s->loaded_count; i++) {
        const struct sensor_loaded *l = &s->loaded[i];
        report_crash_of(a, about(BEACON_CRASH, l->family, l->release, l->sha256, s->generation),
                        &c);
    }
    for (size_t i = 0; i < a->active.count && s->loaded_count == 0; i++) {
        const struct manifest_entry *e = &a->active.content[i];
        report_crash_of(a, about(BEACON_CRASH, e->family, e->release, e->sha256, s->generation),
                        &c);
    }
}

void activate_report_signal(const struct activate *a, enum beacon_kind kind, const char *family,
                            const char *detail)
{
    const struct manifest_entry *e = manifest_find(&a->active, family);
    /* A sensor that does not say which rule it was: the content is to blame when there is only one. */
    if (e == NULL && family[0] == '\0' && a->active.count == 1) { e = &a->active.content[0]; }
    rw_log(RW_LOG_WARN, beacon_kind_name(kind), "detail", detail);
    if (e == NULL) { return; }
    struct beacon b = about(kind, e->family, e->release, e->sha256, a->sensor.generation);
    b.stage = a->phase == ACTIVATE_PROBATION ? BEACON_STAGE_PROBATION : BEACON_STAGE_ACTIVE;
    report_detail(&b, detail);
    (void)report_add(a->report, &b);
}

bool activate_report_outcome(const struct activate *a, enum beacon_kind kind,
                             const struct manifest_entry *e, const struct slot_trial *t)
{
    struct beacon b = about(kind, e->family, e->release, e->sha256, t->generation);
    if (e->release == 0) { return true; }
    rw_copy(b.id, sizeof(b.id), t->beacon, sizeof(t->beacon));
    /* One change may be told as healthy and, after a crash before its commit, as failed: two beacons. */
    b.id[0] ^= kind == BEACON_HEALTHY ? 0U : 0xffU;
    if (kind == BEACON_FAILED || kind == BEACON_STORM || kind == BEACON_MUTE) {
        b.stage = t->stage;
        b.signal = t->signal;
    }
    report_detail(&b, t->detail);
    return report_add(a->report, &b);
}
