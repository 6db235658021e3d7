/* sensor_whole.h: what a set must keep as a whole: names apart, a bounded total.
 *
 * memory   borrows the names and sorts them in place
 * threads  no shared state
 * source   docs/protocol.md 10; an exception, a dashboard or a detection names a rule: two of that name in two families
 *          could not be told apart
 */
#ifndef RINGWARD_SENSOR_WHOLE_H
#define RINGWARD_SENSOR_WHOLE_H

#include <stdbool.h>
#include <stddef.h>

enum { SENSOR_RULES_MAX = 200000 }; /* of all families together */

struct sensor_whole_name {
    const char *name; /* of a rule or a template */
    size_t family;    /* index */
};

/* Looks for one name in two families; gives the places of both after sorting. False: there is none. */
bool sensor_whole_clash(struct sensor_whole_name *names, size_t count, size_t *first_out,
                        size_t *second_out);

#endif
