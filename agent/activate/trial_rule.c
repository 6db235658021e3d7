#include "agent/activate/trial_rule.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) static struct trial_rule_result
go_back(int64_t signal, bool kill, const char *fmt, ...)
{
    struct trial_rule_result r = {.decision = TRIAL_GO_BACK, .signal = signal, .kill = kill};
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(r.detail, sizeof(r.detail), fmt, ap);
    va_end(ap);
    return r;
}

static struct trial_rule_result wait_until(int64_t ms)
{
    return (struct trial_rule_result){.decision = TRIAL_WAIT, .wake = {ms}};
}

static const char *phase_name(const struct trial_rule_evidence *e)
{
    return e->phase == TRIAL_LOADING ? "load" : "probation";
}

static struct trial_rule_result gone(const struct trial_rule_evidence *e)
{
    if (e->observed) {
        return go_back(0, false, "the sensor's process ended during %s", phase_name(e));
    }
    if (e->signaled) {
        return go_back(e->exit_status, false, "the sensor died by signal %lld during %s",
                       (long long)e->exit_status, phase_name(e));
    }
    return go_back(0, false, "the sensor exited with status %lld during %s",
                   (long long)e->exit_status, phase_name(e));
}

static struct trial_rule_result loading(const struct trial_rule_evidence *e)
{
    int64_t end_ms = e->since.ms + e->load_timeout_ms;
    if (e->proven) { return (struct trial_rule_result){.decision = TRIAL_PROVEN}; }
    if (e->now.ms >= end_ms) {
        return go_back(0, true, "no proof of load within %lld ms", (long long)e->load_timeout_ms);
    }
    return wait_until(end_ms);
}

static struct trial_rule_result mute(const struct trial_rule_evidence *e)
{
    struct trial_rule_result r =
        go_back(0, false,
                e->selftest_failed ? "the sensor's self-test failed during %s"
                                   : "the sensor fell mute during %s",
                phase_name(e));
    r.mute = true;
    return r;
}

struct rw_mono trial_rule_contact_from(struct rw_mono since, int64_t probation_ms)
{
    return (struct rw_mono){since.ms + probation_ms / 2};
}

/* All that the sensor can show is there. Content that cuts the network would commit now, and the way back by the ring's
 * entry would be cut too: the server must have answered in the second half of the probation. */
static struct trial_rule_result lived(const struct trial_rule_evidence *e, int64_t hung_ms)
{
    int64_t from_ms = trial_rule_contact_from(e->since, e->probation_ms).ms;
    int64_t give_up_ms = e->since.ms + e->probation_ms + e->reach_ms;
    if (!e->reach_back || e->contact.ms >= from_ms) {
        return (struct trial_rule_result){.decision = TRIAL_COMMIT};
    }
    if (e->now.ms >= give_up_ms) {
        struct trial_rule_result r =
            go_back(0, false, "the server was reachable before the switch and is not any more");
        r.unreached = true;
        return r;
    }
    return wait_until(hung_ms < give_up_ms ? hung_ms : give_up_ms);
}

static struct trial_rule_result probation(const struct trial_rule_evidence *e)
{
    int64_t hung_ms = e->last_seen.ms + e->silence_ms;
    int64_t end_ms = e->since.ms + e->probation_ms;
    /* Nothing is wrong with the sensor: this is the whole of what a drill can do. */
    if (e->drill) { return go_back(0, false, "drill: loaded and proven, reported as failed"); }
    /* Silence first: a sensor that hangs at the very end has not lived through its probation. */
    if (e->now.ms >= hung_ms) {
        return go_back(0, true, "the sensor was silent for %lld ms", (long long)e->silence_ms);
    }
    /* Only a sign of life from behind the probation's end proves that it was lived through: a sensor that
     * hangs right after its proof of load must not pass by silence when the probation is short. */
    if (e->last_seen.ms >= end_ms) { return lived(e, hung_ms); }
    return wait_until(e->now.ms >= end_ms || hung_ms < end_ms ? hung_ms : end_ms);
}

struct trial_rule_result trial_rule_decide(const struct trial_rule_evidence *e)
{
    if (e->aborted) {
        return go_back(0, false, "the ring's entry went back during %s", phase_name(e));
    }
    if (!e->running) { return gone(e); }
    if (e->other) { return go_back(0, false, "the sensor loaded something else"); }
    if (e->load_error) { return go_back(0, false, "the sensor could not load the content"); }
    if (e->selftest_failed || e->mute) { return mute(e); }
    if (e->storm) {
        struct trial_rule_result r = go_back(0, false, "storm of detections");
        r.storm = true;
        return r;
    }
    return e->phase == TRIAL_LOADING ? loading(e) : probation(e);
}
