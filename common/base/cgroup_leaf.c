#include "common/base/cgroup_leaf.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROC_BYTES_MAX = 65536, PATH_BYTES = 4096 };

static const char leaf[] = "main";

/* "0::/path" is the line of version 2; "" without one, and for the root of all, which needs no leaf. */
static RW_RC own_folder(char dst[static PATH_BYTES], struct rw_err *err)
{
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(PROC_BYTES_MAX);
    dst[0] = '\0';
    RW_TRY(rw_file_read("/proc/self/cgroup", PROC_BYTES_MAX, &text, err));
    const char *at = strstr(rw_buf_str(&text), "0::/");
    if (at == NULL || (at != rw_buf_str(&text) && at[-1] != '\n')) { return RW_OK; }
    at += strlen("0::");
    size_t n = strcspn(at, "\n");
    if (n > 1) { (void)snprintf(dst, PATH_BYTES, "/sys/fs/cgroup%.*s", (int)n, at); }
    return RW_OK;
}

static RW_RC put(int dir, const char *name, const char *text, struct rw_err *err)
{
    RW_AUTO(rw_fd) rw_fd fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "control group, %s", name); }
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        return rw_fail_errno(err, RW_E_IO, errno, "control group, '%s' to %s", text, name);
    }
    return RW_OK;
}

RW_RC cgroup_leaf_settle(bool *moved_out, struct rw_err *err)
{
    char folder[PATH_BYTES];
    struct stat st;
    *moved_out = false;
    RW_TRY(own_folder(folder, err));
    /* Root owns all groups, also those that nobody delegated: there the unit has to say User=. */
    if (folder[0] == '\0' || geteuid() == 0 || stat(folder, &st) != 0 || st.st_uid != geteuid()) {
        return RW_OK;
    }
    RW_AUTO(rw_fd) rw_fd dir = -1;
    RW_AUTO(rw_fd) rw_fd child = -1;
    RW_TRY(rw_dir_open(folder, &dir, err));
    if (mkdirat(dir, leaf, 0755) != 0 && errno != EEXIST) {
        return rw_fail_errno(err, RW_E_IO, errno, "control group '%s/%s'", folder, leaf);
    }
    RW_TRY(rw_dir_open_at(dir, leaf, &child, err));
    RW_TRY(put(child, "cgroup.procs", "0", err));
    RW_TRY(put(dir, "cgroup.subtree_control", "+memory +pids", err));
    struct rw_err unused;
    RW_IGNORE(put(dir, "cgroup.subtree_control", "+cpu", &unused), "a help where it is delegated");
    *moved_out = true;
    return RW_OK;
}
