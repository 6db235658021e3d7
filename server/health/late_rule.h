/* late_rule.h: evidence that needs time or a comparison: crashes after probation and darkness, against the fleet's own
 * history and against concurrent control endpoints.
 *
 * R-terms are an anytime-valid log-rank test with a finite mixture of hazard ratios: each event is weighed with the
 * numbers at risk just before it, so neither the ramp nor the time of day can look like harm. The H-term compares late
 * crashes with what history expects, for the time when no control is left. The drip gives a fault that starts late the
 * stake of a process that starts late (docs/health.md).
 *
 * memory   values only
 * threads  pure
 * source   docs/health.md "The detector"
 */
#ifndef RINGWARD_LATE_RULE_H
#define RINGWARD_LATE_RULE_H

#include "common/base/err.h"

enum {
    LATE_RULE_RATIOS = 6,
    LATE_RULE_DRIPS = 144,
    LATE_RULE_DRIP_S = 600,
    LATE_RULE_CONTROL_MIN =
        20, /* fewer control windows in a bucket: darkness is judged absolutely */
};

/* log weight of each hazard ratio {1.5, 2.5, 5, 12, 40, 200}. */
struct late_rule_mix {
    double l[LATE_RULE_RATIOS];
};

/* A set of endpoints at risk just before an event. */
struct late_rule_risk {
    double treated;
    double control;
};

/* Windows that were opened in the same time and have all closed: how many, and how many ended dark. */
struct late_rule_bucket {
    int64_t treated;
    int64_t control;
    int64_t treated_dark;
    int64_t control_dark;
};

/* All of one scope. */
struct late_rule {
    struct late_rule_mix history; /* H: late crashes against history */
    struct late_rule_mix crash;   /* R: late crashes against control */
    struct late_rule_mix dark;    /* R: darkness against control */
    int64_t windows;              /* treated windows of buckets with too little control */
    int64_t windows_dark;         /* of these */
    int64_t control_windows;      /* of all buckets: the guard looks at control itself */
    int64_t control_dark;         /* of these */
    int64_t borrowed;             /* control windows of all rings that `dark` was weighed with */
    int64_t borrowed_dark;        /* of these */
    int64_t unjudged;             /* treated windows of a cohort that say nothing: an incident */
    int64_t unjudged_dark;        /* of these */
    int64_t drips;                /* so far, of LATE_RULE_DRIPS */
};

struct late_rule_mix late_rule_mix_begin(double stake);
/* `count` events, treated or control, at these sizes; nothing while nobody is at risk. */
void late_rule_mix_events(struct late_rule_mix *m, double rho, bool treated, int64_t count,
                          const struct late_rule_risk *risk);
/* History expected that many crashes in the meantime. */
void late_rule_mix_expect(struct late_rule_mix *m, double expected);
/* That many happened. */
void late_rule_mix_happen(struct late_rule_mix *m, int64_t count);
/* Adds a stake of that weight. */
void late_rule_mix_drip(struct late_rule_mix *m, double weight);
double late_rule_mix_log_e(const struct late_rule_mix *m);

/* Half the stake now, the rest by drips. */
struct late_rule late_rule_begin(void);
/* First crashes of treated endpoints that had reported healthy, beside control. */
void late_rule_crash(struct late_rule *s, double rho, int64_t count,
                     const struct late_rule_risk *risk);
/* The same beside what history expected in the meantime. */
void late_rule_history(struct late_rule *s, double expected, int64_t count);
/* First crashes of control endpoints. */
void late_rule_control_crash(struct late_rule *s, double rho, int64_t count,
                             const struct late_rule_risk *risk);
void late_rule_take_bucket(struct late_rule *s, double rho, const struct late_rule_bucket *b);
/* The same of a ring that has too little control of its own, while control of all rings together (`all`) was dark: what
 * keeps the fleet silent keeps the ring's endpoints silent too, so they are compared with all of that control. */
void late_rule_take_bucket_beside(struct late_rule *s, double rho, const struct late_rule_bucket *b,
                                  const struct late_rule_bucket *all);
/* The same of a cohort. It says nothing about the release when it has too little control of its own and control of the
 * whole ring, or of all rings, was dark in the same minute: an incident, which an absolute share would blame on the
 * release. Then its windows are counted as unjudged. */
void late_rule_take_bucket_cohort(struct late_rule *s, double rho, const struct late_rule_bucket *b,
                                  const struct late_rule_bucket *ring,
                                  const struct late_rule_bucket *all);
/* The scheduled stake; nothing any more after the last one. */
void late_rule_drip(struct late_rule *s);

#endif
