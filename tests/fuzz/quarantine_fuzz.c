/* A quarantine's manifest, as a disk may have changed it: files go back into the watched directory and nowhere else,
 * and none that is there is written over. What cannot be put back is counted and stays. */
#include "agent/sensor/sensor_quarantine.h"
#include "common/base/log.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char kept_text[] = "taken";
static const char own_text[] = "never taken";

static rw_fd part(const char *name)
{
    struct rw_err err;
    rw_fd fd = -1;
    RW_ASSERT(rw_is_ok(rw_dir_make_at(fuzz_folder(), name, 0700, &fd, &err)));
    return fd;
}

static void check_text(int dir, const char *name, const char *want)
{
    char text[32] = "";
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    RW_ASSERT(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0 && strcmp(text, want) == 0);
    (void)close(fd);
}

static RW_RC count_one(void *ctx, const char *name, struct rw_err *err)
{
    size_t *count = ctx;
    (void)name;
    (void)err;
    (*count)++;
    return RW_OK;
}

static size_t entries(int dir)
{
    struct rw_err err;
    size_t count = 0;
    RW_ASSERT(rw_is_ok(rw_dir_each(dir, count_one, &count, &err)));
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rw_err err;
    struct sensor_quarantine_undone done = {.restored = 0};
    rw_log_setup("fuzz", (enum rw_log_level)(RW_LOG_ERROR + 1)); /* nothing */
    RW_AUTO(sensor_quarantine)
    struct sensor_quarantine q = {
        .files = part("files"), .manifests = part("manifest"), .watched = part("watched")};
    fuzz_folder_empty_at(q.files);
    fuzz_folder_empty_at(q.manifests);
    fuzz_folder_empty_at(q.watched);
    fuzz_folder_put_at(q.files, "a", rw_span_str(kept_text));
    fuzz_folder_put_at(q.files, "b", rw_span_str(kept_text));
    fuzz_folder_put_at(q.watched, "own", rw_span_str(own_text));
    fuzz_folder_put_at(fuzz_folder(), "beside", rw_span_str(own_text));
    fuzz_folder_put_at(q.manifests, "yara-1", rw_span_of(data, size));
    RW_IGNORE(sensor_quarantine_undo(&q, "yara", 1, &done, &err), "what it did is looked at");
    check_text(q.watched, "own", own_text);
    check_text(fuzz_folder(), "beside", own_text);
    RW_ASSERT(entries(fuzz_folder()) == 4); /* three folders and the one beside */
    RW_ASSERT(done.restored >= 0 && done.restored <= 2);
    RW_ASSERT(entries(q.files) + (size_t)done.restored == 2);
    RW_ASSERT(entries(q.watched) == 1 + (size_t)done.restored);
    RW_ASSERT(done.kept == 0 || entries(q.manifests) == 1); /* until everything is back */
    return 0;
}
