/* Goal: who may ask the signer for signatures: by default its own user and root, a named user alone otherwise; and what
 * the socket may stand on. */
#include "server/signer/signer_listen.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const struct allow_case {
    const char *id;
    struct signer_peers peers;
    uid_t uid;
    bool allowed;
} allow_cases[] = {
    {"own_user_by_default", {false, 4711}, 4711, true},
    {"root_by_default", {false, 4711}, 0, true},
    {"a_stranger_by_default", {false, 4711}, 4712, false},
    {"the_named_user", {true, 4712}, 4712, true},
    {"root_when_another_is_named", {true, 4712}, 0, false},
    {"a_stranger_when_one_is_named", {true, 4712}, 4711, false},
    {"root_when_root_is_named", {true, 0}, 0, true},
    {"a_user_when_root_is_named", {true, 0}, 4711, false},
    {"no_user_at_all", {false, 4711}, (uid_t)-1, false},
};

TEST_EACH(peers_are_judged_by_their_user, allow_cases)
{
    assert_int_equal(signer_listen_allows(&it->peers, it->uid), it->allowed);
}

TEST(nobody_named_means_our_own_user)
{
    struct rw_err err = {0};
    struct signer_peers peers;
    MUST(signer_listen_peers(NULL, &peers, &err));
    assert_false(peers.named);
    assert_int_equal(peers.user, geteuid());
}

TEST(a_user_is_named_by_name_or_number)
{
    struct rw_err err = {0};
    struct signer_peers peers;
    MUST(signer_listen_peers("root", &peers, &err));
    assert_true(peers.named);
    assert_int_equal(peers.user, 0);
    MUST(signer_listen_peers("20001", &peers, &err));
    assert_true(peers.named);
    assert_int_equal(peers.user, 20001);
}

static const struct name_case {
    const char *id;
    const char *name;
} name_cases[] = {
    {"nothing", ""},
    {"an_unknown_name", "no-such-user-here"},
    {"a_negative_number", "-1"},
    {"the_number_that_means_nobody", "4294967295"},
    {"a_number_with_more_behind", "0 root"},
};

TEST_EACH(a_user_that_does_not_exist_is_refused, name_cases)
{
    struct rw_err err = {0};
    struct signer_peers peers;
    MUST_FAIL(signer_listen_peers(it->name, &peers, &err), RW_E_USAGE);
}

struct place {
    char dir[64];
    char path[96];
};

static struct place place_make(void)
{
    struct place p = {.dir = "/tmp/signer-listen-XXXXXX"};
    assert_non_null(mkdtemp(p.dir));
    (void)snprintf(p.path, sizeof(p.path), "%s/socket", p.dir);
    return p;
}

static void place_remove(const struct place *p)
{
    (void)unlink(p->path);
    assert_int_equal(rmdir(p->dir), 0);
}

TEST(the_socket_is_for_user_and_group_and_goes_with_the_listener)
{
    struct rw_err err = {0};
    struct stat st;
    struct signer_listen *l = NULL;
    struct place p = place_make();
    const struct signer_peers peers = {.user = geteuid()};
    MUST(signer_listen_open(p.path, &peers, &l, &err));
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0660);
    struct signer_listen *second = NULL;
    MUST_FAIL(signer_listen_open(p.path, &peers, &second, &err), RW_E_BUSY);
    assert_int_equal(stat(p.path, &st), 0); /* the loser leaves it alone */
    signer_listen_drop(&l);
    assert_int_not_equal(stat(p.path, &st), 0);
    place_remove(&p);
}

TEST(a_file_that_is_no_socket_is_left_alone)
{
    struct rw_err err = {0};
    struct signer_listen *l = NULL;
    struct place p = place_make();
    FILE *f = fopen(p.path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    const struct signer_peers peers = {.user = geteuid()};
    MUST_FAIL(signer_listen_open(p.path, &peers, &l, &err), RW_E_IO);
    assert_int_equal(access(p.path, F_OK), 0);
    place_remove(&p);
}

TEST(a_path_longer_than_an_address_is_refused)
{
    struct rw_err err = {0};
    struct signer_listen *l = NULL;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + 1];
    for (size_t i = 0; i < sizeof(path) - 1; i++) {
        path[i] = 'a';
    }
    path[sizeof(path) - 1] = '\0';
    const struct signer_peers peers = {.user = geteuid()};
    MUST_FAIL(signer_listen_open(path, &peers, &l, &err), RW_E_USAGE);
    MUST_FAIL(signer_listen_open("", &peers, &l, &err), RW_E_USAGE);
}

RUN_TESTS(cmocka_unit_test(peers_are_judged_by_their_user),
          cmocka_unit_test(nobody_named_means_our_own_user),
          cmocka_unit_test(a_user_is_named_by_name_or_number),
          cmocka_unit_test(a_user_that_does_not_exist_is_refused),
          cmocka_unit_test(the_socket_is_for_user_and_group_and_goes_with_the_listener),
          cmocka_unit_test(a_file_that_is_no_socket_is_left_alone),
          cmocka_unit_test(a_path_longer_than_an_address_is_refused))
