#include "server/simulate/sim_cell.h"

#include <math.h>

enum {
    DAY_MIN = 1440,
    QUIET_MIN = 60,        /* until an endpoint that was dark for no reason is heard of again */
    NOISE_MIN = 3,         /* storms and slowness show by half of probation and so long behind it */
    DELAY_SPREAD_MIN = 10, /* a delayed fault strikes within */
    REACH_BACK_MIN = 2, /* agent.conf, as shipped: without the server behind probation, then back */
    RESTART_DAYS = 7,   /* between two starts of an agent, on average */
    HEARD_PARTS = 3,    /* a control window wants a beacon in its last third */
};

static int64_t *planned(struct sim_cell *c, const struct sim_world *w, enum sim_event event,
                        int64_t step)
{
    RW_ASSERT(step >= w->step && step < w->step + w->ahead);
    return &c->events[(int64_t)event * w->ahead + step % w->ahead];
}

static int64_t take(struct sim_cell *c, const struct sim_world *w, enum sim_event event)
{
    int64_t *at = planned(c, w, event, w->step);
    int64_t n = *at;
    *at = 0;
    return n;
}

static void put(struct sim_cell *c, const struct sim_world *w, enum sim_event event, int64_t step,
                int64_t n)
{
    *planned(c, w, event, step) += n;
}

struct span {
    int64_t from; /* step */
    int64_t steps;
};

/* Each of n in one of the steps of the span, at random. */
static void put_spread(struct sim_cell *c, struct sim_world *w, enum sim_event event,
                       struct span span, int64_t n)
{
    for (int64_t i = 0; i < span.steps && n > 0; i++) {
        int64_t here = sim_random_binomial(&w->random, n, 1.0 / (double)(span.steps - i));
        put(c, w, event, span.from + i, here);
        n -= here;
    }
}

/* How much more or less fails at this time of the day. */
static double base_factor(const struct sim_world *w)
{
    if (!w->fault->time_of_day) { return 1.0; }
    return 1.0 + 0.5 * sin(2.0 * M_PI * (double)sim_now_s(w) / (DAY_MIN * 60));
}

double sim_cell_out(const struct sim_world *w, int64_t step)
{
    return step >= w->outage_from && step < w->outage_to ? w->fault->outage : 0.0;
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

static int64_t window_steps(const struct sim_world *w)
{
    int64_t steps = sim_steps_of_s(w->plan, w->plan->policy.confirm_deadline_s);
    return steps < 1 ? 1 : steps;
}

/* Of what happens at this rate in a minute. */
static double in_step(const struct sim_world *w, double per_minute)
{
    return per_minute * (double)w->plan->step_s / 60.0;
}

/* Who is off the network opens no window. What it opened before closes dark when its last third lies in the outage. */
static double control_dark_share(const struct sim_cell *c, const struct sim_world *w)
{
    int64_t window = window_steps(w);
    double share = dark_share(c, w);
    double out = sim_cell_out(w, w->step - window / HEARD_PARTS);
    bool opened_before = w->step - window < w->outage_from;
    return opened_before ? share + out * (1.0 - share) : share;
}

/* Windows of both arms close in this step, and control endpoints that poll open new ones. */
static struct late_rule_bucket close_windows(struct sim_cell *c, struct sim_world *w)
{
    int64_t window = window_steps(w);
    struct late_rule_bucket b = {.treated = take(c, w, SIM_WINDOWS),
                                 .control = take(c, w, SIM_CONTROLS),
                                 .treated_dark = take(c, w, SIM_SILENT)};
    b.control = least(b.control, c->control / window + 1); /* exposed meanwhile: control no more */
    b.control_dark = sim_random_binomial(&w->random, b.control, control_dark_share(c, w));
    c->dark += b.treated_dark;
    c->pending -= least(b.treated_dark, c->pending);
    int64_t polling = c->control - (int64_t)((double)c->control * sim_cell_out(w, w->step));
    int64_t opened = polling / window;
    opened += sim_random_below(&w->random, window) < polling % window;
    put(c, w, SIM_CONTROLS, w->step + window, opened);
    return b;
}

void sim_cell_begin(struct sim_cell *c, const struct sim_world *w)
{
    int64_t window = window_steps(w);
    for (int64_t i = 1; i <= window; i++) {
        put(c, w, SIM_CONTROLS, w->step + i, c->control / window);
    }
}

static int64_t late_crashes(struct sim_cell *c, struct sim_world *w)
{
    const struct sim_fault *f = w->fault;
    double base = in_step(w, c->usual->hazard) * base_factor(w);
    double leak = in_step(w, f->leak_per_day / DAY_MIN);
    double more = c->affected ? base * (f->base_ratio - 1.0) + leak : 0.0;
    int64_t usual = sim_random_binomial(&w->random, c->at_risk, base);
    int64_t harm = sim_random_binomial(&w->random, c->at_risk - usual, more);
    int64_t delayed = least(take(c, w, SIM_DELAYED), c->at_risk - usual - harm);
    c->harmed += harm + delayed;
    return usual + harm + delayed;
}

static int64_t poll_steps(const struct sim_world *w)
{
    return sim_steps(w->plan, w->plan->poll_min);
}

/* None is a survivor; who storms or is mute has gone back, who is slow runs on. */
static void take_noise(struct sim_cell *c, const struct sim_world *w)
{
    int64_t storm = least(take(c, w, SIM_STORMING), c->pending);
    int64_t slow = least(take(c, w, SIM_SLOWING), c->pending - storm);
    c->storm += storm;
    int64_t mute = least(take(c, w, SIM_MUTING), c->pending - storm - slow);
    c->slow += slow;
    c->mute += mute;
    c->pending -= storm + slow + mute;
}

/* What was granted now and tells of a storm, slowness or muteness; gives how many that are. */
static int64_t plan_noise(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    const struct sim_fault *f = w->fault;
    const struct span trial = {
        w->step + 1, sim_steps(w->plan, NOISE_MIN) +
                         sim_steps_of_s(w->plan, w->plan->policy.confirm_probation_s / 2)};
    double here = c->affected ? 1.0 : 0.0;
    int64_t storm = sim_random_binomial(&w->random, count, c->usual->storm + w->noise.storm * here);
    int64_t slow =
        sim_random_binomial(&w->random, count - storm, c->usual->slow + w->noise.slow * here);
    put_spread(c, w, SIM_STORMING, trial, storm);
    put_spread(c, w, SIM_SLOWING, trial, slow);
    /* All that have it suffer, also those that scan too little to tell. */
    if (c->affected && (f->matches_clean > 0.0 || f->slower > 0.0)) { c->harmed += count; }
    int64_t rest = count - storm - slow;
    int64_t broken = sim_random_binomial(&w->random, rest, f->mute * here);
    int64_t mute = broken + sim_random_binomial(&w->random, rest - broken, c->usual->mute);
    /* The self-test fails with the load: told at the next poll. */
    put_spread(c, w, SIM_MUTING, (struct span){w->step + 1, poll_steps(w)}, mute);
    c->harmed += broken;
    return storm + slow + mute;
}

struct sim_news sim_cell_step(struct sim_cell *c, struct sim_world *w)
{
    struct sim_news news = {.risk = {(double)c->at_risk, (double)c->control}};
    int64_t failed = least(take(c, w, SIM_FAILING), c->pending);
    int64_t healthy = least(take(c, w, SIM_HEALTHY), c->pending - failed);
    c->failed += failed;
    c->pending -= failed + healthy;
    take_noise(c, w);
    int64_t back = take(c, w, SIM_BACK);
    healthy += back;
    c->returned += back;
    c->came_back += take(c, w, SIM_REVERTING);
    c->survived += healthy;
    c->at_risk += healthy;
    c->aged += least(take(c, w, SIM_AGING), c->survived - c->aged);
    news.bucket = close_windows(c, w);
    news.late = late_crashes(c, w);
    c->late += news.late;
    c->at_risk -= news.late;
    double hazard = in_step(w, c->usual->hazard) * base_factor(w);
    news.control_crash = sim_random_binomial(&w->random, c->control, hazard);
    c->control_crash += news.control_crash;
    return news;
}

static int64_t probation_steps(const struct sim_world *w)
{
    return sim_steps_of_s(w->plan, w->plan->policy.confirm_probation_s);
}

/* The network is gone with the release, the endpoint is not: the agent misses the server in the second half of
 * probation and behind it, leaves the release and says so at its next poll. One that was started anew meanwhile does
 * not know that there was a server, and stays. */
static void plan_cut(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    int64_t trial = probation_steps(w) + sim_steps(w->plan, REACH_BACK_MIN);
    double restart = in_step(w, (double)trial) / (RESTART_DAYS * DAY_MIN);
    int64_t stay = sim_random_binomial(&w->random, count, restart < 1.0 ? restart : 1.0);
    put(c, w, SIM_SILENT, w->step + window_steps(w), count);
    put_spread(c, w, SIM_REVERTING, (struct span){w->step + trial + 1, poll_steps(w)},
               count - stay);
}

/* Of endpoints that load well, those that a site's outage keeps from saying so. Who reached the server in the second
 * half of probation stays and confirms when the outage is over; the others leave the release as in plan_cut. */
static int64_t plan_out(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    int64_t closes = w->step + window_steps(w);
    int64_t lived = w->step + probation_steps(w);
    bool caught = w->step < w->outage_from && w->outage_from <= lived;
    if (!caught || w->outage_to <= closes) { return 0; }
    int64_t out = sim_random_binomial(&w->random, count, w->fault->outage);
    put(c, w, SIM_SILENT, closes, out);
    if (w->step + probation_steps(w) / 2 < w->outage_from) {
        put_spread(c, w, SIM_BACK, (struct span){w->outage_to, poll_steps(w)}, out);
    }
    return out;
}

/* Steps until a proof is told: `minutes` at most, 0: at the next poll. */
static int64_t told_within(const struct sim_world *w, int64_t minutes)
{
    return minutes > 0 ? sim_steps(w->plan, minutes) : poll_steps(w);
}

/* Reports of those that load well come after probation, at their next poll. */
static void plan_well(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    const struct ring_policy *p = &w->plan->policy;
    const struct sim_fault *f = w->fault;
    int64_t closes = w->step + window_steps(w);
    count -= plan_out(c, w, count);
    int64_t quiet = sim_random_binomial(&w->random, count, dark_share(c, w));
    put(c, w, SIM_SILENT, closes, quiet);
    put_spread(c, w, SIM_BACK, (struct span){closes + 1, sim_steps(w->plan, QUIET_MIN)}, quiet);
    int64_t tells = told_within(w, w->plan->tell_min);
    int64_t again = told_within(w, w->plan->again_min);
    int64_t aged = w->step + sim_steps_of_s(w->plan, p->alive_after_s);
    put_spread(c, w, SIM_HEALTHY, (struct span){w->step + probation_steps(w), tells},
               count - quiet);
    put_spread(c, w, SIM_AGING, (struct span){aged, again}, count);
    if (!c->affected) { return; }
    const struct span strikes = {w->step + sim_steps(w->plan, f->delay_min),
                                 sim_steps(w->plan, DELAY_SPREAD_MIN)};
    put_spread(c, w, SIM_DELAYED, strikes, sim_random_binomial(&w->random, count, f->delayed));
}

/* Minutes from an install in which a crash of the release comes: in probation, and while an open line waits for the
 * proof. At a poll the proof of an ended probation stands, a crash behind it is a late one. */
static double crashes_within(const struct sim_plan *p)
{
    return (double)p->policy.confirm_probation_s / 60.0 + (double)p->tell_min;
}

/* Share of crashes that was reported so long after the install: a crash comes after an exponential time that is cut at
 * the end of its minutes; a beacon tells it at any moment within report_min of it. */
static double reported(const struct sim_plan *p, double minutes)
{
    double mean = p->crash_min;
    double last = crashes_within(p);
    double from = fmax(minutes - p->report_min, 0.0);
    double to = fmin(minutes, last);
    double after = fmax(minutes - fmax(from, last), 0.0); /* all have crashed */
    double ever = -expm1(-last / mean);
    /* Integral of the share that has crashed. */
    double before = to > from ? (to - from) - mean * (exp(-from / mean) - exp(-to / mean)) : 0.0;
    return (after + (ever > 0.0 ? before / ever : 0.0)) / p->report_min;
}

void sim_cell_plan_reports(struct sim_world *w)
{
    double before = 0.0;
    w->report_steps = window_steps(w);
    for (int64_t i = 0; i < w->report_steps; i++) {
        double by_then = reported(w->plan, in_step(w, (double)(i + 1)));
        w->report[i] = before < 1.0 ? (by_then - before) / (1.0 - before) : 1.0;
        before = by_then;
    }
}

/* Who has not reported when the deadline is over does so then. */
static void plan_report(struct sim_cell *c, struct sim_world *w, int64_t count)
{
    for (int64_t i = 0; i < w->report_steps && count > 0; i++) {
        int64_t here = sim_random_binomial(&w->random, count, w->report[i]);
        put(c, w, SIM_FAILING, w->step + i, here);
        count -= here;
    }
    put(c, w, SIM_FAILING, w->step + w->report_steps, count);
}

void sim_cell_grant(struct sim_cell *c, struct sim_world *w, int64_t count, bool forgers_out)
{
    const struct sim_fault *f = w->fault;
    double here = c->affected ? 1.0 : 0.0;
    double usual = c->usual->apply * base_factor(w);
    int64_t closes = w->step + window_steps(w);
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
    put(c, w, SIM_WINDOWS, closes, count);
    put(c, w, SIM_SILENT, closes, dark);
    plan_cut(c, w, cut);
    plan_report(c, w, crash + benign + forged);
    int64_t loaded = rest - crash - benign;
    plan_well(c, w, loaded - plan_noise(c, w, loaded));
}
