#include "agent/prove/box_memory.h"

#include "common/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { CHUNK_BYTES = 32768 };

RW_RC box_memory_open(struct box_memory *m, const char *name, bool exec, struct rw_err *err)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create(name, flags | (exec ? MFD_EXEC : MFD_NOEXEC_SEAL));
    bool noexec = fd >= 0 && !exec;
    if (fd < 0 && errno == EINVAL) { /* kernels before 6.3 know neither flag */
        fd = memfd_create(name, flags);
    }
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "memory file '%s'", name); }
    *m = (struct box_memory){.fd = fd, .exec = exec, .noexec = noexec};
    (void)snprintf(m->name, sizeof(m->name), "%s", name);
    return RW_OK;
}

RW_RC box_memory_add(struct box_memory *m, struct rw_span bytes, struct rw_err *err)
{
    RW_ASSERT(!m->sealed);
    RW_TRY(rw_fd_write_all(m->fd, bytes, err));
    m->n += bytes.n;
    return RW_OK;
}

RW_RC box_memory_add_fd(struct box_memory *m, int fd, size_t max, size_t *added_out,
                        struct rw_err *err)
{
    uint8_t chunk[CHUNK_BYTES];
    size_t added = 0;
    while (added < max) {
        size_t want = max - added < sizeof(chunk) ? max - added : sizeof(chunk);
        ssize_t got = read(fd, chunk, want);
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { return rw_fail_errno(err, RW_E_IO, errno, "reading for '%s'", m->name); }
        if (got == 0) { break; }
        RW_TRY(box_memory_add(m, rw_span_of(chunk, (size_t)got), err));
        added += (size_t)got;
    }
    *added_out = added;
    return RW_OK;
}

RW_RC box_memory_add_file(struct box_memory *m, const char *path, size_t max, struct rw_err *err)
{
    struct stat st;
    size_t added = 0;
    RW_AUTO(rw_fd) rw_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return rw_fail_errno(err, errno == ENOENT ? RW_E_NOT_FOUND : RW_E_IO, errno, "file '%s'",
                             path);
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return rw_fail(err, RW_E_IO, "'%s' is not a regular file", path);
    }
    /* One byte more is asked for, so that a file above its limit is noticed and never cut. */
    RW_TRY(box_memory_add_fd(m, fd, max + 1, &added, err));
    if (added > max) {
        return rw_fail(err, RW_E_TOO_BIG, "file '%s' is larger than %zu bytes", path, max);
    }
    return RW_OK;
}

RW_RC box_memory_reopen(const struct box_memory *m, int *fd_out, struct rw_err *err)
{
    char path[48];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", m->fd);
    int again =
        m->exec && m->sealed ? fcntl(m->fd, F_DUPFD_CLOEXEC, 0) : open(path, O_RDONLY | O_CLOEXEC);
    if (again < 0) { return rw_fail_errno(err, RW_E_IO, errno, "opening '%s' again", m->name); }
    *fd_out = again;
    return RW_OK;
}

/* The writable descriptor is given up too: while it is open, exec fails with ETXTBSY. */
RW_RC box_memory_seal(struct box_memory *m, struct rw_err *err)
{
    int reader = -1;
    RW_ASSERT(!m->sealed);
    if (fcntl(m->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "sealing '%s'", m->name);
    }
    RW_TRY(box_memory_reopen(m, &reader, err));
    rw_fd_drop(&m->fd);
    m->fd = reader;
    m->sealed = true;
    /* What cannot be read makes a process that dumps no core and whose memory no other process sees. */
    if (m->exec && fchmod(m->fd, 0111) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "mode of '%s'", m->name);
    }
    if (m->n == 0) { return RW_OK; }
    void *map = mmap(NULL, m->n, PROT_READ, MAP_PRIVATE, m->fd, 0);
    if (map == MAP_FAILED) { return rw_fail_errno(err, RW_E_IO, errno, "mapping '%s'", m->name); }
    m->map = map;
    if (madvise(map, m->n, MADV_DONTFORK) != 0) {
        return rw_fail_errno(err, RW_E_IO, errno, "mapping '%s'", m->name);
    }
    return RW_OK;
}

struct rw_span box_memory_bytes(const struct box_memory *m)
{
    RW_ASSERT(m->sealed);
    return rw_span_of(m->map, m->n);
}

void box_memory_drop(struct box_memory *m)
{
    if (m->map != NULL) { (void)munmap(m->map, m->n); }
    if (m->name[0] != '\0') { rw_fd_drop(&m->fd); } /* a zeroed object owns no descriptor */
    *m = (struct box_memory){.fd = -1};
}
