/* Goal: a backup takes what a server needs and nothing that signs, unless asked; what nobody named stays out. */
#include "server/backup_rule.c"

#include "tests/harness.h"

static const struct path_case {
    const char *id;
    enum backup_rule_kind want;
} paths[] = {
    {"server.conf", BACKUP_RULE_FILE},
    {"server.conf.old", BACKUP_RULE_STRANGER},
    {"store/ringward.db", BACKUP_RULE_STORE},
    {"store/ringward.db-wal", BACKUP_RULE_QUIET},
    {"store/dump.sql", BACKUP_RULE_STRANGER},
    {"repo/metadata/timestamp.json", BACKUP_RULE_FILE},
    {"repo/metadata/.timestamp.json.tmp", BACKUP_RULE_QUIET},
    {"trust/root.json", BACKUP_RULE_FILE},
    {"trust-node/root.json", BACKUP_RULE_STRANGER},
    {"signer/snapshot.key", BACKUP_RULE_KEY},
    {"signer/ring-broad.next.key", BACKUP_RULE_KEY},
    {"signer/notes", BACKUP_RULE_STRANGER},
    {"signer/state/floors.a", BACKUP_RULE_FILE},
    {"signer/state/proof/root.json", BACKUP_RULE_QUIET},
    {"tls/cert.pem", BACKUP_RULE_FILE},
    {"tls/key.pem", BACKUP_RULE_STRANGER},
    {"engineers/alice.key", BACKUP_RULE_STRANGER},
    {"offline/root-1.key", BACKUP_RULE_STRANGER},
    {"tokens/admin.token", BACKUP_RULE_STRANGER},
    {"operator.conf", BACKUP_RULE_STRANGER},
    {"webhooks/pager.conf", BACKUP_RULE_FILE},
    {"webhooks/pager.secret", BACKUP_RULE_STRANGER},
    {"server.lock", BACKUP_RULE_QUIET},
    {"repository/x", BACKUP_RULE_STRANGER},
};

TEST_EACH(path_decides, paths)
{
    assert_int_equal(backup_rule_of(it->id), it->want);
}

RUN_TESTS(cmocka_unit_test(path_decides))
