/* Goal: what content took is put back as it was, by the release that took it and no other. */
#include "agent/sensor/sensor_quarantine.h"
#include "agent/sensor/sensor_quarantine_rule.h"
#include "common/base/file.h"
#include "tests/harness.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rw_err err;

static const struct rule_case {
    const char *id;
    struct sensor_quarantine_rule_case c;
    bool want;
} rules[] = {
    {"a newer release keeps it", {.set = 9, .loaded = 6, .release = 5}, false},
    {"the release itself keeps it", {.set = 9, .loaded = 5, .release = 5}, false},
    {"gone back to a lower one", {.set = 9, .loaded = 4, .release = 5}, true},
    {"gone back from a trial", {.set = 8, .loaded = 4, .release = 5, .trial = true}, true},
    {"the family was taken away", {.set = 9, .loaded = 0, .release = 5}, true},
    {"the guard's last resort", {.set = 0, .loaded = 0, .release = 5}, false},
    {"a first release that failed its trial",
     {.set = 0, .loaded = 0, .release = 5, .trial = true},
     true},
};

TEST_EACH(going_back_undoes_and_going_on_does_not, rules)
{
    assert_int_equal(sensor_quarantine_rule_undo(&it->c), it->want);
}

struct place {
    struct harness_dir top;
    char watched[160];
    char kept[160];
    struct sensor_quarantine q;
};

static void begin(struct place *p)
{
    p->top = harness_dir();
    (void)snprintf(p->watched, sizeof(p->watched), "%s/watched", p->top.path);
    (void)snprintf(p->kept, sizeof(p->kept), "%s/quarantine", p->top.path);
    MUST(rw_dir_make(p->watched, 0755, &err));
    MUST(sensor_quarantine_open(p->kept, p->watched, &p->q, &err));
}

static void end(struct place *p)
{
    sensor_quarantine_drop(&p->q);
    harness_dir_drop(&p->top);
}

static struct stat put(const struct place *p, const char *name, const char *text)
{
    struct stat st;
    MUST(rw_file_replace_at(p->q.watched, name, 0640, rw_span_str(text), &err));
    assert_int_equal(fchmodat(p->q.watched, name, 04751, 0), 0);
    assert_int_equal(fstatat(p->q.watched, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static struct rw_rc take(const struct place *p, const char *name, const struct stat *st,
                         int64_t release, bool trial)
{
    const struct sensor_quarantine_order o = {.family = "yara",
                                              .release = release,
                                              .rule = "greedy",
                                              .trial = trial,
                                              .name = name,
                                              .found = st};
    return sensor_quarantine_take(&p->q, &o, &err);
}

static int count(int dir)
{
    int n = 0;
    DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY));
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        n += e->d_name[0] != '.';
    }
    (void)closedir(d);
    return n;
}

static void is_back(const struct place *p, const char *name, const char *text,
                    const struct stat *was)
{
    struct stat st;
    RW_AUTO(rw_buf) struct rw_buf now = rw_buf_make(4096);
    assert_int_equal(fstatat(p->q.watched, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(st.st_mode, was->st_mode);
    assert_int_equal(st.st_uid, was->st_uid);
    assert_int_equal(st.st_gid, was->st_gid);
    assert_int_equal(st.st_mtim.tv_nsec, was->st_mtim.tv_nsec);
    MUST(rw_file_read_at(p->q.watched, name, 4000, &now, &err));
    assert_string_equal(rw_buf_str(&now), text);
}

TEST(a_file_goes_and_comes_back_as_it_was)
{
    static const char odd[] = "not \xff text\n";
    struct sensor_quarantine_undone done;
    struct place p;
    begin(&p);
    struct stat one = put(&p, "one", "first");
    struct stat two = put(&p, odd, "second");
    MUST(take(&p, "one", &one, 5, false));
    MUST(take(&p, odd, &two, 5, true));
    assert_int_equal(count(p.q.watched), 0);
    assert_int_equal(count(p.q.files), 2);
    MUST_FAIL(sensor_quarantine_undo(&p.q, "yara", 6, &done, &err), RW_E_NOT_FOUND);
    MUST_FAIL(sensor_quarantine_undo(&p.q, "other", 5, &done, &err), RW_E_NOT_FOUND);
    MUST(sensor_quarantine_undo(&p.q, "yara", 5, &done, &err));
    assert_int_equal(done.restored, 2);
    assert_int_equal(done.kept, 0);
    is_back(&p, "one", "first", &one);
    is_back(&p, odd, "second", &two);
    assert_int_equal(count(p.q.files) + count(p.q.manifests), 0);
    end(&p);
}

TEST(a_file_that_changed_since_its_scan_is_left_alone)
{
    struct place p;
    begin(&p);
    struct stat was = put(&p, "one", "first");
    struct stat is = put(&p, "one", "another"); /* replaced: another file of that name */
    MUST_FAIL(take(&p, "one", &was, 5, true), RW_E_BUSY);
    is_back(&p, "one", "another", &is);
    assert_int_equal(count(p.q.files), 0);
    MUST_FAIL(take(&p, "gone", &was, 5, true), RW_E_NOT_FOUND);
    end(&p);
}

TEST(nothing_is_put_over_a_file_that_is_there_again)
{
    struct sensor_quarantine_undone done;
    struct place p;
    begin(&p);
    struct stat was = put(&p, "one", "first");
    MUST(take(&p, "one", &was, 5, true));
    struct stat is = put(&p, "one", "newer");
    MUST(sensor_quarantine_undo(&p.q, "yara", 5, &done, &err));
    assert_int_equal(done.kept, 1);
    is_back(&p, "one", "newer", &is);
    assert_int_equal(unlinkat(p.q.watched, "one", 0), 0);
    MUST(sensor_quarantine_undo(&p.q, "yara", 5, &done, &err)); /* kept until it can go back */
    assert_int_equal(done.restored, 1);
    is_back(&p, "one", "first", &was);
    end(&p);
}

TEST(a_line_that_a_crash_cut_spoils_no_other)
{
    struct sensor_quarantine_undone done;
    struct place p;
    begin(&p);
    struct stat one = put(&p, "one", "first");
    struct stat two = put(&p, "two", "second");
    MUST(take(&p, "one", &one, 5, true));
    int fd = openat(p.q.manifests, "yara-5", O_WRONLY | O_APPEND);
    MUST(rw_fd_write_all(fd, rw_span_str("{\"at\":\"2026"), &err));
    (void)close(fd);
    MUST(take(&p, "two", &two, 5, true));
    MUST(sensor_quarantine_undo(&p.q, "yara", 5, &done, &err));
    assert_int_equal(done.restored, 2);
    assert_int_equal(done.kept, 1); /* the line: told, and the manifest stays for people */
    is_back(&p, "one", "first", &one);
    is_back(&p, "two", "second", &two);
    end(&p);
}

static const struct hostile_line {
    const char *id, *line;
} hostile[] = {
    {"a path", "{\"trial\":true,\"name\":\"2e2e2f78\",\"kept\":\"k\"}\n"},
    {"the folder above", "{\"trial\":true,\"name\":\"2e2e\",\"kept\":\"k\"}\n"},
    {"a NUL", "{\"trial\":true,\"name\":\"7800\",\"kept\":\"k\"}\n"},
    {"from elsewhere", "{\"trial\":true,\"name\":\"78\",\"kept\":\"../watched/one\"}\n"},
    {"no name", "{\"trial\":true,\"name\":\"\",\"kept\":\"k\"}\n"},
};

TEST_EACH(a_manifest_names_files_of_the_two_folders_only, hostile)
{
    struct sensor_quarantine_undone done;
    struct place p;
    begin(&p);
    struct stat one = put(&p, "one", "first");
    MUST(rw_file_replace_at(p.q.manifests, "yara-5", 0600, rw_span_str(it->line), &err));
    MUST(rw_file_replace_at(p.q.files, "k", 0600, rw_span_str("kept"), &err));
    MUST(sensor_quarantine_undo(&p.q, "yara", 5, &done, &err));
    assert_int_equal(done.restored, 0);
    assert_int_equal(done.kept, 1);
    is_back(&p, "one", "first", &one);
    assert_int_equal(count(p.q.watched), 1);
    end(&p);
}

TEST(a_load_follows_each_release_by_itself)
{
    struct place p;
    struct sensor_set set = {.number = 7, .count = 1, .at[0] = {.name = "yara", .release = 5}};
    begin(&p);
    struct stat one = put(&p, "one", "first");
    struct stat two = put(&p, "two", "second");
    MUST(take(&p, "one", &one, 5, false));
    MUST(take(&p, "two", &two, 6, true));
    MUST(sensor_quarantine_follow(&p.q, &set, &err));
    is_back(&p, "two", "second", &two);
    assert_int_equal(count(p.q.watched), 1);
    set.number = 0; /* the built-in set: perhaps the guard's last resort */
    set.count = 0;
    MUST(sensor_quarantine_follow(&p.q, &set, &err));
    assert_int_equal(count(p.q.watched), 1);
    set.number = 8;
    MUST(sensor_quarantine_follow(&p.q, &set, &err));
    is_back(&p, "one", "first", &one);
    end(&p);
}

RUN_TESTS(cmocka_unit_test(going_back_undoes_and_going_on_does_not),
          cmocka_unit_test(a_file_goes_and_comes_back_as_it_was),
          cmocka_unit_test(a_file_that_changed_since_its_scan_is_left_alone),
          cmocka_unit_test(nothing_is_put_over_a_file_that_is_there_again),
          cmocka_unit_test(a_line_that_a_crash_cut_spoils_no_other),
          cmocka_unit_test(a_manifest_names_files_of_the_two_folders_only),
          cmocka_unit_test(a_load_follows_each_release_by_itself))
