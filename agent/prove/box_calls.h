/* box_calls.h: the system calls of a validator, as a table: what may be called, with which arguments.
 *
 * memory   constant tables
 * threads  no shared state
 * source   docs/sandbox.md "The filter"; names as in the kernel, x86-64 and aarch64
 */
#ifndef RINGWARD_BOX_CALLS_H
#define RINGWARD_BOX_CALLS_H

#include "agent/prove/box_profile.h"

/* Newest call that was reviewed (mseal); later ones look as if the kernel did not have them. */
enum { BOX_CALLS_NEWEST = 462 };

/* What a rule permits. Whatever it does not permit is denied, unless it says what is answered instead. */
enum box_calls_kind {
    BOX_CALL_ALLOW,
    BOX_CALL_ERRNO,      /* refused softly with errno `value`: start-up code asks and copes */
    BOX_CALL_EQUAL,      /* argument `arg` is `value` */
    BOX_CALL_EQUAL_SOFT, /* the same; otherwise errno `soft` */
    BOX_CALL_ONE_OF,     /* argument `arg`, without the bits of `value`, is in `list` */
    BOX_CALL_ONE_OF_SOFT,
    BOX_CALL_SELF,        /* argument `arg` is the process itself */
    BOX_CALL_NULL,        /* pointer argument `arg` is NULL */
    BOX_CALL_TOUCH,       /* reads: those of content and samples are what the listener waits for */
    BOX_CALL_MMAP,        /* without PROT_EXEC; of content and samples as for reads */
    BOX_CALL_MPROTECT,    /* without PROT_EXEC */
    BOX_CALL_STAT,        /* without a path; with one: loader phase */
    BOX_CALL_LOADER,      /* loader phase only */
    BOX_CALL_LOADER_OPEN, /* loader phase only, for reading */
};

struct box_calls_rule {
    const unsigned *list;
    int nr;
    enum box_calls_kind kind;
    unsigned value;
    unsigned short soft; /* errno */
    unsigned char arg;
    unsigned char list_count;
};

/* Rules of every profile, and those that the files profile puts before them. */
const struct box_calls_rule *box_calls_strict(size_t *count_out);
const struct box_calls_rule *box_calls_loader(size_t *count_out);
const struct box_calls_rule *box_calls_files(size_t *count_out);

/* Bits of open flags that would change or make a file. */
unsigned box_calls_open_changes(void);

/* "openat", or "system call 999". Writes into dst. */
void box_calls_name(int nr, char *dst, size_t cap);
/* The number of a call by its name, -1 when it is not known. */
int box_calls_number(const char *name, size_t n);

#endif
