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

RUN_TESTS(cmocka_unit_test(the_first_release_has_nothing_before_it),
          cmocka_unit_test(drafts_and_checked_releases_are_no_measure),
          cmocka_unit_test(the_newest_published_release_is_the_measure_however_far_back),
          cmocka_unit_test(what_no_box_saw_is_no_measure),
          cmocka_unit_test(a_payload_that_is_gone_holds_nobody_up))
