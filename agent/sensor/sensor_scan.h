/* sensor_scan.h: scans one file with every family of a set; prints detections as JSON lines.
 *
 * memory   holds one file at a time
 * threads  one thread
 * source   docs/protocol.md 10
 */
#ifndef RINGWARD_SENSOR_SCAN_H
#define RINGWARD_SENSOR_SCAN_H

#include "agent/sensor/sensor_load.h"
#include "agent/sensor/sensor_tally.h"

enum { SENSOR_SCAN_BYTES_MAX = 64 * 1024 * 1024 };

struct sensor_scan {
    int64_t scanned;    /* files and events */
    int64_t detections; /* rules and templates that matched */
    int64_t scan_us;    /* processor time of scanning */
    int64_t burn_us;    /* rehearsed: more of it per scan; 0: none */
    int out_fd;         /* where detections go; borrowed */
    struct sensor_tally tally;
};

/* A detection that asks for quarantine and may be acted on: the first of a file. */
struct sensor_scan_taken {
    const struct sensor_family *family; /* NULL: the file stays; borrows the set */
    char rule[SENSOR_RULE_BYTES];
    bool trial;
};

/* `name` below `dir`; `shown` is what detections call it. Fails with RW_E_TOO_BIG, RW_E_NOT_FOUND, RW_E_IO,
 * RW_E_TIMEOUT. */
RW_RC sensor_scan_at(struct sensor_scan *scan, const struct sensor_set *set, int dir,
                     const char *name, const char *shown, struct sensor_scan_taken *taken,
                     struct rw_err *err);
/* By path, for one file that a person names; follows links. */
RW_RC sensor_scan_path(struct sensor_scan *scan, const struct sensor_set *set, const char *path,
                       struct rw_err *err);
/* Counts one detection and prints it. `action` NULL: the rule says none. *acts_out: it asks for an action, and the
 * budget of content on trial permits it. */
RW_RC sensor_scan_report(struct sensor_scan *scan, const struct sensor_family *family,
                         const char *rule, const char *action, const char *shown, bool *acts_out,
                         struct rw_err *err);
/* Proves that the engine detects (a built-in rule on a built-in sample) and that every family of the set can
 * scan. Fails with the first fault. */
RW_RC sensor_scan_selftest(const struct sensor_set *set, struct rw_err *err);

#endif
