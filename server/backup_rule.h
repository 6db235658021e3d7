/* backup_rule.h: what of a server's directory goes into a backup, decided by its path alone.
 *
 * memory   values only
 * threads  pure
 * source   docs/backup.md. What no rule names stays out: a key that somebody put there is never copied by accident
 */
#ifndef RINGWARD_BACKUP_RULE_H
#define RINGWARD_BACKUP_RULE_H

enum backup_rule_kind {
    BACKUP_RULE_STRANGER, /* stays out, and is told */
    BACKUP_RULE_QUIET,    /* stays out: made anew by the programs */
    BACKUP_RULE_FILE,     /* copied */
    BACKUP_RULE_STORE,    /* copied by SQLite */
    BACKUP_RULE_KEY,      /* a private key of the signer: copied only when asked for */
};

/* `path` is relative to the directory, without "./"; directories have no kind of their own. */
enum backup_rule_kind backup_rule_of(const char *path);

#endif
