/* A server in the wrong hands proposes a document to sign. Whatever it is: what passes follows the published role by
 * one version, ends before root, and differs from it only as the person asked (INV-7). The first byte says what was
 * asked for, the rest is the document. The judge here shares no code with the checks. */
#include "common/json/json_canon.h"
#include "server/cli/cmd_release_paper.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HASH(d)                                                                                    \
    d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d  \
        d d d d d d d d d d d d d d d d d
#define ENTRY(number, hash)                                                                        \
    "\"content/yara/" number ".rwc\":{\"custom\":{\"ringward\":{\"format\":1,\"family\":\"yara\"," \
    "\"release\":" number ",\"class\":\"rules\",\"signed_at\":\"2026-11-20T05:34:16Z\","           \
    "\"not_before\":{\"canary\":\"2026-11-20T05:34:16Z\"},\"engine\":{\"min\":0,\"max\":9},"       \
    "\"platforms\":[\"linux-x86_64\"]}},\"hashes\":{\"sha256\":\"" hash "\"},\"length\":9}"

static const char published_text[] =
    "{\"signatures\":[],\"signed\":{\"_type\":\"targets\",\"spec_version\":\"1.0.31\",\"version\":"
    "4,"
    "\"expires\":\"2026-12-01T00:00:00Z\",\"targets\":{" ENTRY("1", HASH("1")) "," ENTRY(
        "2", HASH("2")) "}}}";

enum { NOW_S = 1795325656, ROOT_LEFT_S = 10 * 86400, VERSION = 4 };

static bool same(const struct json *a, const struct json *b)
{
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf one = rw_buf_make(1 << 20);
    RW_AUTO(rw_buf) struct rw_buf two = rw_buf_make(1 << 20);
    RW_ASSERT(rw_is_ok(json_canon(a, &one, &err)) && rw_is_ok(json_canon(b, &two, &err)));
    return rw_span_eq(rw_buf_span(&one), rw_buf_span(&two));
}

static const char *own_name(enum cmd_release_paper_kind kind)
{
    return kind == CMD_RELEASE_PAPER_RELEASE    ? "content/yara/3.rwc"
           : kind == CMD_RELEASE_PAPER_EXPEDITE ? "expedite/yara/2"
                                                : "";
}

static void judge_entries(const struct json *targets, const struct json *had, const char *own)
{
    size_t known = 0;
    for (const struct json *e = json_first(targets); e != NULL; e = json_next(e)) {
        if (own[0] != '\0' && rw_span_is(json_name(e), own)) { continue; }
        char name[300];
        struct rw_err err;
        RW_ASSERT(rw_is_ok(rw_span_to_str(name, sizeof(name), json_name(e), "name", &err)));
        const struct json *before = had == NULL ? NULL : json_find(had, name);
        RW_ASSERT(before != NULL && same(before, e));
        known++;
    }
    RW_ASSERT(known <= 2);
}

static void judge(enum cmd_release_paper_kind kind, const struct json *doc,
                  const struct tuf_doc *published)
{
    struct rw_err err;
    int64_t version = 0;
    struct rw_span text;
    struct rw_wall expires;
    const struct json *targets = json_find(doc, "targets");
    bool officers = kind == CMD_RELEASE_PAPER_EXPEDITE;
    const struct json *had = officers ? NULL : json_find(published->signed_part, "targets");
    RW_ASSERT(rw_is_ok(json_get_int(doc, "version", 0, RW_JSON_INT_MAX, &version, &err)));
    RW_ASSERT(version == (officers ? 1 : VERSION + 1));
    RW_ASSERT(rw_is_ok(json_get_span(doc, "expires", &text, &err)));
    RW_ASSERT(rw_is_ok(rw_wall_parse(text, "expires", &expires, &err)));
    RW_ASSERT(expires.s > NOW_S && expires.s <= NOW_S + ROOT_LEFT_S);
    RW_ASSERT(json_find(doc, "delegations") == NULL && targets != NULL);
    judge_entries(targets, had, own_name(kind));
    if (kind == CMD_RELEASE_PAPER_RENEW) { RW_ASSERT(json_count(targets) == 2); }
    if (kind == CMD_RELEASE_PAPER_WITHDRAW) { RW_ASSERT(json_count(targets) == 1); }
    if (kind == CMD_RELEASE_PAPER_RELEASE || officers) {
        RW_ASSERT(json_find(targets, own_name(kind)) != NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(tuf_doc) struct tuf_doc published = {0};
    const struct tuf_doc none = {.tree = NULL};
    if (size == 0 ||
        !rw_is_ok(json_parse(rw_span_of(data + 1, size - 1), &json_limits_metadata, &tree, &err))) {
        return 0;
    }
    RW_ASSERT(rw_is_ok(tuf_doc_parse(rw_span_str(published_text), "targets", &published, &err)));
    enum cmd_release_paper_kind kind = (enum cmd_release_paper_kind)(data[0] % 4);
    const struct cmd_release_paper want = {.kind = kind,
                                           .family = "yara",
                                           .release = kind == CMD_RELEASE_PAPER_RELEASE ? 3
                                                      : kind == CMD_RELEASE_PAPER_RENEW ? 0
                                                                                        : 2,
                                           .sha256 = HASH("3"),
                                           .length = 9,
                                           .now = {NOW_S},
                                           .root_expires = {NOW_S + ROOT_LEFT_S}};
    bool officers = kind == CMD_RELEASE_PAPER_EXPEDITE;
    if (rw_is_ok(cmd_release_paper_check(&want, tree, officers ? &none : &published,
                                         officers ? &published : NULL, &err))) {
        judge(kind, tree, &published);
    }
    return 0;
}
