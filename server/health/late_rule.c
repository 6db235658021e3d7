#include "server/health/late_rule.h"

#include <math.h>

static const double ratios[LATE_RULE_RATIOS] = {1.5, 2.5, 5.0, 12.0, 40.0, 200.0};
static const double stake_at_start = 0.5;

/* One control window in so many is dark: more than the share that the absolute term takes as normal. */
enum { INCIDENT_PARTS = 20 };

struct late_rule_mix late_rule_mix_begin(double stake)
{
    struct late_rule_mix m;
    RW_ASSERT(stake > 0.0 && stake <= 1.0);
    for (int j = 0; j < LATE_RULE_RATIOS; j++) {
        m.l[j] = log(stake);
    }
    return m;
}

void late_rule_mix_events(struct late_rule_mix *m, double rho, bool treated, int64_t count,
                          const struct late_rule_risk *risk)
{
    double at_risk = rho * risk->treated + risk->control;
    if (!(at_risk > 0.0) || count <= 0) { return; }
    for (int j = 0; j < LATE_RULE_RATIOS; j++) {
        double theta = rho * ratios[j];
        double one = -log1p((theta - rho) * risk->treated / at_risk);
        if (treated) { one += log(ratios[j]); }
        m->l[j] += (double)count * one;
    }
}

void late_rule_mix_expect(struct late_rule_mix *m, double expected)
{
    for (int j = 0; j < LATE_RULE_RATIOS; j++) {
        m->l[j] -= (ratios[j] - 1.0) * expected;
    }
}

void late_rule_mix_happen(struct late_rule_mix *m, int64_t count)
{
    for (int j = 0; j < LATE_RULE_RATIOS; j++) {
        m->l[j] += (double)count * log(ratios[j]);
    }
}

static double log_add(double x, double y)
{
    double top = fmax(x, y);
    return top + log(exp(x - top) + exp(y - top));
}

void late_rule_mix_drip(struct late_rule_mix *m, double weight)
{
    double w = log(weight);
    for (int j = 0; j < LATE_RULE_RATIOS; j++) {
        m->l[j] = log_add(m->l[j], w);
    }
}

double late_rule_mix_log_e(const struct late_rule_mix *m)
{
    double top = m->l[0];
    double sum = 0.0;
    for (int j = 1; j < LATE_RULE_RATIOS; j++) {
        top = fmax(top, m->l[j]);
    }
    if (!isfinite(top)) { return top; }
    for (int j = 0; j < LATE_RULE_RATIOS; j++) {
        sum += exp(m->l[j] - top);
    }
    return top + log(sum) - log((double)LATE_RULE_RATIOS);
}

struct late_rule late_rule_begin(void)
{
    struct late_rule s = {.windows = 0};
    s.history = late_rule_mix_begin(stake_at_start);
    s.crash = s.history;
    s.dark = s.history;
    return s;
}

void late_rule_crash(struct late_rule *s, double rho, int64_t count,
                     const struct late_rule_risk *risk)
{
    late_rule_mix_events(&s->crash, rho, true, count, risk);
}

void late_rule_history(struct late_rule *s, double expected, int64_t count)
{
    late_rule_mix_expect(&s->history, expected);
    late_rule_mix_happen(&s->history, count);
}

void late_rule_control_crash(struct late_rule *s, double rho, int64_t count,
                             const struct late_rule_risk *risk)
{
    late_rule_mix_events(&s->crash, rho, false, count, risk);
}

void late_rule_take_bucket(struct late_rule *s, double rho, const struct late_rule_bucket *b)
{
    const struct late_rule_risk risk = {(double)b->treated, (double)b->control};
    s->control_windows += b->control;
    s->control_dark += b->control_dark;
    if (b->control >= LATE_RULE_CONTROL_MIN) {
        late_rule_mix_events(&s->dark, rho, true, b->treated_dark, &risk);
        late_rule_mix_events(&s->dark, rho, false, b->control_dark, &risk);
    } else {
        s->windows += b->treated;
        s->windows_dark += b->treated_dark;
    }
}

/* Too little control of its own, and `wide`, which has enough, was dark. */
static bool is_incident(const struct late_rule_bucket *b, const struct late_rule_bucket *wide)
{
    return b->control < LATE_RULE_CONTROL_MIN && wide->control >= LATE_RULE_CONTROL_MIN &&
           wide->control_dark * INCIDENT_PARTS > wide->control;
}

void late_rule_take_bucket_beside(struct late_rule *s, double rho, const struct late_rule_bucket *b,
                                  const struct late_rule_bucket *all)
{
    const struct late_rule_risk risk = {(double)b->treated, (double)all->control};
    if (!is_incident(b, all)) {
        late_rule_take_bucket(s, rho, b);
        return;
    }
    /* Not among the ring's own control windows: these tell whether its control is abnormal (verdict_rule.h). */
    late_rule_mix_events(&s->dark, rho, true, b->treated_dark, &risk);
    late_rule_mix_events(&s->dark, rho, false, all->control_dark, &risk);
    if (b->treated <= 0) { return; } /* nothing was held against it */
    s->borrowed += all->control;     /* INV-12: what it was held against can be told */
    s->borrowed_dark += all->control_dark;
}

void late_rule_take_bucket_cohort(struct late_rule *s, double rho, const struct late_rule_bucket *b,
                                  const struct late_rule_bucket *ring,
                                  const struct late_rule_bucket *all)
{
    if (!is_incident(b, ring) && !is_incident(b, all)) {
        late_rule_take_bucket(s, rho, b);
        return;
    }
    s->unjudged += b->treated;
    s->unjudged_dark += b->treated_dark;
}

void late_rule_drip(struct late_rule *s)
{
    const double weight = (1.0 - stake_at_start) / LATE_RULE_DRIPS;
    if (s->drips >= LATE_RULE_DRIPS) { return; }
    late_rule_mix_drip(&s->history, weight);
    late_rule_mix_drip(&s->crash, weight);
    late_rule_mix_drip(&s->dark, weight);
    s->drips++;
}
