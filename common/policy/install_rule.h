/* install_rule.h: may this endpoint install this content now? The one decision that agent and signer share.
 *
 * Installing needs the ring's pointer AND the offline-signed content entry, equal in length, hash, release and
 * family, a ring that the endpoint computed by itself, and the passing of the signed bake time (INV-7).
 *
 * memory   values only
 * threads  pure
 * source   docs/trust.md "The agent's decision"
 */
#ifndef RINGWARD_INSTALL_RULE_H
#define RINGWARD_INSTALL_RULE_H

#include "common/base/clock.h"

enum { INSTALL_NAME_BYTES = 33, INSTALL_HASH_BYTES = 32, INSTALL_ABANDONED_MAX = 16 };

/* What rings/RING/FAMILY says. */
struct install_rule_pointer {
    char ring[INSTALL_NAME_BYTES];
    char family[INSTALL_NAME_BYTES];
    int64_t release;
    int64_t length;
    uint8_t sha256[INSTALL_HASH_BYTES];
    bool hold; /* state "hold": nothing new begins */
};

/* What content/FAMILY/RELEASE.rwc says; `listed` false: the content role does not list it. */
struct install_rule_content {
    bool listed;
    char family[INSTALL_NAME_BYTES];
    int64_t release;
    int64_t length;
    uint8_t sha256[INSTALL_HASH_BYTES];
    struct rw_wall signed_at;
    bool has_not_before; /* the entry names this ring; without it the entry refuses (fail closed) */
    struct rw_wall not_before; /* for this ring */
    int64_t engine_min;
    int64_t engine_max;
    bool platform_fits;
};

struct install_rule_state {
    char ring[INSTALL_NAME_BYTES]; /* computed at the endpoint, never told by the server */
    char family[INSTALL_NAME_BYTES];
    int64_t installed;  /* release that is active; 0: none */
    int64_t engine;     /* version of the endpoint's engine */
    int64_t min_bake_s; /* policy: of this class in this ring */
    int64_t spread_s;   /* this endpoint's place in the ring's spread */
    uint8_t abandoned[INSTALL_ABANDONED_MAX][INSTALL_HASH_BYTES]; /* failed here: never again */
    size_t abandoned_count;
};

enum install_rule_decision {
    INSTALL_NOTHING, /* up to date */
    INSTALL_WAIT,    /* bake or spread not over: see not_before */
    INSTALL_HOLD,    /* the ring is on hold */
    INSTALL_REFUSE,  /* a trust rule forbids it */
    INSTALL_GO,      /* fetch, prove, ask for a permit, activate */
    INSTALL_REVERT,  /* back to an older, still listed release: no bake, no permit */
};

enum { INSTALL_REASON_BYTES = 160 };

struct install_rule_result {
    enum install_rule_decision decision;
    struct rw_wall not_before; /* earliest install; set for WAIT and GO */
    char reason[INSTALL_REASON_BYTES];
};

/* All rules in order; the reason names the first that decides. */
struct install_rule_result install_rule_decide(const struct install_rule_pointer *p,
                                               const struct install_rule_content *c,
                                               const struct install_rule_state *s,
                                               struct rw_wall now);
const char *install_rule_name(enum install_rule_decision d);

/* Bucket 0..9999 of an endpoint: the first 8 bytes of the SHA-256 of its local random salt. */
int64_t install_rule_bucket(const uint8_t salt_sha256[static INSTALL_HASH_BYTES]);
/* Linear place of a bucket inside its ring's range, times the ring's spread. */
int64_t install_rule_spread_s(int64_t bucket, int64_t bucket_lo, int64_t bucket_hi,
                              int64_t spread_s);

#endif
