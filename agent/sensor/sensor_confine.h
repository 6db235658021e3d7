/* sensor_confine.h: what a sensor gives up before it parses anything: it only ever reads.
 *
 * memory   allocates nothing
 * threads  call before any other thread is made
 * source   landlock(7), prctl(2); INV-12: what could not be given up is named
 */
#ifndef RINGWARD_SENSOR_CONFINE_H
#define RINGWARD_SENSOR_CONFINE_H

#include "common/base/err.h"

enum { SENSOR_CONFINE_MISSING_BYTES = 120 };

/* What a sensor with a quarantine needs; descriptors of directories, -1: none. */
struct sensor_confine_keep {
    int move[2]; /* files may be moved between these two, and nothing in them be written */
    int write;   /* files may be written here: manifests */
};

/* No new privileges, no core files, no writing, creating, removing or executing of files but for `keep`, no TCP. Writes
 * the names of what this kernel does not offer into `missing` ("": all in force). */
void sensor_confine(const struct sensor_confine_keep *keep,
                    char missing[static SENSOR_CONFINE_MISSING_BYTES]);

#endif
