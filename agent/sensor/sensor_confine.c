#include "agent/sensor/sensor_confine.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Debian 12's headers are older than the kernels this runs on. */
enum {
    LANDLOCK_CREATE = 444,
    LANDLOCK_ADD_RULE = 445,
    LANDLOCK_RESTRICT = 446,
    LANDLOCK_VERSION_FLAG = 1,
    FS_READ = 0x000C, /* read files, list directories: stay allowed */
    NET_BIND_AND_CONNECT = 3,
    RULE_PATH_BENEATH = 1,
    FS_WRITE_FILE = 0x0002,
    FS_REMOVE_FILE = 0x0020,
    FS_MAKE_REG = 0x0100,
    FS_REFER = 0x2000,
    ABI_REFER = 2,
    ABI_TRUNCATE = 3,
    ABI_NET = 4,
};

static bool allow(long rules, int dir, uint64_t rights)
{
    struct {
        uint64_t allowed;
        int32_t dir;
    } __attribute__((packed)) rule = {.allowed = rights, .dir = dir};
    return dir < 0 || syscall(LANDLOCK_ADD_RULE, rules, RULE_PATH_BENEATH, &rule, 0) == 0;
}

static bool allow_kept(long rules, long abi, const struct sensor_confine_keep *keep)
{
    /* The same rights on both sides: a file that moves gains nothing. */
    const uint64_t move = FS_REMOVE_FILE | FS_MAKE_REG | (abi >= ABI_REFER ? FS_REFER : 0);
    return allow(rules, keep->move[0], move) && allow(rules, keep->move[1], move) &&
           allow(rules, keep->write, FS_WRITE_FILE | FS_MAKE_REG | FS_REMOVE_FILE);
}

static bool only_read(const struct sensor_confine_keep *keep)
{
    struct {
        uint64_t fs, net;
    } attr = {.fs = 0x1FFF};
    long abi = syscall(LANDLOCK_CREATE, NULL, 0UL, LANDLOCK_VERSION_FLAG);
    if (abi < 1) { return false; }
    if (abi >= ABI_REFER) { attr.fs |= FS_REFER; }
    if (abi >= ABI_TRUNCATE) { attr.fs |= 0x4000; }
    if (abi >= ABI_NET) { attr.net = NET_BIND_AND_CONNECT; }
    attr.fs &= ~(uint64_t)FS_READ;
    long fd = syscall(LANDLOCK_CREATE, &attr, abi >= ABI_NET ? sizeof(attr) : sizeof(attr.fs), 0);
    bool done = fd >= 0 && allow_kept(fd, abi, keep) && syscall(LANDLOCK_RESTRICT, fd, 0) == 0;
    if (fd >= 0) { (void)close((int)fd); }
    return done;
}

void sensor_confine(const struct sensor_confine_keep *keep,
                    char missing[static SENSOR_CONFINE_MISSING_BYTES])
{
    const struct rlimit none = {0, 0};
    bool no_core = setrlimit(RLIMIT_CORE, &none) == 0;
    bool no_new_privs = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    bool landlock = no_new_privs && only_read(keep);
    (void)snprintf(missing, SENSOR_CONFINE_MISSING_BYTES, "%s%s%s", no_core ? "" : "core ",
                   no_new_privs ? "" : "no_new_privs ", landlock ? "" : "landlock ");
}
