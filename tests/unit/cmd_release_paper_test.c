/* Goal: whoever signs, signs what was asked for and nothing else: a server in the wrong hands may propose any document,
 * and each entry, date or list too many is seen before the key is touched (INV-7). */
#include "server/cli/cmd_release_paper.h"

#include "tests/harness.h"

enum { NOW_S = 1795325656, DAY_S = 86400, TEXT_BYTES = 16384 };

#define HASH(d)                                                                                    \
    d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d d  \
        d d d d d d d d d d d d d d d d d
#define H1 HASH("1")
#define H2 HASH("2")
#define H3 HASH("3")

#define ENTRY(number, hash, date)                                                                  \
    "\"content/yara/" number                                                                       \
    ".rwc\":{\"custom\":{\"ringward\":{\"class\":\"rules\",\"engine\":{\"max\":9,\"min\":0},"      \
    "\"family\":\"yara\",\"format\":1,\"not_before\":{\"broad\":\"2026-11-22T05:34:16Z\"},"        \
    "\"platforms\":[\"any\"],\"release\":" number ",\"signed_at\":\"" date                         \
    "\"}},\"hashes\":{\"sha256\":\"" hash "\"},\"length\":9}"
#define OLD "2026-11-20T05:34:16Z"
#define NEW "2026-11-22T05:34:16Z" /* NOW_S */
#define E1  ENTRY("1", H1, OLD)
#define E2  ENTRY("2", H2, OLD)
#define E3  ENTRY("3", H3, NEW)

/* E3, signed as a drill. */
#define D3                                                                                         \
    "\"content/yara/"                                                                              \
    "3.rwc\":{\"custom\":{\"ringward\":{\"class\":\"rules\",\"drill\":true,\"engine\":"            \
    "{\"max\":9,\"min\":0},\"family\":\"yara\",\"format\":1,\"not_before\":{\"broad\":"            \
    "\"2026-11-22T05:34:16Z\"},\"platforms\":[\"any\"],\"release\":3,\"signed_at\":\"" NEW         \
    "\"}},\"hashes\":{\"sha256\":\"" H3 "\"},\"length\":9}"

#define ROLE(version, expires, list, entries)                                                      \
    "{\"_type\":\"targets\",\"expires\":\"" expires "\",\"spec_version\":\"1.0.31\"," list         \
    "\"targets\":{" entries "},\"version\":" version "}"
#define SOON "2026-12-06T05:34:16Z" /* in 14 days */
#define LIST(floor, withdrawn)                                                                     \
    "\"ringward\":{\"floor\":" floor ",\"format\":1,\"withdrawn\":[" withdrawn "]},"
#define W2 "{\"release\":2,\"sha256\":\"" H2 "\"}"

/* Published: releases 1 and 2, version 4. */
static const char published_text[] = ROLE("4", "2026-12-01T00:00:00Z", "", E1 "," E2);

static struct tuf_doc doc_of(const char *signed_part)
{
    struct rw_err err = {0};
    struct tuf_doc doc = {0};
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "{\"signatures\":[],\"signed\":%s}", signed_part);
    MUST(tuf_doc_parse(rw_span_str(text), "targets", &doc, &err));
    return doc;
}

static struct cmd_release_paper want(enum cmd_release_paper_kind kind, int64_t release)
{
    return (struct cmd_release_paper){.kind = kind,
                                      .family = "yara",
                                      .release = release,
                                      .sha256 = H3,
                                      .length = 9,
                                      .now = {NOW_S},
                                      .root_expires = {NOW_S + 14 * 86400}};
}

struct paper_case {
    const char *id;
    const char *doc;
    const char *says; /* NULL: may be signed */
};

static void check(const struct paper_case *it, struct cmd_release_paper w)
{
    struct rw_err err = {0};
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(tuf_doc) struct tuf_doc published = doc_of(published_text);
    MUST(json_parse(rw_span_str(it->doc), &json_limits_metadata, &tree, &err));
    struct rw_rc rc = cmd_release_paper_check(&w, tree, &published, NULL, &err);
    if (it->says == NULL) {
        if (!rw_is_ok(rc)) { fail_msg("%s", err.text); }
        return;
    }
    if (rw_is_ok(rc)) { fail_msg("it may be signed"); }
    if (strstr(err.text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", err.text, it->says); }
}

static const struct paper_case releases[] = {
    {"as asked for", ROLE("5", SOON, "", E1 "," E2 "," E3), NULL},
    {"an old one leaves by its age", ROLE("5", SOON, "", E2 "," E3), NULL},
    {"a drill by stealth", ROLE("5", SOON, "", E1 "," E2 "," D3), "this is a drill"},
    {"one entry more", ROLE("5", SOON, "", E1 "," E2 "," E3 "," ENTRY("4", H1, NEW)), "4.rwc"},
    {"another payload", ROLE("5", SOON, "", E1 "," E2 "," ENTRY("3", H1, NEW)), "payload"},
    {"an old entry that changed", ROLE("5", SOON, "", E1 "," ENTRY("2", H1, OLD) "," E3), "2.rwc"},
    {"an old entry with an earlier date",
     ROLE("5", SOON, "", E1 "," ENTRY("2", H2, "2026-11-19T00:00:00Z") "," E3), "2.rwc"},
    {"without the release", ROLE("5", SOON, "", E1 "," E2), "3.rwc"},
    {"a date ten minutes ago",
     ROLE("5", SOON, "", E1 "," E2 "," ENTRY("3", H3, "2026-11-22T05:24:16Z")), NULL},
    {"a date before that",
     ROLE("5", SOON, "", E1 "," E2 "," ENTRY("3", H3, "2026-11-22T05:24:15Z")), "clock"},
    {"a date a day ahead",
     ROLE("5", SOON, "", E1 "," E2 "," ENTRY("3", H3, "2026-11-23T05:34:16Z")), NULL},
    {"a date beyond", ROLE("5", SOON, "", E1 "," E2 "," ENTRY("3", H3, "2026-11-23T05:34:17Z")),
     "clock"},
    {"a version that jumps", ROLE("6", SOON, "", E1 "," E2 "," E3), "version"},
    {"a version that stays", ROLE("4", SOON, "", E1 "," E2 "," E3), "version"},
    {"expired", ROLE("5", "2026-11-22T05:34:16Z", "", E1 "," E2 "," E3), "live until"},
    {"for a year", ROLE("5", "2027-11-22T05:34:16Z", "", E1 "," E2 "," E3), "live until"},
    {"a floor that nobody asked for", ROLE("5", SOON, LIST("2", ""), E2 "," E3), "floor"},
    {"a withdrawal that nobody asked for", ROLE("5", SOON, LIST("0", W2), E1 "," E3), "withdrawn"},
    {"delegations",
     ROLE("5", SOON, "\"delegations\":{\"keys\":{},\"roles\":[]},", E1 "," E2 "," E3),
     "something else"},
    {"another type", "{\"_type\":\"root\",\"version\":5}", "something else"},
};

TEST_EACH(a_release_adds_one_entry, releases)
{
    check(it, want(CMD_RELEASE_PAPER_RELEASE, 3));
}

TEST(nothing_is_signed_that_ends_after_root)
{
    static const struct paper_case late = {"a second after root",
                                           ROLE("5", SOON, "", E1 "," E2 "," E3), "after root"};
    struct cmd_release_paper w = want(CMD_RELEASE_PAPER_RELEASE, 3);
    w.root_expires.s -= 1;
    check(&late, w);
}

static const struct paper_case withdrawals[] = {
    {"as asked for", ROLE("5", SOON, LIST("0", W2), E1), NULL},
    {"still listed", ROLE("5", SOON, LIST("0", W2), E1 "," E2), "still lists"},
    {"off the list only", ROLE("5", SOON, "", E1), "withdrawn"},
    {"other bytes are condemned",
     ROLE("5", SOON, LIST("0", "{\"release\":2,\"sha256\":\"" H1 "\"}"), E1), "withdrawn"},
    {"another release is condemned, too",
     ROLE("5", SOON, LIST("0", "{\"release\":1,\"sha256\":\"" H1 "\"}," W2), E1), "withdrawn"},
    {"another leaves, too", ROLE("5", SOON, LIST("0", W2), ""), "drops"},
    {"a floor as well", ROLE("5", SOON, LIST("3", W2), ""), "floor"},
    {"an entry more", ROLE("5", SOON, LIST("0", W2), E1 "," E3), "3.rwc"},
};

TEST_EACH(a_withdrawal_takes_one_entry_away, withdrawals)
{
    check(it, want(CMD_RELEASE_PAPER_WITHDRAW, 2));
}

static const struct paper_case renewals[] = {
    {"as asked for", ROLE("5", SOON, "", E1 "," E2), NULL},
    {"an entry more", ROLE("5", SOON, "", E1 "," E2 "," E3), "3.rwc"},
    {"an entry less", ROLE("5", SOON, "", E2), "drops"},
    {"a floor that nobody asked for", ROLE("5", SOON, LIST("2", ""), E2), "floor"},
    {"a withdrawal", ROLE("5", SOON, LIST("0", W2), E1), "withdrawn"},
};

TEST_EACH(a_renewal_changes_the_end_alone, renewals)
{
    check(it, want(CMD_RELEASE_PAPER_RENEW, 0));
}

static const struct paper_case floors[] = {
    {"as meant", ROLE("5", SOON, LIST("2", ""), E2), NULL},
    {"a higher one", ROLE("5", SOON, LIST("3", ""), ""), "floor"},
    {"none", ROLE("5", SOON, "", E1 "," E2), "floor"},
    {"and one above it leaves", ROLE("5", SOON, LIST("2", ""), ""), "drops"},
};

TEST_EACH(a_floor_is_the_one_that_was_meant, floors)
{
    struct cmd_release_paper w = want(CMD_RELEASE_PAPER_RENEW, 0);
    w.floor = 2;
    check(it, w);
}

/* --- expedites --- */
#define X(number, hash, rings)                                                                     \
    "\"expedite/yara/" number "\":{\"custom\":{\"ringward\":{\"format\":1,\"not_before\":"         \
    "\"2026-11-22T05:34:16Z\",\"reason\":\"r\",\"rings\":" rings                                   \
    ",\"until\":\"2026-11-22T06:34:16Z\"}},\"hashes\":{\"sha256\":\"" hash "\"},\"length\":9}"
#define X1 X("1", H1, "[\"broad\"]")
#define X2 X("2", H2, "[\"broad\"]")

static const struct expedite_case {
    const char *id;
    const char *published; /* NULL: there was none yet */
    const char *doc;
    const char *says;
} expedites[] = {
    {"the first one", NULL, ROLE("1", SOON, "", X2), NULL},
    {"another is in force", ROLE("3", SOON, "", X1), ROLE("4", SOON, "", X1 "," X2), NULL},
    {"the other has lapsed", ROLE("3", SOON, "", X1), ROLE("4", SOON, "", X2), NULL},
    {"another one more", NULL, ROLE("1", SOON, "", X1 "," X2), "expedite/yara/1"},
    {"the other one changed", ROLE("3", SOON, "", X1),
     ROLE("4", SOON, "", X("1", H1, "[\"broad\",\"early\"]") "," X2), "expedite/yara/1"},
    {"other bytes", NULL, ROLE("1", SOON, "", X("2", H1, "[\"broad\"]")), "other bytes"},
    {"not the release", NULL, ROLE("1", SOON, "", X1), "expedite/yara/1"},
    {"content among it", NULL, ROLE("1", SOON, "", X2 "," E3), "3.rwc"},
    {"a version that jumps", NULL, ROLE("2", SOON, "", X2), "version"},
    {"no ring", NULL, ROLE("1", SOON, "", X("2", H2, "[]")), "rings"},
};

TEST_EACH(an_expedite_names_what_engineers_listed, expedites)
{
    struct rw_err err = {0};
    struct cmd_release_paper w = want(CMD_RELEASE_PAPER_EXPEDITE, 2);
    RW_AUTO(json_tree) json_tree tree = NULL;
    RW_AUTO(tuf_doc) struct tuf_doc content = doc_of(published_text);
    RW_AUTO(tuf_doc) struct tuf_doc published = {0};
    if (it->published != NULL) { published = doc_of(it->published); }
    MUST(json_parse(rw_span_str(it->doc), &json_limits_metadata, &tree, &err));
    struct rw_rc rc = cmd_release_paper_check(&w, tree, &published, &content, &err);
    if (it->says == NULL) {
        if (!rw_is_ok(rc)) { fail_msg("%s", err.text); }
        return;
    }
    if (rw_is_ok(rc)) { fail_msg("it may be signed"); }
    if (strstr(err.text, it->says) == NULL) { fail_msg("'%s' lacks '%s'", err.text, it->says); }
}

TEST(a_drill_is_signed_as_one_only)
{
    struct paper_case as_drill = {"a drill", ROLE("5", SOON, "", E1 "," E2 "," D3), NULL};
    struct paper_case no_drill = {"no drill", ROLE("5", SOON, "", E1 "," E2 "," E3),
                                  "this is no drill"};
    struct cmd_release_paper w = want(CMD_RELEASE_PAPER_RELEASE, 3);
    w.drill = true;
    check(&as_drill, w);
    check(&no_drill, w);
}

RUN_TESTS(cmocka_unit_test(a_drill_is_signed_as_one_only),
          cmocka_unit_test(nothing_is_signed_that_ends_after_root),
          cmocka_unit_test(a_release_adds_one_entry),
          cmocka_unit_test(a_withdrawal_takes_one_entry_away),
          cmocka_unit_test(a_renewal_changes_the_end_alone),
          cmocka_unit_test(a_floor_is_the_one_that_was_meant),
          cmocka_unit_test(an_expedite_names_what_engineers_listed))
