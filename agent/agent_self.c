#include "agent/agent_self.h"

#include "agent/poll/poll_rule.h"
#include "common/base/log.h"
#include "common/crypto/digest.h"

#include <stdio.h>

static void run_self_test(void *ctx)
{
    struct agent_poll_job *job = ctx;
    poll_self_test(job->poll);
}

void agent_self_begin(struct agent *a)
{
    a->self_testing = true;
    a->self_at.ms = INT64_MAX;
    agent_worker_submit(&a->poll_worker, run_self_test, &a->poll_job);
}

/* Before the first verdict status and beacons already tell what the box is worth (INV-12). */
static void tell_grade(struct agent *a, const struct box_self *self)
{
    (void)snprintf(a->report.grade, sizeof(a->report.grade), "%s", self->grade);
}

void agent_self_take(struct agent *a)
{
    struct rw_log_line l;
    struct rw_err unused;
    uint32_t random = 0;
    const struct box_self *self = poll_self(a->poll_job.poll);
    a->self_testing = false;
    tell_grade(a, self);
    if (self->passed) {
        a->self_failures = 0;
        return;
    }
    RW_IGNORE(digest_random((uint8_t *)&random, sizeof(random), &unused), "jitter may be missing");
    a->self_failures++;
    int64_t wait_ms = poll_rule_self_ms(a->conf.poll_interval_ms, a->self_failures, random);
    a->self_at.ms = rw_clock_mono(&a->clock).ms + wait_ms;
    rw_log_begin(&l, RW_LOG_WARN, "box_self_test_again");
    rw_log_i64(&l, "failures", a->self_failures);
    rw_log_i64(&l, "in_s", wait_ms / 1000);
    rw_log_end(&l);
}

void agent_self_follow(struct agent *a)
{
    const struct box_self *self = poll_self(a->poll_job.poll);
    if (!self->passed || a->self_failures == 0) { return; }
    a->self_failures = 0;
    a->self_at.ms = INT64_MAX;
    tell_grade(a, self);
}

int64_t agent_self_due_ms(const struct agent *a)
{
    return a->self_failures > 0 ? a->self_at.ms : INT64_MAX;
}
