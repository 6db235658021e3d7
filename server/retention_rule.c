#include "server/retention_rule.h"

enum {
    FIRST_MS = 300000,   /* right after a start everything else wants the disk, too */
    LOOK_MS = 1000,      /* for the moment in which this node becomes controller */
    LATER_MS = 60000,    /* about as long as a backup takes */
    FAILED_MS = 3600000, /* what fails now fails again: it is not tried all the time */
};

static int64_t usual_ms(int64_t every_ms, enum retention_outcome outcome)
{
    switch (outcome) {
    case RETENTION_BEGUN:
        return FIRST_MS;
    case RETENTION_FOREIGN:
        return LOOK_MS;
    case RETENTION_LATER:
        return LATER_MS;
    case RETENTION_FAILED:
        return FAILED_MS;
    case RETENTION_DONE:
        break;
    }
    return every_ms;
}

int64_t retention_rule_wait_ms(int64_t every_ms, enum retention_outcome outcome)
{
    int64_t usual = usual_ms(every_ms, outcome);
    return usual < every_ms ? usual : every_ms;
}
