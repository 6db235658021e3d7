/* http_files.h: the files of the signed repository, as one worker keeps them open with their answers ready made.
 *
 * A kept file is used only if its name still leads to it at the moment of the request: device, inode, links, size and
 * times are looked at each time, and since the file is held open, its inode cannot become another file's. So whoever
 * publishes by rename, this host or another one on a shared directory, no answer is older than one given before, by
 * whichever worker.
 *
 * memory   owns what it keeps; borrows the directory's descriptor
 * threads  its worker's only
 * source   docs/server.md "Static files"; RFC 9111 5.2 (caching), RFC 8246 (immutable)
 */
#ifndef RINGWARD_HTTP_FILES_H
#define RINGWARD_HTTP_FILES_H

#include "server/api/http_reply.h"

enum { HTTP_FILES_KEPT_MAX = 16 };

struct http_file {
    int fd; /* read at offsets only: replies in progress have duplicates of it */
    uint64_t bytes;
    char etag[HTTP_ETAG_BYTES];
    const char *content_type;
    const char *cache_control;
    bool
        whole; /* `body` has all of it; large ones, and those that must be read first, are sent from fd */
    struct rw_buf body;           /* at most HTTP_REPLY_SMALL bytes */
    struct http_ready full;       /* head of a 200 */
    struct http_ready unmodified; /* head of a 304 */
};

struct http_files;

/* Keeps `kept` files, at most HTTP_FILES_KEPT_MAX; gives. Fails with RW_E_NOMEM. */
RW_RC http_files_new(int repo_dir, size_t kept, struct http_files **out, struct rw_err *err);
void http_files_free(struct http_files *f); /* accepts NULL */

/* The file below the directory as its name leads to it now; borrowed until the next call. Only regular files below
 * metadata/ and targets/ are found, through no link, no dot file. Fails with RW_E_NOT_FOUND, RW_E_IO, RW_E_NOMEM. */
RW_RC http_files_find(struct http_files *f, struct rw_span path, const struct http_file **out,
                      struct rw_err *err);

/* "7.root.json": agents ask for the next one at every poll. */
bool http_files_is_root(struct rw_span path);

#endif
