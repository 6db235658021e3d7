/* fleet_stat.h: how long requests took: counts in logarithmic classes, so that percentiles of any number of requests
 * cost a fixed amount of memory. A class is at most 1/32 of its value wide.
 *
 * memory   plain values of fixed size
 * threads  no shared state
 * source   docs/fleet.md "Figures"
 */
#ifndef RINGWARD_FLEET_STAT_H
#define RINGWARD_FLEET_STAT_H

#include "common/json/json_write.h"

enum { FLEET_STAT_CLASSES = 1216, FLEET_STAT_STATUSES = 8 };

/* All answers of one kind of request. */
struct fleet_stat {
    uint64_t classes[FLEET_STAT_CLASSES];
    uint64_t count; /* of 2xx and 304: only these have a latency */
    int64_t max_us;
    uint64_t sum_us;
    uint64_t sent;
    uint64_t lost; /* no answer: connection broken, or too late */
    struct {
        int status; /* 0: unused */
        uint64_t count;
    } others
        [FLEET_STAT_STATUSES]; /* answers that were neither; the last entry takes all that found no place */
};

void fleet_stat_add(struct fleet_stat *s, int64_t us);
/* An answer with this status (0: none came) after `us`. */
void fleet_stat_answer(struct fleet_stat *s, int status, int64_t us);
uint64_t fleet_stat_errors(const struct fleet_stat *s);
/* The upper end of the class that holds the p-th part in ten thousand (5000: median); 0 when there are none. */
int64_t fleet_stat_percentile_us(const struct fleet_stat *s, unsigned per_myriad);
/* One line of a table, and the same as an object. `seconds` > 0: for the rate. */
void fleet_stat_print_head(void);
void fleet_stat_print(const char *name, const struct fleet_stat *s, double seconds);
void fleet_stat_write(struct json_writer *w, const char *name, const struct fleet_stat *s,
                      double seconds);

#endif
