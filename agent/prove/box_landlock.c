#include "agent/prove/box_landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's header ends at the second version. */
enum {
    CALL_CREATE = 444,
    CALL_ADD_RULE = 445,
    CALL_RESTRICT = 446,
    VERSION_FLAG = 1,
    RULE_PATH_BENEATH = 1,
    ABI_TRUNCATE = 3,
    ABI_NET = 4,
    ABI_SCOPE = 6,
    NET_BIND_CONNECT = 3,
    SCOPE_SOCKETS_SIGNALS = 3,
    /* rights */
    EXECUTE = 1 << 0,
    WRITE_FILE = 1 << 1,
    READ_FILE = 1 << 2,
    READ_DIR = 1 << 3,
    REMOVE_DIR = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_DIR = 1 << 7,
    MAKE_REG = 1 << 8,
    REFER = 1 << 13,
    TRUNCATE = 1 << 14,
};

struct ruleset {
    uint64_t fs, net, scoped;
};

struct path_rule {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));

/* Rights on files by version: 1, 2 (refer), 3 (truncate), 5 (ioctl of devices). */
static uint64_t fs_rights(long abi)
{
    static const uint64_t rights[] = {0x1FFF, 0x3FFF, 0x7FFF, 0x7FFF, 0xFFFF};
    return rights[abi >= 5 ? 4 : abi - 1];
}

/* A path that is not there needs no grant. */
static bool grant(int ruleset, uint64_t handled, const char *path, uint64_t rights)
{
    struct stat st;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) { return errno == ENOENT; }
    bool ok = fstat(fd, &st) == 0;
    if (ok && !S_ISDIR(st.st_mode)) { rights &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE; }
    const struct path_rule rule = {.allowed = rights & handled, .parent = fd};
    ok = ok && syscall(CALL_ADD_RULE, ruleset, RULE_PATH_BENEATH, &rule, 0) == 0;
    int rule_errno = errno;
    (void)close(fd);
    errno = rule_errno;
    return ok;
}

static bool grant_libraries(int ruleset, uint64_t handled)
{
    static const char *const folders[] = {"/usr/lib", "/usr/lib64", "/lib", "/lib64"};
    for (size_t i = 0; i < RW_LEN(folders); i++) {
        if (!grant(ruleset, handled, folders[i], EXECUTE | READ_FILE | READ_DIR)) { return false; }
    }
    return grant(ruleset, handled, "/etc/ld.so.cache", READ_FILE);
}

/* The scratch folder exists in the root of the box only, so this profile needs that root. */
static bool grant_files(int ruleset, uint64_t handled, const char *extension)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/content.%s", extension);
    return grant(ruleset, handled, path, READ_FILE) &&
           grant(ruleset, handled, "/samples", READ_FILE | READ_DIR) &&
           grant(ruleset, handled, "/set", READ_FILE | READ_DIR) &&
           grant(ruleset, handled, "/before", READ_FILE | READ_DIR) &&
           grant(ruleset, handled, "/tmp",
                 READ_FILE | WRITE_FILE | READ_DIR | REMOVE_DIR | REMOVE_FILE | MAKE_DIR |
                     MAKE_REG | REFER | TRUNCATE);
}

static bool taken(const struct box_layers *l, enum box_layer layer)
{
    return (l->without & BOX_LAYER_BIT(layer)) != 0;
}

static bool restrict_now(const struct box_layers *l, long abi, enum box_profile profile,
                         const char *extension)
{
    struct ruleset attr = {.fs = fs_rights(abi)};
    size_t size = abi >= ABI_SCOPE ? sizeof(attr) : (abi >= ABI_NET ? 16 : 8);
    if (abi >= ABI_NET && !taken(l, BOX_LAYER_NET)) { attr.net = NET_BIND_CONNECT; }
    if (abi >= ABI_SCOPE && !taken(l, BOX_LAYER_SCOPE)) { attr.scoped = SCOPE_SOCKETS_SIGNALS; }
    if (taken(l, BOX_LAYER_TRUNCATE)) { attr.fs &= ~(uint64_t)TRUNCATE; }
    int fd = (int)syscall(CALL_CREATE, &attr, size, 0);
    if (fd < 0) { return false; }
    bool ok = (profile == BOX_PROFILE_STATIC || grant_libraries(fd, attr.fs)) &&
              (profile != BOX_PROFILE_FILES || grant_files(fd, attr.fs, extension)) &&
              syscall(CALL_RESTRICT, fd, 0) == 0;
    int restrict_errno = errno;
    (void)close(fd);
    errno = restrict_errno;
    return ok;
}

void box_landlock_restrict(struct box_layers *l, enum box_profile profile, const char *extension)
{
    static const struct {
        enum box_layer layer;
        long abi;
    } parts[] = {
        {BOX_LAYER_TRUNCATE, ABI_TRUNCATE}, {BOX_LAYER_NET, ABI_NET}, {BOX_LAYER_SCOPE, ABI_SCOPE}};
    bool wanted = box_layer_wanted(l, BOX_LAYER_LANDLOCK);
    long abi = wanted ? syscall(CALL_CREATE, NULL, 0UL, VERSION_FLAG) : 0;
    int why = wanted ? errno : BOX_LAYER_TAKEN_AWAY;
    bool done = abi >= 1 && restrict_now(l, abi, profile, extension);
    if (abi >= 1) {
        why = errno;
        l->landlock_abi = (int32_t)abi;
    }
    box_layer_note(l, BOX_LAYER_LANDLOCK, done, why);
    for (size_t i = 0; i < RW_LEN(parts); i++) {
        if (!box_layer_wanted(l, parts[i].layer)) { continue; }
        bool known = abi >= parts[i].abi;
        box_layer_note(l, parts[i].layer, done && known, done && !known ? EOPNOTSUPP : why);
    }
}
