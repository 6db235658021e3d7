/* A box that cannot tell good from bad must not judge content (INV-5): it is asked at the start of the agent, and again
 * while it fails: with back-off (agent_self.h), and by each poll that has content for it. */
#include "agent/poll/poll_state.h"

#include "common/base/log.h"

#include <stdio.h>

static void remember(struct poll *p)
{
    for (size_t i = 0; i < p->o.family_count; i++) {
        struct poll_memory *m = &p->memory[i];
        (void)snprintf(m->grade, sizeof(m->grade), "%s", p->self.grade);
        (void)snprintf(m->missing, sizeof(m->missing), "%s", p->self.missing);
        poll_load_missing(p, m->missing);
    }
}

void poll_self_test(struct poll *p)
{
    char box[POLL_PATH_BYTES];
    char missing[POLL_TEXT_BYTES];
    struct rw_log_line l;
    (void)snprintf(box, sizeof(box), "%s/ringward-box", p->o.box_dir);
    box_self_test(box, p->o.allow_weak, &p->self);
    remember(p);
    (void)snprintf(missing, sizeof(missing), "%s", p->self.missing);
    poll_load_missing(p, missing);
    rw_log_begin(&l, p->self.passed ? RW_LOG_INFO : RW_LOG_ERROR, "box_self_test");
    rw_log_str(&l, "grade", p->self.grade);
    rw_log_str(&l, "missing", missing);
    if (!p->self.passed) { rw_log_str(&l, "why", p->self.why); }
    rw_log_end(&l);
}

const struct box_self *poll_self(const struct poll *p)
{
    return &p->self;
}

bool poll_self_passes(struct poll *p)
{
    if (!p->self.passed) { poll_self_test(p); }
    return p->self.passed;
}
