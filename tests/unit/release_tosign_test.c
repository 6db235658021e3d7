/* Goal: the content role that is signed next lists what must stay: the newest releases, whatever a ring points at,
 * and the new one; it says when it no longer fits. */
#include "server/release/release_tosign.h"
#include "server/server_init.h"
#include "tests/dev_dir.h"

enum { OUT_BYTES_MAX = 1 << 20 };

/* The repository of a new directory, with `count` releases listed and one ring at `pointed`. */
static struct release_repo repo_with(struct dev_dir *d, int64_t count, int64_t pointed)
{
    struct rw_err err = {0};
    struct release_repo repo;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(OUT_BYTES_MAX);
    MUST(release_repo_read(d->repo, "yara", &repo, &err));
    MUST(rw_buf_appendf(&text, &err,
                        "{\"signatures\":[],\"signed\":{\"_type\":\"targets\",\"version\":7,"
                        "\"spec_version\":\"1.0.31\",\"expires\":\"2040-01-01T00:00:00Z\","
                        "\"targets\":{"));
    for (int64_t i = 1; i <= count; i++) {
        MUST(rw_buf_appendf(&text, &err,
                            "%s\"content/yara/%lld.rwc\":{\"length\":1,\"hashes\":{\"sha256\":"
                            "\"%064lld\"},\"custom\":{\"ringward\":{\"release\":%lld}}}",
                            i == 1 ? "" : ",", (long long)i, (long long)i, (long long)i));
    }
    MUST(rw_buf_append_str(&text, "}}}", &err));
    tuf_doc_drop(&repo.content);
    MUST(tuf_doc_parse(rw_buf_span(&text), "targets", &repo.content, &err));
    repo.pointed[0] = pointed;
    return repo;
}

static struct release release_of(int64_t number)
{
    struct release r = release_make();
    r.id = (struct release_id){.family = "yara", .number = number};
    r.payload = (struct release_file){.declared = true, .here = true, .bytes = 1};
    (void)snprintf(r.class_name, sizeof(r.class_name), "data");
    (void)snprintf(r.payload.sha256, sizeof(r.payload.sha256), "%064d", 99);
    return r;
}

static bool lists(const struct json *tree, int64_t number)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "content/yara/%lld.rwc", (long long)number);
    return json_find(json_find(tree, "targets"), path) != NULL;
}

static const struct list_case {
    const char *id;
    int64_t listed;  /* 1..listed */
    int64_t pointed; /* 0: none */
    int64_t oldest_kept;
    size_t count; /* with the new one */
} list_cases[] = {
    {"the_first_release", 0, 0, 1, 1},
    {"room_for_all", 15, 0, 1, 16},
    {"the_oldest_leaves", 16, 0, 2, 16},
    {"many_old_ones_leave", 40, 0, 26, 16},
    {"a_ring_keeps_an_old_one", 40, 3, 26, 17},
    {"a_ring_at_a_new_one_changes_nothing", 40, 39, 26, 16},
};

TEST_EACH(the_newest_stay_and_what_rings_point_at, list_cases)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    struct rw_err err = {0};
    struct json *tree = NULL;
    int64_t version = 0;
    RW_AUTO(release_repo) struct release_repo repo = repo_with(&d, it->listed, it->pointed);
    RW_AUTO(release) struct release r = release_of(it->listed + 1);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(OUT_BYTES_MAX);
    MUST(release_tosign_write(&repo, &r, dev_dir_now(), &out, &err));
    MUST(json_parse(rw_buf_span(&out), &json_limits_metadata, &tree, &err));
    assert_int_equal(json_count(json_find(tree, "targets")), it->count);
    for (int64_t i = 1; i <= it->listed + 1; i++) {
        assert_int_equal(lists(tree, i), i >= it->oldest_kept || i == it->pointed);
    }
    MUST(json_get_int(tree, "version", 1, RW_JSON_INT_MAX, &version, &err));
    assert_int_equal(version, 8);
    json_tree_drop(&tree);
}

static const struct fit_case {
    const char *id;
    int64_t content_version; /* 0: as the document was made for */
    bool other_policy;
    int64_t later_s;
    int64_t pointed;
    const char *why;       /* NULL: fits */
    int64_t sign_within_s; /* 0: as by default */
} fit_cases[] = {
    {"as_it_was_made", 0, false, 0, 0, NULL, 0},
    {"nine_minutes_later", 0, false, 9 * 60, 0, NULL, 0},
    {"ten_minutes_later", 0, false, 10 * 60, 0, "its date is more than ten minutes ago", 0},
    {"eight_hours_later_dated_ahead", 0, false, 8 * 3600 - 60, 0, NULL, 8 * 3600},
    {"after_the_time_for_signatures", 0, false, 8 * 3600, 0,
     "its date is more than ten minutes ago", 8 * 3600},
    {"eight_days_later", 0, false, 8 * 86400, 0, "the document is too old", 0},
    {"another_release_was_published", 8, false, 0, 0, "the content role changed meanwhile", 0},
    {"another_policy", 0, true, 0, 0, "the policy changed meanwhile", 0},
    {"a_ring_went_back_to_one_that_leaves", 0, false, 0, 2,
     "it drops a release that a ring points at", 0},
};

TEST_EACH(a_document_says_when_it_no_longer_fits, fit_cases)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    struct rw_err err = {0};
    const char *why = NULL;
    struct rw_wall now = dev_dir_now();
    RW_AUTO(release_repo) struct release_repo repo = repo_with(&d, 40, 0);
    RW_AUTO(release) struct release r = release_of(41);
    MUST(release_tosign_fits(&repo, &r, now, &why, &err));
    assert_string_equal(why, "no document was made yet");
    if (it->sign_within_s > 0) { r.sign_within_s = it->sign_within_s; }
    MUST(release_tosign_write(&repo, &r, now, &r.tosign, &err));
    r.base_version = repo.content.version;
    r.threshold = repo.authority.threshold;
    (void)snprintf(r.policy_sha256, sizeof(r.policy_sha256), "%s", repo.policy_sha256);
    if (it->content_version != 0) { repo.content.version = it->content_version; }
    if (it->other_policy) { repo.policy_sha256[0] ^= 1; }
    repo.pointed[1] = it->pointed;
    now.s += it->later_s;
    MUST(release_tosign_fits(&repo, &r, now, &why, &err));
    if (it->why == NULL) {
        assert_null(why);
    } else {
        assert_non_null(why);
        assert_string_equal(why, it->why);
    }
}

static const struct root_case {
    const char *id;
    int64_t root_left_s;  /* when the document is made */
    int64_t left_s;       /* that the document gets */
    int64_t root_later_s; /* another root ends so much later, or earlier */
    const char *why;      /* NULL: fits nine minutes later */
} root_cases[] = {
    {"root_ends_much_later", 300 * 86400, 14 * 86400, 0, NULL},
    {"root_ends_in_an_hour", 3600, 3600, 0, NULL},
    {"root_was_renewed_meanwhile", 3600, 3600, 86400 * 365, "the document is too old"},
    {"another_root_ends_earlier", 20 * 86400, 14 * 86400, -7 * 86400, "it would end after root"},
};

TEST_EACH(no_document_ends_after_root, root_cases)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    struct rw_err err = {0};
    const char *why = NULL;
    struct rw_wall now = dev_dir_now();
    struct rw_wall expires;
    RW_AUTO(release_repo) struct release_repo repo = repo_with(&d, 40, 0);
    RW_AUTO(release) struct release r = release_of(41);
    assert_in_range(repo.root_expires.s - now.s, 364 * 86400, 365 * 86400); /* as signed */
    repo.root_expires.s = now.s + it->root_left_s;
    MUST(release_tosign_write(&repo, &r, now, &r.tosign, &err));
    MUST(release_tosign_expires(rw_buf_span(&r.tosign), &expires, &err));
    assert_int_equal(expires.s - now.s, it->left_s);
    r.base_version = repo.content.version;
    r.threshold = repo.authority.threshold;
    (void)snprintf(r.policy_sha256, sizeof(r.policy_sha256), "%s", repo.policy_sha256);
    repo.root_expires.s += it->root_later_s;
    now.s += 9 * 60;
    MUST(release_tosign_fits(&repo, &r, now, &why, &err));
    if (it->why == NULL) {
        assert_null(why);
    } else {
        assert_non_null(why);
        assert_string_equal(why, it->why);
    }
}

TEST(a_number_that_is_listed_or_overtaken_is_refused)
{
    RW_AUTO(dev_dir) struct dev_dir d = dev_dir_make(0);
    struct rw_err err = {0};
    RW_AUTO(release_repo) struct release_repo repo = repo_with(&d, 5, 0);
    RW_AUTO(release) struct release r = release_of(5);
    RW_AUTO(rw_buf) struct rw_buf out = rw_buf_make(OUT_BYTES_MAX);
    MUST_FAIL(release_tosign_write(&repo, &r, dev_dir_now(), &out, &err), RW_E_EXISTS);
    (void)snprintf(r.class_name, sizeof(r.class_name), "other");
    r.id.number = 6;
    MUST_FAIL(release_tosign_write(&repo, &r, dev_dir_now(), &out, &err), RW_E_RANGE);
    assert_int_equal(release_repo_newest(&repo, "yara"), 5);
    assert_int_equal(release_repo_newest(&repo, "ids"), 0);
}

RUN_TESTS(cmocka_unit_test(the_newest_stay_and_what_rings_point_at),
          cmocka_unit_test(a_document_says_when_it_no_longer_fits),
          cmocka_unit_test(no_document_ends_after_root),
          cmocka_unit_test(a_number_that_is_listed_or_overtaken_is_refused))
