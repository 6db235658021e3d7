/* trial_rule.h: commit, wait or go back? The decision about content on trial, from what the sensor showed.
 *
 * memory   values only
 * threads  pure
 * source   docs/architecture.md "Trial": only proof of load and a whole probation commit (INV-3)
 */
#ifndef RINGWARD_TRIAL_RULE_H
#define RINGWARD_TRIAL_RULE_H

#include "common/base/clock.h"

enum trial_rule_phase {
    TRIAL_LOADING,   /* the sensor was told to load */
    TRIAL_PROBATION, /* it has proven the load and must live with it */
};

struct trial_rule_evidence {
    enum trial_rule_phase phase;
    struct rw_mono now;
    struct rw_mono since;     /* when the phase began */
    struct rw_mono last_seen; /* last message of the sensor */
    int64_t load_timeout_ms;
    int64_t probation_ms;
    int64_t silence_ms;     /* a sensor silent for longer is hung */
    bool running;           /* the sensor's process is there */
    bool observed;          /* how its process ended is not known */
    bool signaled;          /* not running: it died by signal `exit_status` */
    int64_t exit_status;    /* not running */
    bool proven;            /* it says exactly the set under trial, newer than the order to load */
    bool other;             /* it says something else than the set under trial */
    bool load_error;        /* it says that it could not load */
    bool selftest_failed;   /* it says that it does not detect its own sample */
    bool drill;             /* a rehearsal: it ends as a failure once the load is proven */
    bool aborted;           /* the ring's entry has gone back meanwhile */
    bool mute;              /* it does not tell any more what it told before (mute_rule.h) */
    bool storm;             /* detections beyond the budget (storm_rule.h) */
    bool reach_back;        /* the server was reachable before the switch, so it must be again */
    struct rw_mono contact; /* when the last exchange that the server answered began; ms 0: none */
    int64_t reach_ms;       /* how long it may be out of reach behind the end of probation */
};

enum trial_rule_decision {
    TRIAL_WAIT,
    TRIAL_PROVEN, /* loading is over: probation begins */
    TRIAL_COMMIT,
    TRIAL_GO_BACK,
};

enum { TRIAL_RULE_DETAIL_BYTES = 120 };

struct trial_rule_result {
    enum trial_rule_decision decision;
    int64_t signal;                       /* GO_BACK: that ended the sensor; 0: none */
    bool kill;                            /* GO_BACK: the sensor does not listen any more */
    bool unreached;                       /* GO_BACK: for want of the server alone */
    bool storm;                           /* GO_BACK: for what it detected alone */
    bool mute;                            /* GO_BACK: it lives, and has lost its function */
    char detail[TRIAL_RULE_DETAIL_BYTES]; /* GO_BACK */
    struct rw_mono wake;                  /* WAIT: look again then at the latest */
};

/* An exchange that began before this says nothing of the network at the end of probation. */
struct rw_mono trial_rule_contact_from(struct rw_mono since, int64_t probation_ms);
struct trial_rule_result trial_rule_decide(const struct trial_rule_evidence *e);

#endif
