/* activate_steps.h: the inside of activate.h, shared by the files activate*.c only.
 *
 * memory   all belongs to struct activate
 * threads  one thread
 * source   activate.h is the public face
 */
#ifndef RINGWARD_ACTIVATE_STEPS_H
#define RINGWARD_ACTIVATE_STEPS_H

#include "agent/activate/activate.h"
#include "agent/activate/trial_rule.h"

struct rw_mono activate_now(const struct activate *a);
void activate_enter(struct activate *a, enum activate_phase phase);
/* Logs a failure that the agent lives on with. */
void activate_log(const char *event, const struct rw_err *err);

/* Saves the slots; a failure is logged and told. */
bool activate_save(struct activate *a);
/* The begin of this run goes to the disk; a->uncounted says when it did not get there. True: it did. */
bool activate_count(struct activate *a);
/* Is the begin of this run on the disk, or its set left, so that a sensor may load? Tries both again, and the link. */
bool activate_counted(struct activate *a);
/* Starts the sensor when it is down, with back-off; a failure is logged. */
void activate_start_sensor(struct activate *a);
/* Makes the sensor load slots.current, or the set on trial: reload when it is there, else a fresh start, also where the
 * one that runs follows a set by its name, or is to follow one now (link_owed). */
void activate_order_load(struct activate *a);

/* Nothing is on trial, and the sensor ended (last_exit), or is silent: told and counted as a crash of what it held; in
 * a crash loop the set is left. */
void activate_sensor_ended(struct activate *a);
void activate_sensor_hangs(struct activate *a, const char *what, int64_t limit_ms);
/* The same for an error that the sensor told, once per load. */
void activate_sensor_error(struct activate *a);

/* The process of an observed unit has ended: systemd is asked from now on whether that was a crash. False: nobody knows
 * of it. */
bool activate_asks_of_end(struct activate *a);
/* Observed: takes hold of the process when it is there, and settles what its last end was. False: it is not there, or
 * may not be. */
bool activate_find_sensor(struct activate *a);

/* The proven set says no longer that it is on trial. */
void activate_unmark(struct activate *a);
/* The change under way is proven and has lived: makes it the proven set. False: not durable yet. */
bool activate_commit(struct activate *a);
/* Gives the change up: remembers it, flips back, reports. */
void activate_go_back(struct activate *a, const struct trial_rule_result *why);
/* Second half of it, repeated while the flip fails: gives up, then makes the sensor load the proven set. */
void activate_finish_going_back(struct activate *a);
/* Flips back, reports, forgets. Safe to repeat after a crash. Required state: trial.failed. Fails when the proven set
 * cannot be read, or when the link is stuck that an observed sensor follows; else link_owed may be left. */
RW_RC activate_give_up(struct activate *a, struct rw_err *err);
/* The second half of it. */
void activate_forget_failed(struct activate *a);
/* Leaves the proven set for the one before; `detail` goes into the beacons. `blame`: what is left counts as failed and
 * is never tried again here. With link_owed it has failed of the link alone, which follows. */
RW_RC activate_fall_back(struct activate *a, int64_t set, bool blame, const char *detail,
                         struct rw_err *err);
/* The set to go back to: the previous one when it is whole, else the empty one. */
int64_t activate_way_back(const struct activate *a);
/* Makes the link name the set; link_owed says whether that is still to be done. Done is also what only the sync behind
 * it failed of. */
RW_RC activate_link(struct activate *a, int64_t set, struct rw_err *err);

/* Before the guard decides: files of the proven sets that are damaged are made whole from the store. */
void activate_mend_at_start(struct activate *a);
/* The sensor was lost while nothing was on trial: its files may be why. They are repaired, or the set is left before it
 * starts again (INV-5, INV-6). */
void activate_look_again(struct activate *a);
/* Nothing repairs the active set: the previous one, else the empty one. */
void activate_leave_damaged(struct activate *a);

/* Beacons. `e` is what it is about. */
void activate_report_crash(const struct activate *a, int64_t signal_number, const char *detail);
/* What its counts say of the family's active content; nothing when there is no such family. */
void activate_report_signal(const struct activate *a, enum beacon_kind kind, const char *family,
                            const char *detail);
/* True: durable. */
bool activate_report_outcome(const struct activate *a, enum beacon_kind kind,
                             const struct manifest_entry *e, const struct slot_trial *t);

#endif
