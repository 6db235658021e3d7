/* fleet_hot.h: the inside of a fleet state, shared by the fleet_*.c files only.
 *
 * memory   as fleet_state.h
 * threads  the core thread only
 * source   fleet_state.h is the public face
 */
#ifndef RINGWARD_FLEET_HOT_H
#define RINGWARD_FLEET_HOT_H

#include "server/health/fleet_permit.h"
#include "server/health/fleet_slices.h"

struct fleet_state {
    struct store *store; /* borrowed */
    struct fleet_table table;
    struct rw_buf batch;  /* records that are not in the journal yet */
    bool lost;            /* a reload failed: memory says nothing true any more */
    int64_t last_row;     /* newest journal row that memory covers */
    size_t journal_bytes; /* behind the beginning of the fold */
    struct fleet_slices slices;
    size_t fold_covered; /* of these, by the piece of a fold that was written last */
    size_t
        open_kept; /* open permits when those that are closed were last taken out while following */
};

/* Number of a name, defined now if need be. */
RW_RC fleet_hot_name(struct fleet_state *f, enum fleet_space space, const char *text,
                     uint16_t *number_out, struct rw_err *err);
/* The same of the cohort that an endpoint of `who` is in, whose tenant has a number; a new one that may not have a
 * place of its own (cohort_rule.h) is "other". */
RW_RC fleet_hot_cohort(struct fleet_state *f, const struct fleet_who *who,
                       const struct beacon_cohort *cohort, struct rw_wall now, uint16_t *number_out,
                       struct rw_err *err);
/* The stored form of a cohort, and back. */
void fleet_hot_cohort_text(const struct beacon_cohort *cohort,
                           char dst[static FLEET_JOURNAL_NAME_BYTES]);
struct beacon_cohort fleet_hot_cohort_of(const char *text);
/* Records, then applies: nothing changed on failure. */
RW_RC fleet_hot_change(struct fleet_state *f, const struct fleet_record *r, struct rw_err *err);
/* An endpoint belongs to the tenant that it was first seen with. Fails with RW_E_FORBIDDEN. */
RW_RC fleet_hot_check_owner(const struct fleet_state *f, const struct fleet_who *who,
                            const struct fleet_endpoint **e_out, struct rw_err *err);

enum { FLEET_GRADES = 5, FLEET_TRUSTS = 3 };
/* The words of grade (0: "") and trust. */
const char *fleet_hot_grade(uint8_t number);
const char *fleet_hot_trust(uint8_t number);

/* --- for views --- */
void fleet_hot_put_time(struct json_writer *w, const char *name, int64_t s);
void fleet_hot_put_id(struct json_writer *w, const struct fleet_endpoint *e);
/* The member "cohort". */
void fleet_hot_put_cohort(struct json_writer *w, const char *text);
/* INV-11: whether somebody of this tenant may see it; "": of none. */
bool fleet_hot_visible(const struct fleet_state *f, const struct fleet_endpoint *e,
                       const char *tenant);

#endif
