/* Goal: new content is measured against the newest published release that a box accepted, and against nothing else. */
#include "server/release/release.h"
#include "server/server_init.h"
#include "tests/release_rig.h"

/* The program under test, built before this one (tests/CMakeLists.txt): RW_BIN_DIR "/ringward-signer" */

static struct release_check_job job_of(struct rig *r, const struct release_id *id)
{
    struct rw_err err = {0};
    struct release_check_job job;
    MUST(release_begin_check(domain(r), id, &job, &err));
    return job;
}

static struct release_id published(struct rig *r, const struct wish *wish)
{
    struct rw_err err = {0};
    struct release_id id = {.family = "yara"};
    if (wish->unchecked) {
        id = create(r, wish);
        (void)upload(r, &id, wish->text);
    } else {
        id = checked_release(r, wish);
    }
    approve(r, &id);
    MUST(publish(r, &id, "pat", &err));
    return id;
}

static struct release_check_job next_job(struct rig *r)
{
    struct release_id id = create(r, &plain);
    assert_true(upload(r, &id, plain.text));
    return job_of(r, &id);
}

TEST(the_first_release_has_nothing_before_it)
{
    RW_AUTO(rig) struct rig r = rig_make();
    struct release_check_job job = next_job(&r);
    assert_string_equal(job.before_path, "");
}

TEST(drafts_and_checked_releases_are_no_measure)
{
    RW_AUTO(rig) struct rig r = rig_make();
    (void)create(&r, &plain);
    (void)checked_release(&r, &plain);
    struct release_check_job job = next_job(&r);
    assert_string_equal(job.before_path, "");
}

TEST(the_newest_published_release_is_the_measure_however_far_back)
{
    RW_AUTO(rig) struct rig r = rig_make();
    (void)published(&r, &plain);
    (void)published(&r, &plain);
    (void)create(&r, &plain); /* number 3, never published */
    struct release_check_job job = next_job(&r);
    assert_int_equal(job.id.number, 4);
    assert_string_equal(job.before_path, "yara/2/payload");
    assert_int_equal(job.before_steps, 2);
}

/* What the rollouts say: the release in place, and the one that was halted. */
static int64_t said_in_place;
static int64_t said_halted;

static int64_t in_place(const void *ctx, const char *family)
{
    (void)ctx;
    assert_string_equal(family, "yara");
    return said_in_place;
}

static bool halted(const void *ctx, const struct release_id *id)
{
    (void)ctx;
    return id->number == said_halted;
}

static const struct measure_case {
    const char *id;
    int64_t in_place;
    int64_t halted;
    const char *want;
} measures[] = {
    {"the_one_in_place", 1, 0, "yara/1/payload"},
    {"nothing_was_rolled_out", 0, 0, "yara/3/payload"},
    {"a_halted_one_is_none", 0, 3, "yara/2/payload"},
    {"in_place_though_newer_ones_are_there", 2, 3, "yara/2/payload"},
    {"in_place_is_newer_than_the_list_knows", 9, 3, "yara/2/payload"},
};

TEST_EACH(new_content_is_measured_against_what_runs, measures)
{
    RW_AUTO(rig) struct rig r = rig_make();
    for (int i = 0; i < 3; i++) {
        (void)published(&r, &plain);
    }
    said_in_place = it->in_place;
    said_halted = it->halted;
    r.domain.in_place = in_place;
    r.domain.halted = halted;
    struct release_check_job job = next_job(&r);
    assert_string_equal(job.before_path, it->want);
}

TEST(what_no_box_saw_is_no_measure)
{
    static const struct wish unseen = {.class_name = "data", .text = payload, .unchecked = true};
    RW_AUTO(rig) struct rig r = rig_make();
    (void)published(&r, &plain);
    (void)published(&r, &unseen);
    struct release_check_job job = next_job(&r);
    assert_string_equal(job.before_path, "yara/1/payload");
    assert_int_equal(job.before_steps, 2);
}

TEST(a_payload_that_is_gone_holds_nobody_up)
{
    RW_AUTO(rig) struct rig r = rig_make();
    (void)published(&r, &plain);
    assert_int_equal(unlinkat(r.domain.staging_dir, "yara/1/payload", 0), 0);
    struct release_check_job job = next_job(&r);
    assert_string_equal(job.before_path, "");
}

RUN_TESTS(cmocka_unit_test(new_content_is_measured_against_what_runs),
          cmocka_unit_test(the_first_release_has_nothing_before_it),
          cmocka_unit_test(drafts_and_checked_releases_are_no_measure),
          cmocka_unit_test(the_newest_published_release_is_the_measure_however_far_back),
          cmocka_unit_test(what_no_box_saw_is_no_measure),
          cmocka_unit_test(a_payload_that_is_gone_holds_nobody_up))
