/* poll.h: one poll: trusted metadata, decision per family, content, box, permit. Decides nothing about the
 * active set: it hands over what may be begun, and the loop begins it or not.
 *
 * A poll runs in a helper thread and touches nothing of the loop's but what the input copies to it.
 *
 * memory   struct poll owns trust store and HTTP clients; results are plain values
 * threads  one thread at a time
 * source   docs/architecture.md "The agent's way"; docs/trust.md "The agent's decision"
 */
#ifndef RINGWARD_POLL_H
#define RINGWARD_POLL_H

#include "agent/activate/slot.h"
#include "agent/fetch/clock_rule.h"
#include "agent/fetch/trust_store.h"
#include "common/box/box_self.h"
#include "common/box/verdict_codec.h"
#include "common/policy/control_codec.h"
#include "common/policy/entry_codec.h"

enum { POLL_ROLES_MAX = 24, POLL_TOKEN_BYTES = 512 };
enum { POLL_FAMILIES_MAX = MANIFEST_FAMILIES_MAX, POLL_TEXT_BYTES = 256, POLL_PATH_BYTES = 1024 };

/* What a missing loader is called in status and beacons (INV-12). */
#define POLL_NO_LOADER BEACON_NO_LOADER ", no dry run of the whole set"

struct http_share;

struct poll_options {
    const char *server;
    const char *ca_file;              /* NULL: the system's */
    const char *proxy;                /* NULL: as the environment says */
    int64_t download_bytes_per_s_max; /* 0: no limit */
    int64_t store_bytes_max;          /* 0: no budget */
    bool delta;                       /* differences may be asked for */
    const char *own_file;             /* the agent's settings: content must not match them */
    struct rw_wall built;             /* time of the build */
    struct rw_span root;              /* the installer's trusted root */
    int state_dir;                    /* borrowed */
    int store_dir;                    /* borrowed */
    const char *store_path;
    const char *state_path;
    struct http_share *http; /* see http_client.h; borrowed */
    const char *box_dir;
    const char *loader;             /* of the sensor, for dry runs of whole sets; "": none */
    const char *ring;               /* configured; "": computed */
    const struct control *controls; /* of the administrator; borrowed */
    size_t control_count;
    const char *platform;
    int64_t engine;
    int64_t clean_files;
    bool allow_weak; /* content may be proven in a sandbox of grade weak */
    bool drills;     /* this endpoint takes part in drills */
    int64_t bucket;
    const char (*families)[INSTALL_NAME_BYTES];
    size_t family_count;
    struct beacon_cohort cohort;
    const char *enrol_token_file;       /* "": none */
    const char *endpoint;               /* hex */
    char enrol_proof[DIGEST_HEX_BYTES]; /* agent_identity_proof */
    const char *cloned_from;            /* hex; "": this identity was not drawn for a copied disk */
    struct rw_clock clock;
};

enum poll_action {
    POLL_NONE,
    POLL_ACTIVATE, /* proven and permitted */
    POLL_REVERT,   /* to older content, which is in the store and proven */
    POLL_REMOVE,   /* the family's ring entry has gone */
};

/* How far the poll came with content that the install rule lets through. */
enum poll_stage {
    POLL_STAGE_NONE,   /* the install rule or a control keeps it: nothing was tried */
    POLL_STAGE_BUSY,   /* another change is under way, or the endpoint is not enrolled */
    POLL_STAGE_FETCH,  /* it is not in the store yet */
    POLL_STAGE_PROVE,  /* the box or the loader did not accept it */
    POLL_STAGE_PERMIT, /* the server gave no permit */
    POLL_STAGE_READY,  /* it may be switched to */
};

/* What one poll found for one family; also what `why` tells. */
struct poll_family {
    char family[INSTALL_NAME_BYTES];
    enum poll_action action;
    bool has_pointer;
    struct install_rule_pointer pointer; /* the ring's, or what controls put in its place */
    int64_t offered;                     /* release that the ring points at; 0: none */
    struct control_result control;       /* what controls make of it */
    char class_name[INSTALL_NAME_BYTES]; /* of what the ring points at; "": unknown */
    struct install_rule_content content;
    struct install_rule_expedite expedite;
    struct install_rule_state state; /* what the decision was made with */
    struct install_rule_result result;
    enum poll_stage stage;
    struct beacon_permit_answer permit; /* POLL_ACTIVATE */
    struct rw_mono permit_until;        /* POLL_ACTIVATE: end of its validity */
    bool refused;                       /* the box did not accept: to be reported now */
    bool unable;  /* of these: it could not try, which says nothing of the content */
    bool abandon; /* and never to be tried again */
    char verdict[VERDICT_REASON_BYTES + 40];
    char grade[8];
    char missing[POLL_TEXT_BYTES]; /* sandbox layers that are not there (INV-12) */
    char note[POLL_TEXT_BYTES];    /* what keeps it, in words; "" */
    int64_t retry_after_s;         /* negative: none */
    bool
        dropped; /* what is active is not listed any more: kept until the ring moves, and reported */
    bool withdrawn;        /* and it was withdrawn: never again once it is left */
    bool withdrawn_before; /* the previous set's content was withdrawn */
    uint8_t withdrawn_before_sha256[DIGEST_BYTES];
};

struct poll_input {
    struct manifest active;   /* a running trial included */
    struct manifest previous; /* proven before it */
    bool may_begin;           /* nothing is under way: permits may be asked for */
    uint8_t abandoned[INSTALL_ABANDONED_MAX][DIGEST_BYTES];
    size_t abandoned_count;
    uint8_t left[INSTALL_ABANDONED_MAX][DIGEST_BYTES];
    size_t left_count;
    struct control remote[CONTROL_MAX]; /* set by operators */
    size_t remote_count;
    bool renew_token;
    bool token_refused;
    struct manifest_entry wanted[MANIFEST_FAMILIES_MAX]; /* proven content that the disk lost */
    size_t wanted_count;
};

struct poll_output {
    bool ok;                     /* metadata are trusted and current */
    struct rw_err err;           /* why not */
    int64_t retry_after_s;       /* negative: none */
    bool answered;               /* the server answered something */
    enum clock_rule_state clock; /* INV-12 */
    struct rw_wall floor; /* has certainly passed: expiry is not judged by an earlier clock */
    bool store_full;      /* a download waits for room */
    char ring[INSTALL_NAME_BYTES]; /* "": unknown */
    bool ring_configured;
    int64_t
        bucket_lo; /* the ring's range of buckets, lo <= bucket < hi; both 0: by configuration only */
    int64_t bucket_hi;
    int64_t ring_spread_s;
    int64_t hard_min_s; /* of the policy */
    char trust[12];
    struct rw_wall expires;                       /* of the metadata behind the decisions */
    struct tuf_role_status roles[POLL_ROLES_MAX]; /* all that was loaded of them */
    size_t role_count;
    char token[512];                      /* endpoint token in force; "": not enrolled */
    struct control controls[CONTROL_MAX]; /* all that are set, in force or not */
    size_t control_count;
    bool has_limits;
    struct control_limits limits; /* has_limits */
    struct poll_family families[POLL_FAMILIES_MAX];
    size_t family_count;
};

struct poll;

RW_RC poll_open(const struct poll_options *o, struct poll **out, struct rw_err *err);
void poll_drop(struct poll **p);
/* The endpoint's token as far as it is known before the first poll; "": not enrolled. */
const char *poll_token(const struct poll *p);
/* Blocks for some seconds: does the box tell good from bad? Without a pass nothing new is proven (INV-5, INV-12). */
void poll_self_test(struct poll *p);
/* What the last self-test gave. */
const struct box_self *poll_self(const struct poll *p);
/* Blocks: network, box. Never fails: the output says how far it came. */
void poll_run(struct poll *p, const struct poll_input *in, struct poll_output *out);

const char *poll_action_name(enum poll_action a);
/* The last look before a switch (INV-7): decision, bake and expiry again, at this very moment. */
RW_RC poll_recheck(const struct poll_family *f, const struct poll_output *o, struct rw_wall now,
                   struct rw_err *err);

#endif
