#include "agent/activate/detect.h"

#include <stdio.h>

struct detect detect_make(const struct detect_options *options)
{
    return (struct detect){.options = *options};
}

static int64_t more(int64_t now, int64_t begin)
{
    return now > begin ? now - begin : 0;
}

/* What this load did so far. */
static struct sensor_message of_load(const struct detect *d)
{
    struct sensor_message m = d->now;
    m.detections = more(d->now.detections, d->begin.detections);
    m.scanned = more(d->now.scanned, d->begin.scanned);
    m.scan_us = more(d->now.scan_us, d->begin.scan_us);
    return m;
}

void detect_restart(struct detect *d)
{
    if (d->generation != 0) { d->before = of_load(d); }
    d->generation = 0;
    d->begin = (struct sensor_message){.type = SENSOR_STATS};
    d->now = d->begin;
    d->hours = (struct storm_rule_hours){0};
    d->storm_told = false;
    d->slow_told = false;
}

void detect_take(struct detect *d, const struct sensor_message *stats)
{
    if (stats->generation < d->generation) { return; }
    if (stats->generation > d->generation && d->generation != 0) {
        struct sensor_message last = d->now;
        detect_restart(d);
        d->begin = last; /* the process goes on counting from there */
    }
    d->generation = stats->generation;
    d->now = *stats;
}

/* From the sensor, for people: printable ASCII only. */
static void clean(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if (*p < ' ' || *p > '~') { *p = '?'; }
    }
}

bool detect_storm_on_trial(struct detect *d, char detail[static DETECT_DETAIL_BYTES])
{
    const struct sensor_message m = of_load(d);
    const struct storm_rule_evidence e = {
        .budget = d->options.budget,
        .of_rule = m.rule_detections,
        .trial = {m.detections, m.scanned},
        .before = {d->before.detections, d->before.scanned},
    };
    if (d->storm_told || d->generation == 0 || !storm_rule_trial(&e)) { return false; }
    d->storm_told = true;
    (void)snprintf(detail, DETECT_DETAIL_BYTES,
                   "storm: rule %.40s %lld, all %lld detections in %lld scans, %lld not acted on; "
                   "before %lld in %lld",
                   m.rule[0] != '\0' ? m.rule : "?", (long long)m.rule_detections,
                   (long long)m.detections, (long long)m.scanned, (long long)m.observed,
                   (long long)d->before.detections, (long long)d->before.scanned);
    clean(detail);
    return true;
}

bool detect_storm_of_proven(struct detect *d, struct rw_mono now,
                            char detail[static DETECT_DETAIL_BYTES])
{
    const struct sensor_message m = of_load(d);
    if (d->generation == 0) { return false; }
    int64_t most = d->hours.most;
    bool storm = storm_rule_hours_take(&d->hours, &d->options.budget, now.ms, m.detections);
    if (!storm || d->storm_told) { return false; }
    d->storm_told = true;
    (void)snprintf(detail, DETECT_DETAIL_BYTES,
                   "storm: more than %lld detections within an hour, most before %lld; rule %.40s "
                   "has %lld",
                   (long long)d->options.budget.per_hour, (long long)most,
                   m.rule[0] != '\0' ? m.rule : "?", (long long)m.rule_detections);
    clean(detail);
    return true;
}

static int64_t mean_us(const struct sensor_message *m)
{
    return m->scanned > 0 ? m->scan_us / m->scanned : 0;
}

bool detect_slow(struct detect *d, char detail[static DETECT_DETAIL_BYTES])
{
    const struct sensor_message m = of_load(d);
    const struct slow_rule_counts before = {d->before.scanned, d->before.scan_us,
                                            d->before.rss_kib};
    const struct slow_rule_counts now = {m.scanned, m.scan_us, m.rss_kib};
    if (d->slow_told || d->generation == 0) { return false; }
    switch (slow_rule_decide(d->options.slow_factor, &before, &now)) {
    case SLOW_NO:
        return false;
    case SLOW_SCAN:
        (void)snprintf(detail, DETECT_DETAIL_BYTES,
                       "slow: %lld us of processor time per scan in %lld scans, before %lld us in "
                       "%lld",
                       (long long)mean_us(&m), (long long)m.scanned, (long long)mean_us(&d->before),
                       (long long)d->before.scanned);
        break;
    case SLOW_MEMORY:
        (void)snprintf(detail, DETECT_DETAIL_BYTES, "slow: %lld KiB of memory, before %lld KiB",
                       (long long)m.rss_kib, (long long)d->before.rss_kib);
        break;
    }
    d->slow_told = true;
    return true;
}

bool detect_mute(const struct detect *d, const struct detect_load *load,
                 char detail[static DETECT_DETAIL_BYTES])
{
    bool counted = d->generation == load->generation;
    const struct mute_rule_evidence e = {
        .failed = load->failed,
        .fresh = load->fresh,
        .tested = load->tested,
        .tested_before = load->tested_before,
        .counted = counted,
        /* Until this load is counted, `now` is of the load before, unless the process began anew. */
        .counted_before = !counted && (d->generation != 0 || d->before.generation != 0),
        .age_ms = load->age_ms,
        .wait_ms = load->wait_ms,
    };
    const char *what = NULL;
    switch (mute_rule_decide(&e)) {
    case MUTE_NO:
        return false;
    case MUTE_SAMPLE:
        (void)snprintf(detail, DETECT_DETAIL_BYTES, "mute: the sensor's self-test failed");
        return true;
    case MUTE_UNTESTED:
        what = "self-test";
        break;
    case MUTE_UNCOUNTED:
        what = "counts";
        break;
    }
    (void)snprintf(detail, DETECT_DETAIL_BYTES,
                   "mute: no %s of the sensor within %lld ms, with the release before it told them",
                   what, (long long)load->wait_ms);
    return true;
}
