#include "common/base/sm.h"

#include <stdio.h>
#include <string.h>

bool sm_may(const struct sm_table *table, int from, int to)
{
    RW_ASSERT(from >= 0 && from < table->count);
    RW_ASSERT(to >= 0 && to < table->count);
    return (table->states[from].next & SM_TO(to)) != 0;
}

RW_RC sm_move(const struct sm_table *table, int *state, int to, struct rw_err *err)
{
    if (!sm_may(table, *state, to)) {
        return rw_fail(err, RW_E_POLICY, "%s: no way from '%s' to '%s'", table->name,
                       table->states[*state].name, table->states[to].name);
    }
    *state = to;
    return RW_OK;
}

static RW_RC hint_states(const struct sm_table *table, struct rw_err *err)
{
    char names[RW_ERR_HINT_BYTES] = "";
    size_t used = 0;
    for (int i = 0; i < table->count && used < sizeof(names); i++) {
        int n = snprintf(names + used, sizeof(names) - used, "%s%s", i == 0 ? "" : ", ",
                         table->states[i].name);
        used += n > 0 ? (size_t)n : 0;
    }
    return rw_hint(err, "one of %s", names);
}

RW_RC sm_find(const struct sm_table *table, const char *name, int *state_out, struct rw_err *err)
{
    for (int i = 0; i < table->count; i++) {
        if (strcmp(table->states[i].name, name) == 0) {
            *state_out = i;
            return RW_OK;
        }
    }
    RW_IGNORE(rw_fail(err, RW_E_NOT_FOUND, "%s: there is no state '%.40s'", table->name, name),
              "hint");
    return hint_states(table, err);
}

const char *sm_name(const struct sm_table *table, int state)
{
    RW_ASSERT(state >= 0 && state < table->count);
    return table->states[state].name;
}
