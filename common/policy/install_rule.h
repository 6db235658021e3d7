/* install_rule.h: may this endpoint install this content now? The one decision that agent and signer share.
 *
 * Installing needs the ring's pointer AND the offline-signed content entry, equal in length, hash, release and
 * family, a ring that the endpoint computed by itself, and the passing of the signed bake time (INV-7). A third
 * document, signed offline by duty officers, may shorten the bake to the policy's hard minimum and does nothing else.
 *
 * memory   values only
 * threads  pure
 * source   docs/trust.md "The agent's decision", "Expedite", "Withdrawal"
 */
#ifndef RINGWARD_INSTALL_RULE_H
#define RINGWARD_INSTALL_RULE_H

#include "common/base/clock.h"

enum {
    INSTALL_NAME_BYTES = 33,
    INSTALL_HASH_BYTES = 32,
    INSTALL_ABANDONED_MAX = 16,
    INSTALL_DRILL_LIFE_S =
        86400, /* a drill is over so long after it was signed, whoever still points at it */
};

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
    bool
        drill; /* a rehearsal: loaded, reported as failed, left again; never what a host stays on */
    /* --- what the role says besides the entry (entry_list.h) --- */
    int64_t floor;                /* releases below are never installed again; 0: none */
    bool withdrawn;               /* these very bytes were withdrawn, under whatever number */
    struct rw_wall signed_before; /* latest signed_at of the listed releases with lower numbers */
};

/* What expedite/FAMILY/RELEASE says to one ring; `listed` false: there is none that can be trusted now. */
struct install_rule_expedite {
    bool listed;
    char family[INSTALL_NAME_BYTES];
    int64_t release;
    int64_t length;
    uint8_t sha256[INSTALL_HASH_BYTES];
    bool names_ring;
    struct rw_wall not_before;
    struct rw_wall until;   /* it has no effect from then on */
    struct rw_wall expires; /* of the role */
};

struct install_rule_state {
    char ring[INSTALL_NAME_BYTES]; /* computed at the endpoint, never told by the server */
    char family[INSTALL_NAME_BYTES];
    int64_t installed;          /* release that is active; 0: none */
    int64_t engine;             /* version of the endpoint's engine */
    int64_t min_bake_s;         /* policy: of this class in this ring */
    int64_t hard_min_s;         /* policy: from signing to install, whatever was expedited */
    int64_t expedite_longest_s; /* policy: an expedite that wants more time has no effect */
    int64_t engine_skew_max;    /* policy: widest engine range of a release; negative: any */
    bool drills;                /* this endpoint takes part in drills */
    int64_t spread_s;           /* this endpoint's place in the ring's spread */
    bool
        held; /* these very bytes were active on this endpoint before: going back to them needs no bake */
    uint8_t abandoned[INSTALL_ABANDONED_MAX][INSTALL_HASH_BYTES]; /* failed here: never again */
    size_t abandoned_count;
    uint8_t left[INSTALL_ABANDONED_MAX][INSTALL_HASH_BYTES]; /* left by the ring's order */
    size_t left_count;
};

enum install_rule_decision {
    INSTALL_NOTHING, /* up to date */
    INSTALL_WAIT,    /* bake or spread not over: see not_before */
    INSTALL_HOLD,    /* the ring is on hold */
    INSTALL_REFUSE,  /* a trust rule forbids it */
    INSTALL_GO,      /* fetch, prove, ask for a permit, activate */
    INSTALL_REVERT, /* back to an older, still listed release: no permit; no bake where it ran before */
};

enum { INSTALL_REASON_BYTES = 160 };

struct install_rule_result {
    enum install_rule_decision decision;
    struct rw_wall not_before; /* earliest install; set for WAIT and GO */
    bool expedited;            /* it is earlier than the bake, by an expedite */
    char reason[INSTALL_REASON_BYTES];
};

/* All rules in order; the reason names the first that decides. */
struct install_rule_result install_rule_decide(const struct install_rule_pointer *p,
                                               const struct install_rule_content *c,
                                               const struct install_rule_expedite *x,
                                               const struct install_rule_state *s,
                                               struct rw_wall now);

/* --- the same rules one by one, for those who ask why --- */

enum install_rule_bar {
    INSTALL_BAR_AGREES, /* pointer and content say the same */
    INSTALL_BAR_PLATFORM,
    INSTALL_BAR_ENGINE,
    INSTALL_BAR_FLOOR,
    INSTALL_BAR_WITHDRAWN,
    INSTALL_BAR_BAD_LIST, /* failed here */
    INSTALL_BAR_LEFT,     /* left by the ring's order */
    INSTALL_BAR_DRILL,
    INSTALL_BAR_HOLD,   /* of the ring */
    INSTALL_BAR_SIGNED, /* not dated back */
    INSTALL_BAR_COUNT,
};

/* What this one rule has against the release, in the words of install_rule_decide; NULL: nothing. */
const char *install_rule_barred_by(enum install_rule_bar bar, const struct install_rule_pointer *p,
                                   const struct install_rule_content *c,
                                   const struct install_rule_state *s, struct rw_wall now);

struct install_rule_times {
    bool valid;               /* the entry has a bake time for this ring */
    struct rw_wall bake;      /* its end, spread not counted */
    struct rw_wall spread;    /* this endpoint's turn behind it */
    bool expedite;            /* one is in force for exactly this content in this ring ... */
    struct rw_wall expedited; /* ... and lets it begin then, its share of the spread counted */
};
struct install_rule_times install_rule_times(const struct install_rule_content *c,
                                             const struct install_rule_expedite *x,
                                             const struct install_rule_state *s,
                                             struct rw_wall now);

/* Whether an expedite could change the decision: the bake is what keeps the release, or what kept it. */
bool install_rule_wants_expedite(const struct install_rule_result *r);
const char *install_rule_name(enum install_rule_decision d);

/* Bucket 0..9999 of an endpoint: the first 8 bytes of the SHA-256 of its local random salt. */
int64_t install_rule_bucket(const uint8_t salt_sha256[static INSTALL_HASH_BYTES]);
/* Linear place of a bucket inside its ring's range, times the ring's spread. */
int64_t install_rule_spread_s(int64_t bucket, int64_t bucket_lo, int64_t bucket_hi,
                              int64_t spread_s);

#endif
