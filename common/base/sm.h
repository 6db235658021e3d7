/* sm.h: a table of states and the one function that moves between them.
 *
 * memory   values and constant tables only
 * threads  no shared state
 * source   style guide 9: table, one mover, invariant checked after each move, states kept by name
 */
#ifndef RINGWARD_SM_H
#define RINGWARD_SM_H

#include "common/base/err.h"

enum { SM_INITIAL = 1, SM_FINAL = 2 };

struct sm_state {
    const char *name;
    uint32_t next;  /* bit i: a move to state i is legal */
    uint32_t flags; /* SM_INITIAL, SM_FINAL */
};

struct sm_table {
    const char *name;
    const struct sm_state *states;
    int count; /* 1..32 */
};

#define SM_TO(state) (UINT32_C(1) << (state))

/* Fails with RW_E_POLICY, naming both states, when the table has no such move. *state is unchanged then. */
RW_RC sm_move(const struct sm_table *table, int *state, int to, struct rw_err *err);
/* Fails with RW_E_NOT_FOUND. */
RW_RC sm_find(const struct sm_table *table, const char *name, int *state_out, struct rw_err *err);
const char *sm_name(const struct sm_table *table, int state);
bool sm_may(const struct sm_table *table, int from, int to);

#endif
