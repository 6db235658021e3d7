#include "server/simulate/sim_cell.h"

#include <math.h>

enum {
    DAY_MIN = 1440,
    QUIET_MIN = 60,        /* until an endpoint that was dark for no reason is heard of again */
    DELAY_SPREAD_MIN = 10, /* a delayed fault strikes within */
    REACH_BACK_MIN = 2, /* agent.conf, as shipped: without the server behind probation, then back */
    RESTART_DAYS = 7,   /* between two starts of an agent, on average */
    HEARD_PARTS = 3,    /* a control window wants a beacon in its last third */
};

static int64_t take(struct sim_queue *q, int64_t minute)
{
    int64_t *at = &q->at[minute % SIM_QUEUE];
    int64_t n = *at;
    *at = 0;
    return n;
}

static void put(struct sim_queue *q, int64_t minute, int64_t n)
{
    q->at[minute % SIM_QUEUE] += n;
}

/* Each of n in one of the minutes from .. from + span - 1, at random. */
static void put_spread(struct sim_queue *q, struct sim_random *r, int64_t from, int64_t span,
                       int64_t n)
{
    for (int64_t i = 0; i < span && n > 0; i++) {
        int64_t here = sim_random_binomial(r, n, 1.0 / (double)(span - i));
        put(q, from + i, here);
        n -= here;
    }
}

/* How much more or less fails at this time of the day. */
static double base_factor(const struct sim_world *w)
{
    if (!w->fault->time_of_day) { return 1.0; }
    return 1.0 + 0.5 * sin(2.0 * M_PI * (double)w->minute / DAY_MIN);
}

double sim_cell_out(const struct sim_world *w, int64_t minute)
{
    return minute >= w->outage_from_min && minute < w->outage_to_min ? w->fault->outage : 0.0;
}

/* Share of windows that close dark whatever was installed, but for an outage. */
static double dark_share(const struct sim_cell *c, const struct sim_world *w)
{
    return c->usual->dark * base_factor(w);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t window_min(const struct sim_world *w)
{
    int64_t min = (w->plan->policy.confirm_deadline_s + 59) / 60;
    return min < 1 ? 1 : min;
}

/* Who is off the network opens no window. What it opened before closes dark when its last third lies in the outage. */
static double control_dark_share(const struct sim_cell *c, const struct sim_world *w)
{
    int64_t window = window_min(w);
    double share = dark_share(c, w);
    double out = sim_cell_out(w, w->minute - window / HEARD_PARTS);
    bool opened_before = w->minute - window < w->outage_from_min;
    return opened_before ? share + out * (1.0 - share) : share;
}

/* Windows of both arms close in this minute, and control endpoints that poll open new ones. */
static struct late_rule_bucket close_windows(struct sim_cell *c, struct sim_world *w)
{
    int64_t window = window_min(w);
    struct late_rule_bucket b = {.treated = take(&c->windows, w->minute),
                                 .control = take(&c->controls, w->minute),
                                 .treated_dark = take(&c->silent, w->minute)};
    b.control = least(b.control, c->control / window + 1); /* exposed meanwhile: control no more */
    b.control_dark = sim_random_binomial(&w->random, b.control, control_dark_share(c, w));
    c->dark += b.treated_dark;
    c->pending -= least(b.treated_dark, c->pending);
    int64_t polling = c->control - (int64_t)((double)c->control * sim_cell_out(w, w->minute));
    int64_t opened = polling / window;
    opened += sim_random_below(&w->random, window) < polling % window;
    put(&c->controls, w->minute + window, opened);
    return b;
}

void sim_cell_begin(struct sim_cell *c, const struct sim_world *w)
{
    int64_t window = window_min(w);
    for (int64_t i = 1; i <= window; i++) {
        put(&c->controls, w->minute + i, c->control / window);
    }
}

static int64_t late_crashes(struct sim_cell *c, struct sim_world *w)
{
    const struct sim_fault *f = w->fault;
    double base = c->usual->hazard * base_factor(w);
    double more = c->affected ? base * (f->base_ratio - 1.0) + f->leak_per_day / DAY_MIN : 0.0;
    int64_t usual = sim_random_binomial(&w->random, c->at_risk, base);
    int64_t harm = sim_random_binomial(&w->random, c->at_risk - usual, more);
    int64_t delayed = least(take(&c->delayed, w->minute), c->at_risk - usual - harm);
    c->harmed += harm + delayed;
    return usual + harm + delayed;
}

/* None is a survivor; who storms or is mute has gone back, who is slow runs on. */
static void take_noise(struct sim_cell *c, int64_t minute)
{
    int64_t storm = least(take(&c->storming, minute), c->pending);
    int64_t slow = least(take(&c->slowing, minute), c->pending - storm);
    c->storm += storm;
    int64_t mute = least(take(&c->muting, minute), c->pending - storm - slow);
    c->slow += slow;
    c->mute += mute;
    c->pending -= storm + slow + mute;
}

/* What was granted now and tells of a storm, slowness or muteness; gives how many that are. */
static int64_t plan_noise(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    const struct sim_fault *f = w->fault;
    int64_t span = (int64_t)ceil(w->plan->crash_min) + w->plan->policy.confirm_probation_s / 60 / 2;
    double here = c->affected ? 1.0 : 0.0;
    int64_t storm = sim_random_binomial(&w->random, count, c->usual->storm + w->noise.storm * here);
    int64_t slow =
        sim_random_binomial(&w->random, count - storm, c->usual->slow + w->noise.slow * here);
    put_spread(&c->storming, &w->random, w->minute + 1, span, storm);
    put_spread(&c->slowing, &w->random, w->minute + 1, span, slow);
    /* All that have it suffer, also those that scan too little to tell. */
    if (c->affected && (f->matches_clean > 0.0 || f->slower > 0.0)) { c->harmed += count; }
    if (!(f->mute > 0.0)) { return storm + slow; }
    /* The self-test fails with the load: told at the next poll. */
    int64_t mute = sim_random_binomial(&w->random, count - storm - slow, f->mute * here);
    put_spread(&c->muting, &w->random, w->minute + 1, w->plan->poll_min, mute);
    c->harmed += mute;
    return storm + slow + mute;
}

struct sim_news sim_cell_minute(struct sim_cell *c, struct sim_world *w)
{
    struct sim_news news = {.risk = {(double)c->at_risk, (double)c->control}};
    int64_t failed = least(take(&c->failing, w->minute), c->pending);
    int64_t healthy = least(take(&c->healthy, w->minute), c->pending - failed);
    c->failed += failed;
    c->pending -= failed + healthy;
    take_noise(c, w->minute);
    int64_t back = take(&c->back, w->minute);
    healthy += back;
    c->returned += back;
    c->came_back += take(&c->reverting, w->minute);
    c->survived += healthy;
    c->at_risk += healthy;
    c->aged += least(take(&c->aging, w->minute), c->survived - c->aged);
    news.bucket = close_windows(c, w);
    news.late = late_crashes(c, w);
    c->late += news.late;
    c->at_risk -= news.late;
    news.control_crash =
        sim_random_binomial(&w->random, c->control, c->usual->hazard * base_factor(w));
    c->control_crash += news.control_crash;
    return news;
}

static int64_t probation_min(const struct sim_world *w)
{
    return (w->plan->policy.confirm_probation_s + 59) / 60;
}

/* The network is gone with the release, the endpoint is not: the agent misses the server in the second half of
 * probation and behind it, leaves the release and says so at its next poll. One that was started anew meanwhile does
 * not know that there was a server, and stays. */
static void plan_cut(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    int64_t trial = probation_min(w) + REACH_BACK_MIN;
    double restart = (double)trial / (RESTART_DAYS * DAY_MIN);
    int64_t stay = sim_random_binomial(&w->random, count, restart < 1.0 ? restart : 1.0);
    put(&c->silent, w->minute + window_min(w), count);
    put_spread(&c->reverting, &w->random, w->minute + trial + 1, w->plan->poll_min, count - stay);
}

/* Of endpoints that load well, those that a site's outage keeps from saying so. Who reached the server in the second
 * half of probation stays and confirms when the outage is over; the others leave the release as in plan_cut. */
static int64_t plan_out(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    int64_t closes = w->minute + window_min(w);
    int64_t lived = w->minute + probation_min(w);
    bool caught = w->minute < w->outage_from_min && w->outage_from_min <= lived;
    if (!caught || w->outage_to_min <= closes) { return 0; }
    int64_t out = sim_random_binomial(&w->random, count, w->fault->outage);
    put(&c->silent, closes, out);
    if (w->minute + probation_min(w) / 2 < w->outage_from_min) {
        put_spread(&c->back, &w->random, w->outage_to_min, w->plan->poll_min, out);
    }
    return out;
}

/* Reports of those that load well come after probation, at their next poll. */
static void plan_well(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    const struct ring_policy *p = &w->plan->policy;
    const struct sim_fault *f = w->fault;
    int64_t closes = w->minute + window_min(w);
    count -= plan_out(c, w, count);
    int64_t quiet = sim_random_binomial(&w->random, count, dark_share(c, w));
    put(&c->silent, closes, quiet);
    put_spread(&c->back, &w->random, closes + 1, QUIET_MIN, quiet);
    int64_t tells_min = w->plan->tell_min > 0 ? w->plan->tell_min : w->plan->poll_min;
    put_spread(&c->healthy, &w->random, w->minute + probation_min(w), tells_min, count - quiet);
    put_spread(&c->aging, &w->random, w->minute + p->alive_after_s / 60, w->plan->poll_min, count);
    if (!c->affected) { return; }
    put_spread(&c->delayed, &w->random, w->minute + f->delay_min, DELAY_SPREAD_MIN,
               sim_random_binomial(&w->random, count, f->delayed));
}

/* Integral from `from_min` on, for a minute, of the share that has not reported: install to crash and crash to report
 * are exponential. */
static double untold_minute(const struct sim_plan *p, double from_min)
{
    double a = p->crash_min;
    double b = p->report_min;
    double slow = a * a * exp(-from_min / a) * -expm1(-1.0 / a);
    double fast = b * b * exp(-from_min / b) * -expm1(-1.0 / b);
    return (slow - fast) / (a - b);
}

/* Share of crashes that has not been reported `minutes` after this one. Places of the window are taken when the minute
 * begins, those of a ramp by time alone at any moment of the one before. */
static double untold(const struct sim_plan *p, int64_t minutes)
{
    double a = p->crash_min;
    double b = p->report_min;
    double t = (double)minutes;
    if (p->linear_min > 0) { return untold_minute(p, t); }
    return (a * exp(-t / a) - b * exp(-t / b)) / (a - b);
}

/* Who has not reported when the deadline is over does so then. */
static void plan_report(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    int64_t window = window_min(w);
    double before = 1.0;
    for (int64_t i = 0; i < window && count > 0; i++) {
        double after = untold(w->plan, i);
        int64_t here = sim_random_binomial(&w->random, count, 1.0 - after / before);
        put(&c->failing, w->minute + i, here);
        count -= here;
        before = after;
    }
    put(&c->failing, w->minute + window, count);
}

void sim_cell_grant(struct sim_cell *c, struct sim_world *w, int64_t count, bool forgers_out)
{
    const struct sim_fault *f = w->fault;
    double here = c->affected ? 1.0 : 0.0;
    double usual = c->usual->apply * base_factor(w);
    int64_t closes = w->minute + window_min(w);
    int64_t waiting = c->control - c->held_back;
    if (count <= 0) { return; }
    double forging = forgers_out || waiting < 1 ? 0.0 : (double)c->forgers / (double)waiting;
    int64_t forged = least(sim_random_binomial(&w->random, count, forging), c->forgers);
    int64_t dark = sim_random_binomial(&w->random, count - forged, f->dark * here);
    int64_t cut = sim_random_binomial(&w->random, count - forged - dark, f->cut * here);
    int64_t rest = count - forged - dark - cut;
    double share = f->crash + usual * (f->base_ratio - 1.0);
    int64_t crash = sim_random_binomial(&w->random, rest, share * here);
    int64_t benign = sim_random_binomial(&w->random, rest - crash, usual);
    c->control -= count;
    c->exposed += count;
    c->pending += count;
    c->forgers -= forged;
    c->forged += forged;
    c->harmed += dark + cut + crash;
    put(&c->windows, closes, count);
    put(&c->silent, closes, dark);
    plan_cut(c, w, cut);
    plan_report(c, w, crash + benign + forged);
    int64_t loaded = rest - crash - benign;
    plan_well(c, w, loaded - plan_noise(c, w, loaded));
}
