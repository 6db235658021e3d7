#include "server/api/api_clock.h"

#include <stdio.h>

static struct rw_wall wall(void *ctx)
{
    struct api_clock *c = ctx;
    (void)pthread_mutex_lock(&c->lock);
    struct rw_wall now = wall_rule_next(&c->rule, rw_clock_wall(&c->real), rw_clock_mono(&c->real));
    (void)pthread_mutex_unlock(&c->lock);
    return now;
}

static struct rw_mono mono(void *ctx)
{
    const struct api_clock *c = ctx;
    return rw_clock_mono(&c->real);
}

RW_RC api_clock_open(struct api_clock *c, struct rw_clock real, struct rw_err *err)
{
    *c = (struct api_clock){.rule = {.begun = false}};
    int failed = pthread_mutex_init(&c->lock, NULL);
    if (failed != 0) { return rw_fail_errno(err, RW_E_PROCESS, failed, "the lock of the clock"); }
    c->real = real;
    (void)wall(c);
    return RW_OK;
}

void api_clock_close(struct api_clock *c)
{
    if (c->real.wall != NULL) { (void)pthread_mutex_destroy(&c->lock); }
    c->real.wall = NULL;
}

struct rw_clock api_clock_of(struct api_clock *c)
{
    return (struct rw_clock){.wall = wall, .mono = mono, .ctx = c};
}

static int64_t ahead_s(struct api_clock *c)
{
    (void)wall(c);
    (void)pthread_mutex_lock(&c->lock);
    int64_t ahead = c->rule.ahead_s;
    (void)pthread_mutex_unlock(&c->lock);
    return ahead;
}

RW_RC api_clock_metrics(struct api_clock *c, struct rw_buf *into, struct rw_err *err)
{
    return rw_buf_appendf(into, err,
                          "# HELP ringward_clock_ahead_seconds How far the time that decisions go "
                          "by is ahead of the wall clock.\n"
                          "# TYPE ringward_clock_ahead_seconds gauge\n"
                          "ringward_clock_ahead_seconds %lld\n",
                          c == NULL ? 0LL : (long long)ahead_s(c));
}

void api_clock_write_alarms(struct api_clock *c, struct json_writer *w)
{
    int64_t ahead = c == NULL ? 0 : ahead_s(c);
    if (ahead > -WALL_RULE_ALARM_S && ahead < WALL_RULE_ALARM_S) { return; }
    /* The same words while it lasts: an alarm that changes each second would be a new one each second. */
    json_put_str(w, NULL,
                 ahead < 0
                     ? "clock: the wall clock was stepped forward; the server follows it "
                       "slowly, so that no bake is shortened: check the time of this host"
                     : "clock: the wall clock was stepped back; the server's time goes on and "
                       "waits for it slowly: check the time of this host");
}
