/* sensor_codec.h: the one-line JSON datagrams that a sensor sends to its agent.
 *
 * memory   plain values
 * threads  no shared state
 * source   docs/protocol.md 10
 */
#ifndef RINGWARD_SENSOR_CODEC_H
#define RINGWARD_SENSOR_CODEC_H

#include "common/json/json_write.h"

enum {
    SENSOR_MESSAGE_BYTES_MAX = 1024,
    SENSOR_FAMILY_BYTES = 33,
    SENSOR_DETAIL_BYTES = 201,
    SENSOR_RULE_BYTES = 65
};

enum sensor_type { SENSOR_LOADED, SENSOR_ALIVE, SENSOR_STATS, SENSOR_SELFTEST, SENSOR_ERROR };

struct sensor_message {
    enum sensor_type type;
    int64_t generation; /* LOADED, ALIVE, STATS: rises with each load; STATS: 0: unknown */
    char family[SENSOR_FAMILY_BYTES]; /* LOADED; "": the empty set. STATS: of `rule` */
    int64_t release;                  /* LOADED; 0: the empty set */
    uint8_t sha256[32];               /* LOADED: of the bytes that were really compiled */
    bool ok;                          /* SELFTEST */
    int64_t detections;               /* STATS */
    int64_t scanned;
    int64_t cpu_ms;
    int64_t rss_kib;
    int64_t scan_us;                  /* STATS: processor time of scanning; 0: unknown */
    char rule[SENSOR_RULE_BYTES];     /* STATS: with the most detections since the load; "": none */
    int64_t rule_detections;          /* STATS: of that rule since the load */
    int64_t observed;                 /* STATS: not acted on since the load, for want of budget */
    char detail[SENSOR_DETAIL_BYTES]; /* ERROR */
};

/* Writes one message without a line end. Fails with RW_E_TOO_BIG. */
RW_RC sensor_write(const struct sensor_message *m, struct rw_buf *into, struct rw_err *err);
/* Strict: the sensor parses hostile files and is trusted no more than they are. */
RW_RC sensor_read(struct rw_span datagram, struct sensor_message *out, struct rw_err *err);

/* The other direction: the order to load, for sensors that are told by message. Fails with RW_E_TOO_BIG. */
RW_RC sensor_write_load(struct rw_buf *into, struct rw_err *err);
/* Is it that order, with or without a line end? Anything else is not understood, and must not be obeyed. */
bool sensor_is_load(struct rw_span datagram);

#endif
