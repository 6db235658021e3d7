/* sensor_quarantine.h: files that content took away, kept so that each release's can be put back as they were.
 *
 *   DIR/files/KEPT                    the file itself, moved: bytes, mode, owner and times stay
 *   DIR/manifest/FAMILY-RELEASE       one JSON line per file that this release took, written before the file moves
 *
 * memory   owns three descriptors until sensor_quarantine_drop
 * threads  one thread
 * source   docs/protocol.md 10
 */
#ifndef RINGWARD_SENSOR_QUARANTINE_H
#define RINGWARD_SENSOR_QUARANTINE_H

#include "agent/sensor/sensor_load.h"

#include <sys/stat.h>

struct sensor_quarantine {
    int files;     /* owned; -1: there is no quarantine */
    int manifests; /* owned */
    int watched;   /* owned: the only directory that files come from and go back to */
};

/* Makes what is missing (0700). Both directories must lie on one file system, since files are moved, not copied.
 * Fails with RW_E_CONFIG, RW_E_NOT_FOUND, RW_E_IO. Call before the sensor gives up writing. */
RW_RC sensor_quarantine_open(const char *dir, const char *watched, struct sensor_quarantine *out,
                             struct rw_err *err);
void sensor_quarantine_drop(struct sensor_quarantine *q);

struct sensor_quarantine_order {
    const char *family;
    int64_t release;
    const char *rule;
    bool trial;
    const char *name;         /* in the watched directory */
    const struct stat *found; /* as it was scanned */
};
/* Takes the file away, durably. Fails with RW_E_BUSY (another file has taken its place since it was scanned: left
 * alone), RW_E_FULL (the manifest), RW_E_IO. */
RW_RC sensor_quarantine_take(const struct sensor_quarantine *q,
                             const struct sensor_quarantine_order *order, struct rw_err *err);

struct sensor_quarantine_undone {
    int64_t restored;
    int64_t kept; /* could not be put back: logged, and tried again at the next load */
};
/* Puts back all that the release took. Fails with RW_E_NOT_FOUND (it took nothing), RW_E_SCHEMA and the like. */
RW_RC sensor_quarantine_undo(const struct sensor_quarantine *q, const char *family, int64_t release,
                             struct sensor_quarantine_undone *out, struct rw_err *err);
/* Puts back what releases took that the loaded set has gone back from (sensor_quarantine_rule.h). */
RW_RC sensor_quarantine_follow(const struct sensor_quarantine *q, const struct sensor_set *set,
                               struct rw_err *err);

#endif
