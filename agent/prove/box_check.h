/* box_check.h: the whole check of one content: inputs, samples, run, second run, one verdict.
 *
 * memory   borrows the request; fills a plain value
 * threads  the process must have one thread
 * source   docs/protocol.md 11; INV-5, INV-10, INV-12
 */
#ifndef RINGWARD_BOX_CHECK_H
#define RINGWARD_BOX_CHECK_H

#include "agent/prove/box_judge.h"
#include "agent/prove/box_learn.h"

enum {
    BOX_VALIDATOR_BYTES_MAX = 64 * 1024 * 1024,
    BOX_CONTENT_BYTES_MAX = 64 * 1024 * 1024,
    BOX_MANIFEST_BYTES_MAX = 128 * 1024,
};

struct box_check_request {
    const char *validator; /* path of the executable, or of what its settings are named after */
    const char *type;
    const char *content;   /* path */
    const char *samples;   /* path of an RWS1 file; NULL: none */
    const char *manifest;  /* path of the installed sensor's manifest; NULL: none */
    const char *against;   /* path of the release before, measured too; NULL: there is none */
    int64_t against_steps; /* how many releases lie between it and the content, from 1 */
    bool for_release;      /* field coverage is due even without samples */
    const char *own_file;  /* one more file that content must never match; NULL: none */
    size_t clean_files;
    uint64_t seed;
    int64_t wall_ms;         /* for all runs together; 0: as its settings ask */
    int64_t cpu_s;           /* each run; 0: as its settings ask */
    int64_t memory_bytes;    /* 0: as its settings ask */
    uint32_t without;        /* layers to take away: tests and measurements */
    bool allow_weak;         /* run under a sandbox of grade weak */
    struct box_learn *learn; /* NULL: none; else no verdict is ever accepted */
};

/* Fails when an input cannot be read (its code says why), with RW_E_CONFIG when the type wants a manifest and none
 * was given, or it is damaged: that is the installation's fault and must not be counted against the content.
 * Everything behind that is a verdict. */
RW_RC box_check_content(const struct box_check_request *asked, struct verdict *out,
                        struct rw_err *err);

#endif
