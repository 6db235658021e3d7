#include "tests/fakes/pg_server.h"

#include "tests/harness.h"

#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PATH_BYTES = 256, START_TRIES = 600, TRY_MS = 100 };

/* The newest version of Debian's places. */
static void program(const char *name, char dst[static PATH_BYTES])
{
    glob_t found = {.gl_pathc = 0};
    char pattern[PATH_BYTES];
    (void)snprintf(pattern, sizeof(pattern), "/usr/lib/postgresql/*/bin/%s", name);
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc == 0) {
        fail_msg("PostgreSQL is not installed (%s); see scripts/packages", pattern);
    }
    (void)snprintf(dst, PATH_BYTES, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static const struct passwd *unprivileged(void)
{
    const struct passwd *user = getpwnam("postgres");
    if (user == NULL) { user = getpwnam("nobody"); }
    if (user == NULL) { fail_msg("neither user postgres nor nobody"); }
    return user;
}

/* Runs as a user that PostgreSQL accepts; the log goes into the folder. */
static pid_t run(const struct pg_server *s, char *const argv[])
{
    char log[PATH_BYTES];
    uid_t uid = getuid();
    gid_t gid = getgid();
    if (uid == 0) {
        const struct passwd *user = unprivileged();
        uid = user->pw_uid;
        gid = user->pw_gid;
    }
    (void)snprintf(log, sizeof(log), "%s/log", s->dir);
    pid_t parent = getpid();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) { return pid; }
    if (getuid() == 0 && (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0)) {
        _exit(126);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT); /* at once: nobody needs its data any more */
    if (getppid() != parent) { _exit(126); }
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0 || chdir(s->dir) != 0) { _exit(126); }
    (void)execv(argv[0], argv);
    _exit(127);
}

static void show_log(const struct pg_server *s)
{
    char path[PATH_BYTES];
    char line[512];
    (void)snprintf(path, sizeof(path), "%s/log", s->dir);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        print_message("%s", line);
    }
    if (f != NULL) { (void)fclose(f); }
}

void pg_server_url(const struct pg_server *s, const char *schema, char dst[static 160])
{
    (void)snprintf(dst, 160, "postgresql:///postgres?host=%s&user=ringward&options=%s%s", s->dir,
                   schema[0] == '\0' ? "" : "-csearch_path%3D", schema);
}

void pg_server_start(struct pg_server *s)
{
    char path[PATH_BYTES];
    char data[PATH_BYTES];
    char socket[PATH_BYTES];
    program("postgres", path);
    (void)snprintf(data, sizeof(data), "%s/data", s->dir);
    (void)snprintf(socket, sizeof(socket), "unix_socket_directories=%s", s->dir);
    char *const argv[] = {path,   "-D", data,       "-c", "listen_addresses=",   "-c",
                          socket, "-c", "fsync=on", "-c", "shared_buffers=16MB", NULL};
    s->pid = run(s, argv);
    for (int i = 0; i < START_TRIES; i++) {
        if (PQping(s->url) == PQPING_OK) { return; }
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid) { break; }
        (void)usleep(TRY_MS * 1000);
    }
    show_log(s);
    fail_msg("PostgreSQL does not start");
}

void pg_server_make(struct pg_server *out)
{
    struct pg_server s = {.dir = "/tmp/rw-pg-XXXXXX"};
    char path[PATH_BYTES];
    char data[PATH_BYTES];
    int status = 0;
    assert_non_null(mkdtemp(s.dir));
    if (getuid() == 0) {
        const struct passwd *user = unprivileged();
        assert_int_equal(chown(s.dir, user->pw_uid, user->pw_gid), 0);
    }
    program("initdb", path);
    (void)snprintf(data, sizeof(data), "%s/data", s.dir);
    char *const argv[] = {path,    "-D", data, "-U",   "ringward",   "-A",
                          "trust", "-N", "-E", "UTF8", "--locale=C", NULL};
    pid_t pid = run(&s, argv);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        show_log(&s);
        fail_msg("initdb: status %d", status);
    }
    pg_server_url(&s, "", s.url);
    pg_server_start(&s);
    *out = s;
}

void pg_server_stop(struct pg_server *s, int signal_number)
{
    if (s->pid == 0) { return; }
    assert_int_equal(kill(s->pid, signal_number), 0);
    assert_int_equal(waitpid(s->pid, NULL, 0), s->pid);
    s->pid = 0;
}

void pg_server_exec(const struct pg_server *s, const char *schema, const char *sql)
{
    char url[160];
    pg_server_url(s, schema, url);
    PGconn *conn = PQconnectdb(url);
    PGresult *r = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    }
    PQclear(r);
    PQfinish(conn);
}

void pg_server_remove(struct pg_server *s)
{
    pg_server_stop(s, SIGINT);
    struct harness_dir d = {.fd = -1};
    (void)snprintf(d.path, sizeof(d.path), "%s", s->dir);
    (void)nftw(d.path, harness_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
