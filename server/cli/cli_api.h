/* cli_api.h: the command line's way to the server: profile, token, requests, errors.
 *
 * memory   a connection owns its handle until cli_api_drop; answers are trees owned by the caller
 * threads  one thread
 * source   docs/protocol.md 5, 6 and 8
 */
#ifndef RINGWARD_CLI_API_H
#define RINGWARD_CLI_API_H

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/json/json_read.h"

struct cli_api;

enum { CLI_PAYLOAD_BYTES_MAX = 64 * 1024 * 1024 };

/* Opens with the profile at `path`, else $RINGWARD_PROFILE, else ~/.config/ringward/operator.conf.
 * A relative ca_file or token_file is looked for beside the profile. Sends nothing yet.
 * Fails with RW_E_CONFIG, RW_E_NOT_FOUND (with a hint how to make a profile). */
RW_RC cli_api_open(const char *profile_path, struct cli_api **out, struct rw_err *err);
typedef struct cli_api *cli_api;
void cli_api_drop(cli_api *api); /* RW_AUTO(cli_api) cli_api api = NULL; */
/* The path of a file in the profile's folder ("root.json"). Fails with RW_E_RANGE. */
RW_RC cli_api_beside(const struct cli_api *api, const char *name, char *dst, size_t cap,
                     struct rw_err *err);

/* When the certificate that the server shows began and ends. Fails with RW_E_NOT_FOUND (no TLS), RW_E_NET. */
RW_RC cli_api_cert(const struct cli_api *api, struct rw_wall *not_before_out,
                   struct rw_wall *not_after_out, struct rw_err *err);

/* Requests. A refusal comes back with the server's own code, text and hint. Gives the answer's tree. */
RW_RC cli_api_get(struct cli_api *api, const char *path, struct json **tree_out,
                  struct rw_err *err);
RW_RC cli_api_post(struct cli_api *api, const char *path, struct rw_span json_body,
                   struct json **tree_out, struct rw_err *err);
/* What the last answer asked to wait before the next request (Retry-After); -1: nothing. */
int64_t cli_api_retry_after_s(const struct cli_api *api);
/* Raw bytes up (an upload, with a bar on a terminal) and down (a payload, a document as it stands). */
RW_RC cli_api_upload(struct cli_api *api, const char *path, struct rw_span bytes,
                     struct json **tree_out, struct rw_err *err);
RW_RC cli_api_download(struct cli_api *api, const char *path, size_t max, struct rw_buf *into,
                       struct rw_err *err);

#endif
