/* release.h: the release domain: draft -> checking -> checked -> approved -> published.
 *
 * Every verb takes plain arguments, does one transaction that holds state and audit record (INV-9), and appends
 * the release object of docs/protocol.md 8 to `out`. The caller (HTTP side) checks roles and sizes.
 *
 * memory   a domain borrows everything in it; objects are appended to buffers of the caller
 * threads  the server's core thread; the box itself runs elsewhere, between release_begin_check and
 *          release_record_check
 * source   docs/protocol.md 8
 */
#ifndef RINGWARD_RELEASE_H
#define RINGWARD_RELEASE_H

#include "server/release/release_codec.h"
#include "server/release/release_index.h"
#include "server/release/release_stage.h"
#include "server/store/store.h"

/* How an approved content role becomes public: the checking signer, then the files. release_signer.h gives the
 * real one. */
struct release_publisher {
    /* Puts the payload where agents will find it, durably. Any thread. Succeeds again. */
    RW_RC (*place)(void *ctx, const struct release_place *payload, struct rw_err *err);
    /* A content role, whose new payload was placed, or the expedite role. Succeeds again when it was published
     * before. */
    RW_RC(*publish_role)
    (void *ctx, const char *family, struct rw_span envelope, struct rw_err *err);
    RW_RC (*publish_expedite)(void *ctx, struct rw_span envelope, struct rw_err *err);
    void *ctx;
};

struct release_domain {
    struct store *store;
    int staging_dir; /* DIR/staging */
    int repo_dir;    /* DIR/repo */
    struct rw_clock clock;
    struct release_publisher publisher;
    struct release_index *index; /* borrowed; of a shared store kept by release_take, too */
    /* What of the family is in place: the release of its newest complete rollout; 0: none. NULL: nobody knows. */
    int64_t (*in_place)(const void *ctx, const char *family);
    /* Whether this release was halted. NULL: nobody knows. */
    bool (*halted)(const void *ctx, const struct release_id *id);
    const void *rollouts; /* of both */
};

/* What the box needs, and what its verdict must speak of. */
struct release_check_job {
    struct release_id id;
    char payload_path[RELEASE_PATH_BYTES]; /* relative to the staging directory */
    char samples_path[RELEASE_PATH_BYTES]; /* "": no samples */
    char payload_sha256[DIGEST_HEX_BYTES];
    char before_path
        [RELEASE_PATH_BYTES]; /* payload of the release that new content is measured against; "": none */
    int64_t before_steps; /* releases from that one to this */
};

/* What the rollout side needs to know of a release. */
struct release_facts {
    int state; /* enum release_state */
    char class_name[RELEASE_NAME_BYTES];
    int64_t bytes;
    char sha256[DIGEST_HEX_BYTES];
    bool unchecked;
};

/* POST /v1/releases. The number is one above every release the family ever had.
 * Fails with RW_E_SCHEMA, RW_E_RANGE, RW_E_TUF_ROLE (family not delegated). */
RW_RC release_create(struct release_domain *d, const char *author, struct rw_span body,
                     struct rw_buf *out, struct rw_err *err);
/* POST .../payload and .../samples: where the bytes belong. They are written by release_stage_write, on whichever
 * thread, then release_upload_take has them recorded. Fails with RW_E_POLICY (not a draft, no samples declared). */
RW_RC release_upload_place(struct release_domain *d, const struct release_id *id,
                           enum release_part part, struct release_place *out, struct rw_err *err);
/* Looks at everything anew: the release may have moved on while its bytes were written. *check_wanted_out: all is
 * here, call release_begin_check and run the box. Fails as release_upload_place. */
RW_RC release_upload_take(struct release_domain *d, const struct release_place *at,
                          bool *check_wanted_out, struct rw_buf *out, struct rw_err *err);
/* Fails with RW_E_POLICY unless the release is in state checking. Changes nothing. */
RW_RC release_begin_check(struct release_domain *d, const struct release_id *id,
                          struct release_check_job *job_out, struct rw_err *err);
/* Takes the box's verdict object into the record. A verdict that is not final, or none at all (empty span),
 * brings the release back to draft: sending the payload again starts the check again (INV-3).
 * Fails with RW_E_SCHEMA, RW_E_TUF_HASH (a verdict about other bytes): the release stays in checking then. */
RW_RC release_record_check(struct release_domain *d, const struct release_id *id,
                           struct rw_span verdict, struct rw_buf *out, struct rw_err *err);
/* After a start: calls `each` for every release whose check was cut off. */
RW_RC release_each_checking(struct release_domain *d,
                            RW_RC (*each)(void *arg, const struct release_check_job *job,
                                          struct rw_err *err),
                            void *arg, struct rw_err *err);
/* GET .../tosign: appends the document. Made when first asked for; made anew, without the signatures so far,
 * when the content role or the policy changed meanwhile. */
RW_RC release_tosign(struct release_domain *d, const struct release_id *id, struct rw_buf *out,
                     struct rw_err *err);
/* POST .../signatures. Fails with RW_E_TUF_THRESHOLD (not valid), RW_E_TUF_ROLE (not an engineer's key),
 * RW_E_STALE (the document changed meanwhile: it was made anew and has no signatures). */
RW_RC release_sign(struct release_domain *d, const struct release_id *id, const char *by,
                   struct rw_span body, struct rw_buf *out, struct rw_err *err);
/* Before a publication: the payload that publisher.place has to put into the repository, on whichever thread;
 * *wanted_out false: it was published before. Fails as release_publish. */
RW_RC release_publish_place(struct release_domain *d, const struct release_id *id, const char *by,
                            struct release_place *out, bool *wanted_out, struct rw_err *err);
/* POST .../publish, with the payload placed; looks at everything anew. Publishing twice succeeds. Fails with
 * RW_E_POLICY (not approved), RW_E_STALE, RW_E_TUF_HASH (the signer does not find the payload). */
RW_RC release_publish(struct release_domain *d, const struct release_id *id, const char *by,
                      struct rw_buf *out, struct rw_err *err);
/* Gives up a release that was never published. */
RW_RC release_abandon(struct release_domain *d, const struct release_id *id, const char *by,
                      const char *reason, struct rw_buf *out, struct rw_err *err);

/* --- views. `published`: for those who may know only of what endpoints may have; any other release is to them one
 * that there is not, in the same words (INV-11) --- */
/* Fails with RW_E_NOT_FOUND. */
RW_RC release_show(struct release_domain *d, const struct release_id *id, bool published,
                   struct rw_buf *out, struct rw_err *err);
/* Which releases, and from where on. */
struct release_page {
    char family[RELEASE_NAME_BYTES]; /* "": all */
    int state;                       /* enum release_state; -1: all */
    struct release_id after;         /* number 0: from the beginning */
    bool newest_first;
    bool published; /* only what endpoints may have */
    int64_t limit;  /* 1..RELEASE_PAGE_MAX */
};
enum { RELEASE_PAGE_MAX = 1000, RELEASE_PAGE_BYTES = 4 * 1024 * 1024 };
/* {"releases":[...],"next":"FAMILY/NUMBER"?} in order of family and number, or the other way round: what follows
 * `after`. A page ends behind RELEASE_PAGE_BYTES, too. `next` is there when more may follow. */
RW_RC release_list(struct release_domain *d, const struct release_page *page, struct rw_buf *out,
                   struct rw_err *err);
/* Shared stores: a document of kind "release" that another node wrote. Fails as reading it. */
RW_RC release_take(struct release_domain *d, const struct store_doc *doc, struct rw_err *err);
/* Fails with RW_E_NOT_FOUND. */
RW_RC release_find(struct release_domain *d, const struct release_id *id,
                   struct release_facts *facts_out, struct rw_err *err);
/* GET .../payload: what release_stage_open opens, on whichever thread. Fails with RW_E_NOT_FOUND. */
RW_RC release_payload_place(struct release_domain *d, const struct release_id *id, bool published,
                            struct release_place *out, struct rw_err *err);
/* How many there are. */
RW_RC release_count(struct release_domain *d, bool published, int64_t *out, struct rw_err *err);

#endif
