/* activate.h: the active content set of this endpoint: start, trial, probation, commit, way back.
 *
 * At most one change is under way. Before a step that could hurt, the intent is on disk; at every instant the
 * link names a complete set, and whatever happens, a set that was proven before is what remains (INV-6).
 *
 * memory   owns slots, sets and sensor; borrows the state directory and the report
 * threads  one thread (the loop's)
 * source   docs/architecture.md "Activation"; docs/protocol.md 9 and 10
 */
#ifndef RINGWARD_ACTIVATE_H
#define RINGWARD_ACTIVATE_H

#include "agent/activate/boot_rule.h"
#include "agent/activate/sensor.h"
#include "agent/activate/set_store.h"
#include "agent/activate/slot.h"
#include "agent/report/report.h"

enum activate_phase {
    ACTIVATE_STOPPED,    /* no sensor is wanted */
    ACTIVATE_STARTING,   /* waits for proof that the sensor loaded the proven set */
    ACTIVATE_STEADY,     /* nothing under way */
    ACTIVATE_LOADING,    /* a change: the sensor was told to load it */
    ACTIVATE_PROBATION,  /* a change: loaded, must live with it */
    ACTIVATE_GOING_BACK, /* the link could not be flipped back yet */
};

struct activate_options {
    int state_dir;              /* borrowed */
    const char *state_path;     /* its path, for the sensor */
    const char *sensor_command; /* NULL: it is observed */
    struct sensor_way sensor_way;
    const char *endpoint; /* hex */
    const char *boot_id;  /* of the kernel's start; NULL: unknown */
    int64_t load_timeout_ms;
    int64_t alive_ms;
    int64_t stable_ms; /* a start that has lasted so long with a proven set was no boot loop */
    int64_t reach_ms;  /* see trial_rule_evidence; 0: the server need not be reachable */
    struct detect_options detect;
    struct report *report; /* borrowed */
    struct rw_clock clock;
};

/* Damage of a set's files that was found and is not repaired yet. */
struct activate_damage {
    bool found;           /* in the active set; the sensor goes on with what it has in memory */
    bool previous;        /* in the set before */
    struct rw_mono until; /* found: the content is waited for so long, then the set is left */
    char text[RW_ERR_TEXT_BYTES]; /* what and where; also of the last that was repaired; "": none */
    struct rw_wall at;            /* when it was found; 0: never */
    int64_t count;                /* found in this run */
    int64_t repaired;             /* of them */
};

struct activate {
    int state_dir;
    char endpoint[2 * BEACON_ID_BYTES + 1]; /* hex */
    char boot_id[SLOT_BOOT_ID_BYTES];
    struct set_store sets;
    struct slot_state slots;
    struct sensor sensor;
    struct manifest active; /* of the set that the link names, or will name (link_owed) */
    struct report *report;
    struct rw_clock clock;
    int64_t load_timeout_ms;
    int64_t alive_ms;
    int64_t stable_ms;
    int64_t reach_ms;
    enum activate_phase phase;
    struct rw_mono since; /* when the phase began */
    struct rw_mono begun; /* start of this run */
    bool settled;         /* the sensor has proven the active set */
    int64_t begun_set;    /* proven set with which this run began; -1: it began with a trial */
    bool uncounted;       /* the begin of this run is not on the disk yet: no sensor may load */
    bool fell_back;       /* the boot guard left a set in this start */
    bool
        link_owed; /* the link could not be made to name slots.current: a sensor of our own gets that
                       set by its own name, another one may not be taken hold of before */
    struct rw_mono link_at; /* link_owed: tried again then */
    int64_t link_failures;  /* the same: in a row */
    bool aborted;           /* the ring's entry went back during a trial */
    bool reach_back;        /* the server was reachable when the change on trial began */
    struct rw_mono contact; /* begin of the last exchange that the server answered; ms 0: none */
    bool told;              /* the beacon about the commit is in the spool */
    bool fresh; /* the latest change brought a release of `fresh_family` by permit, in this run */
    char fresh_family[INSTALL_NAME_BYTES];
    char storm[DETECT_DETAIL_BYTES]; /* why the change on trial is given up; "" */
    char mute[DETECT_DETAIL_BYTES];  /* the same */
    struct rw_mono hold_until;       /* a commit was not durable: try again then */
    struct rw_mono restart_at;       /* sensor down: start it again then */
    int64_t restarts;                /* in a row */
    bool unstarted;   /* the last start failed: no process, so nothing to blame content for */
    bool absent;      /* observed: that it is not there has been logged */
    bool hang_told;   /* observed: it hangs, is not killed, and that was told */
    bool end_open;    /* observed by its unit: it ended, and whether it crashed is not known yet */
    bool end_crashed; /* that of a change under way was a crash */
    int64_t by_hand;  /* starts of the sensor by hand since the change under way began */
    struct rw_mono end_at;                     /* end_open: when it ended */
    int64_t end_restarts;                      /* end_open: of the unit before */
    struct rw_mono crashes[BOOT_RULE_CRASHES]; /* the latest first; ms 0: none */
    bool collect_due;                          /* sets or content that nobody needs lie about */
    struct activate_damage damage;
};

/* One change, ready to begin: content is in the store, proven by the box. */
struct activate_plan {
    enum slot_change change;
    bool own; /* SLOT_REVERT: a control wants it, not the ring */
    char family[INSTALL_NAME_BYTES];
    struct manifest_entry to;   /* ignored for SLOT_REMOVE */
    int64_t probation_s;        /* SLOT_TRIAL */
    bool drill;                 /* SLOT_TRIAL: a rehearsal of failure */
    struct rw_mono valid_until; /* SLOT_TRIAL: end of the permit's validity (INV-2) */
    /* Asked right before the switch: may it still begin? (bake, expiry, ring) */
    RW_RC (*recheck)(void *ctx, struct rw_err *err);
    void *ctx;
};

/* Loads and repairs the state; starts nothing. */
RW_RC activate_open(struct activate *a, const struct activate_options *o, struct rw_err *err);
void activate_drop(struct activate *a);

/* The boot-loop guard: counts this start durably, then chooses the set, before any sensor loads. May be
 * called as a step of its own (`guard`) and again at the begin of a run: one start counts once. A start behind an
 * unclean one that cannot be counted leaves the set. Fails when that cannot be done either: no sensor may load.
 * With link_owed all but the link is done, and a run may begin: it tries again and again (INV-6). */
RW_RC activate_guard(struct activate *a, struct rw_err *err);
/* Begins a run after the guard: starts the sensor, resumes a change that was under way. */
void activate_start(struct activate *a);
/* Ends a run cleanly: stops the sensor, clears the boot counter. */
RW_RC activate_stop(struct activate *a, struct rw_err *err);

/* Is nothing under way, so that a change may begin? */
bool activate_idle(const struct activate *a);
/* Begins a change. Required state: idle. Fails (and leaves everything as it was) with RW_E_POLICY when the
 * permit is no longer valid or the recheck refuses, RW_E_IO, RW_E_FULL, RW_E_PROCESS. */
RW_RC activate_begin(struct activate *a, const struct activate_plan *plan, struct rw_err *err);
/* The ring's entry for the family went back: ends its trial, if one is under way. */
void activate_abort(struct activate *a, const char *family);

/* The server answered an exchange that began then. */
void activate_contact(struct activate *a, struct rw_mono begun);
/* Does a change on trial need a sign of the server now? */
bool activate_wants_contact(const struct activate *a);

/* --- integrity of what lies on the disk; activate_mend.c --- */

/* link_owed in words, for beacons and status. */
#define ACTIVATE_LINK_STUCK "degraded: the link 'current' cannot be switched"

enum { ACTIVATE_CHECK_SETS = 2 };
/* Writes what must be intact: the active set, then the previous one. Gives how many; 0: not now, a change is under
 * way. */
size_t activate_check_list(const struct activate *a,
                           struct manifest out[static ACTIVATE_CHECK_SETS]);
/* The set was found damaged: repaired from the store when that can be, else its content is wanted from the server. */
void activate_damaged(struct activate *a, const struct manifest *set, const char *text);
/* Tries once more; `last`: the server could not help either, so the set is left for the one before. */
void activate_mend(struct activate *a, bool last);
/* Content that a repair waits for. Gives how many entries. */
size_t activate_wanted(const struct activate *a,
                       struct manifest_entry out[static MANIFEST_FAMILIES_MAX]);

/* Looks at everything and acts; call after each wake-up. */
void activate_step(struct activate *a);
/* When to be called again at the latest. */
struct rw_mono activate_wake(const struct activate *a);
/* The whole host slept or this process was stopped: the sensor could not speak either. */
void activate_forgive(struct activate *a);

/* The ring that this endpoint computed: for beacons, also after a restart. */
void activate_set_ring(struct activate *a, const char *ring);
/* What is active for the family, a trial included; NULL: nothing. */
const struct manifest_entry *activate_installed(const struct activate *a, const char *family);
/* Spools `alive` with what the sensor says is loaded, one per family. */
void activate_report_alive(const struct activate *a);
/* Removes sets and stored content that neither a set nor `keep` needs. Nobody may be fetching meanwhile.
 * Leaves all as it is while link_owed. */
RW_RC activate_collect(struct activate *a, const uint8_t (*keep)[DIGEST_BYTES], size_t keep_count,
                       struct rw_err *err);
const char *activate_phase_name(enum activate_phase p);

#endif
