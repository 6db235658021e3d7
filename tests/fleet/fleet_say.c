/* What a simulated endpoint says: its spool of beacons, and its requests. */
#include "tests/fleet/fleet_resume.h"

#include <signal.h>
#include <stdio.h>

enum { ROUNDING_MS = 1000 }; /* the server counts whole seconds */

static void drop_at(struct fleet_run *f, struct fleet_life *l, size_t at)
{
    for (size_t i = at + 1; i < l->spooled; i++) {
        l->spool[i - 1] = l->spool[i];
    }
    l->spooled--;
    f->spool_dropped++;
}

/* As in the agent: an `alive` goes first, and never what is under way. */
static void make_room(struct fleet_run *f, struct fleet_life *l)
{
    if (l->spooled < FLEET_SPOOL) { return; }
    for (size_t i = l->sending; i < l->spooled; i++) {
        if (l->spool[i].kind == BEACON_ALIVE) {
            drop_at(f, l, i);
            return;
        }
    }
    drop_at(f, l, l->sending < l->spooled ? l->sending : l->spooled - 1U);
}

void fleet_say(struct fleet_run *f, uint32_t who, enum beacon_kind kind, enum beacon_stage stage,
               uint16_t release)
{
    struct fleet_life *l = &f->lives[who];
    make_room(f, l);
    l->spool[l->spooled++] = (struct fleet_owed){.number = f->book->at[who].beacons++,
                                                 .kind = (uint8_t)kind,
                                                 .stage = (uint8_t)stage,
                                                 .release = release};
}

void fleet_say_sent(struct fleet_life *l)
{
    for (size_t i = l->sending; i < l->spooled; i++) {
        l->spool[i - l->sending] = l->spool[i];
    }
    l->spooled = (uint8_t)(l->spooled - l->sending);
    l->sending = 0;
}

static struct beacon beacon_of(struct fleet_run *f, uint32_t who, const struct fleet_owed *o)
{
    const struct fleet_life *l = &f->lives[who];
    const struct rw_clock clock = rw_clock_system();
    struct beacon b = {.at = rw_clock_wall(&clock),
                       .kind = (enum beacon_kind)o->kind,
                       .stage = (enum beacon_stage)o->stage,
                       .cohort = fleet_life_cohorts[l->cohort],
                       .grade = "full",
                       .trust = "development"};
    fleet_wire_id(&f->book->at[who], o->number, b.id);
    (void)snprintf(b.ring, sizeof(b.ring), "%s", fleet_view_policy(f->view)->rings[l->ring].name);
    if (o->release == 0) { return b; }
    const struct fleet_ledger_release *r = &f->ledger.releases[o->release - 1];
    b.release = r->release;
    b.generation = l->generation;
    b.signal = o->kind == BEACON_CRASH || o->kind == BEACON_FAILED ? SIGSEGV : 0;
    rw_copy(b.sha256, sizeof(b.sha256), r->sha256, BEACON_HASH_BYTES);
    (void)snprintf(b.family, sizeof(b.family), "%s", f->family);
    return b;
}

/* Once per endpoint, and never of one that told of something against the release before: no more do they count as
 * survivors at the server. */
static void count_survivor(struct fleet_run *f, struct fleet_life *l, uint16_t release)
{
    if (l->survived_with == release || l->told_against == release) { return; }
    l->survived_with = release;
    fleet_ledger_survived(&f->ledger.releases[release - 1], l->ring, l->cohort);
}

/* INV-1 is judged by what the server can know at the earliest: survivors count from the moment at which they begin to
 * tell, permits from the moment at which their answer is here. */
static void count_proof(struct fleet_run *f, struct fleet_life *l, struct fleet_owed *o)
{
    if (o->release == 0 || o->counted) { return; }
    if (o->kind != BEACON_ALIVE && o->kind != BEACON_HEALTHY) {
        l->told_against = o->release;
        return;
    }
    struct fleet_ledger_release *r = &f->ledger.releases[o->release - 1];
    int64_t aged_ms = fleet_view_policy(f->view)->alive_after_s * 1000 - ROUNDING_MS;
    o->counted = true;
    if (o->kind == BEACON_HEALTHY) { count_survivor(f, l, o->release); }
    if (l->exposed_to == o->release && l->aged_with != o->release &&
        f->now_ms - l->permit_at >= aged_ms) {
        l->aged_with = o->release;
        fleet_ledger_aged(r, l->ring, l->cohort);
    }
}

static RW_RC build_beacons(struct fleet_run *f, uint32_t who, struct fleet_request *out,
                           struct rw_err *err)
{
    struct fleet_life *l = &f->lives[who];
    struct beacon batch[FLEET_SPOOL];
    l->sending = l->spooled;
    for (size_t i = 0; i < l->sending; i++) {
        batch[i] = beacon_of(f, who, &l->spool[i]);
        count_proof(f, l, &l->spool[i]);
    }
    return fleet_wire_beacons(&f->wire, &f->book->at[who], batch, l->sending, out, err);
}

static RW_RC build_permit(struct fleet_run *f, uint32_t who, struct fleet_request *out,
                          struct rw_err *err)
{
    struct fleet_life *l = &f->lives[who];
    const struct fleet_ledger_release *r = &f->ledger.releases[l->asked - 1];
    RW_TRY(fleet_resume_look(f, err));
    l->asked_noted = (uint16_t)r->noted;
    struct beacon_permit_request q = {.release = r->release,
                                      .cohort = fleet_life_cohorts[l->cohort]};
    if (l->installed != 0) { q.from = f->ledger.releases[l->installed - 1].release; }
    rw_copy(q.sha256, sizeof(q.sha256), r->sha256, BEACON_HASH_BYTES);
    (void)snprintf(q.ring, sizeof(q.ring), "%s", fleet_view_policy(f->view)->rings[l->ring].name);
    (void)snprintf(q.family, sizeof(q.family), "%s", f->family);
    return fleet_wire_permit(&f->wire, &f->book->at[who], &q, out, err);
}

RW_RC fleet_say_build(struct fleet_run *f, const struct fleet_job *job, struct fleet_request *out,
                      struct rw_err *err)
{
    struct fleet_life *l = &f->lives[job->who];
    switch ((enum fleet_kind)job->kind) {
    case FLEET_POLL:
        fleet_wire_poll(l->etag == 0 ? "" : f->etags[l->etag - 1], out);
        return RW_OK;
    case FLEET_PERMIT:
        return build_permit(f, job->who, out, err);
    case FLEET_BEACON:
        return build_beacons(f, job->who, out, err);
    case FLEET_ENROL:
    case FLEET_KINDS:
        break;
    }
    return rw_fail(err, RW_E_USAGE, "no such request");
}
