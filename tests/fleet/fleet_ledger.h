/* fleet_ledger.h: what happened, as the endpoints saw it: who was exposed, who was harmed, who went back, and when.
 * The laws of the window are counted again here, from outside: no answer of the server about itself is believed.
 *
 * memory   plain values of fixed size
 * threads  no shared state
 * source   docs/health.md "The window"; INV-1
 */
#ifndef RINGWARD_FLEET_LEDGER_H
#define RINGWARD_FLEET_LEDGER_H

#include "common/json/json_write.h"
#include "common/policy/ring_policy.h"
#include "tests/fleet/fleet_fault.h"

enum { FLEET_LEDGER_RELEASES_MAX = 64, FLEET_COHORTS = 4 };

/* One ring, or one cohort of it. */
struct fleet_scope {
    int64_t exposed;  /* endpoints with a permit, once each */
    int64_t survived; /* of these: began to tell that they are healthy */
    int64_t
        aged; /* of these: began to tell, long enough behind the permit, that they still run it */
    int64_t set_aside; /* lost when a person resumed last: the first law has their places back */
};

struct fleet_ledger_release {
    int64_t release;
    uint8_t sha256[BEACON_HASH_BYTES];
    struct fleet_scope rings[RING_POLICY_RINGS_MAX];
    struct fleet_scope cohorts[RING_POLICY_RINGS_MAX][FLEET_COHORTS];
    int64_t harmed[FLEET_EFFECTS]; /* endpoints, by what the release did to them */
    int64_t failed, reverted, refused_by_box, healthy;
    int64_t waits, refusals; /* answers to permits */
    int64_t law_broken;      /* permits beyond what a law allowed at that moment */
    char broken[160];        /* the first of these */
    int64_t noted;           /* resumes that a person has asked for */
    int64_t resumes;         /* of these: permits behind them were seen */
    int32_t first_permit_ms, last_permit_ms, first_harm_ms, last_harm_ms, first_stop_ms,
        last_back_ms;
};

struct fleet_ledger {
    struct fleet_ledger_release releases[FLEET_LEDGER_RELEASES_MAX];
    size_t count;
};

/* The entry of a release, made when it is new; NULL: no room. */
struct fleet_ledger_release *fleet_ledger_of(struct fleet_ledger *l, int64_t release,
                                             const uint8_t sha256[static BEACON_HASH_BYTES]);
/* Whether one permit more would be within both laws, in ring and cohort. */
bool fleet_ledger_allows(const struct fleet_ledger_release *r, const struct ring_policy *p,
                         size_t ring, size_t cohort);
/* A person has resumed: who is lost now takes no place under the first law any more, once it was named with
 * fleet_ledger_set_aside. Who was set aside before counts only if it is named again. */
void fleet_ledger_begin_anew(struct fleet_ledger_release *r);
void fleet_ledger_set_aside(struct fleet_ledger_release *r, size_t ring, size_t cohort);
/* A permit that this endpoint did not have before. INV-1 is looked at: in the ring and in the cohort, by both laws. */
void fleet_ledger_exposed(struct fleet_ledger_release *r, const struct ring_policy *p, size_t ring,
                          size_t cohort, int32_t now_ms);
void fleet_ledger_survived(struct fleet_ledger_release *r, size_t ring, size_t cohort);
void fleet_ledger_aged(struct fleet_ledger_release *r, size_t ring, size_t cohort);
void fleet_ledger_harmed(struct fleet_ledger_release *r, enum fleet_effect e, int32_t now_ms);
/* The first that any endpoint heard of a stop: a permit refused, or a pointer that went back. */
void fleet_ledger_stopped(struct fleet_ledger_release *r, int32_t now_ms);
void fleet_ledger_back(struct fleet_ledger_release *r, int32_t now_ms);
int64_t fleet_ledger_sum_exposed(const struct fleet_ledger_release *r);
int64_t fleet_ledger_sum_harmed(const struct fleet_ledger_release *r);
int64_t fleet_ledger_broken(const struct fleet_ledger *l);
void fleet_ledger_print(const struct fleet_ledger *l, const struct ring_policy *p);
void fleet_ledger_write(struct json_writer *w, const struct fleet_ledger *l,
                        const struct ring_policy *p);

#endif
