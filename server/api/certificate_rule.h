/* certificate_rule.h: when files of a certificate are worth a try, and when its end must be told.
 *
 * memory   values only
 * threads  pure
 * source   docs/server.md "Certificate"; INV-12
 */
#ifndef RINGWARD_CERTIFICATE_RULE_H
#define RINGWARD_CERTIFICATE_RULE_H

#include "common/base/clock.h"

#include <stdbool.h>

/* Which bytes stand in both files, as far as the file system tells: any write, rename or removal makes another one. */
struct certificate_rule_stamp {
    int64_t part
        [2]
        [5]; /* certificate, key: device, inode, size, time of the data, time of the inode; absent: zeros */
};

bool certificate_rule_same(const struct certificate_rule_stamp *a,
                           const struct certificate_rule_stamp *b);
/* True when `now` is neither what was tried last nor still being written: certificate and key are two files, and a look
 * between the two writes would find a pair that does not belong together. `before` is the look before this one. */
bool certificate_rule_try(const struct certificate_rule_stamp *tried,
                          const struct certificate_rule_stamp *before,
                          const struct certificate_rule_stamp *now);
/* True when its end is to be told: 14 days ahead, or a third of its life where that is shorter. */
bool certificate_rule_ends_soon(struct rw_wall from, struct rw_wall until, struct rw_wall now);

#endif
