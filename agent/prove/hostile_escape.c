/* Attempts to get code, files or descriptors that were not given; and a look at what was. */
#include "agent/prove/hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, STACK_FRAME = 65536, FDS = 64 };

/* Not a loop that a compiler could make of it: each level keeps its frame. */
static int deeper(int level) /* NOLINT(misc-no-recursion): the stack's end is the test */
{
    volatile char frame[STACK_FRAME];
    frame[0] = (char)level;
    frame[STACK_FRAME - 1] = frame[0];
    return level < 0 ? 0 : deeper(level + 1) + frame[STACK_FRAME - 1];
}

static const char *do_stack(void)
{
    return deeper(1) == 0 ? "works" : "works somehow";
}

/* The outcome of a mapping; it goes again. */
static const char *try_map(int protection, int flags, int fd)
{
    void *p = mmap(NULL, PAGE, protection, flags, fd, 0);
    const char *outcome = hostile_outcome(p != MAP_FAILED);
    if (p != MAP_FAILED) { (void)munmap(p, PAGE); }
    return outcome;
}

static const char *do_rwx(void)
{
    return try_map(PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static const char *do_mprotect(void)
{
    static _Alignas(PAGE) char page[PAGE];
    return hostile_outcome(mprotect(page, sizeof(page), PROT_READ | PROT_EXEC) == 0);
}

static const char *map_content_as_code(void)
{
    return try_map(PROT_READ | PROT_EXEC, MAP_PRIVATE, HOSTILE_CONTENT_FD);
}

static const char *do_exec(void)
{
    char *const argv[] = {NULL};
    (void)execve("/bin/true", argv, argv);
    return hostile_outcome(false);
}

/* A program of its own in a memory file: makes it, fills it, executes it. */
static const char *do_memfd(void)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    char *const argv[] = {NULL};
    (void)sigaction(SIGXFSZ, &ignore, NULL);
    int fd = memfd_create("x", MFD_CLOEXEC);
    if (fd < 0 || write(fd, "#!/bin/true\n", 12) != 12) { return hostile_outcome(false); }
    (void)fexecve(fd, argv, argv);
    return hostile_outcome(false);
}

static const char *do_write_content(void)
{
    return hostile_outcome(pwrite(HOSTILE_CONTENT_FD, "x", 1, 0) == 1);
}

static const char *do_reopen_content(void)
{
    return hostile_open("/proc/self/fd/3", O_RDWR);
}

static const char *do_dup_content(void)
{
    return hostile_outcome(fcntl(HOSTILE_CONTENT_FD, F_DUPFD_CLOEXEC, 20) >= 0);
}

/* --- not attacks: what is there --- */

static const char *do_fds(void)
{
    static char text[4 * FDS];
    size_t n = 0;
    for (int fd = 0; fd < FDS; fd++) {
        if (fcntl(fd, F_GETFD) < 0) { continue; }
        int put = snprintf(text + n, sizeof(text) - n, "%s%d", n > 0 ? " " : "", fd);
        n += put > 0 ? (size_t)put : 0;
    }
    return text;
}

static const char *do_environment(void)
{
    static char text[200];
    size_t n = 0;
    for (char **one = environ; *one != NULL; one++) {
        int put = snprintf(text + n, sizeof(text) - n, "%s%s", n > 0 ? " " : "", *one);
        n += put > 0 && (size_t)put < sizeof(text) - n ? (size_t)put : 0;
    }
    return text;
}

static const char *do_look(void)
{
    return hostile_outcome(access("/etc/passwd", F_OK) == 0);
}

/* --- of profiles with libraries: before and behind the first touch --- */

static const char *do_early_open(void)
{
    return hostile_open("/etc/passwd", O_RDONLY);
}

static const char *do_early_write(void)
{
    return hostile_open("/tmp/x", O_WRONLY | O_CREAT);
}

/* A library's text, as a loader maps it. */
static const char *map_library(void)
{
    int fd = open("/usr/lib/os-release", O_RDONLY | O_CLOEXEC);
    if (fd < 0) { return hostile_outcome(false); }
    const char *outcome = try_map(PROT_READ | PROT_EXEC, MAP_PRIVATE, fd);
    (void)close(fd);
    return outcome;
}

/* --- of the files profile --- */

static const char *do_scratch(void)
{
    static char chunk[1 << 20];
    struct stat st;
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGXFSZ, &ignore, NULL);
    int fd = open("/tmp/a", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    if (fd < 0 || write(fd, "x", 1) != 1 || fstat(fd, &st) != 0) { return hostile_outcome(false); }
    for (int i = 0; i < 100; i++) {
        if (write(fd, chunk, sizeof(chunk)) < 0) { return "works, with an end"; }
    }
    return "has no end";
}

static const char *do_path_content(void)
{
    char byte[2] = "";
    char other = 0;
    int fd = open("/content.path-content", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, byte, 1, 0) != 1) { return hostile_outcome(false); }
    if (pread(HOSTILE_CONTENT_FD, &other, 1, 0) != 1 || other != byte[0]) { return "other bytes"; }
    const char *written = hostile_open("/content.path-content", O_WRONLY);
    return strcmp(written, "works") == 0 ? "can be written" : "works";
}

static const char *do_path_outside(void)
{
    return hostile_open("/x", O_WRONLY | O_CREAT);
}

const struct hostile_mode hostile_escapes[] = {
    {"stack", do_stack, false},
    {"rwx", do_rwx, false},
    {"mprotect", do_mprotect, false},
    {"content-as-code", map_content_as_code, false},
    {"early-content-as-code", map_content_as_code, true},
    {"exec", do_exec, false},
    {"memfd", do_memfd, false},
    {"write-content", do_write_content, false},
    {"reopen-content", do_reopen_content, false},
    {"dup-content", do_dup_content, false},
    {"fds", do_fds, false},
    {"environment", do_environment, false},
    {"look", do_look, false},
    {"early-open", do_early_open, true},
    {"early-write", do_early_write, true},
    {"early-library", map_library, true},
    {"late-library", map_library, false},
    {"scratch", do_scratch, false},
    {"path-content", do_path_content, false},
    {"path-outside", do_path_outside, false},
};
const size_t hostile_escapes_count = RW_LEN(hostile_escapes);
