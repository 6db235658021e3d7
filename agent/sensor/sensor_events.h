/* sensor_events.h: matches events (one JSON object per line) against the template families of a set.
 *
 * memory   a reader owns its descriptor and at most one line until sensor_events_drop
 * threads  one thread
 * source   docs/protocol.md 10 and 14
 */
#ifndef RINGWARD_SENSOR_EVENTS_H
#define RINGWARD_SENSOR_EVENTS_H

#include "agent/sensor/sensor_scan.h"
#include "common/template/template_manifest.h"

#include <sys/types.h>

struct sensor_events {
    int fd;             /* -1: none */
    const char *shown;  /* what detections call the source; borrowed */
    struct rw_buf line; /* begun and not yet ended */
    bool skipping;      /* the present line was too long: left out up to its end */
    int64_t number;     /* of the last line that was ended, from 1 */
    int64_t refused;    /* lines that are no events, or did not fit */
    off_t at;           /* read so far: a file that shrinks begins anew */
    struct rw_err err;  /* why the last line was refused */
};

/* `path` "-": standard input. Fails with RW_E_NOT_FOUND, RW_E_IO. */
RW_RC sensor_events_open(const char *path, struct sensor_events *out, struct rw_err *err);
void sensor_events_drop(struct sensor_events *e);
/* Reads up to the present end of the source and matches every whole line; a line without its end waits for it,
 * unless `last` is set. A line that is no event is counted and left out. Fails with RW_E_IO and the like when the
 * source cannot be read or detections cannot be written. */
RW_RC sensor_events_pump(struct sensor_events *e, struct sensor_scan *scan,
                         const struct sensor_set *set, bool last, struct rw_err *err);
/* One event line: every template family of the set. Fails with RW_E_SYNTAX and the like for a line that is none. */
RW_RC sensor_events_match(struct sensor_scan *scan, const struct sensor_set *set,
                          struct rw_span line, const char *shown, struct rw_err *err);

/* Proves that the engine detects a built-in event by built-in content. */
RW_RC sensor_events_selftest(struct rw_err *err);

#endif
