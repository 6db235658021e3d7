/* Goal: whatever happens to content on the disk, it is found, never loaded (INV-5), repaired from the store or by the
 * server, else left for the set before; the link names a whole set throughout (INV-6), and it is told (INV-12). */
#include "agent/activate/activate.h"

#include "tests/unit/activate_fixture.h"

#include <signal.h>
#include <sys/stat.h>

static const char sensor[] = RW_FAKE_DIR "/fake_sensor";

static struct manifest_entry one;
static struct manifest_entry two;

static void begin(const struct manifest_entry *e)
{
    struct rw_err err;
    struct activate_plan plan = bench_plan(SLOT_TRIAL, e);
    MUST(activate_begin(&bench.a, &plan, &err));
    bench_until(ACTIVATE_STEADY);
}

/* yara/2 active, yara/1 before it. */
static void steady_on_two(void)
{
    bench_make(sensor);
    bench_start();
    bench_until(ACTIVATE_STEADY);
    one = bench_content("yara", 1, "ok");
    begin(&one);
    two = bench_content("yara", 2, "ok");
    begin(&two);
}

static const char *in_active(const char *name)
{
    static char path[160];
    (void)snprintf(path, sizeof(path), "%s/current/%s", bench.path, name);
    return path;
}

/* As root no mode stops us: opened for writing whatever the mode is. */
static void overwrite(const char *path, off_t at, const char *text)
{
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
    (void)close(fd);
    assert_int_equal(chmod(path, 0400), 0);
}

static void flip_a_byte(void)
{
    overwrite(in_active("yara.rwc"), 0, "O");
}

static void truncate_it(void)
{
    assert_int_equal(chmod(in_active("yara.rwc"), 0600), 0);
    assert_int_equal(truncate(in_active("yara.rwc"), 3), 0);
    assert_int_equal(chmod(in_active("yara.rwc"), 0400), 0);
}

static void delete_it(void)
{
    assert_int_equal(unlink(in_active("yara.rwc")), 0);
}

static void put_a_link(void)
{
    delete_it();
    assert_int_equal(symlink("/etc/passwd", in_active("yara.rwc")), 0);
}

static void put_a_folder(void)
{
    delete_it();
    assert_int_equal(mkdir(in_active("yara.rwc"), 0700), 0);
}

static void put_another_file(void)
{
    delete_it();
    int fd = open(in_active("yara.rwc"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    overwrite(in_active("yara.rwc"), 0, "ok evil/2\n");
}

static void open_to_all(void)
{
    assert_int_equal(chmod(in_active("yara.rwc"), 0666), 0);
}

static void delete_manifest(void)
{
    assert_int_equal(unlink(in_active("manifest.json")), 0);
}

static void cut_manifest(void)
{
    assert_int_equal(truncate(in_active("manifest.json"), 20), 0);
}

static const struct damage_case {
    const char *id;
    void (*harm)(void);
    bool
        store_keeps; /* sets are hard links: what is changed in place is changed in the store too */
    bool manifest_keeps; /* at a start: it still says what the set held */
} cases[] = {
    {"one_byte_flipped", flip_a_byte, false, true},
    {"truncated", truncate_it, false, true},
    {"deleted", delete_it, true, true},
    {"symlink_in_its_place", put_a_link, true, true},
    {"folder_in_its_place", put_a_folder, true, true},
    {"another_file_in_its_place", put_another_file, true, true},
    {"writable_by_all", open_to_all, true, true},
    {"manifest_deleted", delete_manifest, true, false},
    {"manifest_cut", cut_manifest, true, false},
};

/* One round of the slow check, as agent_integrity.c makes it. Gives how many sets were damaged. */
static int check_round(void)
{
    struct manifest set[ACTIVATE_CHECK_SETS];
    atomic_bool stop = false;
    const struct set_store_pace pace = {.slice_bytes = 4, .pause_ms = 0, .stop = &stop};
    int damaged = 0;
    size_t n = activate_check_list(&bench.a, set);
    for (size_t i = 0; i < n; i++) {
        struct rw_err err;
        if (rw_is_ok(set_store_check_slowly(&bench.a.sets, &set[i], &pace, &err))) { continue; }
        damaged++;
        activate_damaged(&bench.a, &set[i], err.text);
    }
    return damaged;
}

static bool told(const char *words)
{
    struct beacon b = {.detail = ""};
    activate_report_alive(&bench.a);
    (void)bench_beacons(BEACON_ALIVE, &b);
    if (strstr(b.detail, words) != NULL) { return true; }
    print_message("           told: '%s'\n", b.detail);
    return false;
}

static void assert_settled_on(int64_t release)
{
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench_active_release("yara"), release);
    assert_int_equal(bench.a.sensor.loaded[0].release, release);
    assert_int_equal(bench.a.slots.current, bench.a.active.set);
    assert_false(slot_is_abandoned(&bench.a.slots, two.sha256)); /* the release is not to blame */
    assert_int_equal(bench_beacons(BEACON_FAILED, NULL), 0);
}

TEST_EACH(found_while_running_and_repaired, cases)
{
    struct rw_err err;
    steady_on_two();
    int64_t set = bench.a.active.set;
    int64_t generation = bench.a.sensor.generation;
    assert_int_equal(check_round(), 0);
    it->harm();
    assert_int_equal(check_round(), 1);
    assert_int_equal(bench.a.damage.found, !it->store_keeps);
    if (!it->store_keeps) {
        struct manifest_entry wanted[MANIFEST_FAMILIES_MAX];
        assert_int_equal(activate_wanted(&bench.a, wanted), 1);
        assert_memory_equal(wanted[0].sha256, two.sha256, DIGEST_BYTES);
        assert_false(activate_idle(&bench.a)); /* no trial without a set to go back to */
        assert_int_equal(bench.a.sensor.loaded[0].release, 2); /* protection goes on */
        MUST(content_store_put(bench.a.sets.store, rw_span_str("ok yara/2\n"), &err));
        activate_mend(&bench.a, true);
    }
    assert_settled_on(2);
    assert_true(bench.a.active.set > set);
    assert_true(bench.a.sensor.generation > generation); /* it was told to load what is whole */
    assert_int_equal(bench.a.damage.repaired, 1);
    assert_int_equal(check_round(), 0);
    assert_true(told("integrity:"));
    assert_true(told("")); /* once */
    bench_remove();
}

TEST_EACH(found_at_a_start_and_repaired_or_left, cases)
{
    struct rw_err err;
    steady_on_two();
    MUST(activate_stop(&bench.a, &err));
    it->harm();
    bench_close();
    bench_open_again(sensor);
    bench_start();
    assert_settled_on(it->store_keeps && it->manifest_keeps ? 2 : 1);
    assert_true(told(it->manifest_keeps ? "integrity:" : ""));
    bench_remove();
}

TEST(without_any_copy_the_set_before_then_the_empty_one_is_active)
{
    steady_on_two();
    flip_a_byte();
    assert_int_equal(check_round(), 1);
    activate_mend(&bench.a, true); /* the server could not help */
    assert_settled_on(1);
    assert_true(told("left for the previous set"));
    flip_a_byte();
    assert_int_equal(check_round(), 1);
    activate_mend(&bench.a, true);
    bench_until(ACTIVATE_STEADY);
    assert_int_equal(bench.a.active.set, 0);
    assert_true(bench.a.settled);
    bench_remove();
}

TEST(a_sensor_that_dies_meanwhile_never_loads_what_is_damaged)
{
    steady_on_two();
    flip_a_byte();
    assert_int_equal(check_round(), 1);
    assert_true(bench.a.damage.found);
    assert_int_equal(kill(bench.a.sensor.proc.pid, SIGKILL), 0);
    bench_until(ACTIVATE_STARTING);
    assert_settled_on(1);
    bench_remove();
}

/* INV-5: better no sensor for a while than one that loads what nobody proved. */
TEST(a_damaged_set_is_left_by_name_while_the_link_is_stuck)
{
    char link[160];
    steady_on_two();
    flip_a_byte();
    assert_int_equal(check_round(), 1);
    /* A folder in the link's place: no rename takes it, for neither of the sets to go back to. */
    (void)snprintf(link, sizeof(link), "%s/current", bench.path);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(mkdir(link, 0700), 0);
    assert_int_equal(kill(bench.a.sensor.proc.pid, SIGKILL), 0);
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
    assert_true(bench.a.link_owed);
    assert_int_equal(bench.a.sensor.loaded[0].release, 1); /* the damaged one is not loaded */
    assert_int_equal(rmdir(link), 0);
    bench.a.link_at.ms = 0;
    bench_until(ACTIVATE_STARTING);
    bench_until(ACTIVATE_STEADY);
    assert_false(bench.a.link_owed);
    assert_true(sensor_running(&bench.a.sensor));
    assert_int_equal(bench_active_release("yara"), 1); /* the previous set is whole */
    bench_remove();
}

/* Between two checks, and before anybody knows: what it cannot load it would never load again (INV-6). */
TEST(a_sensor_that_is_lost_has_its_files_looked_at_before_it_loads_them_again)
{
    steady_on_two();
    delete_it();
    assert_int_equal(kill(bench.a.sensor.proc.pid, SIGKILL), 0);
    bench_until(ACTIVATE_STARTING);
    assert_settled_on(2);
    assert_int_equal(bench.a.damage.repaired, 1);
    flip_a_byte(); /* in the store, too */
    assert_int_equal(kill(bench.a.sensor.proc.pid, SIGKILL), 0);
    bench_until(ACTIVATE_STARTING);
    assert_settled_on(1);
    bench_remove();
}

static void spoil_set(int64_t set, const char *name)
{
    char path[160];
    (void)snprintf(path, sizeof(path), "%s/sets/%lld/%s", bench.path, (long long)set, name);
    overwrite(path, 0, "O");
}

/* INV-5: rather no sensor than one that loads what nobody proved. */
TEST(while_no_set_at_all_is_whole_the_sensor_stays_down)
{
    struct rw_clock clock = rw_clock_system();
    steady_on_two();
    spoil_set(bench.a.slots.previous, "yara.rwc");
    spoil_set(0, "manifest.json");
    flip_a_byte();
    assert_true(check_round() >= 1);
    assert_int_equal(kill(bench.a.sensor.proc.pid, SIGKILL), 0);
    int64_t end_ms = rw_clock_mono(&clock).ms + 10000;
    while (!bench.a.unstarted && rw_clock_mono(&clock).ms < end_ms) {
        activate_step(&bench.a);
        (void)poll(NULL, 0, 10);
    }
    assert_true(bench.a.unstarted);
    assert_false(sensor_running(&bench.a.sensor));
    assert_true(bench.a.damage.found);
    bench_remove();
}

TEST(nobody_waits_for_the_server_for_ever)
{
    steady_on_two();
    truncate_it();
    assert_int_equal(check_round(), 1);
    bench.a.damage.until.ms = 1; /* the time is over */
    activate_step(&bench.a);
    assert_settled_on(1);
    bench_remove();
}

TEST(the_set_before_is_watched_too)
{
    char path[160];
    steady_on_two();
    int64_t before = bench.a.slots.previous;
    (void)snprintf(path, sizeof(path), "%s/sets/%lld/yara.rwc", bench.path, (long long)before);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(check_round(), 1);
    assert_true(bench.a.slots.previous > before); /* made anew of the store's copy */
    assert_int_equal(check_round(), 0);
    (void)snprintf(path, sizeof(path), "%s/sets/%lld/yara.rwc", bench.path,
                   (long long)bench.a.slots.previous);
    overwrite(path, 0, "X");
    assert_int_equal(check_round(), 1);
    assert_int_equal(bench.a.slots.previous, 0);
    assert_settled_on(2); /* the active one was never touched */
    assert_true(told("previous set given up"));
    bench_remove();
}

TEST(what_is_under_way_is_not_checked)
{
    struct rw_err err;
    struct manifest set[ACTIVATE_CHECK_SETS];
    steady_on_two();
    struct manifest_entry three = bench_content("yara", 3, "ok");
    struct activate_plan plan = bench_plan(SLOT_TRIAL, &three);
    struct manifest old = bench.a.active;
    MUST(activate_begin(&bench.a, &plan, &err));
    assert_int_equal(activate_check_list(&bench.a, set), 0);
    activate_damaged(&bench.a, &old, "found too late");
    assert_int_equal(bench.a.damage.count, 0);
    bench_until(ACTIVATE_STEADY);
    bench_remove();
}

TEST(a_check_ends_when_it_shall)
{
    struct rw_err err;
    atomic_bool stop = true;
    const struct set_store_pace pace = {.slice_bytes = 1, .pause_ms = 0, .stop = &stop};
    steady_on_two();
    MUST_FAIL(set_store_check_slowly(&bench.a.sets, &bench.a.active, &pace, &err), RW_E_BUSY);
    bench_remove();
}

RUN_TESTS(
    cmocka_unit_test(found_while_running_and_repaired),
    cmocka_unit_test(found_at_a_start_and_repaired_or_left),
    cmocka_unit_test(without_any_copy_the_set_before_then_the_empty_one_is_active),
    cmocka_unit_test(a_sensor_that_dies_meanwhile_never_loads_what_is_damaged),
    cmocka_unit_test(a_sensor_that_is_lost_has_its_files_looked_at_before_it_loads_them_again),
    cmocka_unit_test(a_damaged_set_is_left_by_name_while_the_link_is_stuck),
    cmocka_unit_test(while_no_set_at_all_is_whole_the_sensor_stays_down),
    cmocka_unit_test(nobody_waits_for_the_server_for_ever),
    cmocka_unit_test(the_set_before_is_watched_too),
    cmocka_unit_test(what_is_under_way_is_not_checked),
    cmocka_unit_test(a_check_ends_when_it_shall))
