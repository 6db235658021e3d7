/* sensor.h: the supervised sensor: its process, its datagram socket, and what it has said.
 *
 * The sensor parses hostile files: its messages are read strictly, and only those of the very process that we
 * started count (kernel-checked credentials), so nobody else can vouch for a load.
 *
 * memory   owns the process, the socket and the argument vector
 * threads  one thread; the sensor dies with it
 * source   docs/protocol.md 10
 */
#ifndef RINGWARD_SENSOR_H
#define RINGWARD_SENSOR_H

#include "agent/activate/detect.h"
#include "agent/activate/manifest_codec.h"
#include "common/base/clock.h"
#include "common/base/proc.h"
#include "common/wire/sensor_codec.h"

enum { SENSOR_ARGS_MAX = 32, SENSOR_ENV_MAX = 256 };

struct sensor_loaded {
    char family[SENSOR_FAMILY_BYTES]; /* "": the empty set */
    int64_t release;
    uint8_t sha256[DIGEST_BYTES];
};

struct sensor_options {
    const char *command;
    const char *state_path;
    const char *endpoint; /* hex */
    struct detect_options detect;
};

struct sensor {
    char *command; /* owned; cut into words */
    char *argv[SENSOR_ARGS_MAX + 1];
    char *env[4]; /* owned: RINGWARD_ACTIVE, _SOCKET, _ENDPOINT, _BUDGET */
    char *envp[SENSOR_ENV_MAX + 5];
    int socket; /* owned */
    struct proc proc;
    struct rw_mono started;
    struct rw_mono last_seen;
    int64_t generation; /* highest that it has named since its start */
    int64_t asked;      /* its generation when it was last told to load */
    struct sensor_loaded loaded[MANIFEST_FAMILIES_MAX];
    size_t loaded_count;
    bool too_many; /* more families than a set can hold */
    bool load_error;
    bool selftest_failed;
    bool tested;                      /* this load's self-test was told */
    bool tested_before;               /* that of the load before was */
    bool mute_told;                   /* of this load */
    char detail[SENSOR_DETAIL_BYTES]; /* of the last error message */
    struct detect detect;             /* what its counts say */
    int64_t foreign;                  /* messages refused: other process, or not well formed */
    struct proc_exit last_exit;
};

/* Binds the socket ("sensor.sock" in the state directory) and prepares command and environment.
 * `state_path` must be short enough for a socket address (RW_E_CONFIG). */
RW_RC sensor_open(struct sensor *s, const struct sensor_options *options, struct rw_err *err);
void sensor_drop(struct sensor *s); /* kills what still runs */

RW_RC sensor_start(struct sensor *s, struct rw_mono now, struct rw_err *err);
bool sensor_running(const struct sensor *s);
/* SIGHUP; what is said from now on under a higher generation is the answer. What waits in the socket is read before: a
 * queue that is full of old messages would swallow the proof, and an old load must not pass for the answer. */
void sensor_reload(struct sensor *s, struct rw_mono now);
/* SIGTERM, then after `grace_ms` SIGKILL; reaps. */
void sensor_stop(struct sensor *s, int64_t grace_ms);
void sensor_kill(struct sensor *s);
/* Reads what waits in the socket (a bounded number of messages). */
void sensor_drain(struct sensor *s, struct rw_mono now);
/* Reaps without waiting. True when it has ended just now: see last_exit. */
bool sensor_reap(struct sensor *s);

enum sensor_proof {
    SENSOR_NOT_YET,
    SENSOR_PROVEN, /* exactly this set, by an answer to the last order to load */
    SENSOR_OTHER,  /* something that is not in this set */
};
enum sensor_proof sensor_proves(const struct sensor *s, const struct manifest *m);

#endif
