/* slot.h: what the agent must remember over a crash: which set is current and previous, a trial under way,
 * hashes never to try again, hashes left by order, boot counters.
 *
 * Kept in two alternating copies ("slots.a", "slots.b"); every risky step is preceded by a save (INV-6).
 *
 * memory   plain values
 * threads  one writer
 * source   docs/protocol.md 9
 */
#ifndef RINGWARD_SLOT_H
#define RINGWARD_SLOT_H

#include "agent/activate/manifest_codec.h"
#include "common/wire/beacon_codec.h"

enum { SLOT_BOOT_ID_BYTES = 40 };

enum slot_change {
    SLOT_NO_CHANGE,
    SLOT_TRIAL,  /* a new release, by permit: probation decides */
    SLOT_REVERT, /* back to an older release, because the ring's entry says so */
    SLOT_REMOVE, /* the family's ring entry has gone */
};

/* A change of the active set that is not decided yet. */
struct slot_trial {
    enum slot_change change;    /* SLOT_NO_CHANGE: none */
    int64_t set;                /* the set under trial */
    struct manifest_entry to;   /* what it brings; release 0 for SLOT_REMOVE */
    struct manifest_entry left; /* what it replaces; release 0: the family was not active */
    int64_t probation_s;
    bool failed;             /* decided: go back. What follows may be repeated after a crash */
    bool aborted;            /* by the ring's entry, not by a fault */
    bool drill;              /* SLOT_TRIAL: a rehearsal of failure */
    bool own;                /* SLOT_REVERT: by a control, not by the ring's order */
    bool storm;              /* by detections beyond the budget */
    bool mute;               /* by a sensor that lives and has lost its function */
    enum beacon_stage stage; /* where it failed */
    int64_t signal;
    int64_t generation;
    char detail[BEACON_DETAIL_BYTES];
    uint8_t beacon[BEACON_ID_BYTES]; /* id of the beacon about the outcome: repeats are harmless */
};

struct slot_boot {
    bool open;                   /* a run began and has not ended cleanly */
    bool guarded;                /* the guard has counted, the run has not begun yet */
    int64_t unclean;             /* unclean starts in a row */
    char id[SLOT_BOOT_ID_BYTES]; /* guarded: the kernel's start that was counted; "": unknown */
};

struct slot_state {
    int64_t current;                    /* set that is proven */
    int64_t previous;                   /* set before it; 0: the empty one */
    int64_t next;                       /* number of the next set; rises */
    struct rw_wall committed;           /* when current became current; 0: unknown */
    char ring[INSTALL_NAME_BYTES];      /* in which current was committed; "": none */
    char seen_ring[INSTALL_NAME_BYTES]; /* last computed; "": none */
    bool stable;          /* current: the host has started with it and that start lasted */
    bool previous_stable; /* the same of previous */
    struct slot_trial trial;
    uint8_t abandoned[INSTALL_ABANDONED_MAX][DIGEST_BYTES]; /* the oldest first */
    size_t abandoned_count;
    uint8_t left[INSTALL_ABANDONED_MAX][DIGEST_BYTES]; /* without a fault; the oldest first */
    size_t left_count;
    struct slot_boot boot;
};

/* A fresh state when there is none (*fresh_out). Fails with RW_E_SCHEMA and the like when the newest valid
 * copy cannot be understood. */
RW_RC slot_load(int state_dir, struct slot_state *out, bool *fresh_out, struct rw_err *err);
/* Durable on RW_OK. Once both copies have been made it needs no room on the disk: they are written over in turn. */
RW_RC slot_save(int state_dir, const struct slot_state *s, struct rw_err *err);
/* Text forms, for tests and fuzzing. */
RW_RC slot_write(const struct slot_state *s, struct rw_buf *into, struct rw_err *err);
RW_RC slot_read(struct rw_span text, struct slot_state *out, struct rw_err *err);

const char *slot_change_name(enum slot_change c);
/* Remembers a hash; the oldest makes room. Once is enough. */
void slot_abandon(struct slot_state *s, const uint8_t sha256[static DIGEST_BYTES]);
bool slot_is_abandoned(const struct slot_state *s, const uint8_t sha256[static DIGEST_BYTES]);
/* The same for content that is not to blame: the ring's order took it away, or the server was out of reach. */
void slot_leave(struct slot_state *s, const uint8_t sha256[static DIGEST_BYTES]);

#endif
