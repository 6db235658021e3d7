#include "common/policy/gate_rule.h"

#include "common/base/num.h"

#include <math.h>
#include <stdio.h>

/* Mixture of the bound: weight on "no failures at all", and a Beta(a, b) on small shares. */
static const double weight_zero = 0.5;
static const double beta_a = 0.5;
static const double beta_b = 20.0;

static double log_beta(double a, double b)
{
    int sign = 0;
    return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

static double log_numerator(double k, double n)
{
    double mixed =
        log1p(-weight_zero) + log_beta(beta_a + k, beta_b + n - k) - log_beta(beta_a, beta_b);
    if (k > 0) { return mixed; }
    double zero = log(weight_zero);
    double top = fmax(zero, mixed);
    return top + log(exp(zero - top) + exp(mixed - top));
}

static double log_e(double numerator, double k, double n, double u)
{
    return numerator - k * log(u) - (n - k) * log1p(-u);
}

double gate_rule_upper(int64_t failures, int64_t n, double alpha)
{
    if (n <= 0 || failures < 0 || failures >= n) { return 1.0; }
    double k = (double)failures;
    double count = (double)n;
    double threshold = -log(alpha);
    double numerator = log_numerator(k, count);
    if (failures == 0) { return -expm1((numerator - threshold) / count); }
    double lo = k / count;
    double hi = 1.0 - 1e-15;
    for (int i = 0; i < 200 && hi - lo > 1e-16 + 1e-15 * hi; i++) {
        double mid = 0.5 * (lo + hi);
        if (log_e(numerator, k, count, mid) >= threshold) {
            hi = mid;
        } else {
            lo = mid;
        }
    }
    return hi;
}

static bool passes(int64_t failures, int64_t n, double limit, double alpha)
{
    double k = (double)failures;
    double count = (double)n;
    return k < count * limit && log_e(log_numerator(k, count), k, count, limit) >= -log(alpha);
}

int64_t gate_rule_needed(int64_t failures, double limit, double alpha)
{
    if (!(limit > 0.0) || failures < 0) { return INT64_MAX; }
    if (limit >= 1.0) { return failures + 1; }
    int64_t lo = failures;
    int64_t hi = failures + 1;
    while (!passes(failures, hi, limit, alpha)) {
        if (hi > INT64_MAX / 4) { return INT64_MAX; }
        lo = hi;
        hi *= 2;
    }
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        if (passes(failures, mid, limit, alpha)) {
            hi = mid;
        } else {
            lo = mid;
        }
    }
    return hi;
}

const char *gate_rule_name(enum gate_rule_verdict v)
{
    static const char *const names[] = {"NONE", "PASS", "FAIL"};
    return names[v];
}

enum gate_rule_verdict gate_rule_decide(const struct gate_rule_input *in,
                                        char reason[static GATE_RULE_REASON_BYTES])
{
    size_t cap = GATE_RULE_REASON_BYTES;
    /* Every comparison is written so that a NaN falls to the holding side. */
    if (!isfinite(in->log_e) || !isfinite(in->log_threshold) || !isfinite(in->limit)) {
        (void)snprintf(reason, cap, "no verdict: the evidence is not a number");
        return GATE_NONE;
    }
    if (in->log_e >= in->log_threshold && in->spared != NULL) {
        (void)snprintf(reason, cap, "%s", in->spared);
        return GATE_NONE;
    }
    if (in->log_e >= in->log_threshold) {
        (void)snprintf(reason, cap, "log E %.2f >= %.2f (halt)", in->log_e, in->log_threshold);
        return GATE_FAIL;
    }
    if (!in->telemetry_fresh) {
        (void)snprintf(reason, cap, "no fresh telemetry");
        return GATE_NONE;
    }
    if (in->bake_left_s > 0) {
        char left[32];
        rw_say_duration_s(left, sizeof(left), in->bake_left_s);
        (void)snprintf(reason, cap, "bakes for another %s", left);
        return GATE_NONE;
    }
    if (!(in->log_e < log(20.0))) {
        (void)snprintf(reason, cap, "suspicious: log E %.2f >= %.2f", in->log_e, log(20.0));
        return GATE_NONE;
    }
    if (in->healthy < in->min_healthy) {
        (void)snprintf(reason, cap, "%lld healthy endpoint%s, needs %lld", (long long)in->healthy,
                       rw_plural(in->healthy), (long long)in->min_healthy);
        return GATE_NONE;
    }
    /* Some broken hosts are no news. More of them than have proven the release may be its doing. */
    if (in->unable > in->healthy) {
        (void)snprintf(reason, cap, "%lld endpoint%s cannot try it, more than the %lld healthy",
                       (long long)in->unable, rw_plural(in->unable), (long long)in->healthy);
        return GATE_NONE;
    }
    double upper = gate_rule_upper(in->failed, in->healthy + in->failed, GATE_RULE_ALPHA);
    if (!(upper <= in->limit)) {
        (void)snprintf(reason, cap, "failure share may be %.2f%% (%lld of %lld), limit %.2f%%",
                       upper * 100.0, (long long)in->failed, (long long)(in->healthy + in->failed),
                       in->limit * 100.0);
        return GATE_NONE;
    }
    (void)snprintf(reason, cap, "failure share <= %.2f%% (%lld of %lld), limit %.2f%%",
                   upper * 100.0, (long long)in->failed, (long long)(in->healthy + in->failed),
                   in->limit * 100.0);
    return GATE_PASS;
}
