#include "agent/sensor/sensor_tally.h"

#include "common/base/file.h"
#include "common/base/num.h"

#include <stdio.h>
#include <string.h>

enum { TRIAL_BYTES_MAX = 256 };

void sensor_tally_begin(struct sensor_tally *t, const struct storm_rule_budget *budget, int set,
                        const char *trial)
{
    *t = (struct sensor_tally){.budget = *budget, .set = set};
    (void)snprintf(t->trial, sizeof(t->trial), "%s", trial);
}

static uint64_t mix(uint64_t key, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        key = (key ^ (uint8_t)*p) * UINT64_C(1099511628211);
    }
    return (key ^ 0xff) * UINT64_C(1099511628211);
}

/* The count of a rule; of a full table some other rule's. */
static struct sensor_tally_rule *count_of(struct sensor_tally *t, const char *family,
                                          const char *rule)
{
    uint64_t key = mix(mix(UINT64_C(14695981039346656037), family), rule);
    key = key == 0 ? 1 : key;
    for (size_t i = 0; i < SENSOR_TALLY_RULES; i++) {
        struct sensor_tally_rule *at = &t->rules[(key + i) % SENSOR_TALLY_RULES];
        if (at->key == 0) { at->key = key; }
        if (at->key == key) { return at; }
    }
    return &t->rules[key % SENSOR_TALLY_RULES];
}

/* Asked only when the budget is spent. Whatever cannot be read is still on trial: the agent says that it is over by
 * emptying the file. */
static bool trial_is_over(const struct sensor_tally *t)
{
    struct rw_err unused;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(TRIAL_BYTES_MAX);
    return t->set >= 0 &&
           rw_is_ok(rw_file_read_at(t->set, "trial", TRIAL_BYTES_MAX, &text, &unused)) &&
           text.n == 0;
}

static void note_top(struct sensor_tally *t, const char *family, const char *rule, int64_t n)
{
    if (n <= t->top) { return; }
    t->top = n;
    (void)snprintf(t->top_family, sizeof(t->top_family), "%s", family);
    (void)snprintf(t->top_rule, sizeof(t->top_rule), "%s", rule);
}

bool sensor_tally_hit(struct sensor_tally *t, const char *family, const char *rule, bool acts)
{
    bool on_trial = t->trial[0] != '\0' && strcmp(t->trial, family) == 0;
    struct sensor_tally_rule *count = count_of(t, family, rule);
    count->detections++;
    if (t->trial[0] == '\0' || on_trial) { note_top(t, family, rule, count->detections); }
    if (!on_trial) { return true; }
    t->detections++;
    bool within = count->detections <= t->budget.per_rule && t->detections <= t->budget.in_all;
    bool may = storm_rule_may_act(&t->budget, count->detections, t->acted);
    if ((!within || !may) && trial_is_over(t)) {
        t->trial[0] = '\0';
        return true;
    }
    if (!within && !t->told) { t->told = t->news = true; }
    if (acts && may) { t->acted++; }
    if (acts && !may) { t->observed++; }
    return may;
}

void sensor_tally_tell(const struct sensor_tally *t, struct sensor_message *stats)
{
    (void)snprintf(stats->family, sizeof(stats->family), "%s", t->top_family);
    (void)snprintf(stats->rule, sizeof(stats->rule), "%s", t->top_rule);
    stats->rule_detections = t->top;
    stats->observed = t->observed;
}

RW_RC sensor_tally_budget(const char *text, struct storm_rule_budget *out, struct rw_err *err)
{
    struct storm_rule_budget b = storm_rule_defaults();
    const char *comma = text == NULL ? NULL : strchr(text, ',');
    if (text != NULL && comma == NULL) {
        return rw_fail(err, RW_E_CONFIG, "RINGWARD_BUDGET '%.40s' is not PER_RULE,IN_ALL", text);
    }
    if (text != NULL) {
        struct rw_span first = rw_span_of(text, (size_t)(comma - text));
        if (!rw_is_ok(rw_parse_i64(first, 0, STORM_RULE_BUDGET_MAX, "RINGWARD_BUDGET, of a rule",
                                   &b.per_rule, err)) ||
            !rw_is_ok(rw_parse_i64(rw_span_str(comma + 1), 0, STORM_RULE_BUDGET_MAX,
                                   "RINGWARD_BUDGET, in all", &b.in_all, err))) {
            return rw_wrap(err, "environment");
        }
    }
    *out = b;
    return RW_OK;
}
