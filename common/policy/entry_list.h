/* entry_list.h: what a content role says besides its entries: the family's floor and what was withdrawn; and what its
 * entries say together.
 *
 * Signed by the release engineers as the entries are. Nothing of it is remembered elsewhere: a floor that a thief of
 * their keys pushed up goes with the next role that new keys sign.
 *
 * memory   plain values of fixed size
 * threads  no shared state
 * source   docs/protocol.md 2; docs/trust.md "Withdrawal"
 */
#ifndef RINGWARD_ENTRY_LIST_H
#define RINGWARD_ENTRY_LIST_H

#include "common/json/json_write.h"
#include "common/policy/install_rule.h"

enum { ENTRY_LIST_WITHDRAWN_MAX = 64, ENTRY_LIST_ENTRIES_MAX = 256 };

struct entry_list_withdrawn {
    int64_t release;
    uint8_t sha256[INSTALL_HASH_BYTES];
};

struct entry_list {
    int64_t floor;                                                   /* 0: none */
    struct entry_list_withdrawn withdrawn[ENTRY_LIST_WITHDRAWN_MAX]; /* in order of release */
    size_t withdrawn_count;
    struct {
        int64_t release;
        uint8_t sha256[INSTALL_HASH_BYTES];
        struct rw_wall signed_at; /* 0: the entry cannot be read; it says nothing then */
    } listed[ENTRY_LIST_ENTRIES_MAX];
    size_t listed_count;
};

/* Reads the "signed" part of role content-FAMILY. Its own member may be missing: no floor, nothing withdrawn. An entry
 * that cannot be read is left out: it is refused where it is asked for, and must not keep endpoints from the others.
 * Fails with RW_E_SCHEMA, RW_E_RANGE, RW_E_SYNTAX when the member is malformed or of an unknown format. */
RW_RC entry_list_read(const struct json *signed_part, const char *family, struct entry_list *out,
                      struct rw_err *err);
/* Puts what the list says about one content into it: floor, withdrawn, signed_before. */
void entry_list_apply(const struct entry_list *list, struct install_rule_content *c);
/* Whether the list has this release with these bytes. */
bool entry_list_has(const struct entry_list *list, int64_t release,
                    const uint8_t sha256[static INSTALL_HASH_BYTES]);
bool entry_list_is_withdrawn(const struct entry_list *list,
                             const uint8_t sha256[static INSTALL_HASH_BYTES]);
/* Adds one, in order. Entries below the floor make room. Fails with RW_E_FULL: raise the floor first. */
RW_RC entry_list_withdraw(struct entry_list *list, int64_t release,
                          const uint8_t sha256[static INSTALL_HASH_BYTES], struct rw_err *err);
/* Writes the member "ringward" into an open "signed" object; nothing when there is nothing to say. */
void entry_list_write(struct json_writer *w, const struct entry_list *list);
/* What may follow: the floor does not sink, and nothing is taken off the list of what was withdrawn unless the floor is
 * above it. Fails with RW_E_TRUST_RULE. */
RW_RC entry_list_check_next(const struct entry_list *had, const struct entry_list *next,
                            struct rw_err *err);

#endif
