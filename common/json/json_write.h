/* json_write.h: writes JSON text piece by piece: commas, escapes and nesting are done here.
 *
 * memory   appends to a buffer of the caller; the first failure is kept and told by json_done
 * threads  no shared state
 * source   RFC 8259
 */
#ifndef RINGWARD_JSON_WRITE_H
#define RINGWARD_JSON_WRITE_H

#include "common/json/json_read.h"

/* A tree of the deepest allowed kind (json_read.h) inside as much nesting of our own. */
enum { JSON_WRITE_DEPTH_MAX = 64 };

struct json_writer {
    struct rw_buf *into; /* borrowed */
    struct rw_err err;   /* first failure */
    bool failed;
    unsigned depth;
    bool has_members[JSON_WRITE_DEPTH_MAX];
};

struct json_writer json_begin(struct rw_buf *into);
/* `name` is the member's name inside an object, NULL inside an array or at the top. In names and strings, NUL
 * bytes and what is not UTF-8 become '?': a text cut in the middle of a character must not make the whole
 * document unreadable. */
void json_open_object(struct json_writer *w, const char *name);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w, const char *name);
void json_close_array(struct json_writer *w);
void json_put_str(struct json_writer *w, const char *name, const char *value);
void json_put_span(struct json_writer *w, const char *name, struct rw_span value);
void json_put_int(struct json_writer *w, const char *name, int64_t value);
void json_put_bool(struct json_writer *w, const char *name, bool value);
void json_put_null(struct json_writer *w, const char *name);
/* A value that is JSON text already (checked by the caller). */
void json_put_raw(struct json_writer *w, const char *name, struct rw_span json_text);
/* A parsed value, printed packed, members in their order. */
void json_put_tree(struct json_writer *w, const char *name, const struct json *v);
/* Everything must be closed. Fails with the first failure of any call. */
RW_RC json_done(struct json_writer *w, struct rw_err *err);

#endif
