/* fleet_table.h: the fleet in memory: names, watched releases, endpoints, counts; shared by the fleet_*.c files only.
 *
 * memory   a table owns its arrays until fleet_table_drop; pointers into it are good until the next *_reserve
 * threads  the core thread only
 * source   fleet_state.h is the public face
 */
#ifndef RINGWARD_FLEET_TABLE_H
#define RINGWARD_FLEET_TABLE_H

#include "server/health/fleet_journal.h"
#include "server/health/fleet_outcome_rule.h"
#include "server/health/fleet_pool.h"
#include "server/health/fleet_window.h"
#include "server/health/recent_rule.h"

enum {
    FLEET_SLOTS = 4,               /* releases remembered per endpoint and family; a power of two */
    FLEET_COHORTS_MAX = 1024,      /* in use at once, then "other": endpoints name cohorts */
    FLEET_NAMES_MAX = 4096,        /* rings, families, tenants */
    FLEET_WATCHED_PER_FAMILY = 64, /* older releases lose their counts */
    FLEET_WHOLE_RING = 0xfffe,     /* as cohort of a count: all of them */
    FLEET_OF_TENANT = 0x8000,      /* as cohort of a count, plus its number: those of one tenant */
    FLEET_TENANTS_MUTED_MAX = 8,   /* per release */
    FLEET_KINDS = 10,
    FLEET_ENDPOINTS_MAX = 50 * 1000 * 1000,
    FLEET_SLICE_ENDPOINTS = 1024, /* folded together: endpoints of neighbouring numbers */
};

struct fleet_names {
    char (*text)[FLEET_JOURNAL_NAME_BYTES];
    size_t count;
    size_t cap;
    uint16_t *index; /* open addressing: number + 1; 0: free */
    size_t index_cap;
};

struct fleet_release {
    uint16_t family;
    int64_t release;
    uint8_t sha256[32];
    uint32_t serial; /* key of its counts, never used again */
    uint32_t muted_count;
    bool newest;                             /* of its family; not stored */
    uint16_t muted[FLEET_TENANTS_MUTED_MAX]; /* tenants whose votes on it do not count */
    int64_t watched_s;                       /* since when */
    int64_t window_s;                        /* length of a window, treated or control */
    int64_t after_s;                         /* when an endpoint counts as aged */
};

/* One release at one endpoint. */
struct fleet_slot {
    int64_t release; /* 0: free */
    uint64_t permit; /* of the latest permit; 0: none */
    int64_t granted_s;
    int64_t deadline_s;
    uint32_t serial; /* of the watched release that its marks count for */
    uint32_t marks;  /* enum fleet_mark */
    uint16_t ring;   /* what its counts are booked under */
    uint16_t cohort;
    uint16_t tenant;
};

/* One family at one endpoint. */
struct fleet_track {
    uint32_t next; /* next track of the endpoint: index + 1; 0: none */
    uint16_t family;
    uint8_t slot_room; /* slots that it has room for: those in use, rounded up to a power of two */
    int64_t active;    /* release that the sensor proved last; 0: none */
    int64_t generation;
    uint8_t sha256[32]; /* of that proof */
    int64_t forgotten;  /* greatest release whose slot was given up */
    uint32_t slots;     /* place in the table's pool of them */
};

struct fleet_endpoint {
    uint8_t id[16];
    uint16_t tenant;
    uint16_t ring;
    uint16_t cohort;
    uint8_t grade; /* index of the sandbox grade's name; 0: not run yet */
    uint8_t trust; /* index of the word, and FLEET_NO_LOADER */
    uint8_t recent_count;
    struct recent_rule recent_rule; /* how many of them are to be kept */
    uint8_t strikes;                /* failures in releases that were healthy elsewhere */
    uint8_t muted;        /* too many of them: its votes do not count until clean releases follow */
    uint8_t control_seen; /* its control window */
    uint32_t track;       /* first track: index + 1; 0: none */
    uint32_t recent;  /* its latest beacon ids, oldest first: place in the table's pool of them */
    uint32_t named_s; /* when it brought the latest new name of a cohort; 0: never, not stored */
    int64_t seen_s;
    int64_t control_end_s;  /* of its open or latest control window; 0: none */
    int64_t control_look_s; /* heard of from here on it is seen */
};

struct fleet_count_entry {
    uint64_t key; /* serial, ring, cohort; 0: free */
    struct fleet_counts counts;
};

/* A permit that may become dark. */
struct fleet_open_permit {
    uint32_t endpoint;
    uint32_t track;
    int64_t release;
    int64_t deadline_s;
};

/* Of each place of the table of cohorts; follows from the rest, not stored (fleet_cohorts.h). */
struct fleet_cohorts {
    uint32_t members[FLEET_COHORTS_MAX]; /* endpoints in it, in any ring or none; not of place 0 */
    uint16_t owner[FLEET_COHORTS_MAX];   /* tenant that brought the name; FLEET_NO_NAME: unknown */
    bool held[FLEET_COHORTS_MAX];        /* in use, as of the latest look, and what came since */
    bool looked;
    int64_t looked_s;
    uint64_t turned_away[4]; /* new names that count as "other", by enum cohort_rule */
};

/* Endpoints of one slice, seen by the fold. */
struct fleet_slice {
    int64_t changed_row; /* newest journal row that changed one of them; 0: none since the load */
    int64_t settled_row; /* they were loaded as of this row: older ones must not be applied again */
};

struct fleet_table {
    uint64_t seed; /* of the hash: ids come from outside */
    struct fleet_names names[FLEET_SPACES];
    struct fleet_cohorts cohorts;
    struct fleet_release *releases; /* oldest first */
    size_t release_count;
    size_t release_cap;
    uint32_t next_serial;
    uint64_t next_permit;

    struct fleet_endpoint *endpoints; /* dense, in order of first sight */
    size_t endpoint_count;
    size_t endpoint_cap;
    size_t found;               /* of them, from the first on, stand in the index */
    struct fleet_slice *slices; /* of the endpoints, in their order */
    size_t slice_cap;
    int64_t row;         /* of the journal: what is applied now belongs to it, or to a later one */
    int64_t settled_row; /* the greatest of the slices; behind it there is nothing to look for */
    uint32_t *index;     /* open addressing: endpoint + 1; 0: free */
    size_t index_cap;
    struct fleet_track *tracks;
    size_t track_count;
    size_t track_cap;
    struct fleet_pool slots;  /* of the tracks: most endpoints know few releases */
    struct fleet_pool recent; /* beacon ids of the endpoints: most send one at a time */

    struct fleet_count_entry *counts;
    size_t count_used;
    size_t count_cap;

    struct fleet_open_permit *open;
    size_t open_count;
    size_t open_cap;
    int64_t earliest_s; /* no open permit's deadline is before */

    struct fleet_windows windows; /* of the newest release of each family */

    int64_t *ring_seen_s; /* per ring number: latest beacon */
    uint64_t beacons[FLEET_KINDS];
};

RW_RC fleet_table_make(struct fleet_table *out, struct rw_err *err);
void fleet_table_drop(struct fleet_table *t); /* accepts a zeroed table */

/* Room for one more endpoint, track, open permit and the counts that one record can touch: after RW_OK applying
 * one record cannot run out of memory. Fails with RW_E_NOMEM, RW_E_FULL. */
RW_RC fleet_table_reserve(struct fleet_table *t, struct rw_err *err);

/* FLEET_NO_NAME when it is not there. */
uint16_t fleet_table_name(const struct fleet_table *t, enum fleet_space space, const char *text);
RW_RC fleet_table_define(struct fleet_table *t, enum fleet_space space, const char *text,
                         struct rw_err *err);
/* Another text for a number that is defined. */
void fleet_table_rename(struct fleet_table *t, enum fleet_space space, uint16_t number,
                        const char *text);
const char *fleet_table_text(const struct fleet_table *t, enum fleet_space space, uint16_t number);

/* NULL when it is not there. */
struct fleet_endpoint *fleet_table_find(const struct fleet_table *t, const uint8_t id[static 16]);
/* Begins to load what fleet_table_find would look at, without waiting for it. */
void fleet_table_prefetch(const struct fleet_table *t, const uint8_t id[static 16]);
struct fleet_endpoint *fleet_table_add(struct fleet_table *t, const uint8_t id[static 16]);
/* For loading: adds an endpoint that fleet_table_find does not find before fleet_table_know was told of it. */
struct fleet_endpoint *fleet_table_add_unknown(struct fleet_table *t,
                                               const struct fleet_endpoint *e);
/* From now on all endpoints are found: many new ones at once, so that the waits for memory overlap. False: one of them
 * was there already, and the table is good for nothing any more. */
bool fleet_table_know(struct fleet_table *t);
/* Notes that the endpoint is changed by the present row. */
void fleet_table_touch(struct fleet_table *t, const struct fleet_endpoint *e);
/* Whether what the table knows of the endpoint has the present row in it already (INV-11). */
bool fleet_table_settled(const struct fleet_table *t, const struct fleet_endpoint *e);
/* Slices that hold at least one endpoint. */
size_t fleet_table_slices(const struct fleet_table *t);
struct fleet_track *fleet_table_track(const struct fleet_table *t, const struct fleet_endpoint *e,
                                      uint16_t family);
struct fleet_track *fleet_table_add_track(struct fleet_table *t, struct fleet_endpoint *e,
                                          uint16_t family);
/* The track's slots, track->slot_room of them; NULL for none. Good until one is made or given room. */
struct fleet_slot *fleet_table_slots_of(const struct fleet_table *t,
                                        const struct fleet_track *track);
/* NULL when there is none of that release. */
struct fleet_slot *fleet_table_slot(const struct fleet_table *t, const struct fleet_track *track,
                                    int64_t release);
/* A free slot (its release is 0), made while there are fewer than FLEET_SLOTS (room was reserved); NULL: none. */
struct fleet_slot *fleet_table_free_slot(struct fleet_table *t, struct fleet_track *track);
/* Room for `count` slots (at most FLEET_SLOTS; room was reserved); the new ones are free. */
struct fleet_slot *fleet_table_slot_room(struct fleet_table *t, struct fleet_track *track,
                                         size_t count);

/* The endpoint's latest beacon ids, e->recent_count of them, oldest first; NULL for none. */
const uint64_t *fleet_table_recent(const struct fleet_table *t, const struct fleet_endpoint *e);
/* Remembers an id as the latest; forgets those beyond what recent_rule.h says (room was reserved). */
void fleet_table_remember(struct fleet_table *t, struct fleet_endpoint *e, uint64_t id,
                          uint8_t before);
/* Takes over `count` ids of an endpoint that has none (room was reserved). */
void fleet_table_set_recent(struct fleet_table *t, struct fleet_endpoint *e, const uint64_t *ids,
                            uint8_t count);
/* Room for so many endpoints in all, at once: before a load. Fails with RW_E_NOMEM. */
RW_RC fleet_table_expect(struct fleet_table *t, size_t endpoints, struct rw_err *err);

/* NULL when the release is not watched. */
const struct fleet_release *fleet_table_release(const struct fleet_table *t, uint16_t family,
                                                int64_t release);
/* Whether counts are kept under this serial. */
bool fleet_table_counted(const struct fleet_table *t, uint32_t serial);
/* The newest watched release of a family; NULL: none. Only about it are control and windows kept. */
struct fleet_release *fleet_table_newest(const struct fleet_table *t, uint16_t family);
/* Takes family, release, hash and times of `release`, gives it a new serial. */
RW_RC fleet_table_watch(struct fleet_table *t, const struct fleet_release *release,
                        struct rw_err *err);
uint64_t fleet_table_key(uint32_t serial, uint16_t ring, uint16_t cohort);

/* Counts of one cohort of one ring; serial 0: members only. NULL when nothing was counted yet. */
const struct fleet_counts *fleet_table_counts(const struct fleet_table *t, uint32_t serial,
                                              uint16_t ring, uint16_t cohort);
/* The same, made when it is missing (room was reserved). */
struct fleet_counts *fleet_table_count_at(struct fleet_table *t, uint32_t serial, uint16_t ring,
                                          uint16_t cohort);
/* Forgets all counts and windows, and keeps their room. */
void fleet_table_forget_counts(struct fleet_table *t);
RW_RC fleet_table_reserve_counts(struct fleet_table *t, size_t more, struct rw_err *err);

#endif
