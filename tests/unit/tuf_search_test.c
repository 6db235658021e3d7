/* Goal: a target is found through the delegations in the one specified order (TUF-5.6.7), trust is per edge, and a role
 * that cannot be loaded ends the search instead of moving the answer to a less trusted one. */
#include "common/json/json_write.h"
#include "common/tuf/tuf_doc.h"
#include "tests/fakes/tuf_peer.h"

/* Writes a role that lists `targets` (words) and delegates as `rows` say. */
static void role(struct tuf_peer *p, const char *name, const char *signers, const char *targets,
                 const struct tuf_repo_delegation *rows, size_t count)
{
    char body[TUF_REPO_BODY_BYTES];
    char more[TUF_REPO_BODY_BYTES];
    char both[2 * TUF_REPO_BODY_BYTES];
    tuf_peer_targets(targets, body);
    if (count == 0) {
        (void)tuf_repo_next_role(p->repo, name, signers, body);
        return;
    }
    tuf_repo_delegate(p->repo, rows, count, more);
    int n = snprintf(both, sizeof(both), "%s,%s", body, more);
    assert_in_range(n, 1, TUF_REPO_BODY_BYTES - 1);
    (void)tuf_repo_next_role(p->repo, name, signers, both);
}

static void ready(struct tuf_peer *p)
{
    tuf_repo_publish(p->repo);
    tuf_peer_refresh(p, RW_E_NONE);
}

/* targets -> a (a/+), b (a/+ and b/+); a -> c (a/c+) */
static struct tuf_peer family(bool a_terminating)
{
    struct tuf_peer p = tuf_peer_new();
    const struct tuf_repo_delegation top[] = {{"a", "A", 1, "[\"a/*\"]", a_terminating},
                                              {"b", "B", 1, "[\"a/*\",\"b/*\"]", false}};
    static const struct tuf_repo_delegation below[] = {{"c", "C", 1, "[\"a/c*\"]", false}};
    role(&p, "targets", "G", "top", top, 2);
    role(&p, "a", "A", "a/1 b/stray", below, 1);
    role(&p, "b", "B", "a/1 a/2 a/c2 b/1", NULL, 0);
    role(&p, "c", "C", "a/c1 a/2", NULL, 0);
    ready(&p);
    return p;
}

static const struct search_row {
    const char *id;
    bool a_terminating;
    const char *path, *found_in; /* NULL: not found */
    const char *not_asked;       /* a file that is not needed; NULL: any */
} searches[] = {
    {"listed_at_the_top", false, "top", "targets", "1.a.json"},
    {"the_first_listed_delegation_wins", false, "a/1", "a", "1.b.json"},
    {"children_come_before_siblings", false, "a/c1", "c", "1.b.json"},
    {"a_sibling_is_next", false, "a/2", "b", "1.c.json"},
    {"a_child_without_it_leads_to_the_sibling", false, "a/c2", "b", NULL},
    {"terminating_stops_the_siblings", true, "a/2", NULL, "1.b.json"},
    {"terminating_still_searches_its_children", true, "a/c1", "c", "1.b.json"},
    {"terminating_of_another_path_does_not_matter", true, "b/1", "b", "1.a.json"},
    {"a_role_cannot_list_what_is_not_delegated_to_it", false, "b/stray", NULL, "1.a.json"},
    {"a_path_that_nobody_covers", false, "x/1", NULL, "1.a.json"},
    {"patterns_do_not_cross_slashes", false, "a/x/1", NULL, "1.a.json"},
};

TEST_EACH(the_search_is_pre_order_and_terminating_ends_it, searches)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = family(it->a_terminating);
    const char *found =
        tuf_peer_find(&p, it->path, it->found_in == NULL ? RW_E_NOT_FOUND : RW_E_NONE);
    assert_string_equal(found, it->found_in == NULL ? "" : it->found_in);
    if (it->not_asked != NULL) { assert_int_equal(tuf_repo_asked(p.repo, it->not_asked), 0); }
}

TEST(terminating_also_ends_what_waits_higher_up)
{
    /* targets -> a, b; a -> c (terminating). What c lacks is not looked for in b. */
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    static const struct tuf_repo_delegation top[] = {{"a", "A", 1, "[\"f/*\"]", false},
                                                     {"b", "B", 1, "[\"f/*\"]", false}};
    static const struct tuf_repo_delegation below[] = {{"c", "C", 1, "[\"f/*\"]", true},
                                                       {"d", "D", 1, "[\"f/*\"]", false}};
    role(&p, "targets", "G", "", top, 2);
    role(&p, "a", "A", "", below, 2);
    role(&p, "b", "B", "f/1", NULL, 0);
    role(&p, "c", "C", "", NULL, 0);
    role(&p, "d", "D", "f/1", NULL, 0);
    ready(&p);
    (void)tuf_peer_find(&p, "f/1", RW_E_NOT_FOUND);
    assert_int_equal(tuf_repo_asked(p.repo, "1.b.json"), 0);
    assert_int_equal(tuf_repo_asked(p.repo, "1.d.json"), 0);
}

TEST(a_cycle_ends_and_a_role_is_asked_for_once)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    static const struct tuf_repo_delegation top[] = {{"a", "A", 1, "[\"*\"]", false}};
    static const struct tuf_repo_delegation back[] = {{"b", "B", 1, "[\"*\"]", false}};
    role(&p, "targets", "G", "", top, 1);
    role(&p, "a", "A", "", back, 1);
    role(&p, "b", "B", "", top, 1); /* back to a */
    ready(&p);
    (void)tuf_peer_find(&p, "x", RW_E_NOT_FOUND);
    (void)tuf_peer_find(&p, "y", RW_E_NOT_FOUND);
    assert_int_equal(tuf_repo_asked(p.repo, "1.a.json"), 1);
    assert_int_equal(tuf_repo_asked(p.repo, "1.b.json"), 1);
}

TEST(one_search_visits_a_bounded_number_of_roles)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    char names[40][16];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "r%d", i);
    }
    for (int i = 39; i >= 0; i--) {
        const struct tuf_repo_delegation next[] = {{names[(i + 1) % 40], "A", 1, "[\"*\"]", false}};
        role(&p, names[i], "A", i == 39 ? "deep" : i == 30 ? "near" : "", next, i < 39);
    }
    const struct tuf_repo_delegation first[] = {{"r0", "A", 1, "[\"*\"]", false}};
    role(&p, "targets", "G", "", first, 1);
    ready(&p);
    (void)tuf_peer_find(&p, "deep", RW_E_NOT_FOUND);
    assert_int_equal(tuf_repo_asked(p.repo, "1.r30.json"), 1);
    assert_int_equal(tuf_repo_asked(p.repo, "1.r31.json"), 0); /* targets and r0..r30 are 32 */
    assert_string_equal(tuf_peer_find(&p, "near", RW_E_NONE), "r30");
}

static const struct bad_row {
    const char *id;
    const char *signers; /* of role a */
    int threshold;
    const char *expires;
    bool unlisted, missing, damaged;
    enum rw_code want;
} bads[] = {
    {"good", "A", 1, TUF_REPO_FRESH, false, false, false, RW_E_NONE},
    {"signed_by_another", "B", 1, TUF_REPO_FRESH, false, false, false, RW_E_TUF_THRESHOLD},
    {"below_its_threshold", "A", 2, TUF_REPO_FRESH, false, false, false, RW_E_TUF_THRESHOLD},
    {"expired", "A", 1, TUF_REPO_STALE, false, false, false, RW_E_TUF_EXPIRED},
    {"not_in_the_snapshot", "A", 1, TUF_REPO_FRESH, true, false, false, RW_E_TUF_ROLE},
    {"withheld", "A", 1, TUF_REPO_FRESH, false, true, false, RW_E_NOT_FOUND},
    {"damaged", "A", 1, TUF_REPO_FRESH, false, false, true, RW_E_TUF_HASH},
};

/* Role b lists the target too; whoever withholds or spoils a must not get b's answer taken. */
TEST_EACH(a_role_that_cannot_be_trusted_ends_the_search, bads)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    const struct tuf_repo_delegation top[] = {{"a", "AD", it->threshold, "[\"*\"]", false},
                                              {"b", "B", 1, "[\"*\"]", false}};
    role(&p, "targets", "G", "", top, 2);
    role(&p, "b", "B", "t", NULL, 0);
    if (!it->unlisted) {
        role(&p, "a", it->signers, "t", NULL, 0);
        struct tuf_repo_role *a = tuf_repo_find(p.repo, "a");
        a->expires = it->expires;
        tuf_repo_write_role(p.repo, a);
    }
    ready(&p);
    if (it->missing) { tuf_repo_remove(p.repo, "1.a.json"); }
    if (it->damaged) { strstr((char *)tuf_repo_get(p.repo, "1.a.json")->p, "2030")[3] = '1'; }
    assert_string_equal(tuf_peer_find(&p, "t", it->want), it->want == RW_E_NONE ? "a" : "");
    assert_int_equal(tuf_repo_asked(p.repo, "1.b.json"), 0);
}

/* The same role under two delegators with different keys: verified through one, it is verified again through the
 * other. A cache by name would accept it (python-tuf 2977, go-tuf 759). */
TEST(trust_is_per_edge_and_not_per_name)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    static const struct tuf_repo_delegation top[] = {{"a", "A", 1, "[\"a/*\"]", true},
                                                     {"b", "B", 1, "[\"b/*\"]", true}};
    static const struct tuf_repo_delegation of_a[] = {{"shared", "C", 1, "[\"*/*\"]", false}};
    static const struct tuf_repo_delegation of_b[] = {{"shared", "D", 1, "[\"*/*\"]", false}};
    role(&p, "targets", "G", "", top, 2);
    role(&p, "a", "A", "", of_a, 1);
    role(&p, "b", "B", "", of_b, 1);
    role(&p, "shared", "C", "a/x b/x", NULL, 0);
    ready(&p);
    assert_string_equal(tuf_peer_find(&p, "a/x", RW_E_NONE), "shared");
    (void)tuf_peer_find(&p, "b/x", RW_E_TUF_THRESHOLD);
    assert_string_equal(tuf_peer_find(&p, "a/x", RW_E_NONE), "shared");
}

TEST(a_changed_delegator_makes_its_roles_be_verified_anew)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    static const struct tuf_repo_delegation by_a[] = {{"x", "A", 1, "[\"*\"]", false}};
    static const struct tuf_repo_delegation by_b[] = {{"x", "B", 1, "[\"*\"]", false}};
    role(&p, "targets", "G", "", by_a, 1);
    role(&p, "x", "A", "t", NULL, 0);
    ready(&p);
    assert_string_equal(tuf_peer_find(&p, "t", RW_E_NONE), "x");
    role(&p, "targets", "G", "", by_b, 1);
    ready(&p);
    (void)tuf_peer_find(&p, "t", RW_E_TUF_THRESHOLD);
}

TEST(a_new_version_of_a_role_is_seen_though_its_delegator_stayed)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = family(false);
    assert_string_equal(tuf_peer_find(&p, "a/c1", RW_E_NONE), "c");
    role(&p, "c", "C", "a/c9", NULL, 0);
    ready(&p);
    assert_string_equal(tuf_peer_find(&p, "a/c9", RW_E_NONE), "c");
    (void)tuf_peer_find(&p, "a/c1", RW_E_NOT_FOUND);
}

TEST(stored_roles_are_used_again_without_a_request)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = family(false);
    assert_string_equal(tuf_peer_find(&p, "a/c1", RW_E_NONE), "c");
    tuf_peer_restart(&p);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_string_equal(tuf_peer_find(&p, "a/c1", RW_E_NONE), "c");
    assert_int_equal(p.repo->asked_count, 2);
}

TEST(odd_role_names_are_encoded_and_stay_in_the_folder)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    static const struct tuf_repo_delegation top[] = {{"../a b", "A", 1, "[\"*\"]", false}};
    role(&p, "targets", "G", "", top, 1);
    role(&p, "../a b", "A", "t", NULL, 0);
    ready(&p);
    assert_string_equal(tuf_peer_find(&p, "t", RW_E_NONE), "../a b");
    assert_int_equal(tuf_repo_asked(p.repo, "1...%2Fa%20b.json"), 1);
    assert_true(tuf_peer_stored(&p, "..%2Fa%20b.json", "1...%2Fa%20b.json"));
}

TEST(found_targets_carry_length_hash_and_custom)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    struct rw_err err = {0};
    struct tuf_target t;
    char hex[DIGEST_HEX_BYTES];
    (void)tuf_repo_next_role(p.repo, "targets", "G",
                             "\"targets\":{\"a/b\":{\"length\":3,\"hashes\":{\"sha256\":"
                             "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}"
                             ",\"custom\":{\"x\":7}},"
                             "\"bad\":{\"length\":3,\"hashes\":{\"sha256\":\"BA\"}},\"none\":{"
                             "\"length\":3,\"hashes\":{\"sha512\":\"00\"}}}");
    ready(&p);
    MUST(tuf_client_find(p.client, "a/b", &t, &err));
    assert_string_equal(t.path, "a/b");
    assert_string_equal(t.role, "targets");
    assert_int_equal(t.role_version, 2);
    assert_int_equal(t.length, 3);
    rw_hex_encode(hex, sizeof(hex), t.sha256, sizeof(t.sha256));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(json_int(json_find(t.custom, "x")), 7);
    MUST_FAIL(tuf_client_find(p.client, "bad", &t, &err), RW_E_SYNTAX);
    MUST_FAIL(tuf_client_find(p.client, "none", &t, &err), RW_E_SCHEMA);
}

static RW_RC collect(void *ctx, const struct tuf_target *t, struct rw_err *err)
{
    struct rw_buf *b = ctx;
    if (strcmp(t->path, "stop") == 0) { return rw_fail(err, RW_E_POLICY, "enough"); }
    return rw_buf_appendf(b, err, "%s@%s ", t->path, t->role);
}

TEST(all_targets_of_a_role_are_walked_in_order)
{
    struct rw_err err = {0};
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    static const struct tuf_repo_delegation top[] = {{"a", "A", 1, "[\"*\"]", false}};
    RW_AUTO(rw_buf) struct rw_buf b = rw_buf_make(1000);
    MUST_FAIL(tuf_client_each(p.client, "a", collect, &b, &err), RW_E_TUF_ROLE); /* not refreshed */
    role(&p, "targets", "G", "", top, 1);
    role(&p, "a", "A", "z y stop x", NULL, 0);
    ready(&p);
    MUST_FAIL(tuf_client_each(p.client, "a", collect, &b, &err), RW_E_POLICY);
    assert_string_equal(rw_buf_str(&b), "z@a y@a ");
    MUST_FAIL(tuf_client_each(p.client, "other", collect, &b, &err), RW_E_TUF_ROLE);
    MUST_FAIL(tuf_client_each(p.client, "targets", collect, &b, &err), RW_E_TUF_ROLE);
}

RUN_TESTS(cmocka_unit_test(the_search_is_pre_order_and_terminating_ends_it),
          cmocka_unit_test(terminating_also_ends_what_waits_higher_up),
          cmocka_unit_test(a_cycle_ends_and_a_role_is_asked_for_once),
          cmocka_unit_test(one_search_visits_a_bounded_number_of_roles),
          cmocka_unit_test(a_role_that_cannot_be_trusted_ends_the_search),
          cmocka_unit_test(trust_is_per_edge_and_not_per_name),
          cmocka_unit_test(a_changed_delegator_makes_its_roles_be_verified_anew),
          cmocka_unit_test(a_new_version_of_a_role_is_seen_though_its_delegator_stayed),
          cmocka_unit_test(stored_roles_are_used_again_without_a_request),
          cmocka_unit_test(odd_role_names_are_encoded_and_stay_in_the_folder),
          cmocka_unit_test(found_targets_carry_length_hash_and_custom),
          cmocka_unit_test(all_targets_of_a_role_are_walked_in_order))
