/* fleet_journal.h: the journal's records as bytes: a batch is a version byte and whole records, little endian.
 *
 * Names stand once (DEFINE) and are numbers from then on. A record says everything that its effect depends on, so
 * that replay gives the same state (INV-8).
 * memory   appends to a buffer of the caller; reads borrow the batch
 * threads  no shared state
 * source   docs/architecture.md "Storage"
 */
#ifndef RINGWARD_FLEET_JOURNAL_H
#define RINGWARD_FLEET_JOURNAL_H

#include "common/base/buf.h"

enum {
    FLEET_JOURNAL_VERSION = 3,
    FLEET_JOURNAL_OLDEST =
        2, /* that is still read: its beacons have all fields, and do not say `before` */
    FLEET_BEFORE_MAX = 31, /* beacons of a request before its last one */
    FLEET_JOURNAL_NAME_BYTES =
        112, /* three cohort words, a tenant's number and a NUL, or one name */
    FLEET_NO_NAME = 0xffff,
    /* Beside the word of trust in one byte, so that journals and images of before mean what they meant. */
    FLEET_NO_LOADER = 0x10,
    FLEET_UNREACHED = 0x20, /* of the beacon, not of the endpoint */
    FLEET_TRUST_FLAGS = FLEET_NO_LOADER | FLEET_UNREACHED,
};

enum fleet_space { FLEET_TENANTS, FLEET_RINGS, FLEET_COHORTS, FLEET_FAMILIES, FLEET_SPACES };

enum fleet_record_type {
    FLEET_DEFINE = 1, /* space, name: the next number of that space */
    FLEET_WATCH = 2,  /* family, release, sha256, times: votes about it are counted from now on */
    FLEET_ENROL = 3,
    FLEET_BEACON = 4,
    FLEET_PERMIT = 5,
    FLEET_EXPIRE = 6, /* endpoint, family, release: its permit's deadline has passed */
    FLEET_MUTE = 7,   /* tenant, family, release: that tenant's votes on it do not count any more */
    FLEET_CLOSE = 8,  /* family, release: who failed with it failed alone; strikes are given */
    FLEET_REUSE =
        9, /* space (cohorts), name, cohort: a place that nothing needs has this name now */
};

struct fleet_record {
    enum fleet_record_type type;
    uint8_t space;
    char name[FLEET_JOURNAL_NAME_BYTES];
    uint8_t endpoint[16];
    uint16_t tenant;
    uint16_t ring;   /* FLEET_NO_NAME: none that is known */
    uint16_t cohort; /* 0: cohorts beyond the limit share this one */
    uint16_t family; /* FLEET_NO_NAME: none that is known */
    int64_t release;
    uint8_t sha256[32];
    int64_t generation;
    uint8_t kind; /* enum beacon_kind */
    uint8_t grade;
    uint8_t trust;  /* index of the word, and FLEET_TRUST_FLAGS */
    uint8_t before; /* beacons of the same request before this one, repeats included */
    bool same; /* sha256 is that of the watched release: it is not written, and not set when read */
    uint64_t number; /* of the permit; first 8 bytes of the beacon's id */
    int64_t now_s;
    int64_t deadline_s; /* wall clock; of a watch: length of a window */
    int64_t after_s;    /* of a watch: time after its permit at which an endpoint counts as aged */
};

RW_RC fleet_journal_put(struct rw_buf *batch, const struct fleet_record *r, struct rw_err *err);

struct fleet_journal_reader {
    struct rw_span rest;
    bool old; /* of a version before */
};
/* Fail with RW_E_PROTOCOL: another version, an unknown type, a cut record, a value outside its limits. */
RW_RC fleet_journal_open(struct rw_span batch, struct fleet_journal_reader *out,
                         struct rw_err *err);
/* Gives the next record, or *end_out true. */
RW_RC fleet_journal_next(struct fleet_journal_reader *r, struct fleet_record *out, bool *end_out,
                         struct rw_err *err);

#endif
