#include "agent/sensor/sensor_whole.h"

#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
    const struct sensor_whole_name *x = a;
    const struct sensor_whole_name *y = b;
    int order = strcmp(x->name, y->name);
    if (order != 0) { return order; }
    return x->family < y->family ? -1 : (x->family > y->family ? 1 : 0);
}

bool sensor_whole_clash(struct sensor_whole_name *names, size_t count, size_t *first_out,
                        size_t *second_out)
{
    if (count > 0) { qsort(names, count, sizeof(*names), by_name); }
    for (size_t i = 1; i < count; i++) {
        /* Within one family libyara and the template reader look for themselves. */
        if (names[i - 1].family == names[i].family) { continue; }
        if (strcmp(names[i - 1].name, names[i].name) != 0) { continue; }
        *first_out = i - 1;
        *second_out = i;
        return true;
    }
    return false;
}
