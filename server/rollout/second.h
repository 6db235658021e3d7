/* second.h: requests that wait for a second person: asked for, confirmed or refused, kept with their audit record.
 *
 * One document per verb and release: the latest request. Older ones stand in the audit log.
 *
 * memory   plain values; borrows the store
 * threads  the core thread
 * source   docs/rollout.md "Second person"; INV-9: state and audit record in the caller's transaction
 */
#ifndef RINGWARD_SECOND_H
#define RINGWARD_SECOND_H

#include "common/json/json_write.h"
#include "common/policy/second_person.h"
#include "server/rollout/second_rule.h"
#include "server/store/store_page.h"

enum { SECOND_NAME_BYTES = 65, SECOND_REASON_BYTES = 401, SECOND_FAMILY_BYTES = 33 };

struct second {
    enum second_person_verb verb;
    char family[SECOND_FAMILY_BYTES];
    int64_t release;
    int64_t rollout_generation; /* of the rollout when it was asked for: it must still be at it */
    char reason[SECOND_REASON_BYTES];
    char asked_by[SECOND_NAME_BYTES];
    struct rw_wall asked;
    struct rw_wall until;
    enum second_rule_state state;       /* stored: never SECOND_EXPIRED */
    char decided_by[SECOND_NAME_BYTES]; /* "": nobody */
    struct rw_wall decided;             /* 0: not yet */
    int64_t generation;                 /* of the document; 0: not stored yet */
};

/* The latest request of this kind. Fails with RW_E_NOT_FOUND, and as a damaged document does. */
RW_RC second_load(struct store *store, enum second_person_verb verb, const char *family,
                  int64_t release, struct second *out, struct rw_err *err);
/* Stores a new request with audit record second.ask. `s` holds verb, release, reason, asker, asked, until and
 * rollout_generation; a request of the same kind that still waits is not replaced. Needs a transaction.
 * Fails with RW_E_SECOND (one waits; the text says whose), RW_E_STALE. */
RW_RC second_ask(struct store *store, struct second *s, struct rw_err *err);
/* Confirms or refuses, with audit record second.confirm or second.refuse that names both persons. Needs a
 * transaction, in which a confirmed verb is carried out, too.
 * Fails with RW_E_SECOND (the same person), RW_E_POLICY (lapsed, decided before). */
RW_RC second_decide(struct store *store, struct second *s, bool confirms, const char *who,
                    const char *reason, struct rw_wall now, struct rw_err *err);

#define SECOND_DOC_KIND "second"
/* Reads a stored document. Fails with RW_E_SYNTAX, RW_E_SCHEMA, RW_E_RANGE. */
RW_RC second_read(const struct store_doc *doc, struct second *out, struct rw_err *err);
/* Writes one request as an object, its state as of `now`. */
void second_write(const struct second *s, struct rw_wall now, struct json_writer *w);
/* Where a page of the list goes on behind this request. */
void second_page_after(enum second_person_verb verb, const char *family, int64_t release,
                       struct store_page *page);
/* Calls `each` for every request of the page (NULL: for all), in order of verb, family and number. */
RW_RC second_each(struct store *store, struct store_page *page,
                  RW_RC (*each)(void *arg, const struct second *s, struct rw_err *err), void *arg,
                  struct rw_err *err);

#endif
