/* poll_state.h: the inside of struct poll, shared by the files of agent/poll only.
 *
 * memory   owned by the poll
 * threads  one thread at a time
 * source   poll.h is the public face
 */
#ifndef RINGWARD_POLL_STATE_H
#define RINGWARD_POLL_STATE_H

#include "agent/fetch/clock_floor.h"
#include "agent/poll/control_book.h"
#include "agent/poll/poll.h"
#include "common/policy/entry_list.h"

/* What a poll remembers of a family between polls. */
struct poll_memory {
    bool has_proven;
    uint8_t proven[DIGEST_BYTES]; /* content that the box accepted in this life */
    bool has_loaded;
    uint8_t loaded[DIGEST_BYTES]; /* the whole set that the loader took in a dry run */
    bool has_reported;
    bool reported_unable;
    uint8_t reported[DIGEST_BYTES]; /* told already: refused, or that it could not be tried */
    bool permit_refused;
    uint8_t permit_refused_sha256[DIGEST_BYTES];
    struct rw_mono permit_after;       /* do not ask before */
    int64_t permit_failures;           /* in a row */
    char permit_said[POLL_TEXT_BYTES]; /* why there was none at the last request; "" */
    bool delta_tried;                  /* in this life, for that content: not again */
    uint8_t delta_tried_sha256[DIGEST_BYTES];
    char grade[8];
    char missing[POLL_TEXT_BYTES];
    char verdict[VERDICT_REASON_BYTES + 40];
};

struct poll {
    struct poll_options o;   /* strings borrowed from the configuration, which outlives the poll */
    struct http_client *api; /* metadata, enrolment, permits: small and quick */
    struct http_client *content; /* payloads: large */
    struct trust_store trust;
    struct clock_floor floor;
    bool store_full; /* in the poll that runs */
    bool has_policy;
    uint8_t policy_sha256[DIGEST_BYTES];
    struct ring_policy policy;
    struct control_book book;
    struct control controls[CONTROL_MAX]; /* of the poll that runs: administrator, then operators */
    size_t control_count;
    char token[POLL_TOKEN_BYTES];
    int64_t
        enrol_retry_after_s; /* what a refused enrolment of this poll asked for; negative: nothing */
    bool token_refused;      /* by the server: the stored one is of no use */
    struct poll_memory memory[POLL_FAMILIES_MAX]; /* as families */
    struct box_self self;                         /* grade "" before the first self-test */
    bool expedite_none;                           /* the expedite role could not be used ... */
    struct rw_wall expedite_looked;               /* ... after the refresh of that time */
};

/* Reads pointer and content of a family as this endpoint's ring sees them. A pointer that is not there is an answer;
 * any other failure is none. */
RW_RC poll_entries_read(struct poll *p, size_t ring, const struct poll_input *in,
                        struct poll_family *f, struct rw_err *err);
/* Reads the content entry of f->pointer, as the ring sees it; what is not listed stays so. */
RW_RC poll_entries_content(struct poll *p, size_t ring, const struct poll_input *in,
                           const struct entry_list *list, struct poll_family *f,
                           struct rw_err *err);
/* Gathers the controls of this poll, with their age. */
void poll_control_begin(struct poll *p, const struct poll_input *in);
/* Puts the release that controls allow in the place of what the ring points at (INV-7: never a newer one). */
RW_RC poll_control_apply(struct poll *p, size_t ring, const struct poll_input *in,
                         const struct entry_list *list, struct poll_family *f, struct rw_err *err);
/* What the controls keep is not begun, whatever the install rule says. */
void poll_control_keep(struct poll_family *f);
/* Looks for an expedite of the content; without one f->expedite stays unlisted. */
void poll_entries_expedite(struct poll *p, struct poll_family *f);
/* Whether the content is or was active: the running and the previous set are looked at. */
bool poll_entries_held(const struct poll_input *in, const struct poll_family *f);

/* Makes sure that there is an endpoint token: the stored one, or a new one by the enrolment token. */
RW_RC poll_enrol(struct poll *p, struct rw_err *err);
/* Asks for the next token. The one in force stays until the next is on the disk: neither a lost answer nor a crash
 * locks the endpoint out. */
void poll_enrol_renew(struct poll *p);
/* The server does not accept the token any more: the next poll enrols anew where an enrolment token is there. */
void poll_enrol_forget(struct poll *p);
/* The token that an earlier life left; "" when there is none. */
void poll_enrol_recall(struct poll *p);
/* Makes sure that the content is stored: by a difference to what is active, else whole. False: not (yet), see note. */
bool poll_fetch(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                struct poll_family *f);
/* Content that was active here and got lost on the disk: by its hash alone, nothing is decided by it. */
void poll_fetch_wanted(struct poll *p, const struct poll_input *in);
/* Did the box prove itself? Asks it again if it did not. */
bool poll_self_passes(struct poll *p);
/* Runs the box on stored content; fills verdict, grade and refusal of `f`. True: accepted. */
bool poll_prove(struct poll *p, struct poll_memory *m, const struct poll_input *in,
                struct poll_family *f);
/* Lets the sensor's loader try the whole set with the candidate in it; the verdict is in `v`. True: it loads, or no
 * loader is configured, which `poll_load_missing` then names. */
bool poll_load(struct poll *p, struct poll_memory *m, const struct poll_input *in,
               const struct poll_family *f, struct verdict *v);
/* Adds to the list of missing safeguards what a missing loader means (INV-12). */
void poll_load_missing(const struct poll *p, char missing[static POLL_TEXT_BYTES]);
/* Asks for a permit; sets action ACTIVATE when it is granted, the note when not. */
void poll_permit(struct poll *p, struct poll_memory *m, struct poll_family *f);

#endif
