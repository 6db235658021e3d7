/* Where groups may be made: found from the texts of the kernel, by its two versions. */
#include "agent/prove/box_cgroup.h"
#include "common/base/file.h"

#include <stdio.h>
#include <string.h>

enum { LINES_MAX = 4096, FIELDS = 5, TEXT_BYTES_MAX = 1 << 20, CONTROL_BYTES_MAX = 4096 };

/* Is `word` one of the words of `list`, which `separator` divides? */
static bool has_word(struct rw_span list, const char *word, char separator)
{
    for (;;) {
        const uint8_t *end = list.n > 0 ? memchr(list.p, separator, list.n) : NULL;
        size_t n = end == NULL ? list.n : (size_t)(end - list.p);
        if (rw_span_is(rw_span_of(list.p, n), word)) { return true; }
        if (end == NULL) { return false; }
        list = rw_span_of(end + 1, list.n - n - 1);
    }
}

static bool next_line(const char **at, struct rw_span *line)
{
    size_t n = strcspn(*at, "\n");
    if (**at == '\0') { return false; }
    *line = rw_span_of(*at, n);
    *at += n + ((*at)[n] == '\n' ? 1 : 0);
    return true;
}

/* Cuts the next word off the line; false at its end. */
static bool next_field(struct rw_span *line, struct rw_span *field)
{
    if (line->n == 0) { return false; }
    const uint8_t *end = memchr(line->p, ' ', line->n);
    size_t n = end == NULL ? line->n : (size_t)(end - line->p);
    *field = rw_span_of(line->p, n);
    *line = end == NULL ? rw_span_of(NULL, 0) : rw_span_of(end + 1, line->n - n - 1);
    return true;
}

struct mount {
    struct rw_span root, point, type, options;
};

/* "31 23 0:29 ROOT POINT rw,relatime shared:9 - TYPE SOURCE OPTIONS" */
static bool read_mount(struct rw_span line, struct mount *m)
{
    struct rw_span field = {0};
    struct rw_span source = {0};
    for (int i = 0; i < FIELDS; i++) {
        if (!next_field(&line, &field)) { return false; }
        if (i == 3) { m->root = field; }
        if (i == 4) { m->point = field; }
    }
    while (!rw_span_is(field, "-")) {
        if (!next_field(&line, &field)) { return false; }
    }
    return next_field(&line, &m->type) && next_field(&line, &source) &&
           next_field(&line, &m->options);
}

/* "4:memory:/path", version 2 "0::/path": our own group in the hierarchy of `controller` ("": version 2). */
static bool own_path(const char *text, const char *controller, struct rw_span *out)
{
    struct rw_span line = {0};
    for (int i = 0; i < LINES_MAX && next_line(&text, &line); i++) {
        const uint8_t *first = memchr(line.p, ':', line.n);
        if (first == NULL) { continue; }
        size_t rest = line.n - (size_t)(first + 1 - line.p);
        const uint8_t *second = memchr(first + 1, ':', rest);
        if (second == NULL) { continue; }
        struct rw_span list = rw_span_of(first + 1, (size_t)(second - first - 1));
        if (controller[0] == '\0' ? list.n != 0 : !has_word(list, controller, ',')) { continue; }
        *out = rw_span_of(second + 1, line.n - (size_t)(second + 1 - line.p));
        return true;
    }
    return false;
}

/* Our own group as a folder: the mount may show a part of the hierarchy only, as in containers. */
static void join(const struct mount *m, struct rw_span own, char dst[static BOX_CGROUP_PATH_BYTES])
{
    struct rw_span root = rw_span_is(m->root, "/") ? rw_span_of(m->root.p, 0) : m->root;
    dst[0] = '\0';
    if (own.n < root.n || memcmp(own.p, root.p, root.n) != 0) { return; }
    own = rw_span_of(own.p + root.n, own.n - root.n);
    if (rw_span_is(own, "/")) { own.n = 0; }
    if (own.n > 0 && own.p[0] != '/') { return; }
    int used = snprintf(dst, BOX_CGROUP_PATH_BYTES, "%.*s%.*s", (int)m->point.n,
                        (const char *)m->point.p, (int)own.n, (const char *)own.p);
    if (used < 0 || used >= BOX_CGROUP_PATH_BYTES) { dst[0] = '\0'; }
}

static void find_one(const char *cgroup_text, const char *mountinfo_text, const char *controller,
                     char dst[static BOX_CGROUP_PATH_BYTES])
{
    struct rw_span own = {0};
    struct rw_span line = {0};
    const char *type = controller[0] == '\0' ? "cgroup2" : "cgroup";
    dst[0] = '\0';
    if (!own_path(cgroup_text, controller, &own)) { return; }
    for (int i = 0; i < LINES_MAX && dst[0] == '\0' && next_line(&mountinfo_text, &line); i++) {
        struct mount m = {0};
        if (!read_mount(line, &m) || !rw_span_is(m.type, type)) { continue; }
        if (controller[0] != '\0' && !has_word(m.options, controller, ',')) { continue; }
        join(&m, own, dst);
    }
}

void box_cgroup_find(const char *cgroup_text, const char *mountinfo_text,
                     struct box_cgroup_base *out)
{
    find_one(cgroup_text, mountinfo_text, "", out->v2);
    find_one(cgroup_text, mountinfo_text, "memory", out->v1_memory);
    find_one(cgroup_text, mountinfo_text, "pids", out->v1_pids);
}

static bool gives_controllers(const char *folder)
{
    char path[BOX_CGROUP_PATH_BYTES + 32];
    struct rw_err err;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(CONTROL_BYTES_MAX);
    (void)snprintf(path, sizeof(path), "%s/cgroup.subtree_control", folder);
    if (!rw_is_ok(rw_file_read(path, CONTROL_BYTES_MAX, &text, &err))) { return false; }
    struct rw_span list = rw_buf_span(&text);
    while (list.n > 0 && list.p[list.n - 1] == '\n') {
        list.n--;
    }
    return has_word(list, "memory", ' ') && has_word(list, "pids", ' ');
}

/* A group with processes of its own gives no controllers to its children: a service that was delegated a tree
 * keeps itself in a leaf of it, and new groups go beside that leaf. */
static void settle_v2(char path[static BOX_CGROUP_PATH_BYTES])
{
    if (path[0] == '\0' || gives_controllers(path)) { return; }
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        path[0] = '\0';
        return;
    }
    *slash = '\0';
    if (!gives_controllers(path)) { path[0] = '\0'; }
}

/* Files of /proc have no size: read until their end. */
static bool read_proc(const char *path, struct rw_buf *into)
{
    struct rw_err err;
    return rw_is_ok(rw_file_read(path, TEXT_BYTES_MAX, into, &err));
}

void box_cgroup_find_own(struct box_cgroup_base *out)
{
    RW_AUTO(rw_buf) struct rw_buf own = rw_buf_make(TEXT_BYTES_MAX);
    RW_AUTO(rw_buf) struct rw_buf mounts = rw_buf_make(TEXT_BYTES_MAX);
    *out = (struct box_cgroup_base){.v2 = ""};
    if (!read_proc("/proc/self/cgroup", &own) || !read_proc("/proc/self/mountinfo", &mounts)) {
        return;
    }
    box_cgroup_find(rw_buf_str(&own), rw_buf_str(&mounts), out);
    settle_v2(out->v2);
}
