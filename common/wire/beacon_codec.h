/* beacon_codec.h: beacons and permit requests of an endpoint, as JSON and as values.
 *
 * memory   plain values of fixed size
 * threads  no shared state
 * source   docs/protocol.md 7
 */
#ifndef RINGWARD_BEACON_CODEC_H
#define RINGWARD_BEACON_CODEC_H

#include "common/base/clock.h"
#include "common/json/json_write.h"

enum {
    BEACON_ID_BYTES = 16,
    BEACON_HASH_BYTES = 32,
    BEACON_NAME_BYTES = 33,   /* family, ring */
    BEACON_COHORT_BYTES = 33, /* each of os, arch, engine */
    BEACON_DETAIL_BYTES = 201,
    BEACON_BATCH_MAX = 32,
    BEACON_BODY_BYTES_MAX = 64 * 1024,
    PERMIT_BODY_BYTES_MAX = 2048,
};

enum beacon_kind {
    BEACON_ALIVE,
    BEACON_HEALTHY,
    BEACON_REFUSED,
    BEACON_FAILED,
    BEACON_CRASH,
    BEACON_REVERTED,
    BEACON_STORM, /* detections beyond the budget */
    BEACON_SLOW,  /* scans take far more processor time, or memory, than before */
    BEACON_UNABLE, /* the box cannot try content here: a fault of the endpoint, no verdict on the content */
    BEACON_MUTE, /* the sensor lives and has lost its function */
};
enum beacon_stage {
    BEACON_STAGE_NONE,
    BEACON_STAGE_BOX,
    BEACON_STAGE_LOAD,
    BEACON_STAGE_PROBATION,
    BEACON_STAGE_ACTIVE
};

struct beacon_cohort {
    char os[BEACON_COHORT_BYTES];
    char arch[BEACON_COHORT_BYTES];
    char engine[BEACON_COHORT_BYTES];
};

/* How the detail of an `alive` begins, or what it holds, when the agent has no loader for dry runs of whole sets. */
#define BEACON_NO_LOADER "sensor_loader: none"

/* How the detail of a `failed` begins when the endpoint left the release for want of the server alone: that is silence,
 * which an outage may have caused, and is held against control's (INV-4). */
#define BEACON_UNREACHED "unreached: "

struct beacon {
    uint8_t id[BEACON_ID_BYTES]; /* random: repeats are harmless */
    struct rw_wall at;           /* the endpoint's clock */
    enum beacon_kind kind;
    char ring[BEACON_NAME_BYTES];
    struct beacon_cohort cohort;
    char family[BEACON_NAME_BYTES]; /* "": nothing is loaded */
    int64_t release;                /* 0: none */
    uint8_t
        sha256[BEACON_HASH_BYTES]; /* of what the sensor says it loaded; zeros when release is 0 */
    int64_t generation;            /* of the load */
    enum beacon_stage stage;
    int64_t signal; /* that ended the sensor; 0: none */
    char detail[BEACON_DETAIL_BYTES];
    char grade[8];  /* sandbox: full, good, weak, none; "": not run yet */
    char trust[12]; /* ok, expired, development */
    char clock[8];  /* behind, ahead; "": ok */
};

const char *beacon_kind_name(enum beacon_kind kind);
/* Appends one beacon as an object (member `name`, or element when NULL). */
void beacon_write(struct json_writer *w, const char *name, const struct beacon *b);
/* Fail with RW_E_SCHEMA or RW_E_RANGE naming the member. */
RW_RC beacon_read(const struct json *object, struct beacon *out, struct rw_err *err);
/* Reads {"beacons":[...]}: 1..BEACON_BATCH_MAX into the caller's array. */
RW_RC beacon_read_batch(struct rw_span body, struct beacon out[static BEACON_BATCH_MAX],
                        size_t *count_out, struct rw_err *err);

/* The same of a parsed body, with the number that the agent drew at its start ("run"; 0: it sends none). */
RW_RC beacon_read_batch_tree(const struct json *tree, struct beacon out[static BEACON_BATCH_MAX],
                             size_t *count_out, uint64_t *run_out, struct rw_err *err);

struct beacon_permit_request {
    char family[BEACON_NAME_BYTES];
    int64_t release;
    uint8_t sha256[BEACON_HASH_BYTES];
    char ring[BEACON_NAME_BYTES];
    int64_t from; /* release that is active now; 0: none */
    struct beacon_cohort cohort;
};
enum beacon_permit_decision { BEACON_PERMIT_GRANTED, BEACON_PERMIT_WAIT, BEACON_PERMIT_REFUSED };
struct beacon_permit_answer {
    enum beacon_permit_decision decision;
    uint64_t permit;       /* GRANTED: its number */
    int64_t valid_s;       /* GRANTED: begin to activate within, from sending the request */
    int64_t deadline_s;    /* GRANTED: confirm within, or count as dark */
    int64_t probation_s;   /* GRANTED */
    int64_t retry_after_s; /* WAIT */
    char reason[BEACON_DETAIL_BYTES];
};
RW_RC beacon_permit_write_request(const struct beacon_permit_request *r, struct rw_buf *into,
                                  struct rw_err *err);
RW_RC beacon_permit_read_request(struct rw_span body, struct beacon_permit_request *out,
                                 struct rw_err *err);
RW_RC beacon_permit_write_answer(const struct beacon_permit_answer *a, struct rw_buf *into,
                                 struct rw_err *err);
RW_RC beacon_permit_read_answer(struct rw_span body, struct beacon_permit_answer *out,
                                struct rw_err *err);

#endif
