/* fleet_book.h: who the simulated endpoints are: ids, buckets and tokens, all from one seed.
 *
 * memory   owns one record of fixed size per endpoint until fleet_book_drop
 * threads  no shared state
 * source   docs/protocol.md 5 (tokens), 7 (ids)
 */
#ifndef RINGWARD_FLEET_BOOK_H
#define RINGWARD_FLEET_BOOK_H

#include "common/crypto/digest.h"

enum {
    FLEET_BOOK_ID_BYTES = 16,
    FLEET_BOOK_TOKEN_BYTES = 160,
    FLEET_BOOK_ENDPOINTS_MAX = 100000000
};

/* A token is kept as the parts that differ between endpoints. */
struct fleet_member {
    uint8_t id[FLEET_BOOK_ID_BYTES];
    uint8_t mac[DIGEST_BYTES];
    int64_t issued_s; /* 0: no token yet */
    uint32_t beacons; /* made so far: their ids follow from it */
    uint16_t bucket;  /* 0..9999 */
};

struct fleet_book {
    struct fleet_member *at;
    size_t count;
    char enrol_token[FLEET_BOOK_TOKEN_BYTES];
    char tenant[40];
};

/* Makes `count` endpoints. The same seed gives the same endpoints, so that a later run can go on with them.
 * `enrol_token` is the token's text. Fails with RW_E_NOMEM, RW_E_SYNTAX (the token), RW_E_CRYPTO. */
RW_RC fleet_book_open(size_t count, int64_t seed, struct rw_span enrol_token,
                      struct fleet_book *out, struct rw_err *err);
void fleet_book_drop(struct fleet_book *b);
/* Takes the token out of an answer to an enrolment; it must be this endpoint's. Fails with RW_E_SYNTAX, RW_E_SCHEMA. */
RW_RC fleet_book_take_token(const struct fleet_book *b, struct fleet_member *m, struct rw_span body,
                            struct rw_err *err);
void fleet_book_token(const struct fleet_book *b, const struct fleet_member *m,
                      char dst[static FLEET_BOOK_TOKEN_BYTES]);

#endif
