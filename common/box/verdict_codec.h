/* verdict_codec.h: the launcher's verdict on one content, as JSON and as values.
 *
 * memory   plain values; the raw text is kept by the caller when it is wanted
 * threads  no shared state
 * source   docs/protocol.md 11, docs/sandbox.md "Verdict"
 */
#ifndef RINGWARD_VERDICT_CODEC_H
#define RINGWARD_VERDICT_CODEC_H

#include "common/json/json_write.h"

enum verdict_kind {
    VERDICT_ACCEPTED,
    VERDICT_REFUSED,
    VERDICT_CRASHED,
    VERDICT_TIMED_OUT,
    VERDICT_OUT_OF_MEMORY,
    VERDICT_POLICY_VIOLATION,
    VERDICT_PROTOCOL_ERROR,
    VERDICT_SANDBOX_ERROR, /* no verdict was reached: never opens anything (INV-3) */
};

enum {
    VERDICT_REASON_BYTES = 240,
    VERDICT_LAYERS_MAX = 24,
    VERDICT_LAYER_BYTES = 24,
    VERDICT_MISSING_BYTES = 96,
    VERDICT_TEXT_BYTES_MAX = 16384,
};

struct verdict_check {
    bool run;
    bool ok;
    int64_t count;     /* what was looked at: samples, fields, bytes, KiB, ms, us */
    int64_t wrong;     /* missed, hit, or over the bound */
    int64_t before;    /* the same of the release before, when has_before */
    bool has_before;   /* compared with the release before */
    bool by_validator; /* its own word: no one else can make this check */
};

/* The release before, measured on the same host in the same box. */
struct verdict_before {
    bool given;
    char sha256[65];
    int64_t bytes;
    char verdict[20]; /* what a run of it ended with; "not run" */
    int64_t runs;
};

struct verdict {
    enum verdict_kind kind;
    bool final; /* false: try once more before believing it */
    char reason[VERDICT_REASON_BYTES];
    char content_sha256[65];
    int64_t content_bytes;
    char validator[33];
    char validator_sha256[65];
    char profile[8];     /* static, dynamic, files */
    int64_t rules;       /* what the validator said it compiled */
    int64_t signal;      /* that ended it; 0: none */
    int64_t exit_status; /* -1: none */
    char syscall[40];    /* denied call; "": none */
    char phase[8];       /* in which the validator was: setup, loader, content; "": not known */
    int64_t oom_kills;   /* by the control group's limit */
    int64_t wall_ms;
    int64_t cpu_ms;
    int64_t peak_rss_kib;
    int64_t cgroup_peak_kib; /* 0: no control group */
    int64_t limit_wall_ms;   /* for all runs together */
    int64_t limit_cpu_ms;    /* each run */
    int64_t limit_memory_kib;
    struct verdict_check must_match;
    struct verdict_check must_not_match; /* samples of the release and clean files of the host */
    struct verdict_check own_files;      /* ringward's own files (INV-10) */
    struct verdict_check determinism;    /* a second run in another order */
    struct verdict_check envelope;   /* size against the release before, text where text is due */
    struct verdict_check count;      /* rules against the release before */
    struct verdict_check schema;     /* declared types against the installed sensor's */
    struct verdict_check limits;     /* bounds inside the content */
    struct verdict_check dry_run;    /* every criterion against a guard page */
    struct verdict_check coverage;   /* fields that a must-match vector shows to be judged */
    struct verdict_check alert_rate; /* clean files that only alerting rules hit */
    struct verdict_check memory, cpu, slowest; /* KiB, ms, us; against the release before */
    struct verdict_before before;
    int64_t clean_seed; /* chooses the same clean files again */
    int64_t clean_files;
    int64_t clean_bytes;
    int64_t clean_left_out; /* hit by the release before as well: not this one's fault */
    char kernel[65];
    char grade[8]; /* full, good, weak, none */
    char layers[VERDICT_LAYERS_MAX][VERDICT_LAYER_BYTES];
    size_t layer_count;
    char missing[VERDICT_LAYERS_MAX][VERDICT_MISSING_BYTES]; /* layer and why (INV-12) */
    size_t missing_count;
};

const char *verdict_kind_name(enum verdict_kind kind);
/* A check by its name ("must_match"); NULL: there is none of that name. */
struct verdict_check *verdict_find_check(struct verdict *v, struct rw_span id);
RW_RC verdict_write(const struct verdict *v, struct rw_buf *into, struct rw_err *err);
/* Strict. Fails with RW_E_SCHEMA and the like; the caller takes that for sandbox_error. */
RW_RC verdict_read(struct rw_span text, struct verdict *out, struct rw_err *err);

#endif
