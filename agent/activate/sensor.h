/* sensor.h: the sensor, supervised (we started it) or observed (somebody else did): its process, its datagram socket,
 * how it is told to load, and what it has said.
 *
 * The sensor parses hostile files: its messages are read strictly, and only those of the very process that we
 * started or found count (kernel-checked credentials), so nobody else can vouch for a load. An observed one is neither
 * started, stopped nor killed here.
 *
 * memory   owns the process, the socket and the argument vector
 * threads  one thread; a supervised sensor dies with it
 * source   docs/protocol.md 10; sensor.c: the process; sensor_hear.c: what it says; sensor_ask.c: orders to load
 */
#ifndef RINGWARD_SENSOR_H
#define RINGWARD_SENSOR_H

#include "agent/activate/detect.h"
#include "agent/activate/manifest_codec.h"
#include "agent/activate/observe.h"
#include "agent/activate/sensor_child.h"
#include "common/wire/sensor_codec.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { SENSOR_ENV_MAX = 256, SENSOR_PATH_BYTES = 192 };

enum sensor_reload { SENSOR_BY_SIGNAL, SENSOR_BY_COMMAND, SENSOR_BY_MESSAGE };

/* Where the sensor comes from and how it is told to load. All zero: supervised, told by SIGHUP. */
struct sensor_way {
    struct observe_target observed; /* a pid file or a unit: it is observed; borrowed */
    enum sensor_reload reload;
    int reload_signal;          /* 0: SIGHUP */
    const char *reload_command; /* SENSOR_BY_COMMAND */
    const char
        *health_command; /* says in the place of an observed sensor that it lives; NULL: none */
};

struct sensor_loaded {
    char family[SENSOR_FAMILY_BYTES]; /* "": the empty set */
    int64_t release;
    uint8_t sha256[DIGEST_BYTES];
};

struct sensor_options {
    const char *command; /* of a supervised one */
    struct sensor_way way;
    int64_t load_timeout_ms;
    int64_t alive_ms;
    const char *state_path;
    const char *endpoint; /* hex */
    struct detect_options detect;
};

struct sensor {
    struct sensor_child command; /* its words only: the process is `proc` */
    struct sensor_way way;
    bool observed;
    int64_t load_timeout_ms;
    int64_t alive_ms;
    char *env[4]; /* owned: RINGWARD_ACTIVE, _SOCKET, _ENDPOINT, _BUDGET */
    char *envp[SENSOR_ENV_MAX + 5];
    size_t active_at;                /* RINGWARD_ACTIVE's place in envp */
    char by_name[SENSOR_PATH_BYTES]; /* what stands there when it is not env[0] */
    bool named;                      /* the same: the sensor follows one set, not the link */
    int socket;                      /* owned */
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
    bool error_told;                  /* load_error, of this load, when it was no trial */
    char detail[SENSOR_DETAIL_BYTES]; /* of the last error message */
    struct detect detect;             /* what its counts say */
    int64_t foreign;                  /* messages refused: other process, or not well formed */
    struct proc_exit last_exit;       /* of a supervised one */
    int64_t start_ticks;              /* of an observed process, beside its number */
    uid_t uid;                        /* the same: its real user */
    struct observe_rule_unit unit;    /* what systemd said last; pid -1: nothing */
    bool ask_due;                     /* an order to load is still to be given */
    bool ask_own; /* the same: the process has just been found, its own load will do as well */
    struct rw_mono ask_at;      /* not before */
    struct sensor_child reload; /* SENSOR_BY_COMMAND */
    struct sensor_child health; /* of an observed one */
    struct rw_mono health_at;   /* next time */
    struct sockaddr_un from;    /* SENSOR_BY_MESSAGE: where it listens */
    socklen_t from_bytes;       /* 0: it has not said so yet */
};

/* Binds the socket ("sensor.sock" in the state directory) and prepares command and environment.
 * `state_path` must be short enough for a socket address (RW_E_CONFIG). */
RW_RC sensor_open(struct sensor *s, const struct sensor_options *options, struct rw_err *err);
void sensor_drop(struct sensor *s); /* kills what still runs */

/* Supervised: what RINGWARD_ACTIVE names from the next start on, one set; negative: the link. */
void sensor_aim(struct sensor *s, int64_t set);
/* Starts a supervised one. */
RW_RC sensor_start(struct sensor *s, struct rw_mono now, struct rw_err *err);
/* Observed only: looks for the process and writes what it found; `unit` is up to date even when it does not run. Fails
 * as observe_find. */
RW_RC sensor_look(struct sensor *s, struct observe_found *out, struct rw_err *err);
/* Takes hold of it: its own load, or else an order to load, must prove the set. */
void sensor_take(struct sensor *s, const struct observe_found *found, struct rw_mono now);
bool sensor_running(const struct sensor *s);
/* The order to load, by the way of the settings; what is said from now on under a higher generation is the answer.
 * What waits in the socket is read before: a queue that is full of old messages would swallow the proof, and an old
 * load must not pass for the answer. A signal that would end the sensor is held back (sensor_tend). */
void sensor_reload(struct sensor *s, struct rw_mono now);
/* It has proven what it is to load: an order that only its own load made needless is not given any more. */
void sensor_spare(struct sensor *s);
/* What is due: orders that could not be given yet, ends of commands, the question whether it lives. `dense`: a change
 * is under way. */
void sensor_tend(struct sensor *s, struct rw_mono now, bool dense);
/* What was said from here on is of another load. */
void sensor_begin_load(struct sensor *s);
/* When sensor_tend is due at the latest; ms INT64_MAX: nothing is. */
struct rw_mono sensor_wake(const struct sensor *s);
/* SIGTERM, then after `grace_ms` SIGKILL; reaps. An observed one is let go of. */
void sensor_stop(struct sensor *s, int64_t grace_ms);
void sensor_kill(struct sensor *s); /* an observed one goes on */
/* Would sensor_drain read what waits? */
bool sensor_listens(const struct sensor *s);
/* Reads what waits in the socket (a bounded number of messages). While an observed process is not there it waits on: it
 * may be its proof. */
void sensor_drain(struct sensor *s, struct rw_mono now);
/* Reaps without waiting. True when it has ended just now: see last_exit; how an observed one ended is not known. */
bool sensor_reap(struct sensor *s);

enum sensor_proof {
    SENSOR_NOT_YET,
    SENSOR_PROVEN, /* exactly this set, by an answer to the last order to load */
    SENSOR_OTHER,  /* something that is not in this set */
};
enum sensor_proof sensor_proves(const struct sensor *s, const struct manifest *m);

#endif
