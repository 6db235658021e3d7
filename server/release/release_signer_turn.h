/* release_signer_turn.h: who speaks with the signer now: the core thread, or the one beside it that has a payload
 * hashed in slices. The core never waits for more than the slice that runs.
 *
 * memory   plain, but for the lock and the condition in it
 * threads  all but make and drop: any
 * source   docs/server.md "Threads"
 */
#ifndef RINGWARD_RELEASE_SIGNER_TURN_H
#define RINGWARD_RELEASE_SIGNER_TURN_H

#include "common/base/err.h"

#include <pthread.h>

struct release_signer_turn {
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool taken;
    unsigned waiting; /* threads that go before the one beside the core */
};

/* Fails with RW_E_NOMEM. */
RW_RC release_signer_turn_make(struct release_signer_turn *t, struct rw_err *err);
void release_signer_turn_drop(struct release_signer_turn *t);

/* Waits for the turn: the core's way. */
void release_signer_turn_take(struct release_signer_turn *t);
/* The same, behind everybody who takes it the core's way. */
void release_signer_turn_take_last(struct release_signer_turn *t);
/* False: somebody has it, nothing was waited for. */
bool release_signer_turn_try(struct release_signer_turn *t);
void release_signer_turn_give(struct release_signer_turn *t);

#endif
