/* control_book.h: what an endpoint must remember for its controls: which releases its ring offered and when, and since
 * when each control is in force, so that neither a restart nor a stepped clock makes it younger.
 *
 * memory   plain values; borrows the state directory
 * threads  the poll's
 * source   docs/controls.md "What is remembered"
 */
#ifndef RINGWARD_CONTROL_BOOK_H
#define RINGWARD_CONTROL_BOOK_H

#include "agent/activate/manifest_codec.h"
#include "common/policy/control_codec.h"
#include "common/policy/install_rule.h"

struct control_book_offer {
    int64_t release;
    int64_t length;
    uint8_t sha256[INSTALL_HASH_BYTES];
    struct rw_wall at; /* first seen */
};

struct control_book_family {
    char family[INSTALL_NAME_BYTES];
    struct control_book_offer offers[CONTROL_OFFERS_MAX]; /* the newest first */
    size_t count;
};

struct control_book_seen {
    char text[CONTROL_TEXT_BYTES]; /* of a control of the administrator */
    struct rw_wall since;
};

struct control_book {
    int state_dir;
    char ring[INSTALL_NAME_BYTES]; /* whose offers these are */
    struct control_book_family families[MANIFEST_FAMILIES_MAX];
    size_t family_count;
    struct control_book_seen seen[CONTROL_MAX];
    size_t seen_count;
    bool changed; /* since it was read or written */
};

/* Reads "controls" of the state directory; an empty book when there is none, or (told in the log) one that is not
 * understood: protection does not end for it, controls count from now, and a pin without history stays where it is.
 * Fails with RW_E_IO. */
RW_RC control_book_open(int state_dir, struct control_book *out, struct rw_err *err);
/* From memory. Fails with RW_E_SCHEMA, RW_E_RANGE, RW_E_SYNTAX. */
RW_RC control_book_read(struct rw_span text, struct control_book *out, struct rw_err *err);
/* Writes it durably when it has changed. */
RW_RC control_book_save(struct control_book *b, struct rw_err *err);

/* The ring points at a release. Another ring begins anew; releases that it left by going back are forgotten. */
const struct control_book_family *control_book_offer(struct control_book *b,
                                                     const struct install_rule_pointer *p,
                                                     struct rw_wall now);
/* Fills `since` of the administrator's controls; forgets those that are set no longer. A time that lies ahead of
 * `passed` was written by a wrong clock: the control begins now then. */
void control_book_date(struct control_book *b, struct control *controls, size_t count,
                       struct rw_wall passed);

#endif
