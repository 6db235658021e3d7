#include "server/health/fleet_outcome_rule.h"

static bool has(unsigned marks, unsigned any_of)
{
    return (marks & any_of) != 0;
}

bool fleet_outcome_rule_pending(unsigned marks)
{
    return has(marks, FLEET_EXPOSED) && has(marks, FLEET_TRIAL) &&
           !has(marks, FLEET_CONFIRMED | FLEET_FAILED | FLEET_REFUSED | FLEET_DARK |
                           FLEET_REVERTED | FLEET_STORM | FLEET_SLOW | FLEET_SENSOR_MUTE);
}

bool fleet_outcome_rule_silent(unsigned marks)
{
    const unsigned told = FLEET_CONFIRMED | FLEET_FAILED | FLEET_REFUSED | FLEET_REVERTED |
                          FLEET_STORM | FLEET_SLOW | FLEET_SENSOR_MUTE;
    return has(marks, FLEET_EXPOSED) && has(marks, FLEET_DARK) && !has(marks, told);
}

/* What the endpoint runs or may run: known also of releases whose votes are spent. */
static unsigned place(unsigned marks, enum fleet_signal signal)
{
    switch (signal) {
    case FLEET_ON_PERMIT: /* its box took the content, whatever it could not before */
        return (marks | FLEET_TRIAL) & ~(unsigned)FLEET_UNABLE;
    case FLEET_ON_UNABLE:
        return marks | FLEET_UNABLE;
    case FLEET_ON_ALIVE:
    case FLEET_ON_SLOW: /* it goes on with the content */
        return marks | FLEET_ACTIVE;
    case FLEET_ON_ELSEWHERE:
        return marks & ~(unsigned)FLEET_ACTIVE;
    case FLEET_ON_HEALTHY:
        return (marks | FLEET_ACTIVE) & ~(unsigned)FLEET_TRIAL;
    case FLEET_ON_REFUSED:
        return marks & ~(unsigned)(FLEET_TRIAL | FLEET_UNABLE);
    case FLEET_ON_CRASH:       /* it may come up with the same content again: still there */
    case FLEET_ON_STORM:       /* it goes back by itself on trial only: the next proof tells */
    case FLEET_ON_SENSOR_MUTE: /* the same */
        return marks & ~(unsigned)FLEET_TRIAL;
    case FLEET_ON_ELSEWHERE_LATE:
    case FLEET_ON_FAILED:
    case FLEET_ON_UNREACHED:
    case FLEET_ON_REVERTED:
    case FLEET_ON_FORGET:
        return marks & ~(unsigned)(FLEET_TRIAL | FLEET_ACTIVE);
    case FLEET_ON_DEADLINE:
    case FLEET_ON_CONTROL_CRASH:
    case FLEET_ON_CONTROL_NOISE:
    case FLEET_ON_MUTE:
    case FLEET_ON_AGED:
        break;
    }
    return marks;
}

/* A failure is a vote of an exposed endpoint only; after it has confirmed it is a late one. */
static unsigned failure(unsigned marks)
{
    if (!has(marks, FLEET_EXPOSED)) { return 0; }
    return has(marks, FLEET_CONFIRMED) ? FLEET_LATE : FLEET_FAILED;
}

/* Who failed once stays failed; who never had a permit proves nothing about permits. */
static unsigned confirmation(unsigned marks)
{
    const unsigned against =
        FLEET_FAILED | FLEET_REFUSED | FLEET_STORM | FLEET_SLOW | FLEET_SENSOR_MUTE;
    return has(marks, FLEET_EXPOSED) && !has(marks, against) ? FLEET_CONFIRMED : 0;
}

static unsigned vote(unsigned marks, enum fleet_signal signal)
{
    switch (signal) {
    case FLEET_ON_PERMIT:
        return FLEET_EXPOSED;
    case FLEET_ON_DEADLINE:
    case FLEET_ON_UNREACHED: /* INV-11: who is dark already has voted */
    case FLEET_ON_FORGET:
        return fleet_outcome_rule_pending(marks) ? FLEET_DARK : 0;
    case FLEET_ON_HEALTHY:
        return confirmation(marks);
    case FLEET_ON_REFUSED:
        if (has(marks, FLEET_REFUSED)) { return 0; }
        return has(marks, FLEET_EXPOSED) ? FLEET_REFUSED : FLEET_REFUSED | FLEET_FREE;
    case FLEET_ON_FAILED:
    case FLEET_ON_CRASH:
        return failure(marks);
    case FLEET_ON_REVERTED:
        return FLEET_REVERTED;
    case FLEET_ON_CONTROL_CRASH:
        return has(marks, FLEET_EXPOSED) ? 0 : FLEET_CONTROL_CRASH;
    case FLEET_ON_CONTROL_NOISE:
        return has(marks, FLEET_EXPOSED) ? 0 : FLEET_CONTROL_NOISE;
    case FLEET_ON_STORM:
        return has(marks, FLEET_EXPOSED) ? FLEET_STORM : 0;
    case FLEET_ON_SLOW:
        return has(marks, FLEET_EXPOSED) ? FLEET_SLOW : 0;
    case FLEET_ON_SENSOR_MUTE:
        return has(marks, FLEET_EXPOSED) ? FLEET_SENSOR_MUTE : 0;
    case FLEET_ON_MUTE:
        return FLEET_MUTED;
    case FLEET_ON_AGED:
        return has(marks, FLEET_CONFIRMED) && !has(marks, FLEET_FAILED | FLEET_LATE) ? FLEET_AGED
                                                                                     : 0;
    case FLEET_ON_ALIVE:
    case FLEET_ON_UNABLE:
    case FLEET_ON_ELSEWHERE:
    case FLEET_ON_ELSEWHERE_LATE:
        break;
    }
    return 0;
}

unsigned fleet_outcome_rule_next(unsigned marks, enum fleet_signal signal)
{
    unsigned votes = has(marks, FLEET_SPENT) ? 0 : vote(marks, signal);
    return place(marks, signal) | votes;
}

/* INV-1: places in the window are taken and given back by muted endpoints too. */
static void tally_place(struct fleet_counts *c, unsigned marks, int64_t sign)
{
    bool exposed = has(marks, FLEET_EXPOSED);
    bool pending = fleet_outcome_rule_pending(marks);
    c->exposed += exposed ? sign : 0;
    c->pending += pending ? sign : 0;
    c->survived += exposed && has(marks, FLEET_CONFIRMED) ? sign : 0;
    c->dark += exposed && has(marks, FLEET_DARK) ? sign : 0;
    c->aged += exposed && has(marks, FLEET_AGED) ? sign : 0;
    c->reverted += has(marks, FLEET_REVERTED) ? sign : 0;
    c->still_on += !pending && has(marks, FLEET_ACTIVE | FLEET_TRIAL) ? sign : 0;
}

static void tally_votes(struct fleet_counts *c, unsigned marks, unsigned against, int64_t sign)
{
    bool exposed = has(marks, FLEET_EXPOSED);
    bool clean = exposed && has(marks, FLEET_CONFIRMED) && !has(marks, against);
    c->healthy += clean ? sign : 0;
    c->at_risk += clean && has(marks, FLEET_ACTIVE) ? sign : 0;
    c->failed += exposed && has(marks, FLEET_FAILED) ? sign : 0;
    c->refused += has(marks, FLEET_REFUSED) ? sign : 0;
    c->refused_free += has(marks, FLEET_FREE) ? sign : 0;
    c->unable += !exposed && has(marks, FLEET_UNABLE) ? sign : 0;
    c->late_crash += has(marks, FLEET_LATE) ? sign : 0;
    c->storm += has(marks, FLEET_STORM) ? sign : 0;
    c->slow += has(marks, FLEET_SLOW) ? sign : 0;
    c->mute += has(marks, FLEET_SENSOR_MUTE) ? sign : 0;
    c->marked += exposed && has(marks, against) ? sign : 0;
    c->control_crash += has(marks, FLEET_CONTROL_CRASH) ? sign : 0;
    c->control_noise += has(marks, FLEET_CONTROL_NOISE) ? sign : 0;
}

/* INV-4: silence counts until the endpoint has proven this very release; that it was silent stays in `dark` and in the
 * windows that are compared with control. */
static unsigned against_of(unsigned marks)
{
    const unsigned for_good =
        FLEET_FAILED | FLEET_REFUSED | FLEET_LATE | FLEET_STORM | FLEET_SLOW | FLEET_SENSOR_MUTE;
    return has(marks, FLEET_CONFIRMED) ? for_good : for_good | FLEET_DARK;
}

void fleet_outcome_rule_tally(struct fleet_counts *c, unsigned marks, int64_t sign)
{
    const unsigned against = against_of(marks);
    tally_place(c, marks, sign);
    if (has(marks, FLEET_MUTED)) {
        c->muted += has(marks, FLEET_EXPOSED) ? sign : 0;
        c->muted_votes += has(marks, against) ? sign : 0;
        return;
    }
    tally_votes(c, marks, against, sign);
}
