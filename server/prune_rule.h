/* prune_rule.h: may this file of a server go, or why does it stay?
 *
 * memory   values only
 * threads  pure
 * source   docs/server.md "Removing what nobody needs"
 */
#ifndef RINGWARD_PRUNE_RULE_H
#define RINGWARD_PRUNE_RULE_H

#include "server/release/release_rule.h"

enum prune_verdict {
    PRUNE_GO,       /* proven to be of no use, old enough */
    PRUNE_REFERRED, /* metadata that are or may still be in use name it; a root is always in use */
    PRUNE_YOUNG,    /* somebody may still be in the middle of it */
    PRUNE_FEW,      /* one of the newest few */
    PRUNE_OPEN,     /* its release is still on its way, or something is measured against it */
    PRUNE_UNKNOWN,  /* nothing is known about it, so nothing is proven */
    PRUNE_VERDICTS
};

struct prune_limits {
    int64_t now_s;
    int64_t age_s; /* >= 0 */
    int64_t keep;  /* >= 1: newest ones that stay whatever their age */
};

/* What the store says of a release. */
struct prune_release {
    bool known;
    int state; /* enum release_state, when known */
};

/* One version of a role of repo/metadata. */
struct prune_metadata {
    bool root;
    bool listed;        /* the snapshot in force lists the role, or it is the snapshot itself */
    int64_t version;    /* of this file */
    int64_t current;    /* version in force, when listed */
    int64_t newer;      /* files of the role with a higher version */
    int64_t replaced_s; /* when the next version was written */
};
enum prune_verdict prune_rule_metadata(const struct prune_limits *l,
                                       const struct prune_metadata *m);

/* The folder of one release in staging. */
struct prune_staging {
    struct prune_release release;
    bool
        listed; /* its payload, by metadata that stay: drills and checks ask for what is in place */
    bool checking; /* a release of the family is in the box now, perhaps beside this one */
    int64_t
        newer; /* published releases of the family above it that a later one is measured against */
    int64_t written_s;
};
enum prune_verdict prune_rule_staging(const struct prune_limits *l, const struct prune_staging *s);

/* One payload of repo/targets/content. */
struct prune_payload {
    struct prune_release release;
    bool listed; /* by any version of metadata that stays */
    int64_t written_s;
};
enum prune_verdict prune_rule_payload(const struct prune_limits *l, const struct prune_payload *p);

/* One difference of repo/targets/delta. */
struct prune_delta {
    bool wanted; /* the content that it leads to is listed, or its payload stays */
    int64_t written_s;
};
enum prune_verdict prune_rule_delta(const struct prune_limits *l, const struct prune_delta *d);

/* One policy of repo/targets/policy. */
struct prune_policy {
    bool listed; /* by any version of metadata that stays */
    int64_t written_s;
};
enum prune_verdict prune_rule_policy(const struct prune_limits *l, const struct prune_policy *p);

/* "old enough and of no use", "referred to", ...: for people. */
const char *prune_rule_why(enum prune_verdict verdict);

#endif
