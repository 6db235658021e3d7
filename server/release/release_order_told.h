/* release_order_told.h: the orders that alarms tell of: those that wait for signatures, expedites, withdrawals. Read
 * from the store once after each change of an order, not each time somebody looks at the status.
 *
 * memory   owns its entries until release_order_told_drop
 * threads  the store's thread
 * source   INV-12
 */
#ifndef RINGWARD_RELEASE_ORDER_TOLD_H
#define RINGWARD_RELEASE_ORDER_TOLD_H

#include "server/release/release_order_codec.h"
#include "server/store/store.h"

enum { RELEASE_ORDER_TOLD_BYTES = RELEASE_REASON_BYTES + 400 };

struct release_order_told_one {
    struct release_id release;
    struct rw_wall until; /* an expedite is told before; 0: for good */
    char text
        [RELEASE_ORDER_TOLD_BYTES]; /* "": a withdrawal, told while endpoints have the release */
};

struct release_order_told {
    struct release_order_told_one *at; /* owned; in order of the store's ids */
    size_t count;
    size_t room;
    bool loaded; /* false: nothing is known */
};

/* Reads all orders, unless that was done. Fails with the store's codes, RW_E_SYNTAX, RW_E_SCHEMA, RW_E_NOMEM. */
RW_RC release_order_told_load(struct release_order_told *t, struct store *store, struct rw_wall now,
                              struct rw_err *err);
/* An order changed, or may have: all are read again before the next use. */
void release_order_told_forget(struct release_order_told *t);
void release_order_told_drop(struct release_order_told *t); /* accepts a zeroed one */

#endif
