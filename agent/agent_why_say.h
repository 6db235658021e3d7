/* agent_why_say.h: what the files of agent_why.h share.
 *
 * memory   lines are values; reasons are copied
 * threads  pure
 * source   agent_why.h is the public face
 */
#ifndef RINGWARD_AGENT_WHY_SAY_H
#define RINGWARD_AGENT_WHY_SAY_H

#include "agent/agent_why.h"

/* Adds a line; what goes beyond WHY_LINES_MAX is dropped. `left_s`: negative: unknown. */
__attribute__((format(printf, 5, 6))) void agent_why_say(struct why_list *l, const char *rule,
                                                         enum why_state state, int64_t left_s,
                                                         const char *fmt, ...);
/* The lines of the install rule, all of them, also when nothing is there to judge. */
void agent_why_say_install(const struct why_facts *f, struct why_list *l);

/* Did the last poll get as far as this family's metadata? */
static inline bool agent_why_is_read(const struct why_facts *f)
{
    return f->family->state.ring[0] != '\0';
}

#endif
