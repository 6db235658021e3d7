/* lease_rule.h: which node is controller: what a node does at each look at the lease.
 *
 * A lease ends by the clock of the store, so clocks of nodes do not matter. Its term rises with each new holder and
 * stands in the row that every transaction locks: a holder that was replaced can write nothing as controller any more,
 * however late it wakes up. So a wrong guess about who is alive costs a change of controller, never a wrong decision.
 *
 * memory   values only
 * threads  no state
 * source   docs/nodes.md "The controller"
 */
#ifndef RINGWARD_LEASE_RULE_H
#define RINGWARD_LEASE_RULE_H

#include <stdbool.h>
#include <stdint.h>

enum lease_rule_move {
    LEASE_FOLLOW,    /* another node is controller, or this one may not be */
    LEASE_TAKE,      /* the next term is ours */
    LEASE_RENEW,     /* it is ours: the same term, for another while */
    LEASE_GIVE_BACK, /* it is ours no more; others need not wait for its end */
};

struct lease_rule_input {
    bool mine;       /* the lease names this process */
    bool given_back; /* it names nobody */
    int64_t left_ms; /* by the store's clock; <= 0: it has ended */
    bool may;        /* this node may be controller */
    bool stopping;
};

enum lease_rule_move lease_rule_decide(const struct lease_rule_input *in);

#endif
