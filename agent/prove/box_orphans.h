/* box_orphans.h: ends what a validator started and left behind where no pid name space did it.
 *
 * memory   allocates nothing that outlives the call
 * threads  one thread
 * source   prctl(2) PR_SET_CHILD_SUBREAPER, proc(5)
 */
#ifndef RINGWARD_BOX_ORPHANS_H
#define RINGWARD_BOX_ORPHANS_H

/* Orphans become children of this process from now on. */
void box_orphans_adopt(void);
/* Kills and reaps all children of this process, and theirs. Does nothing in a process that did not adopt. */
void box_orphans_end(void);

#endif
