/* fleet_outcome_rule.h: what one endpoint did with one release, as marks, and what the marks count for.
 *
 * Every count is a sum over endpoints of a function of their marks, so counts cannot drift from what is known of
 * the endpoints, and a second vote of an endpoint changes nothing (INV-11). An endpoint with a permit is in exactly
 * one of four classes: pending, survived, dark and not back, or failed (a storm, slowness or muteness in probation
 * is a failure here); the window law reads exposed - survived = pending + dark + failed. A dark endpoint that
 * confirms later counts as survived and, for the gate, as healthy from then on: both only loosen by what it has
 * really proved. Its dark verdict stays for the detector, which compares it with control's (INV-4).
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "What the server counts"
 */
#ifndef RINGWARD_FLEET_OUTCOME_RULE_H
#define RINGWARD_FLEET_OUTCOME_RULE_H

#include "common/base/err.h"

enum fleet_mark {
    FLEET_EXPOSED = 1 << 0,        /* a permit was granted */
    FLEET_TRIAL = 1 << 1,          /* permit in use: no proof yet of what became of it */
    FLEET_CONFIRMED = 1 << 2,      /* survived probation with proof of load */
    FLEET_FAILED = 1 << 3,         /* failed in load or probation, or crashed before it confirmed */
    FLEET_REFUSED = 1 << 4,        /* the box said no */
    FLEET_FREE = 1 << 5,           /* of these: before any permit */
    FLEET_DARK = 1 << 6,           /* the deadline passed in silence; never taken back */
    FLEET_LATE = 1 << 7,           /* crashed or failed after it had confirmed */
    FLEET_REVERTED = 1 << 8,       /* went back because the ring said so */
    FLEET_ACTIVE = 1 << 9,         /* the sensor's latest proof names this release */
    FLEET_SPENT = 1 << 10,         /* earlier marks were forgotten: never votes again (INV-11) */
    FLEET_CONTROL_CRASH = 1 << 11, /* crashed with other content before it was exposed */
    FLEET_MUTED = 1 << 12,         /* its votes are listed, not counted (INV-11) */
    FLEET_AGED = 1 << 13,          /* confirmed, and proved it again some hours after its permit */
    FLEET_STORM = 1 << 14,         /* detections beyond the endpoint's budget */
    FLEET_SLOW = 1 << 15,          /* scans far dearer than with the release before */
    FLEET_CONTROL_NOISE =
        1 << 16,                 /* storm, slow or mute with other content before it was exposed */
    FLEET_UNABLE = 1 << 17,      /* its box cannot try it: no vote, until it can */
    FLEET_SENSOR_MUTE = 1 << 18, /* its sensor lives and has lost its function: the signal `mute` */
    /* No mark but a number, which counts for nothing: fleet_control_again. */
    FLEET_LAG = 63 << 19,
};

enum fleet_signal {
    FLEET_ON_PERMIT,
    FLEET_ON_DEADLINE,
    FLEET_ON_ALIVE,
    FLEET_ON_ELSEWHERE,      /* the sensor proved another release */
    FLEET_ON_ELSEWHERE_LATE, /* the same, after this permit's deadline */
    FLEET_ON_HEALTHY,
    FLEET_ON_REFUSED,
    FLEET_ON_UNABLE,
    FLEET_ON_FAILED,
    FLEET_ON_UNREACHED, /* it went back for want of the server alone: silence, told afterwards */
    FLEET_ON_CRASH,
    FLEET_ON_REVERTED,
    FLEET_ON_STORM,
    FLEET_ON_SLOW,
    FLEET_ON_CONTROL_CRASH,
    FLEET_ON_CONTROL_NOISE,
    FLEET_ON_MUTE, /* its votes do not count any more; not the signal `mute` */
    FLEET_ON_AGED,
    FLEET_ON_SENSOR_MUTE,
    FLEET_ON_FORGET, /* its place is needed: what is open is closed */
};

struct fleet_counts {
    int64_t members;      /* endpoints seen there; of the ring or cohort, not of the release */
    int64_t exposed;      /* permits granted, once per endpoint */
    int64_t pending;      /* of these: neither outcome nor deadline yet */
    int64_t survived;     /* of these: confirmed, in time or late */
    int64_t healthy;      /* survived without any mark against them but a darkness before */
    int64_t failed;       /* FLEET_FAILED */
    int64_t refused;      /* FLEET_REFUSED */
    int64_t refused_free; /* of these: before a permit */
    int64_t unable;       /* FLEET_UNABLE, without a permit */
    int64_t dark;         /* FLEET_DARK */
    int64_t late_crash;   /* FLEET_LATE */
    int64_t storm;        /* FLEET_STORM */
    int64_t slow;         /* FLEET_SLOW */
    int64_t reverted;     /* FLEET_REVERTED */
    int64_t still_on; /* active there or perhaps on trial; the pending ones are not among them */
    int64_t
        marked; /* exposed ones with a mark against them; dark ones until they confirm: what the gate
                       calls failed */
    int64_t at_risk; /* confirmed, still running it, no mark against them: who can crash late */
    int64_t aged;    /* FLEET_AGED */
    int64_t control_crash; /* FLEET_CONTROL_CRASH: of endpoints that were not exposed */
    int64_t control_noise; /* FLEET_CONTROL_NOISE, of the same */
    int64_t muted;         /* exposed ones whose votes do not count */
    int64_t muted_votes;   /* of these and of refusals before a permit: with a mark against them */
    int64_t mute; /* FLEET_SENSOR_MUTE; the last member: folds before version 6 end before it */
};

unsigned fleet_outcome_rule_next(unsigned marks, enum fleet_signal signal);
bool fleet_outcome_rule_pending(unsigned marks);
/* Dark and not back (INV-4): the permit's deadline passed in silence, and nothing told since what became of it. */
bool fleet_outcome_rule_silent(unsigned marks);
/* Adds (sign 1) or takes away (sign -1) what these marks count for. */
void fleet_outcome_rule_tally(struct fleet_counts *c, unsigned marks, int64_t sign);

#endif
