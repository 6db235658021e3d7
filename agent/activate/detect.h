/* detect.h: what the sensor says of the content that is loaded: a storm of detections, slowness, or nothing any more.
 *
 * Counts come with the load that they belong to; those of the load before stay as what the new one is held against.
 * Taking a report costs some assignments; nothing is allocated.
 *
 * memory   plain values
 * threads  one thread
 * source   docs/health.md "Storm, slow and mute"; storm_rule.h, slow_rule.h and mute_rule.h decide
 */
#ifndef RINGWARD_DETECT_H
#define RINGWARD_DETECT_H

#include "common/base/clock.h"
#include "common/policy/mute_rule.h"
#include "common/policy/slow_rule.h"
#include "common/policy/storm_rule.h"
#include "common/wire/sensor_codec.h"

enum { DETECT_DETAIL_BYTES = 160 };

struct detect_options {
    struct storm_rule_budget budget;
    int64_t slow_factor;
};

struct detect {
    struct detect_options options;
    int64_t generation;            /* load that `now` belongs to; 0: none was reported yet */
    struct sensor_message begin;   /* counts of the process when that load began */
    struct sensor_message now;     /* the latest report */
    struct sensor_message before;  /* what the load before did: differences, and its last memory */
    struct storm_rule_hours hours; /* of this load */
    bool storm_told;               /* of this load */
    bool slow_told;
};

struct detect detect_make(const struct detect_options *options);
/* The sensor's process began anew: its counts begin at zero; what the load before did is still known. */
void detect_restart(struct detect *d);
/* One report of the process; ignores one of an earlier load. */
void detect_take(struct detect *d, const struct sensor_message *stats);

/* Each true at most once per load, with words for the beacon. */
bool detect_storm_on_trial(struct detect *d, char detail[static DETECT_DETAIL_BYTES]);
bool detect_storm_of_proven(struct detect *d, struct rw_mono now,
                            char detail[static DETECT_DETAIL_BYTES]);
/* Against the release before: ask only about a load that brought another one. */
bool detect_slow(struct detect *d, char detail[static DETECT_DETAIL_BYTES]);

/* What is known of a load besides its counts. */
struct detect_load {
    int64_t generation;
    bool fresh;         /* it brought another release */
    bool failed;        /* its self-test */
    bool tested;        /* its self-test was told */
    bool tested_before; /* that of the load before was */
    int64_t age_ms;
    int64_t wait_ms;
};
/* True, with words for the beacon, while the load has lost its function (mute_rule.h). */
bool detect_mute(const struct detect *d, const struct detect_load *load,
                 char detail[static DETECT_DETAIL_BYTES]);

#endif
