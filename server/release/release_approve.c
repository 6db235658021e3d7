/* From checked to published: the document, its signatures, the signer (release.h). */
#include "common/json/json_canon.h"
#include "common/tuf/tuf_write.h"
#include "server/release/approval_rule.h"
#include "server/release/release_record.h"
#include "server/release/release_tosign.h"

#include <stdio.h>
#include <string.h>

/* Of the canonical form and of the envelope: the document and what stands around it. */
#define CANON_BYTES_MAX ((size_t)2 * RELEASE_TOSIGN_BYTES_MAX)

/* A release and the repository that its document must fit. */
struct session {
    struct release_domain *d;
    struct release r;
    struct release_repo repo;
    struct rw_wall now;
};

static void session_drop(struct session *s)
{
    release_drop(&s->r);
    release_repo_drop(&s->repo);
}

static RW_RC open_session(struct release_domain *d, const struct release_id *id, struct session *s,
                          struct rw_err *err)
{
    s->d = d;
    s->now = rw_clock_wall(&d->clock);
    RW_TRY(release_record_load(d, id, &s->r, err));
    return release_repo_read(d->repo_dir, id->family, &s->repo, err);
}

static struct session session_make(void)
{
    return (struct session){.r = release_make()};
}

/* --- the document --- */
static RW_RC make_anew(struct session *s, const char *by, const char *why, struct rw_err *err)
{
    struct release *r = &s->r;
    rw_buf_clear(&r->tosign);
    RW_TRY(release_tosign_write(&s->repo, r, s->now, &r->tosign, err));
    r->signature_count = 0;
    r->base_version = s->repo.content.version;
    r->threshold = s->repo.authority.threshold;
    rw_copy(r->policy_sha256, sizeof(r->policy_sha256), s->repo.policy_sha256,
            sizeof(s->repo.policy_sha256));
    if (r->state == RELEASE_APPROVED) {
        RW_TRY(sm_move(&release_rule_states, &r->state, RELEASE_CHECKED, err));
    }
    const struct release_record_act act = {.actor = by, .action = "release.tosign", .reason = why};
    return release_record_save(s->d, r, &act, err);
}

static bool is_signable(const struct release *r)
{
    return r->state == RELEASE_CHECKED || r->state == RELEASE_APPROVED;
}

/* The document fits, or it was made anew and the caller is told (RW_E_STALE). */
static RW_RC require_fit(struct session *s, const char *by, struct rw_err *err)
{
    const char *why = NULL;
    RW_TRY(release_tosign_fits(&s->repo, &s->r, s->now, &why, err));
    if (why == NULL) { return RW_OK; }
    RW_TRY(make_anew(s, by, why, err));
    RW_IGNORE(rw_fail(err, RW_E_STALE, "%s: the document was made anew and has no signatures", why),
              "the hint follows");
    return rw_hint(err, "fetch it again (release sign does) and sign that one");
}

RW_RC release_tosign(struct release_domain *d, const struct release_id *id, struct rw_buf *out,
                     struct rw_err *err)
{
    const char *why = NULL;
    RW_AUTO(session) struct session s = session_make();
    RW_TRY(open_session(d, id, &s, err));
    RW_TRY(
        release_record_require(&s.r, is_signable(&s.r), "only checked releases are signed", err));
    RW_TRY(release_tosign_fits(&s.repo, &s.r, s.now, &why, err));
    if (why != NULL) { RW_TRY(make_anew(&s, "server", why, err)); }
    return rw_buf_append(out, rw_buf_span(&s.r.tosign), err);
}

/* --- signatures --- */
static RW_RC check_signature(const struct session *s, const struct release_signature *sig,
                             struct rw_err *err)
{
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(rw_buf) struct rw_buf canon = rw_buf_make(CANON_BYTES_MAX);
    RW_TRY(json_parse(rw_buf_span(&s->r.tosign), &json_limits_metadata, &tree, err));
    RW_TRY(json_canon(tree, &canon, err));
    return tuf_sigset_check_one(&s->repo.authority, rw_span_str(sig->keyid), rw_buf_span(&canon),
                                rw_span_str(sig->sig_hex), err);
}

/* Every stored signature was verified; here they become votes of distinct public keys. */
static struct approval_rule_result approval(const struct session *s)
{
    struct approval_rule_signature votes[RELEASE_SIGNATURES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s->r.signature_count; i++) {
        const struct release_signature *sig = &s->r.signatures[i];
        for (size_t k = 0; k < s->repo.authority.count; k++) {
            if (strcmp(s->repo.authority.keys[k].id, sig->keyid) != 0) { continue; }
            votes[n++] =
                (struct approval_rule_signature){.voter = s->repo.authority.voter[k],
                                                 .by_author = strcmp(sig->by, s->r.author) == 0};
            break;
        }
    }
    return approval_rule_decide(votes, n, s->repo.authority.threshold);
}

static bool has_signed(const struct release *r, const char *keyid)
{
    for (size_t i = 0; i < r->signature_count; i++) {
        if (strcmp(r->signatures[i].keyid, keyid) == 0) { return true; }
    }
    return false;
}

static RW_RC keep_signature(struct session *s, const struct release_signature *sig,
                            struct rw_err *err)
{
    struct release *r = &s->r;
    char reason[64];
    char details[DIGEST_HEX_BYTES + 16];
    if (r->signature_count == RELEASE_SIGNATURES_MAX) {
        return rw_fail(err, RW_E_RANGE, "a release takes %d signatures at most",
                       RELEASE_SIGNATURES_MAX);
    }
    r->signatures[r->signature_count++] = *sig;
    const struct approval_rule_result a = approval(s);
    if (a.approved && r->state == RELEASE_CHECKED) {
        RW_TRY(sm_move(&release_rule_states, &r->state, RELEASE_APPROVED, err));
    }
    (void)snprintf(reason, sizeof(reason), "%lld of %lld", (long long)a.votes, (long long)a.needed);
    (void)snprintf(details, sizeof(details), "{\"keyid\":\"%s\"}", sig->keyid);
    const struct release_record_act act = {.actor = sig->by,
                                           .action = "release.sign",
                                           .reason = reason,
                                           .details = rw_span_str(details)};
    return release_record_save(s->d, r, &act, err);
}

RW_RC release_sign(struct release_domain *d, const struct release_id *id, const char *by,
                   struct rw_span body, struct rw_buf *out, struct rw_err *err)
{
    struct release_signature sig;
    RW_AUTO(session) struct session s = session_make();
    RW_TRY(release_read_signature(body, &sig, err));
    RW_TRY(rw_span_to_str(sig.by, sizeof(sig.by), rw_span_str(by), "name", err));
    RW_TRY(open_session(d, id, &s, err));
    RW_TRY(
        release_record_require(&s.r, is_signable(&s.r), "only checked releases are signed", err));
    RW_TRY(require_fit(&s, by, err));
    RW_TRY(check_signature(&s, &sig, err));
    /* The same key again says nothing new. */
    if (!has_signed(&s.r, sig.keyid)) { RW_TRY(keep_signature(&s, &sig, err)); }
    return release_record_answer(&s.r, out, err);
}

/* --- publishing --- */
static RW_RC hand_to_publisher(const struct session *s, struct rw_err *err)
{
    struct tuf_write_sig sigs[RELEASE_SIGNATURES_MAX];
    RW_AUTO(rw_buf) struct rw_buf envelope = rw_buf_make(CANON_BYTES_MAX);
    for (size_t i = 0; i < s->r.signature_count; i++) {
        rw_copy(sigs[i].keyid, sizeof(sigs[i].keyid), s->r.signatures[i].keyid,
                sizeof(s->r.signatures[i].keyid));
        rw_copy(sigs[i].sig_hex, sizeof(sigs[i].sig_hex), s->r.signatures[i].sig_hex,
                sizeof(s->r.signatures[i].sig_hex));
    }
    RW_TRY(tuf_write_envelope_of(rw_buf_span(&s->r.tosign), sigs, s->r.signature_count, &envelope,
                                 err));
    const struct release_publisher *p = &s->d->publisher;
    return p->publish_role(p->ctx, s->r.id.family, rw_buf_span(&envelope), err);
}

/* Whether there is something to publish, and that it may be. */
static RW_RC require_publishable(struct session *s, const char *by, bool *wanted_out,
                                 struct rw_err *err)
{
    *wanted_out = false;
    if (s->r.state == RELEASE_PUBLISHED) { return RW_OK; }
    RW_TRY(
        release_record_require(&s->r, s->r.state == RELEASE_APPROVED, "it lacks signatures", err));
    /* A crash between the repository and the store: what is listed already is only recorded. */
    if (release_repo_lists(&s->repo, &s->r.id, s->r.payload.sha256)) { return RW_OK; }
    *wanted_out = true;
    return require_fit(s, by, err);
}

RW_RC release_publish_place(struct release_domain *d, const struct release_id *id, const char *by,
                            struct release_place *out, bool *wanted_out, struct rw_err *err)
{
    RW_AUTO(session) struct session s = session_make();
    RW_TRY(open_session(d, id, &s, err));
    RW_TRY(require_publishable(&s, by, wanted_out, err));
    *out = release_record_place(d, &s.r, RELEASE_PAYLOAD);
    return RW_OK;
}

RW_RC release_publish(struct release_domain *d, const struct release_id *id, const char *by,
                      struct rw_buf *out, struct rw_err *err)
{
    RW_AUTO(session) struct session s = session_make();
    bool wanted = false;
    RW_TRY(open_session(d, id, &s, err));
    RW_TRY(require_publishable(&s, by, &wanted, err));
    if (s.r.state == RELEASE_PUBLISHED) { return release_record_answer(&s.r, out, err); }
    if (wanted) { RW_TRY(hand_to_publisher(&s, err)); }
    RW_TRY(sm_move(&release_rule_states, &s.r.state, RELEASE_PUBLISHED, err));
    const struct release_record_act act = {
        .actor = by, .action = "release.publish", .reason = s.r.unchecked ? s.r.reason : ""};
    RW_TRY(release_record_save(d, &s.r, &act, err));
    return release_record_answer(&s.r, out, err);
}
