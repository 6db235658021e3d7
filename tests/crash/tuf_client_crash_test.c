/* Goal: killed at any durable step of a refresh, the client starts again, trusts no less than before, and the next
 * refresh reaches the present state (docs/trust.md "State on disk"). */
#include "tests/fakes/tuf_peer.h"

#include <sys/syscall.h>
#include <sys/wait.h>

/* The program's own fsync and renameat stand before the C library's: each call is a step at whose beginning or end the
 * process can be made to vanish, as by kill -9. */
static int steps_left = -1; /* negative: never */
static bool after_step;

static void maybe_die(bool after)
{
    if (steps_left < 0 || after != after_step) { return; }
    if (steps_left == 0) { _exit(77); }
    steps_left--;
}

int fsync(int fd)
{
    maybe_die(false);
    int rc = (int)syscall(SYS_fsync, fd);
    maybe_die(true);
    return rc;
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    maybe_die(false);
    int rc = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
    maybe_die(true);
    return rc;
}

/* New keys for timestamp and snapshot, a delegated role, new versions of everything. */
static void advance(struct tuf_repo *r)
{
    static const struct tuf_repo_delegation rows[] = {{"a", "A", 1, "[\"a/*\"]", true}};
    char targets[TUF_REPO_BODY_BYTES];
    char edges[TUF_REPO_BODY_BYTES];
    char both[2 * TUF_REPO_BODY_BYTES];
    (void)snprintf(r->timestamp.keys, sizeof(r->timestamp.keys), "U");
    tuf_repo_next_root(r, "R");
    tuf_repo_next_root(r, "R");
    tuf_peer_targets("top", targets);
    tuf_repo_delegate(r, rows, 1, edges);
    (void)snprintf(both, sizeof(both), "%s,%s", targets, edges);
    (void)tuf_repo_next_role(r, "targets", "G", both);
    tuf_peer_targets("a/1", targets);
    (void)tuf_repo_next_role(r, "a", "A", targets);
    tuf_repo_publish(r);
}

static bool refresh_and_find(struct tuf_client *client)
{
    struct rw_err err = {0};
    struct tuf_target t;
    return rw_is_ok(tuf_client_refresh(client, TUF_REPO_NOW, &err)) &&
           rw_is_ok(tuf_client_find(client, "a/1", &t, &err));
}

/* One refresh in a child that vanishes at step `step`; gives false when there are not that many. */
static bool refresh_until(struct tuf_peer *p, int step, bool after)
{
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        steps_left = step;
        after_step = after;
        _exit(refresh_and_find(p->client) ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77);
    return WEXITSTATUS(status) == 77;
}

TEST(a_kill_at_every_step_leaves_a_usable_client)
{
    int steps = 0;
    for (int after = 0; after <= 1; after++) {
        bool more = true;
        for (int step = 0; more; step++) {
            struct rw_err err = {0};
            RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
            tuf_peer_refresh(&p, RW_E_NONE);
            advance(p.repo);
            more = refresh_until(&p, step, after == 1);
            steps += more ? 1 : 0;
            tuf_peer_restart(&p);
            tuf_peer_refresh(&p, RW_E_NONE);
            assert_int_equal(tuf_peer_version(&p, "root"), 3);
            assert_int_equal(tuf_peer_version(&p, "targets"), 2);
            struct tuf_target t;
            MUST(tuf_client_find(p.client, "a/1", &t, &err));
            assert_true(tuf_peer_stored(&p, "root.json", "3.root.json"));
            assert_true(tuf_peer_stored(&p, "a.json", "1.a.json"));
        }
    }
    print_message("           %d kills\n", steps);
    assert_in_range(steps, 2 * 18, 2 * 40); /* six files of three steps each */
}

/* Killed again and again at the first step, the client still moves on once it is left alone. */
TEST(kills_in_a_row_add_up_to_nothing)
{
    RW_AUTO(tuf_peer) struct tuf_peer p = tuf_peer_new();
    tuf_peer_refresh(&p, RW_E_NONE);
    advance(p.repo);
    for (int i = 0; i < 10; i++) {
        assert_true(refresh_until(&p, i % 3, i % 2 == 1));
        tuf_peer_restart(&p);
    }
    assert_false(refresh_until(&p, 1000, false));
    tuf_peer_restart(&p);
    tuf_peer_refresh(&p, RW_E_NONE);
    assert_int_equal(tuf_peer_version(&p, "targets"), 2);
}

RUN_TESTS(cmocka_unit_test(a_kill_at_every_step_leaves_a_usable_client),
          cmocka_unit_test(kills_in_a_row_add_up_to_nothing))
