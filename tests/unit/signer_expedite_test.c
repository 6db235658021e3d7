/* Goal: duty officers shorten a bake to the hard minimum, by votes of their own, and open nothing else: not another
 * release, not another ring, not what engineers did not list (INV-7). Through the real ringward-signer. */
#include "common/policy/entry_codec.h"
#include "common/wire/signer_codec.h"
#include "server/server_init.h"
#include "tests/harness.h"
#include "tests/signer_rig.h"

enum { MINUTE_S = 60 };

/* What an expedite says; from one that is granted, each row spoils one thing. */
struct expedite {
    int64_t version;
    int64_t release;
    const char *text; /* whose hash it names */
    const char *ring;
    int64_t from_ago_s;
    int64_t until_in_s;
    int64_t expires_in_s;
    size_t signers;
    bool by_engineers;
    bool delegates;
};

static struct expedite good(void)
{
    return (struct expedite){.version = 1,
                             .release = 2,
                             .text = "rule two",
                             .ring = "canary",
                             .until_in_s = 2 * (int64_t)HOUR_S,
                             .expires_in_s = DAY_S,
                             .signers = 2};
}

static void put_one(const struct rig *r, struct json_writer *w, const struct expedite *x)
{
    struct rw_err err = {0};
    char path[TUF_PATH_BYTES];
    char hex[DIGEST_HEX_BYTES];
    struct entry_codec_expedite e = {.release = x->release,
                                     .ring_count = 1,
                                     .not_before = {r->made.s - x->from_ago_s},
                                     .until = {r->made.s + x->until_in_s},
                                     .family = "yara",
                                     .reason = "an attack is under way"};
    (void)snprintf(e.rings[0], sizeof(e.rings[0]), "%s", x->ring);
    MUST(digest_sha256_hex(rw_span_str(x->text), hex, &err));
    MUST(entry_codec_expedite_path("yara", x->release, path, &err));
    entry_codec_write_expedite(w, path, &e, (int64_t)strlen(x->text), hex);
}

/* `carried`: an entry of the document before; NULL: none. */
static void officers_send_both(struct rig *r, const struct expedite *x,
                               const struct expedite *carried)
{
    struct rw_err err = {0};
    struct rw_buf text = rw_buf_make(1 << 16);
    struct rw_buf envelope = rw_buf_make(1 << 16);
    struct json_writer w = json_begin(&text);
    tuf_make_open(&w, "targets", x->version,
                  (struct tuf_make_life){.expires = {r->made.s + x->expires_in_s}});
    if (x->delegates) {
        json_put_raw(&w, "delegations", rw_span_str("{\"keys\":{},\"roles\":[]}"));
    }
    json_open_object(&w, "targets");
    if (carried != NULL) { put_one(r, &w, carried); }
    put_one(r, &w, x);
    json_close_object(&w);
    json_close_object(&w);
    MUST(json_done(&w, &err));
    const struct key *keys = x->by_engineers ? r->engineers : r->officers;
    MUST(tuf_write_envelope(rw_buf_span(&text), keys, x->signers, &envelope, &err));
    const struct signer_request q = {.type = SIGNER_EXPEDITE, .envelope = rw_buf_span(&envelope)};
    ask(r, &q);
    rw_buf_drop(&text);
    rw_buf_drop(&envelope);
}

static void officers_send(struct rig *r, const struct expedite *x)
{
    officers_send_both(r, x, NULL);
}

/* Release 2 bakes an hour in canary and was signed nine minutes ago: longer than the hard minimum of five. */
static struct rig with_baking_release(void)
{
    struct rig r = rig_make(0);
    struct plan p = good_plan();
    p.entries[1] = (struct entry){
        .release = 2, .class_name = "slow", .text = "rule two", .signed_ago_s = 9 * MINUTE_S};
    p.entries[0].signed_ago_s = 9 * MINUTE_S;
    p.count = 2;
    publish_good(&r, &p);
    return r;
}

static const struct fault {
    const char *id;
    const char *reason;
    struct expedite x;
} faults[] = {
    {"one officer is not enough",
     "threshold",
     {1, 2, "rule two", "canary", 0, HOUR_S, DAY_S, 1, false, false}},
    {"engineers have no vote",
     "threshold",
     {1, 2, "rule two", "canary", 0, HOUR_S, DAY_S, 2, true, false}},
    {"its version begins with one",
     "version",
     {2, 2, "rule two", "canary", 0, HOUR_S, DAY_S, 2, false, false}},
    {"it may not delegate",
     "document",
     {1, 2, "rule two", "canary", 0, HOUR_S, DAY_S, 2, false, true}},
    {"a role that is over", "expired", {1, 2, "rule two", "canary", 0, HOUR_S, 0, 2, false, false}},
    {"a release that engineers did not list",
     "unlisted",
     {1, 3, "rule two", "canary", 0, HOUR_S, DAY_S, 2, false, false}},
    {"other bytes than the engineers'",
     "unlisted",
     {1, 2, "rule TWO", "canary", 0, HOUR_S, DAY_S, 2, false, false}},
    {"another length than the engineers'",
     "unlisted",
     {1, 2, "rule two!", "canary", 0, HOUR_S, DAY_S, 2, false, false}},
    {"a ring that the policy does not know",
     "entry",
     {1, 2, "rule two", "nobody", 0, HOUR_S, DAY_S, 2, false, false}},
    {"longer than the policy allows",
     "entry",
     {1, 2, "rule two", "canary", 0, DAY_S + 1, DAY_S, 2, false, false}},
    {"longer than the policy allows, begun long ago",
     "entry",
     {1, 2, "rule two", "canary", DAY_S, HOUR_S, DAY_S, 2, false, false}},
    {"over before it begins", "entry", {1, 2, "rule two", "canary", 0, 0, DAY_S, 2, false, false}},
    {"a role that outlives every expedite",
     "entry",
     {1, 2, "rule two", "canary", 0, HOUR_S, 2 * DAY_S, 2, false, false}},
};

TEST_EACH(the_officers_role_is_signed_over_only_when_every_check_holds, faults)
{
    RW_AUTO(rig) struct rig r = with_baking_release();
    officers_send(&r, &it->x);
    must_refuse(&r, it->reason);
    point(&r, "canary", 2, false);
    must_refuse(&r, "bake");
}

TEST(an_expedite_opens_its_ring_for_its_release_and_no_other)
{
    RW_AUTO(rig) struct rig r = with_baking_release();
    struct expedite x = good();
    point(&r, "canary", 2, false);
    must_refuse(&r, "bake");
    officers_send(&r, &x);
    must_grant(&r);
    assert_int_equal(r.answer.file_count, 3);
    assert_string_equal(r.answer.files[0].name, "1.expedite.json");
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 0); /* it moves no pointer */
    point(&r, "broad", 2, false);
    must_refuse(&r, "bake"); /* a ring that it does not name */
    point(&r, "canary", 2, false);
    must_grant(&r);
    write_answer(&r);
    assert_int_equal(agent_sees(&r, "canary", NULL), 2);
}

TEST(the_hard_minimum_counts_from_the_engineers_signature)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    p.entries[1] = (struct entry){
        .release = 2, .class_name = "slow", .text = "rule two", .signed_ago_s = 4 * MINUTE_S};
    p.entries[0].signed_ago_s = 4 * MINUTE_S;
    p.count = 2;
    publish_good(&r, &p);
    struct expedite x = good();
    x.from_ago_s = HOUR_S; /* back-dated: of no use */
    officers_send(&r, &x);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 2, false);
    must_refuse(&r, "bake");
}

TEST(an_expedite_that_is_over_opens_nothing_and_the_next_one_follows)
{
    RW_AUTO(rig) struct rig r = with_baking_release();
    struct expedite x = good();
    x.from_ago_s = HOUR_S;
    x.until_in_s = -1;
    officers_send(&r, &x);
    must_grant(&r); /* lapsed entries may stay; they do nothing */
    write_answer(&r);
    point(&r, "canary", 2, false);
    must_refuse(&r, "bake");
    x = good();
    officers_send(&r, &x);
    must_refuse(&r, "version");
    x.version = 2;
    officers_send(&r, &x);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 2, false);
    must_grant(&r);
}

TEST(a_withdrawn_release_does_not_keep_officers_from_the_next_one)
{
    RW_AUTO(rig) struct rig r = rig_make(0);
    struct plan p = good_plan();
    char hex[DIGEST_HEX_BYTES];
    char list[256];
    struct rw_err err = {0};
    p.entries[0] = (struct entry){
        .release = 2, .class_name = "slow", .text = "rule two", .signed_ago_s = 9 * MINUTE_S};
    p.entries[1] = (struct entry){
        .release = 3, .class_name = "slow", .text = "rule three", .signed_ago_s = 8 * MINUTE_S};
    p.count = 2;
    publish_good(&r, &p);
    const struct expedite two = good();
    officers_send(&r, &two);
    must_grant(&r);
    write_answer(&r);
    MUST(digest_sha256_hex(rw_span_str("rule two"), hex, &err));
    (void)snprintf(list, sizeof(list),
                   "{\"format\":1,\"floor\":0,\"withdrawn\":[{\"release\":2,\"sha256\":\"%s\"}]}",
                   hex);
    p.entries[0] = p.entries[1];
    p.count = 1;
    p.version = 3;
    p.list = list;
    publish(&r, &p);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 2, false);
    must_refuse(&r, "unlisted"); /* expedited or not */
    struct expedite three = good();
    three.version = 2;
    three.release = 3;
    three.text = "rule three";
    struct expedite changed = two;
    changed.until_in_s += 60; /* anew, it would have to be listed */
    officers_send_both(&r, &three, &changed);
    must_refuse(&r, "unlisted");
    officers_send_both(&r, &three, &two);
    must_grant(&r);
    write_answer(&r);
    point(&r, "canary", 3, false);
    must_grant(&r);
}

RUN_TESTS(cmocka_unit_test(the_officers_role_is_signed_over_only_when_every_check_holds),
          cmocka_unit_test(an_expedite_opens_its_ring_for_its_release_and_no_other),
          cmocka_unit_test(the_hard_minimum_counts_from_the_engineers_signature),
          cmocka_unit_test(a_withdrawn_release_does_not_keep_officers_from_the_next_one),
          cmocka_unit_test(an_expedite_that_is_over_opens_nothing_and_the_next_one_follows))
