/* http_send.h: a reply's way into the output buffer: small ones whole, large ones slice by slice.
 *
 * memory   owns body and file of the reply until they are sent
 * threads  the worker's
 * source   preadv2(2) RWF_NOWAIT: a file that is not in the page cache must not stop the loop
 */
#ifndef RINGWARD_HTTP_SEND_H
#define RINGWARD_HTTP_SEND_H

#include "server/api/http_conn.h"

enum { HTTP_SEND_SLICE_BYTES = 262144 };

/* Writes head and body (takes the reply). Dooms the connection when there is no memory. */
void http_send_begin(struct http_conn *c, struct http_reply *reply);
/* The output buffer is empty: the next slice. True: there is nothing left. Dooms the connection when the
 * file is shorter than it was, because the promised length cannot be kept. */
bool http_send_more(struct http_conn *c);
/* Bytes of the reply that the kernel has not got yet. */
uint64_t http_send_unsent(const struct http_conn *c);
void http_send_drop(struct http_conn *c); /* forgets what is left */

#endif
