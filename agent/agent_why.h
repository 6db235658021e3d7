/* agent_why.h: every rule that lets or keeps one family on this endpoint, one by one, in words: what `why` shows.
 *
 * It decides nothing: it puts the questions of the last poll again, to the same rules, at the time of asking.
 *
 * memory   values only; facts are borrowed
 * threads  pure
 * source   docs/agent.md "Why an endpoint has what it has"; INV-12
 */
#ifndef RINGWARD_AGENT_WHY_H
#define RINGWARD_AGENT_WHY_H

#include "agent/poll/poll.h"

enum { WHY_REASON_BYTES = 320, WHY_LINES_MAX = 32 + CONTROL_MAX };

enum why_state {
    WHY_PASS,    /* does not keep it */
    WHY_KEEP,    /* keeps it, alone or with others */
    WHY_UNKNOWN, /* was not asked, or has no answer */
};

struct why_line {
    const char *rule; /* static text */
    enum why_state state;
    int64_t left_s; /* until it changes by itself; negative: nothing is known about that */
    char reason[WHY_REASON_BYTES];
};

struct why_list {
    struct why_line lines[WHY_LINES_MAX];
    size_t count;
};

struct why_facts {
    const struct poll_output *poll; /* the last that ended */
    const struct poll_family *family;
    const struct slot_trial *change; /* under way; SLOT_NO_CHANGE: none */
    bool polled;                     /* a poll has ended */
    bool token_refused;
    bool idle;         /* nothing is under way that a change would have to wait for */
    bool link_owed;    /* the active link is stuck; not idle then */
    const char *phase; /* of the active set, in words */
    const char *grade; /* of the sandbox; "": not known yet */
    bool allow_weak;
    bool loader; /* the sensor's loader is configured */
    int64_t bucket;
    int64_t failures; /* polls in a row */
    int64_t next_poll_s;
    struct rw_wall now;
};

void agent_why_list(const struct why_facts *f, struct why_list *out);
/* "pass", "keep", "unknown". */
const char *agent_why_state_name(enum why_state s);

#endif
