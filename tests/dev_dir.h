/* dev_dir.h: a server directory with development trust in a temporary folder, for tests of what lives in one.
 *
 * memory   the object owns the folder until dev_dir_drop, which removes it
 * threads  one thread
 */
#ifndef RINGWARD_TEST_DEV_DIR_H
#define RINGWARD_TEST_DEV_DIR_H

#include "common/base/clock.h"
#include "common/base/file.h"
#include "common/crypto/key.h"
#include "common/tuf/tuf_client.h"
#include "server/server_init.h"
#include "tests/harness.h"

#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

/* Nothing bakes by itself: classes that need a bake say so. */
static const char dev_dir_policy[] =
    "{\"format\":1,\"rings\":["
    "{\"name\":\"internal\",\"select\":\"local\"},"
    "{\"name\":\"canary\",\"share\":\"1%\"},"
    "{\"name\":\"broad\",\"share\":\"rest\"}],"
    "\"classes\":{\"data\":{},\"slow\":{\"min_bake\":{\"canary\":\"1h\",\"broad\":\"6h\"}}},"
    "\"engine_skew\":999999,"
    "\"expedite\":{\"hard_min\":\"5m\",\"longest\":\"24h\"},"
    "\"window\":{\"confirm\":{\"start\":16,\"deadline\":\"15m\",\"probation\":\"10m\"}}}";

struct dev_dir {
    char path[64];
    int repo; /* descriptors */
    int staging;
};

static inline struct rw_wall dev_dir_now(void)
{
    struct rw_clock clock = rw_clock_system();
    return rw_clock_wall(&clock);
}

/* `age_s`: how long ago everything was signed. */
static inline struct dev_dir dev_dir_make(int64_t age_s)
{
    struct rw_err err = {0};
    struct dev_dir d = {.path = "/tmp/ringward-test-XXXXXX", .repo = -1, .staging = -1};
    char name[128];
    assert_non_null(mkdtemp(d.path));
    const struct server_init_settings settings = {
        .dir = d.path, .policy = rw_span_str(dev_dir_policy), .now = {dev_dir_now().s - age_s}};
    MUST(server_init(&settings, &err));
    (void)snprintf(name, sizeof(name), "%s/repo", d.path);
    MUST(rw_dir_open(name, &d.repo, &err));
    (void)snprintf(name, sizeof(name), "%s/staging", d.path);
    MUST(rw_dir_open(name, &d.staging, &err));
    return d;
}

static inline int dev_dir_remove_one(const char *path, const struct stat *st, int kind,
                                     struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void dev_dir_remove(const char *path)
{
    (void)nftw(path, dev_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void dev_dir_drop(struct dev_dir *d)
{
    rw_fd_drop(&d->repo);
    rw_fd_drop(&d->staging);
    dev_dir_remove(d->path);
}

/* "engineers/alice.key" */
static inline struct key dev_dir_key(const struct dev_dir *d, const char *file)
{
    struct rw_err err = {0};
    struct key k = {.scheme = KEY_UNKNOWN};
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", d->path, file);
    MUST(key_load_private(path, NULL, &k, &err));
    return k;
}

static inline RW_RC dev_dir_get(void *ctx, const char *path, size_t max, struct rw_buf *into,
                                struct rw_err *err)
{
    const struct dev_dir *d = ctx;
    char name[512];
    (void)snprintf(name, sizeof(name), "metadata/%s", path);
    return rw_file_read_at(d->repo, name, max, into, err);
}

/* What an agent of today does: from the installer's root through the whole workflow. The state lies in
 * DIR/agent; a second call goes on from there. */
static inline struct tuf_client *dev_dir_agent(struct dev_dir *d, int *state_fd)
{
    struct rw_err err = {0};
    char name[128];
    struct tuf_client *c = NULL;
    RW_AUTO(rw_buf) struct rw_buf root = rw_buf_make(1 << 20);
    (void)snprintf(name, sizeof(name), "%s/agent", d->path);
    MUST(rw_dir_make(name, 0700, &err));
    MUST(rw_dir_open(name, state_fd, &err));
    (void)snprintf(name, sizeof(name), "%s/root.json", d->path);
    MUST(rw_file_read(name, 1 << 20, &root, &err));
    MUST(tuf_client_init(*state_fd, rw_buf_span(&root), &err));
    MUST(tuf_client_open(*state_fd, (struct tuf_fetch){dev_dir_get, d}, &c, &err));
    MUST(tuf_client_refresh(c, dev_dir_now(), &err));
    return c;
}

#endif
