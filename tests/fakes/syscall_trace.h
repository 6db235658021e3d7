/* syscall_trace.h: runs a function in a child and counts its system calls from outside; kills it behind the n-th, or
 * lets that call fail.
 *
 * The tracer is the kernel's own (ptrace), so nothing of the program under test is replaced, and what libraries do
 * counts too. Programs that the child starts are not traced. Works on x86_64; elsewhere syscall_trace_works() is false.
 *
 * memory   values only
 * threads  the child must stay single-threaded; several traces may run in several processes
 * source   ptrace(2)
 */
#ifndef RINGWARD_SYSCALL_TRACE_H
#define RINGWARD_SYSCALL_TRACE_H

#include <stdbool.h>
#include <stddef.h>

/* Kinds of calls. Those up to SYSCALL_DURABLE change what is on the disk below the watched folder. */
enum syscall_kind {
    SYSCALL_CREATE, /* openat that may make or empty a file */
    SYSCALL_WRITE,
    SYSCALL_SYNC,
    SYSCALL_RENAME,
    SYSCALL_LINK,
    SYSCALL_SYMLINK,
    SYSCALL_UNLINK,
    SYSCALL_MKDIR,
    SYSCALL_TRUNCATE,
    SYSCALL_CHMOD,
    SYSCALL_BIND, /* makes the name of a local socket */
    SYSCALL_DURABLE = SYSCALL_BIND,
    SYSCALL_OPEN, /* openat for reading */
    SYSCALL_READ, /* of a file below the folder */
    SYSCALL_LIST,
    SYSCALL_STAT,
    SYSCALL_LOCK,
    SYSCALL_SOCKET, /* socket, connect, sendto, recvfrom ... */
    SYSCALL_TAKE,   /* read of a descriptor outside of the folder: a pipe, a socket, /proc */
    SYSCALL_PUT,    /* write of such a one */
    SYSCALL_OTHER,
    SYSCALL_KINDS,
};
enum {
    SYSCALL_ALL_DURABLE = (1 << (SYSCALL_DURABLE + 1)) - 1,
    SYSCALL_ALL = (1 << SYSCALL_KINDS) - 1
};

enum syscall_deed {
    SYSCALL_ONLY_COUNT,
    SYSCALL_KILL,  /* SIGKILL as soon as the kernel has done the call */
    SYSCALL_FAIL,  /* the call is not made: it gives `error` */
    SYSCALL_SHORT, /* a read or write moves one byte only */
};

struct syscall_plan {
    const char
        *folder;    /* watched; calls on descriptors outside of it are of the last three kinds */
    unsigned kinds; /* bit 1 << kind: calls that count */
    enum syscall_deed deed;
    int at;             /* on which of them, from 1 */
    int error;          /* SYSCALL_FAIL */
    bool from_there_on; /* on every later one as well: a disk that stays full */
};

struct syscall_result {
    int counted; /* calls of these kinds */
    int by_kind[SYSCALL_KINDS];
    bool hit;               /* the deed was done */
    enum syscall_kind kind; /* of the (first) call that it was done to */
    int status;             /* as of waitpid */
};

bool syscall_trace_works(void);
/* Runs `life` in a child until it ends; what `life` returns is its exit status. Never fails for the child's sake. */
struct syscall_result syscall_trace(int (*life)(void *ctx), void *ctx,
                                    const struct syscall_plan *plan);
const char *syscall_kind_name(enum syscall_kind kind);

#endif
