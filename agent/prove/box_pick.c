#include "agent/prove/box_pick.h"

#include "common/box/box_run.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bounds of one walk: a host may have any number of files, a walk has not. */
enum { PATH_BYTES = 1024, ENTRIES_MAX = 100000, FOLDERS_MAX = 20000 };

typedef DIR *dir_stream;

static void dir_stream_drop(dir_stream *d)
{
    if (*d != NULL) { (void)closedir(*d); }
    *d = NULL;
}

void box_pick_drop(struct box_pick *p)
{
    for (size_t i = 0; i < p->count; i++) {
        rw_mem_free(p->at[i]);
    }
    rw_mem_free(p->at);
    *p = (struct box_pick){.count = 0};
}

RW_RC box_pick_add(struct box_pick *p, const char *path, size_t max, struct rw_err *err)
{
    if (p->count >= max) { return rw_fail(err, RW_E_FULL, "more than %zu paths", max); }
    if (p->count == p->cap) {
        size_t cap = p->cap == 0 ? 64 : p->cap * 2;
        char **grown = rw_mem_grow(p->at, cap, sizeof(*grown));
        if (grown == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for %zu paths", cap); }
        p->at = grown;
        p->cap = cap;
    }
    char *copy = rw_str_dup(path);
    if (copy == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a path"); }
    p->at[p->count++] = copy;
    return RW_OK;
}

/* One walk: folders still to visit are a list, so depth costs no stack. */
struct walk {
    struct box_pick *into;
    size_t base; /* entries of `into` from here on are this walk's */
    size_t want;
    size_t seen; /* regular files so far */
    size_t entries;
    struct box_random *random;
    struct box_pick folders;
};

static void walk_drop(struct walk *w)
{
    box_pick_drop(&w->folders);
}

/* Algorithm R: after n files each of them is kept with the same chance want/n. */
static RW_RC offer(struct walk *w, const char *path, struct rw_err *err)
{
    w->seen++;
    if (w->into->count - w->base < w->want) {
        return box_pick_add(w->into, path, w->base + w->want, err);
    }
    size_t slot = box_random_below(w->random, w->seen);
    if (slot >= w->want) { return RW_OK; }
    char *copy = rw_str_dup(path);
    if (copy == NULL) { return rw_fail(err, RW_E_NOMEM, "no memory for a path"); }
    rw_mem_free(w->into->at[w->base + slot]);
    w->into->at[w->base + slot] = copy;
    return RW_OK;
}

/* DT_UNKNOWN is answered by some file systems. */
static unsigned char type_of(DIR *dir, const struct dirent *e)
{
    struct stat st;
    if (e->d_type != DT_UNKNOWN) { return e->d_type; }
    if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) { return DT_UNKNOWN; }
    return S_ISREG(st.st_mode) ? DT_REG : (S_ISDIR(st.st_mode) ? DT_DIR : DT_UNKNOWN);
}

static RW_RC visit(struct walk *w, const char *folder, struct rw_err *err)
{
    RW_AUTO(dir_stream) dir_stream dir = opendir(folder);
    if (dir == NULL) { return RW_OK; } /* gone, or not ours to read: fewer files to choose from */
    for (struct dirent *e = readdir(dir); e != NULL && w->entries < ENTRIES_MAX; e = readdir(dir)) {
        char path[PATH_BYTES];
        w->entries++;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) { continue; }
        int n = snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        if (n < 0 || (size_t)n >= sizeof(path)) { continue; }
        unsigned char type = type_of(dir, e);
        if (type == DT_REG) { RW_TRY(offer(w, path, err)); }
        if (type == DT_DIR && w->folders.count < FOLDERS_MAX) {
            RW_TRY(box_pick_add(&w->folders, path, FOLDERS_MAX, err));
        }
    }
    return RW_OK;
}

static void shuffle(struct box_pick *p, size_t base, struct box_random *random)
{
    for (size_t i = base + 1; i < p->count; i++) {
        size_t j = base + box_random_below(random, i - base + 1);
        char *kept = p->at[i];
        p->at[i] = p->at[j];
        p->at[j] = kept;
    }
}

RW_RC box_pick_below(struct box_pick *p, const char *top, size_t want, struct box_random *random,
                     struct rw_err *err)
{
    RW_AUTO(walk) struct walk w = {.into = p, .base = p->count, .want = want, .random = random};
    if (want == 0) { return RW_OK; }
    RW_TRY(box_pick_add(&w.folders, top, FOLDERS_MAX, err));
    for (size_t i = 0; i < w.folders.count; i++) {
        char folder[PATH_BYTES];
        (void)snprintf(folder, sizeof(folder), "%s",
                       w.folders.at[i]); /* the list moves as it grows */
        RW_TRY(visit(&w, folder, err));
    }
    shuffle(p, w.base, random);
    return RW_OK;
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name);
    size_t tail = strlen(suffix);
    return n >= tail && strcmp(name + n - tail, suffix) == 0;
}

/* NOLINTNEXTLINE(bugprone-easily-swappable-parameters): as they stand in a name */
static RW_RC add_named(struct box_pick *p, const char *folder, const char *prefix,
                       const char *suffix, struct rw_err *err)
{
    RW_AUTO(dir_stream) dir_stream dir = opendir(folder);
    if (dir == NULL) { return RW_OK; }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char path[PATH_BYTES];
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0 || !ends_with(e->d_name, suffix) ||
            type_of(dir, e) != DT_REG) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        RW_TRY(box_pick_add(p, path, BOX_PICK_OWN_MAX, err));
    }
    return RW_OK;
}

RW_RC box_pick_own(struct box_pick *p, const char *own_file, struct rw_err *err)
{
    static const char settings[] = "/etc/ringward";
    static const char part[] = ".conf"; /* what else lies in a conf.d is not read (conf_dir.h) */
    char folder[PATH_BYTES];
    RW_TRY(box_beside_self("", folder, sizeof(folder), err));
    folder[strlen(folder) - 1] = '\0'; /* "DIR/" */
    RW_TRY(add_named(p, folder, "ringward", "", err));
    RW_TRY(add_named(p, settings, "", "", err));
    RW_TRY(add_named(p, "/etc/ringward/conf.d", "", part, err));
    const char *name = own_file == NULL ? NULL : strrchr(own_file, '/');
    if (name == NULL) { return RW_OK; }
    int n = (int)(name - own_file);
    if ((size_t)n == strlen(settings) && strncmp(own_file, settings, (size_t)n) == 0) {
        return RW_OK;
    }
    if (snprintf(folder, sizeof(folder), "%.*s/conf.d", n, own_file) >= (int)sizeof(folder)) {
        return rw_fail(err, RW_E_TOO_BIG, "own file: its path has more than %zu bytes",
                       sizeof(folder) - sizeof("/conf.d"));
    }
    return add_named(p, folder, "", part, err);
}
