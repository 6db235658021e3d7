/* capture.h: what a piece of code writes to a descriptor, and whether it dies. For tests of output and assertions.
 *
 * memory   the text is kept in one static buffer until the next capture
 * threads  one capture at a time
 */
#ifndef RINGWARD_CAPTURE_H
#define RINGWARD_CAPTURE_H

/* Sends descriptor `fd` (1 or 2) into a temporary file until capture_end, which gives the text. */
void capture_begin(int fd);
const char *capture_end(void);

/* Runs `f` in a child without output; gives the signal that ended it, 0 when it returned. */
int capture_signal(void (*f)(void));

#endif
