#include "server/cli/cmd_release_paper.h"

#include "common/json/json_canon.h"
#include "common/policy/entry_list.h"

#include <string.h>

enum {
    ENTRY_BYTES_MAX = 64 * 1024,
    LIFE_S_MAX = 15 * 86400, /* roles that people sign live 14 days at most */
    CLOCK_SLACK_S = 600,
    DATED_AHEAD_S_MAX = 86400,
};

static const struct json *entries_of(const struct tuf_doc *doc)
{
    return doc == NULL || doc->tree == NULL ? NULL : json_find(doc->signed_part, "targets");
}

static RW_RC own_path(const struct cmd_release_paper *want, char dst[static TUF_PATH_BYTES],
                      struct rw_err *err)
{
    dst[0] = '\0';
    if (want->kind == CMD_RELEASE_PAPER_RENEW) { return RW_OK; }
    if (want->kind == CMD_RELEASE_PAPER_EXPEDITE) {
        return entry_codec_expedite_path(want->family, want->release, dst, err);
    }
    return entry_codec_content_path(want->family, want->release, dst, err);
}

/* --- the document as a whole --- */
static RW_RC check_head(const struct cmd_release_paper *want, const struct json *doc,
                        const struct tuf_doc *published, struct rw_err *err)
{
    static const char *const known[] = {"_type",   "spec_version", "version",      "expires",
                                        "targets", "ringward",     TUF_MADE_MEMBER};
    struct rw_span text;
    struct rw_wall expires;
    int64_t version = 0;
    int64_t before = published == NULL || published->tree == NULL ? 0 : published->version;
    RW_TRY(json_get_span(doc, "_type", &text, err));
    if (!rw_span_is(text, "targets") || !rw_is_ok(json_only(doc, known, RW_LEN(known), err))) {
        return rw_fail(err, RW_E_TRUST_RULE,
                       "the server asks to sign something else than was asked for");
    }
    RW_TRY(json_get_int(doc, "version", 1, RW_JSON_INT_MAX, &version, err));
    RW_TRY(json_get_span(doc, "expires", &text, err));
    RW_TRY(rw_wall_parse(text, "expires", &expires, err));
    if (version != before + 1) {
        return rw_fail(err, RW_E_TRUST_RULE, "the document has version %lld, %lld is published",
                       (long long)version, (long long)before);
    }
    if (expires.s > want->root_expires.s) {
        RW_IGNORE(rw_fail(err, RW_E_TRUST_RULE, "the document would live until %.*s, after root",
                          (int)text.n, text.p),
                  "hint");
        return rw_hint(err, "the server proposes what its signer refuses: has root changed?");
    }
    if (expires.s > want->now.s && expires.s <= want->now.s + LIFE_S_MAX) { return RW_OK; }
    return rw_fail(err, RW_E_TRUST_RULE, "the document would live until %.*s", (int)text.n, text.p);
}

static RW_RC is_same(const struct json *a, const struct json *b, bool *out, struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make(ENTRY_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf two = rw_buf_make(ENTRY_BYTES_MAX);
    RW_TRY(json_canon(a, &one, err));
    RW_TRY(json_canon(b, &two, err));
    *out = rw_span_eq(rw_buf_span(&one), rw_buf_span(&two));
    return RW_OK;
}

/* Every entry but the own one is published already, byte for byte in its canonical form. */
static RW_RC check_others(const struct json *targets, const struct tuf_doc *published,
                          const char *own, struct rw_err *err)
{
    const struct json *had = entries_of(published);
    for (const struct json *e = json_first(targets); e != NULL; e = json_next(e)) {
        char path[TUF_PATH_BYTES];
        bool same = false;
        RW_TRY(rw_span_to_str(path, sizeof(path), json_name(e), "target path", err));
        if (strcmp(path, own) == 0) { continue; }
        const struct json *before = had == NULL ? NULL : json_find(had, path);
        if (before != NULL) { RW_TRY(is_same(before, e, &same, err)); }
        if (same) { continue; }
        return rw_fail(err, RW_E_TRUST_RULE,
                       "the document changes '%s' as well, which nobody asked for", path);
    }
    return RW_OK;
}

static bool is_below(const struct json *entry, int64_t floor)
{
    struct rw_err unused;
    struct tuf_target t;
    struct install_rule_content c;
    char class_name[INSTALL_NAME_BYTES];
    return rw_is_ok(tuf_target_read(entry, "", 0, &t, &unused)) &&
           rw_is_ok(entry_codec_read_content(&t, "", "", &c, class_name, &unused)) &&
           c.release < floor;
}

/* Nothing has left but what was meant to. */
static RW_RC check_kept(const struct json *targets, const struct tuf_doc *published,
                        const char *own, int64_t floor, struct rw_err *err)
{
    const struct json *had = entries_of(published);
    for (const struct json *e = had == NULL ? NULL : json_first(had); e != NULL; e = json_next(e)) {
        char path[TUF_PATH_BYTES];
        RW_TRY(rw_span_to_str(path, sizeof(path), json_name(e), "target path", err));
        if (strcmp(path, own) == 0 || json_find(targets, path) != NULL || is_below(e, floor)) {
            continue;
        }
        return rw_fail(err, RW_E_TRUST_RULE, "the document drops '%s' as well", path);
    }
    return RW_OK;
}

/* --- content roles --- */
static RW_RC check_date(const struct cmd_release_paper *want, const struct tuf_target *t,
                        struct rw_err *err)
{
    struct install_rule_content c;
    char class_name[INSTALL_NAME_BYTES];
    char text[RW_TIME_TEXT_BYTES];
    RW_TRY(entry_codec_read_content(t, "", "", &c, class_name, err));
    /* Endpoints leave a drill again: a release that says so by stealth would never stay, nor a drill without it go. */
    if (c.drill != want->drill) {
        RW_IGNORE(rw_fail(err, RW_E_TRUST_RULE, "the document says that this is %s drill",
                          c.drill ? "a" : "no"),
                  "hint");
        return rw_hint(err, c.drill ? "sign a drill with --drill, if it is meant to be one"
                                    : "--drill signs drills only");
    }
    if (c.signed_at.s >= want->now.s - CLOCK_SLACK_S &&
        c.signed_at.s <= want->now.s + DATED_AHEAD_S_MAX) {
        return RW_OK;
    }
    rw_wall_format(text, c.signed_at);
    RW_IGNORE(rw_fail(err, RW_E_TRUST_RULE,
                      "the document dates the release %s; this machine's clock disagrees", text),
              "hint");
    return rw_hint(err, "an old date is a bake that is over unseen: compare the clocks");
}

static RW_RC check_release(const struct cmd_release_paper *want, const struct json *targets,
                           const char *own, struct rw_err *err)
{
    const struct json *entry = NULL;
    struct tuf_target t;
    char hex[DIGEST_HEX_BYTES];
    RW_TRY(json_get(targets, own, JSON_OBJECT, &entry, err));
    RW_TRY(tuf_target_read(entry, "", 0, &t, err));
    rw_hex_encode(hex, sizeof(hex), t.sha256, sizeof(t.sha256));
    if (strcmp(hex, want->sha256) != 0 || t.length != want->length) {
        return rw_fail(err, RW_E_TRUST_RULE,
                       "the document lists another payload than the one at hand (SHA-256 %.16s...)",
                       want->sha256);
    }
    return check_date(want, &t, err);
}

static bool same_list(const struct entry_list *a, const struct entry_list *b)
{
    bool same = a->floor == b->floor && a->withdrawn_count == b->withdrawn_count;
    for (size_t i = 0; same && i < a->withdrawn_count; i++) {
        same = a->withdrawn[i].release == b->withdrawn[i].release &&
               memcmp(a->withdrawn[i].sha256, b->withdrawn[i].sha256, INSTALL_HASH_BYTES) == 0;
    }
    return same;
}

/* The bytes that go: as published; a release that left the list by its age only the server knows. */
static RW_RC withdrawn_hash(const struct cmd_release_paper *want, const struct tuf_doc *published,
                            const struct entry_list *next, const char *own,
                            uint8_t out[static DIGEST_BYTES], struct rw_err *err)
{
    const struct json *had = entries_of(published);
    const struct json *entry = had == NULL ? NULL : json_find(had, own);
    struct tuf_target t;
    if (entry != NULL) {
        RW_TRY(tuf_target_read(entry, "", 0, &t, err));
        rw_copy(out, DIGEST_BYTES, t.sha256, sizeof(t.sha256));
        return RW_OK;
    }
    for (size_t i = 0; i < next->withdrawn_count; i++) {
        if (next->withdrawn[i].release != want->release) { continue; }
        rw_copy(out, DIGEST_BYTES, next->withdrawn[i].sha256, DIGEST_BYTES);
        return RW_OK;
    }
    return rw_fail(err, RW_E_TRUST_RULE, "the document does not withdraw %s/%lld", want->family,
                   (long long)want->release);
}

static RW_RC check_list(const struct cmd_release_paper *want, const struct json *doc,
                        const struct tuf_doc *published, const char *own, struct rw_err *err)
{
    struct entry_list had;
    struct entry_list next;
    uint8_t sha256[DIGEST_BYTES];
    RW_TRY(entry_list_read(published->signed_part, want->family, &had, err));
    RW_TRY(entry_list_read(doc, want->family, &next, err));
    if (want->kind == CMD_RELEASE_PAPER_WITHDRAW) {
        RW_TRY(withdrawn_hash(want, published, &next, own, sha256, err));
        RW_TRY(entry_list_withdraw(&had, want->release, sha256, err));
    }
    if (want->kind == CMD_RELEASE_PAPER_RENEW && want->floor > had.floor) {
        had.floor = want->floor;
    }
    if (same_list(&had, &next)) { return RW_OK; }
    RW_IGNORE(rw_fail(err, RW_E_TRUST_RULE,
                      "the document has floor %lld and %zu withdrawn releases, want %lld and %zu",
                      (long long)next.floor, next.withdrawn_count, (long long)had.floor,
                      had.withdrawn_count),
              "hint");
    return rw_hint(err, "a higher floor is signed with --floor N");
}

static RW_RC check_content(const struct cmd_release_paper *want, const struct json *doc,
                           const struct json *targets, const struct tuf_doc *published,
                           struct rw_err *err)
{
    char own[TUF_PATH_BYTES];
    bool release = want->kind == CMD_RELEASE_PAPER_RELEASE;
    if (published->tree == NULL) {
        return rw_fail(err, RW_E_TRUST_RULE, "no role content-%s is published", want->family);
    }
    RW_TRY(own_path(want, own, err));
    RW_TRY(check_list(want, doc, published, own, err));
    if (want->kind == CMD_RELEASE_PAPER_WITHDRAW && json_find(targets, own) != NULL) {
        return rw_fail(err, RW_E_TRUST_RULE, "the document still lists %s/%lld", want->family,
                       (long long)want->release);
    }
    RW_TRY(check_others(targets, published, release ? own : "", err));
    if (release) { return check_release(want, targets, own, err); }
    return check_kept(targets, published, own, want->floor, err);
}

/* --- the officers' role --- */
RW_RC cmd_release_paper_expedite(const struct cmd_release_paper *want, const struct json *doc,
                                 struct entry_codec_expedite *out, struct rw_err *err)
{
    char own[TUF_PATH_BYTES];
    const struct json *targets = NULL;
    const struct json *entry = NULL;
    struct tuf_target t;
    RW_TRY(own_path(want, own, err));
    RW_TRY(json_get(doc, "targets", JSON_OBJECT, &targets, err));
    RW_TRY(json_get(targets, own, JSON_OBJECT, &entry, err));
    RW_TRY(tuf_target_read(entry, "", 0, &t, err));
    return entry_codec_read_expedite(&t, out, err);
}

static RW_RC check_expedite(const struct cmd_release_paper *want, const struct json *doc,
                            const struct json *targets, const struct tuf_doc *published,
                            const struct tuf_doc *content, struct rw_err *err)
{
    char own[TUF_PATH_BYTES];
    char path[TUF_PATH_BYTES];
    struct tuf_target is;
    struct tuf_target listed;
    struct entry_codec_expedite x;
    const struct json *had = entries_of(content);
    RW_TRY(own_path(want, own, err));
    RW_TRY(check_others(targets, published, own, err));
    RW_TRY(cmd_release_paper_expedite(want, doc, &x, err));
    RW_TRY(tuf_target_read(json_find(targets, own), "", 0, &is, err));
    RW_TRY(entry_codec_content_path(want->family, want->release, path, err));
    const struct json *entry = had == NULL ? NULL : json_find(had, path);
    if (entry == NULL) {
        return rw_fail(err, RW_E_TRUST_RULE, "%s/%lld is not published", want->family,
                       (long long)want->release);
    }
    RW_TRY(tuf_target_read(entry, "", 0, &listed, err));
    if (is.length == listed.length && memcmp(is.sha256, listed.sha256, DIGEST_BYTES) == 0) {
        return RW_OK;
    }
    return rw_fail(err, RW_E_TRUST_RULE, "the document expedites other bytes than the engineers'");
}

RW_RC cmd_release_paper_check(const struct cmd_release_paper *want, const struct json *doc,
                              const struct tuf_doc *published, const struct tuf_doc *content,
                              struct rw_err *err)
{
    const struct json *targets = NULL;
    RW_TRY(check_head(want, doc, published, err));
    RW_TRY(json_get(doc, "targets", JSON_OBJECT, &targets, err));
    if (want->kind == CMD_RELEASE_PAPER_EXPEDITE) {
        return check_expedite(want, doc, targets, published, content, err);
    }
    return check_content(want, doc, targets, published, err);
}
