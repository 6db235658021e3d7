/* utf8.h: the one definition of valid UTF-8, and making foreign bytes safe to show.
 *
 * memory   borrows every argument; cleans in place
 * threads  no shared state
 * source   RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF
 */
#ifndef RINGWARD_UTF8_H
#define RINGWARD_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the sequence that begins at p[0], looking at no more than n >= 1 of them; 0 when it is not valid.
 * A NUL byte is not valid here. */
size_t rw_utf8_length(const uint8_t *p, size_t n);

/* Puts '?' in place of control bytes and of what is not UTF-8, so that a foreign name can neither steer a
 * terminal nor break the JSON text that carries it. The length stays. */
void rw_utf8_clean(char *text);

#endif
