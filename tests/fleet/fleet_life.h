/* fleet_life.h: the lives of simulated endpoints: poll, decide, ask for a permit, try, report; the inside of a run.
 *
 * Decisions are the agent's own rules: install_rule (may it be installed?), trial_rule (commit or go back?), poll_rule
 * (when to ask again?). Box, sensor and disk are simulated: content is "loaded" after a while and then does what the
 * script of faults says.
 *
 * memory   a run owns its tables until the end of fleet_run
 * threads  the loop's thread only
 * source   docs/architecture.md "The endpoint"; docs/fleet.md "What is simulated"
 */
#ifndef RINGWARD_FLEET_LIFE_H
#define RINGWARD_FLEET_LIFE_H

#include "tests/fleet/fleet_fault.h"
#include "tests/fleet/fleet_ledger.h"
#include "tests/fleet/fleet_stat.h"
#include "tests/fleet/fleet_view.h"
#include "tests/fleet/fleet_wheel.h"
#include "tests/fleet/fleet_wire.h"

enum { FLEET_SPOOL = 4, FLEET_BAD_MAX = 4, FLEET_ETAGS_MAX = 65536, FLEET_ETAG_BYTES = 96 };

enum fleet_phase { FLEET_STEADY, FLEET_LOADING, FLEET_PROBATION, FLEET_DEAD };

struct fleet_owed {
    uint32_t number; /* from which its id follows */
    uint8_t kind;    /* enum beacon_kind */
    uint8_t stage;
    uint16_t release; /* index + 1; 0: none */
    bool counted;     /* as a survivor */
};

/* Releases are indices into the ledger, plus 1; 0: none. Times are milliseconds of the run. */
struct fleet_life {
    int32_t poll_at, send_at, trial_at; /* FLEET_WHEEL_NEVER: not */
    int32_t asked_at;                   /* when the request that is under way was sent */
    int32_t trial_since, contact_at, harm_at, permit_at;
    int32_t exposed_at;    /* when it asked for the first permit to exposed_to */
    int32_t permit_after;  /* do not ask before */
    uint32_t etag;         /* index + 1 of the timestamp that it knows; 0: none */
    uint32_t refused_view; /* generation of the metadata for which a permit was refused; 0: none */
    uint32_t generation;   /* of the load */
    uint16_t probation_s, poll_s;
    uint16_t installed, previous, asked, exposed_to, aged_with;
    uint16_t survived_with; /* began to tell that it is healthy with it */
    uint16_t told_against;  /* began to tell of an end other than that, or of a mark against it */
    uint16_t asked_noted; /* resumes of the release that were noted when it asked for the permit */
    uint16_t bad[FLEET_BAD_MAX];  /* failed here */
    uint16_t left[FLEET_BAD_MAX]; /* left by the ring's order */
    struct fleet_owed spool[FLEET_SPOOL];
    uint8_t spooled;
    uint8_t sending; /* of these: in the request that is under way */
    uint8_t ring, cohort, phase, poll_failures, send_failures, permit_failures;
    bool busy;    /* a request is under way */
    bool back;    /* the change under way is a way back: no trial */
    bool aborted; /* the ring's pointer went back during the trial */
};

struct fleet_run_options {
    int64_t poll_ms;          /* the configured interval */
    int64_t load_ms;          /* from the permit to the proof of load */
    int64_t reach_ms;         /* as in agent.conf */
    int64_t for_ms;           /* 0: until SIGTERM */
    int64_t internal;         /* endpoints that join the first ring that is joined by hand */
    const char *ready_file;   /* written once all endpoints live; NULL: none */
    const char *resumes_file; /* one number of a release per line; NULL: nobody resumes */
    struct fleet_faults faults;
};

struct fleet_run {
    struct event_base *base;
    struct fleet_http *http;
    struct fleet_book *book;
    struct fleet_view *view;
    struct fleet_wire wire;
    struct fleet_wheel wheel;
    struct fleet_life *lives;
    const struct fleet_run_options *o;
    const char *family; /* borrowed */
    struct fleet_ledger ledger;
    char (*etags)[FLEET_ETAG_BYTES]; /* in the order in which they were met */
    uint32_t etag_count;
    uint32_t seen_etag; /* of the timestamp behind the view; index + 1 */
    struct fleet_stat stats[FLEET_KINDS];
    uint64_t random;
    int64_t begun_us;
    int64_t resumes_bytes; /* of the file, when it was read last */
    int32_t now_ms;
    int64_t views_failed, too_late, spool_dropped, bricked;
    struct fleet_http_counters http_counters; /* at the end */
    bool warming;                             /* connections are opened, nobody lives yet */
    struct rw_err *err;
    bool failed;
};

/* --- fleet_life.c --- */
extern const struct beacon_cohort fleet_life_cohorts[FLEET_COHORTS];
void fleet_life_begin(struct fleet_run *f, uint32_t who);
/* The endpoint's timer. */
void fleet_life_wake(void *run, uint32_t who);
/* The answer to its request. */
void fleet_life_answer(struct fleet_run *f, const struct fleet_job *job,
                       const struct fleet_reply *r);
/* The newest first; the oldest makes room. */
void fleet_life_remember(uint16_t list[static FLEET_BAD_MAX], uint16_t release);
uint32_t fleet_life_draw(struct fleet_run *f);
/* What a release does to this endpoint; NULL: nothing. */
const struct fleet_fault *fleet_life_fault(const struct fleet_run *f, uint32_t who,
                                           uint16_t release);

/* --- fleet_trial.c --- */
/* A granted permit, or a way back (`permit` NULL). */
void fleet_trial_begin(struct fleet_run *f, uint32_t who, uint16_t release,
                       const struct beacon_permit_answer *permit);
void fleet_trial_step(struct fleet_run *f, uint32_t who);
/* The server must be heard in the second half of a probation: a poll is wanted before its time. */
bool fleet_trial_wants_contact(const struct fleet_run *f, const struct fleet_life *l);

/* --- fleet_say.c --- */
void fleet_say(struct fleet_run *f, uint32_t who, enum beacon_kind kind, enum beacon_stage stage,
               uint16_t release);
RW_RC fleet_say_build(struct fleet_run *f, const struct fleet_job *job, struct fleet_request *out,
                      struct rw_err *err);
/* The beacons of the request under way are kept by the server. */
void fleet_say_sent(struct fleet_life *l);

/* --- fleet_run.c --- */
RW_RC fleet_run(struct fleet_run *f, const struct fleet_http_options *http, struct rw_err *err);
void fleet_run_drop(struct fleet_run *f);
void fleet_run_ask(struct fleet_run *f, uint32_t who, enum fleet_kind kind);

#endif
