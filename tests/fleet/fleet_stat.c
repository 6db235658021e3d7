#include "tests/fleet/fleet_stat.h"

#include <inttypes.h>
#include <stdio.h>

enum { EXACT = 64, SUB_BITS = 5, SUBS = 1 << SUB_BITS, FIRST_EXPONENT = 6 };

static unsigned class_of(int64_t us)
{
    uint64_t v = us < 0 ? 0 : (uint64_t)us;
    if (v < EXACT) { return (unsigned)v; }
    unsigned exponent = 63U - (unsigned)__builtin_clzll(v);
    unsigned sub = (unsigned)(v >> (exponent - SUB_BITS)) & (SUBS - 1);
    unsigned at = EXACT + (exponent - FIRST_EXPONENT) * SUBS + sub;
    return at < FLEET_STAT_CLASSES ? at : FLEET_STAT_CLASSES - 1;
}

static int64_t upper_end(unsigned at)
{
    if (at < EXACT) { return at; }
    unsigned exponent = FIRST_EXPONENT + (at - EXACT) / SUBS;
    uint64_t sub = (at - EXACT) % SUBS;
    return (int64_t)(((SUBS + sub + 1) << (exponent - SUB_BITS)) - 1);
}

void fleet_stat_add(struct fleet_stat *s, int64_t us)
{
    s->classes[class_of(us)]++;
    s->count++;
    s->sum_us += us < 0 ? 0 : (uint64_t)us;
    if (us > s->max_us) { s->max_us = us; }
}

static void count_other(struct fleet_stat *s, int status)
{
    size_t at = 0;
    while (at < FLEET_STAT_STATUSES - 1 && s->others[at].status != 0 &&
           s->others[at].status != status) {
        at++;
    }
    s->others[at].status = status;
    s->others[at].count++;
}

void fleet_stat_answer(struct fleet_stat *s, int status, int64_t us)
{
    if (status == 0) {
        s->lost++;
    } else if (status / 100 == 2 || status == 304) {
        fleet_stat_add(s, us);
    } else {
        count_other(s, status);
    }
}

uint64_t fleet_stat_errors(const struct fleet_stat *s)
{
    uint64_t n = s->lost;
    for (size_t i = 0; i < FLEET_STAT_STATUSES; i++) {
        n += s->others[i].count;
    }
    return n;
}

int64_t fleet_stat_percentile_us(const struct fleet_stat *s, unsigned per_myriad)
{
    uint64_t want = (s->count * per_myriad + 9999) / 10000;
    uint64_t seen = 0;
    if (s->count == 0) { return 0; }
    for (unsigned i = 0; i < FLEET_STAT_CLASSES; i++) {
        seen += s->classes[i];
        if (seen >= want) { return upper_end(i) < s->max_us ? upper_end(i) : s->max_us; }
    }
    return s->max_us;
}

static double ms(int64_t us)
{
    return (double)us / 1000.0;
}

void fleet_stat_print_head(void)
{
    printf("%-9s %11s %11s %9s %9s %9s %9s %9s %9s\n", "request", "sent", "answered", "per s",
           "p50 ms", "p90 ms", "p99 ms", "max ms", "errors");
}

void fleet_stat_print(const char *name, const struct fleet_stat *s, double seconds)
{
    printf("%-9s %11" PRIu64 " %11" PRIu64 " %9.0f %9.2f %9.2f %9.2f %9.2f %9" PRIu64 "\n", name,
           s->sent, s->count, (double)s->count / seconds, ms(fleet_stat_percentile_us(s, 5000)),
           ms(fleet_stat_percentile_us(s, 9000)), ms(fleet_stat_percentile_us(s, 9900)),
           ms(s->max_us), fleet_stat_errors(s));
    for (size_t i = 0; i < FLEET_STAT_STATUSES && s->others[i].status != 0; i++) {
        printf("          status %d: %" PRIu64 "\n", s->others[i].status, s->others[i].count);
    }
    if (s->lost > 0) { printf("          no answer: %" PRIu64 "\n", s->lost); }
}

void fleet_stat_write(struct json_writer *w, const char *name, const struct fleet_stat *s,
                      double seconds)
{
    json_open_object(w, name);
    json_put_int(w, "sent", (int64_t)s->sent);
    json_put_int(w, "answered", (int64_t)s->count);
    json_put_int(w, "per_second", (int64_t)((double)s->count / seconds));
    json_put_int(w, "mean_us", s->count == 0 ? 0 : (int64_t)(s->sum_us / s->count));
    json_put_int(w, "p50_us", fleet_stat_percentile_us(s, 5000));
    json_put_int(w, "p90_us", fleet_stat_percentile_us(s, 9000));
    json_put_int(w, "p99_us", fleet_stat_percentile_us(s, 9900));
    json_put_int(w, "p999_us", fleet_stat_percentile_us(s, 9990));
    json_put_int(w, "max_us", s->max_us);
    json_put_int(w, "no_answer", (int64_t)s->lost);
    json_open_object(w, "other_statuses");
    for (size_t i = 0; i < FLEET_STAT_STATUSES && s->others[i].status != 0; i++) {
        char status[16];
        (void)snprintf(status, sizeof(status), "%d", s->others[i].status);
        json_put_int(w, status, (int64_t)s->others[i].count);
    }
    json_close_object(w);
    json_close_object(w);
}
