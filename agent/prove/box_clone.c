#include "agent/prove/box_clone.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define INTO_CGROUP UINT64_C(0x200000000)

/* struct clone_args: the kernel's header and the C library's exclude each other. */
struct clone_request {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

static const struct {
    enum box_layer layer;
    uint64_t flag;
} spaces[] = {
    {BOX_LAYER_USERNS, CLONE_NEWUSER}, {BOX_LAYER_MNTNS, CLONE_NEWNS},
    {BOX_LAYER_PIDNS, CLONE_NEWPID},   {BOX_LAYER_NETNS, CLONE_NEWNET},
    {BOX_LAYER_IPCNS, CLONE_NEWIPC},   {BOX_LAYER_UTSNS, CLONE_NEWUTS},
};

/* Root needs no user name space: it has an identity to give up. */
static uint64_t wanted_spaces(struct box_layers *l)
{
    uint64_t flags = 0;
    for (size_t i = 0; i < RW_LEN(spaces); i++) {
        if (spaces[i].layer == BOX_LAYER_USERNS && geteuid() == 0) { continue; }
        if (box_layer_wanted(l, spaces[i].layer)) { flags |= spaces[i].flag; }
    }
    return flags;
}

static void note_spaces(struct box_layers *l, uint64_t wanted, bool made, int sys_errno)
{
    for (size_t i = 0; i < RW_LEN(spaces); i++) {
        if ((wanted & spaces[i].flag) != 0) { box_layer_note(l, spaces[i].layer, made, sys_errno); }
    }
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the kernel writes through the number made of it */
static pid_t clone_raw(uint64_t flags, int cgroup_fd, int *pidfd)
{
    struct clone_request request = {
        .flags = flags | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)pidfd, .exit_signal = SIGCHLD};
    if (cgroup_fd >= 0) {
        request.flags |= INTO_CGROUP;
        request.cgroup = (uint64_t)cgroup_fd;
    }
    return (pid_t)syscall(SYS_clone3, &request, sizeof(request));
}

/* Containers hide clone3 from us: what it does beyond fork is lost then. */
static pid_t fork_with_pidfd(int *pidfd)
{
    pid_t pid = fork();
    if (pid <= 0) { return pid; }
    *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (*pidfd >= 0) { return pid; }
    int pidfd_errno = errno;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    errno = pidfd_errno;
    return -1;
}

RW_RC box_clone(struct box_layers *l, int cgroup_fd, pid_t *pid_out, int *pidfd_out,
                struct rw_err *err)
{
    uint64_t wanted = wanted_spaces(l);
    int pidfd = -1;
    note_spaces(l, wanted, true, 0);
    pid_t pid = clone_raw(wanted, cgroup_fd, &pidfd);
    if (pid < 0 && cgroup_fd >= 0 && errno != ENOSYS) { /* is it the group that it may not enter? */
        int first_errno = errno;
        box_layer_note(l, BOX_LAYER_CGROUP, false, first_errno);
        pid = clone_raw(wanted, -1, &pidfd);
        if (pid < 0) { box_layer_note(l, BOX_LAYER_CGROUP, true, 0); }
        cgroup_fd = pid < 0 ? cgroup_fd : -1;
    }
    if (pid < 0 && wanted != 0) {
        note_spaces(l, wanted, false, errno);
        pid = clone_raw(0, cgroup_fd, &pidfd);
    }
    if (pid < 0 && errno == ENOSYS) {
        if (cgroup_fd >= 0) { box_layer_note(l, BOX_LAYER_CGROUP, false, ENOSYS); }
        pid = fork_with_pidfd(&pidfd);
    }
    if (pid < 0) { return rw_fail_errno(err, RW_E_PROCESS, errno, "clone"); }
    *pid_out = pid;
    *pidfd_out = pidfd;
    return RW_OK;
}

static bool put_map(pid_t pid, const char *file, const char *text)
{
    char path[48];
    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) { return false; }
    bool ok = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int write_errno = errno;
    (void)close(fd);
    errno = write_errno;
    return ok;
}

RW_RC box_clone_map_ids(pid_t pid, const struct box_layers *l, struct rw_err *err)
{
    char uid_map[48];
    char gid_map[48];
    if (!box_layer_in_force(l, BOX_LAYER_USERNS)) { return RW_OK; }
    (void)snprintf(uid_map, sizeof(uid_map), "%u %u 1", geteuid(), geteuid());
    (void)snprintf(gid_map, sizeof(gid_map), "%u %u 1", getegid(), getegid());
    if (put_map(pid, "setgroups", "deny") && put_map(pid, "gid_map", gid_map) &&
        put_map(pid, "uid_map", uid_map)) {
        return RW_OK;
    }
    return rw_fail_errno(err, RW_E_PROCESS, errno, "identity in the user name space");
}
