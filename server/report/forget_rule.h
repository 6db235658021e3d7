/* forget_rule.h: may this record of the store go, since nobody decides anything by it any more?
 *
 * memory   values only
 * threads  pure
 * source   docs/server.md "Records that go"; numbers of releases are never used again, so releases themselves stay
 */
#ifndef RINGWARD_FORGET_RULE_H
#define RINGWARD_FORGET_RULE_H

#include <stdbool.h>
#include <stdint.h>

struct forget_limits {
    int64_t now_s;
    int64_t age_s; /* 0: nothing ever goes */
};

/* A token. One that is in force stays whatever its age. */
struct forget_token {
    bool revoked;
    int64_t revoked_s; /* 0: revoked before that was noted */
    bool once;         /* good for one endpoint until ... */
    int64_t until_s;   /* ... then */
};
bool forget_rule_token(const struct forget_limits *l, const struct forget_token *t);

/* An order: a withdrawal, a renewal, an expedite. */
struct forget_order {
    bool done;
    int64_t done_s;
    int64_t until_s; /* an expedite is in force until then; 0: no expedite */
};
bool forget_rule_order(const struct forget_limits *l, const struct forget_order *o);

/* A request for a second person. */
struct forget_request {
    bool decided;
    int64_t decided_s;
    int64_t until_s; /* lapses then */
};
bool forget_rule_request(const struct forget_limits *l, const struct forget_request *r);

/* What the box said of a release, and the document that was signed. */
struct forget_release {
    bool over;   /* published, refused or withdrawn: it is neither checked nor signed again */
    bool listed; /* by the metadata in force */
    int64_t created_s;
};
bool forget_rule_release(const struct forget_limits *l, const struct forget_release *r);

/* Newer complete rollouts of a family with a higher number that must be there before an older one goes: more than the
 * history that norms are made of (50), and than a content role lists (16). Below them nothing can be started, rolled
 * back to, pinned or lagged behind at. */
enum { FORGET_NEWER_ROLLOUTS = 64 };

struct forget_rollout {
    bool over;       /* complete or rolled back */
    int64_t ended_s; /* 0: not yet */
    int64_t newer;   /* as above */
};
bool forget_rule_rollout(const struct forget_limits *l, const struct forget_rollout *r);

#endif
