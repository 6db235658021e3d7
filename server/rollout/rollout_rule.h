/* rollout_rule.h: one rollout's states and the pure step that moves them.
 *
 * The controller gathers facts, asks this rule, commits the moves with their audit records, and only then acts.
 *
 * memory   values only
 * threads  pure
 * source   docs/rollout.md; INV-1 and INV-3
 */
#ifndef RINGWARD_ROLLOUT_RULE_H
#define RINGWARD_ROLLOUT_RULE_H

#include "common/base/clock.h"
#include "common/base/sm.h"
#include "common/policy/gate_rule.h"

enum rollout_rule_state {
    ROLLOUT_PENDING,      /* not opened yet */
    ROLLOUT_RAMPING,      /* permits are granted by the window */
    ROLLOUT_BAKING,       /* enough healthy endpoints, bake time runs */
    ROLLOUT_PASSED,       /* the gate said PASS, or a person stepped over NONE */
    ROLLOUT_HELD,         /* by a person, or by a window full of failures; also before it opened */
    ROLLOUT_HALTED,       /* no permits; the ring's pointer goes back */
    ROLLOUT_ROLLING_BACK, /* pointer is back; endpoints follow */
    ROLLOUT_ROLLED_BACK,  /* every endpoint is back, or dark past the limit */
    ROLLOUT_COMPLETE, /* all rings passed; the detector still watches, and may hold or halt it */
    ROLLOUT_STATES,
};

extern const struct sm_table rollout_rule_table;

enum { ROLLOUT_RINGS_MAX = 16, ROLLOUT_REASON_BYTES = 240, ROLLOUT_WHY_BYTES = 150 };

enum rollout_rule_command {
    ROLLOUT_NO_COMMAND,
    ROLLOUT_PAUSE,
    ROLLOUT_RESUME,
    ROLLOUT_PROMOTE,
    ROLLOUT_HALT, /* also "rollback": both take the release back everywhere */
};

struct rollout_rule_ring {
    enum rollout_rule_state state;
    struct rw_wall since;      /* of the state */
    struct rw_wall not_before; /* signed bake: not opened earlier */
    bool pointed;              /* the published pointer of this ring names the release */
    bool opened;               /* it was ramping once */
    int64_t pending;
    int64_t healthy;
    int64_t failed;   /* failed, crashed and dark */
    int64_t still_on; /* endpoints that have the release active or on trial */
    int64_t room;     /* permits that the first law would grant now: the second one only waits */
    int64_t min_healthy;
    int64_t bake_left_s; /* of an opened ring */
    enum gate_rule_verdict gate;
    char gate_reason[GATE_RULE_REASON_BYTES];
    bool hold; /* evidence that stops the ring but not the release; gate_reason says which */
};

struct rollout_rule_input {
    struct rw_wall now;
    enum rollout_rule_command command;
    char who[64];                /* of the command */
    char why[ROLLOUT_WHY_BYTES]; /* as that person typed it; "": nothing */
    int64_t rollback_limit_s;    /* ROLLING_BACK ends after this time at the latest */
    size_t ring_count;
    struct rollout_rule_ring rings[ROLLOUT_RINGS_MAX];
};

struct rollout_rule_output {
    bool moved[ROLLOUT_RINGS_MAX];
    enum rollout_rule_state to[ROLLOUT_RINGS_MAX]; /* where moved */
    char reason[ROLLOUT_RINGS_MAX][ROLLOUT_REASON_BYTES];
    bool want_pointed[ROLLOUT_RINGS_MAX]; /* what the ring's pointer should say after the moves */
    bool open[ROLLOUT_RINGS_MAX]; /* whether permits may be granted after the moves (INV-1) */
    bool fresh; /* a person resumed what evidence or failures held: they count from here on only */
};

/* At most one move per ring. A command that fits no ring changes nothing and gives false. */
bool rollout_rule_step(const struct rollout_rule_input *in, struct rollout_rule_output *out);
/* State of the whole rollout from its rings' states. */
enum rollout_rule_state rollout_rule_overall(const enum rollout_rule_state *states, size_t count);

#endif
