#include "server/signer/signer_payload.h"

#include <errno.h>
#include <fcntl.h>

RW_RC signer_payload_check(const struct signer *s, const struct tuf_target *t, struct rw_err *err)
{
    char path[TUF_PATH_BYTES + DIGEST_HEX_BYTES];
    uint8_t sha256[DIGEST_BYTES];
    uint64_t length = 0;
    RW_TRY(tuf_target_url(t, path, sizeof(path), err));
    RW_AUTO(rw_fd)
    rw_fd fd = openat(s->targets, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) {
        return signer_refuse(err, RW_E_TUF_HASH, "payload", "'%s' is missing", path);
    }
    if (fd < 0) { return rw_fail_errno(err, RW_E_IO, errno, "payload: '%s'", path); }
    struct rw_rc rc = digest_fd(fd, (uint64_t)t->length, sha256, &length, err);
    if (rc.code != RW_E_TOO_BIG) { RW_TRY(rc); }
    if (!rw_is_ok(rc) || length != (uint64_t)t->length ||
        !digest_same(sha256, t->sha256, sizeof(sha256))) {
        return signer_refuse(err, RW_E_TUF_HASH, "payload",
                             "'%s' has another length or SHA-256 than the signed one", path);
    }
    return RW_OK;
}
