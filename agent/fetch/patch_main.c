/* ringward-patch: applies one difference, with no right but to compute.
 *
 * Descriptors: 3 old content, 4 difference, 5 result (read and write, already of its signed length). All three are
 * mapped and the decoder is made before the kernel takes every system call away but the end (SECCOMP_MODE_STRICT):
 * whatever a hostile difference does to this process, it can reach nothing. Exit status 0: done; the caller checks
 * the hash.
 */
#include "agent/fetch/delta_apply.h"
#include "common/base/err.h"

#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BASE_FD = 3, DELTA_FD = 4, RESULT_FD = 5, CPU_S = 60 };

struct mapping {
    uint8_t *p;
    size_t n;
};

static RW_RC map(int fd, bool writable, struct mapping *out, struct rw_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > DELTA_APPLY_BYTES_MAX) {
        return rw_fail(err, RW_E_TOO_BIG, "descriptor %d is not a file of usable size", fd);
    }
    out->n = (size_t)st.st_size;
    int flags = writable ? MAP_SHARED : MAP_PRIVATE;
    void *p = mmap(NULL, out->n, PROT_READ | (writable ? PROT_WRITE : 0), flags, fd, 0);
    if (p == MAP_FAILED) { return rw_fail(err, RW_E_NOMEM, "cannot map descriptor %d", fd); }
    out->p = p;
    return RW_OK;
}

static RW_RC lock_down(struct rw_err *err)
{
    const struct rlimit none = {0, 0};
    const struct rlimit cpu = {CPU_S, CPU_S};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_CPU, &cpu) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) != 0) {
        return rw_fail(err, RW_E_PROCESS, "the kernel does not take the system calls away");
    }
    return RW_OK;
}

/* exit_group is not permitted any more. */
__attribute__((noreturn)) static void leave(int status)
{
    for (;;) {
        (void)syscall(SYS_exit, status);
    }
}

static RW_RC prepare(struct delta_apply *d, struct mapping m[static 3], struct rw_err *err)
{
    RW_TRY(map(BASE_FD, false, &m[0], err));
    RW_TRY(map(DELTA_FD, false, &m[1], err));
    RW_TRY(map(RESULT_FD, true, &m[2], err));
    RW_TRY(delta_apply_open(d, err));
    return lock_down(err);
}

int main(void)
{
    struct rw_err err;
    struct mapping m[3];
    struct delta_apply d = {.decoder = NULL};
    if (!rw_is_ok(prepare(&d, m, &err))) {
        (void)fprintf(stderr, "ringward-patch: %s\n", err.text);
        return 1;
    }
    struct rw_rc rc = delta_apply_run(&d, rw_span_of(m[0].p, m[0].n), rw_span_of(m[1].p, m[1].n),
                                      m[2].p, m[2].n, &err);
    leave(rw_is_ok(rc) ? 0 : 2);
}
