#include "agent/prove/box_root.h"

#include "agent/prove/box_set.h"
#include "common/base/buf.h"
#include "common/box/samples_codec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The new root is built where every system has a folder. */
#define BUILD "/tmp"

enum { PAGE = 4096, SLACK = 64 * 1024, PATH_BYTES = 128 };

static const unsigned long plain_flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

int64_t box_root_bytes(const struct box_root_spec *spec)
{
    int64_t bytes = SLACK;
    if (spec->profile != BOX_PROFILE_FILES) { return bytes; }
    bytes += spec->content_bytes + PAGE;
    if (spec->content_is_sets) { bytes += (int64_t)BOX_SET_FOLDERS_MAX * BOX_SET_FILES_MAX * PAGE; }
    if (spec->samples_as_files) {
        bytes += spec->samples_bytes + (int64_t)SAMPLES_BLIND_COUNT_MAX * PAGE;
    }
    return bytes;
}

static uint32_t u32_of(const uint8_t raw[static 4])
{
    return (uint32_t)raw[0] | (uint32_t)raw[1] << 8 | (uint32_t)raw[2] << 16 |
           (uint32_t)raw[3] << 24;
}

/* The launcher wrote the bundle itself: its form is not in doubt. */
static bool unpack_samples(void)
{
    uint8_t head[SAMPLES_HEAD_BYTES];
    off_t at = SAMPLES_HEAD_BYTES;
    if (mkdir(BUILD "/samples", 0555) != 0 ||
        pread(BOX_FD_SAMPLES, head, sizeof(head), 0) != (ssize_t)sizeof(head)) {
        return false;
    }
    uint32_t count = u32_of(head + 4);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t one[SAMPLES_ONE_HEAD_BYTES];
        char path[PATH_BYTES];
        if (pread(BOX_FD_SAMPLES, one, sizeof(one), at) != (ssize_t)sizeof(one)) { return false; }
        at += (off_t)sizeof(one);
        (void)snprintf(path, sizeof(path), BUILD "/samples/%u", i);
        if (!box_set_copy(BOX_FD_SAMPLES, &at, u32_of(one), path)) { return false; }
    }
    return true;
}

static bool add_content(const struct box_root_spec *spec)
{
    char path[PATH_BYTES];
    off_t at = 0;
    if (spec->content_is_sets) {
        return box_set_unpack(BOX_FD_CONTENT, spec->content_bytes, BUILD);
    }
    (void)snprintf(path, sizeof(path), BUILD "/content.%s", spec->extension);
    return box_set_copy(BOX_FD_CONTENT, &at, (uint64_t)spec->content_bytes, path);
}

static bool add_files(const struct box_root_spec *spec)
{
    char text[PATH_BYTES];
    if (!add_content(spec)) { return false; }
    if (spec->samples_as_files && !unpack_samples()) { return false; }
    (void)snprintf(text, sizeof(text), "size=%d,mode=0700,uid=%u,gid=%u", BOX_SCRATCH_BYTES,
                   spec->uid, spec->gid);
    return mkdir(BUILD "/tmp", 0755) == 0 &&
           mount("tmpfs", BUILD "/tmp", "tmpfs", plain_flags, text) == 0;
}

/* A bind mount keeps the flags of what it shows; a user name space must not drop any of them. */
static bool bind_read_only(const char *from, const char *to)
{
    static const struct {
        unsigned long shown, flag;
    } kept[] = {{ST_NOATIME, MS_NOATIME},
                {ST_NODIRATIME, MS_NODIRATIME},
                {ST_RELATIME, MS_RELATIME},
                {ST_NOEXEC, MS_NOEXEC}};
    struct statvfs shown;
    unsigned long flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;
    if (mount(from, to, NULL, MS_BIND, NULL) != 0 || statvfs(to, &shown) != 0) { return false; }
    for (size_t i = 0; i < RW_LEN(kept); i++) {
        flags |= (shown.f_flag & kept[i].shown) != 0 ? kept[i].flag : 0;
    }
    return mount(NULL, to, NULL, flags, NULL) == 0;
}

/* A folder of the host appears as it is there: as a link, or as a folder. */
static bool show_folder(const char *path)
{
    char there[PATH_BYTES];
    char target[PATH_BYTES];
    struct stat st;
    (void)snprintf(there, sizeof(there), BUILD "%s", path);
    if (lstat(path, &st) != 0) { return errno == ENOENT; }
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n <= 0) { return false; }
        target[n] = '\0';
        return symlink(target, there) == 0;
    }
    return mkdir(there, 0755) == 0 && bind_read_only(path, there);
}

static bool show_file(const char *path)
{
    char there[PATH_BYTES];
    (void)snprintf(there, sizeof(there), BUILD "%s", path);
    if (access(path, R_OK) != 0) { return errno == ENOENT; }
    int fd = open(there, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
    if (fd < 0) { return false; }
    (void)close(fd);
    return bind_read_only(path, there);
}

static bool add_libraries(void)
{
    static const char *const folders[] = {"/usr/lib", "/usr/lib64", "/lib", "/lib64"};
    if (mkdir(BUILD "/usr", 0755) != 0 || mkdir(BUILD "/etc", 0755) != 0) { return false; }
    for (size_t i = 0; i < RW_LEN(folders); i++) {
        if (!show_folder(folders[i])) { return false; }
    }
    return show_file("/etc/ld.so.cache");
}

bool box_root_enter(const struct box_root_spec *spec)
{
    char options[PATH_BYTES];
    (void)snprintf(options, sizeof(options), "size=%lld,mode=0555",
                   (long long)box_root_bytes(spec));
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", BUILD, "tmpfs", plain_flags, options) != 0) {
        return false;
    }
    if (spec->profile != BOX_PROFILE_STATIC && !add_libraries()) { return false; }
    if (spec->profile == BOX_PROFILE_FILES && !add_files(spec)) { return false; }
    return chdir(BUILD) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
           umount2(".", MNT_DETACH) == 0 && chdir("/") == 0 &&
           mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | plain_flags, NULL) == 0;
}
