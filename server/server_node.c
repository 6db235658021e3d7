#include "server/server_node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool server_node_shares(const struct server_conf *conf)
{
    return conf->store[0] != '\0';
}

/* Part of a file's name, and of what people read. */
RW_RC server_node_name(struct server_conf *conf, const char *given, struct rw_err *err)
{
    char *name = conf->node;
    if (!server_node_shares(conf)) {
        if (given == NULL) { return RW_OK; }
        return rw_fail(err, RW_E_USAGE, "--node is for a PostgreSQL store only");
    }
    if (given != NULL) {
        RW_TRY(rw_span_to_str(name, SERVER_CONF_NODE_BYTES, rw_span_str(given), "--node", err));
    }
    if (name[0] == '\0' && gethostname(name, SERVER_CONF_NODE_BYTES - 1) != 0) {
        return rw_fail_errno(err, RW_E_CONFIG, errno, "name of this host");
    }
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    if (name[0] == '.' || strspn(name, good) != strlen(name)) {
        return rw_fail(err, RW_E_CONFIG, "node name '%s': letters, digits, '-', '_' and '.'", name);
    }
    return RW_OK;
}

/* Two servers on one directory would each grant what the window allows (INV-1). The lock goes with the process,
 * however it ends. */
RW_RC server_node_lock(const struct server_conf *conf, const char *dir, rw_fd *out,
                       struct rw_err *err)
{
    char path[SERVER_CONF_PATH_BYTES];
    char name[SERVER_CONF_NODE_BYTES + 16] = "server.lock";
    if (server_node_shares(conf)) {
        (void)snprintf(name, sizeof(name), "node-%s.lock", conf->node);
    }
    RW_TRY(server_conf_path(dir, name, path, err));
    *out = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*out < 0) { return rw_fail_errno(err, RW_E_IO, errno, "%s", path); }
    if (flock(*out, LOCK_EX | LOCK_NB) == 0) { return RW_OK; }
    if (errno != EWOULDBLOCK) { return rw_fail_errno(err, RW_E_IO, errno, "%s", path); }
    RW_IGNORE(rw_fail(err, RW_E_BUSY, "another ringward-server runs on %s%s%s", dir,
                      server_node_shares(conf) ? " as node " : "",
                      server_node_shares(conf) ? conf->node : ""),
              "hint follows");
    return rw_hint(err, "stop it first; it ends after SIGTERM once running requests are answered");
}
