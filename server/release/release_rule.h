/* release_rule.h: the states of a release and what the server may do in each.
 *
 * memory   values and constant tables only
 * threads  pure
 * source   docs/protocol.md 8: draft -> checking -> checked -> approved -> published -> withdrawn
 */
#ifndef RINGWARD_RELEASE_RULE_H
#define RINGWARD_RELEASE_RULE_H

#include "common/base/sm.h"

enum release_state {
    RELEASE_DRAFT,     /* declared; bytes are missing, or no final verdict was reached yet */
    RELEASE_CHECKING,  /* all bytes are here, the server's own box runs */
    RELEASE_CHECKED,   /* accepted by the box, or left unchecked for a reason; signatures count */
    RELEASE_REFUSED,   /* the box did not accept it: the number is spent */
    RELEASE_APPROVED,  /* enough distinct engineers signed the content role */
    RELEASE_PUBLISHED, /* agents may see it; no ring points at it by that alone */
    RELEASE_WITHDRAWN, /* given up, for good */
};

/* The one table of moves; sm_move() is the only mover. */
extern const struct sm_table release_rule_states;

/* What a verdict of the box means for a release. */
enum release_rule_outcome {
    RELEASE_RULE_ACCEPTED, /* final, accepted */
    RELEASE_RULE_DENIED,   /* final, anything else */
    RELEASE_RULE_NOTHING,  /* not final: the absence of a result passes nothing (INV-3) */
};

/* `verdict` is the box's word ("accepted", "refused", ...). Unknown words never accept. */
enum release_rule_outcome release_rule_judge(const char *verdict, bool is_final);
/* The state that follows RELEASE_CHECKING. */
enum release_state release_rule_after_check(enum release_rule_outcome outcome);

#endif
