/* api_fold.h: when the core folds the journal: a piece at a time, between the requests.
 *
 * memory   struct api_core is the caller's
 * threads  the core thread only
 * source   docs/server.md "The fold"
 */
#ifndef RINGWARD_API_FOLD_H
#define RINGWARD_API_FOLD_H

#include "common/base/err.h"

struct api_core;

/* Once a second, on the controller: begins a fold that is due. Fails with the store's codes; it is tried anew. */
RW_RC api_fold_turn(struct api_core *c, struct rw_err *err);
/* How long to wait for the next piece of the fold that is under way: 0: it is time; -1: there is none. */
int64_t api_fold_wait_ms(const struct api_core *c);
/* Writes that piece when it is time. A failure is logged; the next turn begins anew. */
void api_fold_go_on(struct api_core *c);
/* Folds before a stop, so that the next start is short, for 10 s at most; then gives the controller's lease back. */
void api_fold_last(struct api_core *c);

#endif
