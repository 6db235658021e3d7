/* control_rule.h: what a customer's controls make of the release that a ring points at: follow it, stay, or lag behind.
 *
 * A control only ever lowers the newest release that an endpoint may run (INV-7): every control gives a ceiling, the
 * lowest counts. Agent (agent.conf and what operators set) and server (permits) ask the same rule.
 *
 * memory   values only; strings of controls are borrowed
 * threads  pure
 * source   docs/controls.md
 */
#ifndef RINGWARD_CONTROL_RULE_H
#define RINGWARD_CONTROL_RULE_H

#include "common/base/clock.h"

enum {
    CONTROL_FAMILY_BYTES = 33,
    CONTROL_MAX = 16,       /* controls that one endpoint can be under */
    CONTROL_OFFERS_MAX = 8, /* releases that are remembered per family */
    CONTROL_REASON_BYTES = 160,
    CONTROL_BACK_MAX = 2, /* "n-2" */
};

enum control_kind {
    CONTROL_PAUSE,   /* nothing new, until it is taken back or grows too old */
    CONTROL_HOLD,    /* nothing new, until a given time */
    CONTROL_DELAY,   /* what the ring offers, so much later */
    CONTROL_BACK,    /* pin to n-1 or n-2 */
    CONTROL_RELEASE, /* pin to a release by number */
};

struct control {
    enum control_kind kind;
    bool by_operator;                  /* set on the server; else by the endpoint's administrator */
    char family[CONTROL_FAMILY_BYTES]; /* "": every family; RELEASE: required */
    int64_t amount;       /* DELAY: seconds; BACK: 1 or 2; RELEASE: the number; else 0 */
    struct rw_wall since; /* seen in force first */
    struct rw_wall until; /* HOLD; else 0 */
};

/* From the signed policy: how long each may last, and how long a delay may be. */
struct control_limits {
    int64_t pause_longest_s;
    int64_t hold_longest_s;
    int64_t pin_longest_s;
    int64_t delay_longest_s;
};

/* A release that this endpoint's ring offered, the newest first. */
struct control_offer {
    int64_t release;
    struct rw_wall at; /* first seen */
    bool
        bad; /* withdrawn, below the floor, or on this endpoint's bad-list: never a place to stay at */
};

struct control_facts {
    const struct control *controls;
    size_t count;
    struct control_limits limits;
    const char *family;
    const char *class_name;
    bool unpausable;                    /* the policy says so of the class ... */
    unsigned policy_line;               /* ... in this line */
    const struct control_offer *offers; /* the first is what the ring points at now */
    size_t offer_count;                 /* >= 1 */
    int64_t installed;                  /* 0: nothing */
    bool installed_bad;                 /* withdrawn or on the bad-list */
    struct rw_wall now;                 /* the clock: a delay ends by it */
    struct rw_wall passed; /* has certainly passed, never before `now`: expiry is judged by it */
};

enum control_effect {
    CONTROL_FOLLOW, /* the ring, as without controls */
    CONTROL_STAY,   /* nothing new begins */
    CONTROL_WAIT,   /* the same, and a delay ends at `not_before` */
    CONTROL_LAG,    /* run `release`, which the ring offered earlier */
};

struct control_result {
    enum control_effect effect;
    int64_t release;                   /* newest release that may run here */
    struct rw_wall not_before;         /* WAIT */
    size_t by;                         /* index of the deciding control; `count`: none */
    char reason[CONTROL_REASON_BYTES]; /* also why controls do not hold; "" */
};

/* What the controls allow. A ring that points back is always followed, whatever is set. */
struct control_result control_rule_decide(const struct control_facts *f);

enum control_life { CONTROL_IN_FORCE, CONTROL_OVER, CONTROL_LAPSED };
/* Whether a control is in force at `passed`: OVER: a hold's own end has come; LAPSED: older than the policy allows.
 * *ends_out: when it ends or lapses; 0: a delay, which has no end. */
enum control_life control_rule_life(const struct control *c, const struct control_limits *l,
                                    struct rw_wall passed, struct rw_wall *ends_out);
/* Old enough to be told: nine tenths of its greatest age are over, or it has lapsed. Delays are never old. */
bool control_rule_is_old(const struct control *c, const struct control_limits *l,
                         struct rw_wall passed);
/* "pause", "hold", "delay", "pin". */
const char *control_rule_kind_name(enum control_kind k);
const char *control_rule_life_name(enum control_life life);

#endif
