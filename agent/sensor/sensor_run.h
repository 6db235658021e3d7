/* sensor_run.h: the sensor's life: load, prove it, scan, report, load again on SIGHUP or the agent's
 * message.
 *
 * memory   owns its set, socket and watch until it returns
 * threads  one thread
 * source   docs/protocol.md 10 and 12
 */
#ifndef RINGWARD_SENSOR_RUN_H
#define RINGWARD_SENSOR_RUN_H

#include "agent/sensor/sensor_quarantine.h"
#include "common/policy/storm_rule.h"

struct sensor_run_options {
    const char *active; /* directory of the active set */
    const char *socket; /* of the agent; NULL: stand-alone */
    const char *watch;  /* directory to scan; NULL: none */
    const char *follow; /* file of events: lines that are appended are matched; NULL: none */
    int out_fd;         /* where detections go; borrowed */
    struct sensor_quarantine
        *quarantine;                 /* handed over to sensor_run; NULL: files are never taken */
    struct storm_rule_budget budget; /* of content on trial */
    const char *endpoint;            /* id, for rehearsed faults; NULL: none */
    bool rehearse;                   /* obey the meta "rehearse" of rules */
    int64_t alive_every_ms; /* between signs of life of a set that is no longer fresh; positive */
};

/* SIGHUP, SIGTERM and SIGINT become messages from here on. Call first of all in main, so that none is lost. */
void sensor_run_block_signals(void);
/* Runs until SIGTERM or SIGINT. Content that cannot be loaded is reported and leaves the old set in force.
 * Fails with RW_E_IO and the like when nothing could be begun. */
RW_RC sensor_run(const struct sensor_run_options *options, struct rw_err *err);
/* Loads the set, tests itself with it, lets go of it, then loads `then` (NULL: none): what a switch and the way back
 * would do. Prints one line. */
RW_RC sensor_run_dry(const struct sensor_run_options *options, const char *then,
                     struct rw_err *err);
/* Loads the set, scans one file, prints detections. */
RW_RC sensor_run_once(const struct sensor_run_options *options, const char *file,
                      struct rw_err *err);

/* Loads the set, matches all events of a file ("-": standard input), prints detections; says how many lines were
 * no events. */
RW_RC sensor_run_events(const struct sensor_run_options *options, const char *file,
                        struct rw_err *err);

#endif
