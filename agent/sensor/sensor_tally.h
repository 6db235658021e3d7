/* sensor_tally.h: detections by rule since the load, and what content on trial may still act on.
 *
 * Counting is a few integer steps in a table of fixed size; nothing is allocated. When more rules match than the table
 * holds, some share a count: they reach their budget earlier, never later.
 *
 * memory   plain values; borrows the descriptor of the loaded set
 * threads  one thread
 * source   docs/health.md "Storm, slow and mute"; storm_rule.h decides
 */
#ifndef RINGWARD_SENSOR_TALLY_H
#define RINGWARD_SENSOR_TALLY_H

#include "common/policy/storm_rule.h"
#include "common/wire/sensor_codec.h"

enum { SENSOR_TALLY_RULES = 256 };

struct sensor_tally_rule {
    uint64_t key; /* of family and rule; 0: free */
    int64_t detections;
};

struct sensor_tally {
    struct storm_rule_budget budget;
    int set;                         /* borrowed: directory of the loaded set; -1: none */
    char trial[SENSOR_FAMILY_BYTES]; /* family on trial; "": none */
    struct sensor_tally_rule rules[SENSOR_TALLY_RULES];
    int64_t detections; /* of the family on trial */
    int64_t acted;      /* of the family on trial */
    int64_t observed;   /* actions that were asked for and not done */
    int64_t top; /* detections of the rule that has most of them, on trial if there is a trial */
    char top_family[SENSOR_FAMILY_BYTES];
    char top_rule[SENSOR_RULE_BYTES];
    bool told; /* the budget was passed, and the agent told of it */
    bool news; /* it was passed just now */
};

/* A set was loaded: counting begins anew. */
void sensor_tally_begin(struct sensor_tally *t, const struct storm_rule_budget *budget, int set,
                        const char *trial);
/* One detection. True: it is to be acted on, if the rule asks for an action at all (`acts`). */
bool sensor_tally_hit(struct sensor_tally *t, const char *family, const char *rule, bool acts);
/* Fills in what a stats message says of rules. */
void sensor_tally_tell(const struct sensor_tally *t, struct sensor_message *stats);
/* "PER_RULE,IN_ALL" of RINGWARD_BUDGET; NULL: the defaults. Fails with RW_E_CONFIG. */
RW_RC sensor_tally_budget(const char *text, struct storm_rule_budget *out, struct rw_err *err);

#endif
