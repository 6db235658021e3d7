/* hostile.h: what the hostile validator and the self-test's share: an honest-looking answer, and how a try ended.
 *
 * memory   no state; texts are constant or in static memory
 * threads  one thread
 * source   docs/sandbox.md "What was tried"; for tests and the self-test
 */
#ifndef RINGWARD_HOSTILE_H
#define RINGWARD_HOSTILE_H

#include "common/base/err.h"

enum { HOSTILE_CONTENT_FD = 3, HOSTILE_SAMPLES_FD = 4, HOSTILE_VERDICT_FD = 5 };

/* A way to misbehave. `run` gives how the try ended ("works", "EPERM", ...), which becomes the reason of an
 * acceptance: a missing layer shows as a wrong verdict, never as a harmless exit. It may also end the process. */
struct hostile_mode {
    const char *name;
    const char *(*run)(void);
    bool early; /* before the first touch of content and samples */
};

/* An honest-looking answer: right hash, right number of hits, each of them `hit`. */
void hostile_say(const char *verdict, const char *reason, char hit);
/* Text on the verdict pipe. */
void hostile_put(const char *text);
/* "works", or the name of errno. */
const char *hostile_outcome(bool worked);
/* The outcome of opening a file; it is closed again. */
const char *hostile_open(const char *path, int flags);

extern const struct hostile_mode hostile_basic[];
extern const size_t hostile_basic_count;
extern const struct hostile_mode hostile_attacks[];
extern const size_t hostile_attacks_count;
extern const struct hostile_mode hostile_escapes[];
extern const size_t hostile_escapes_count;
extern const struct hostile_mode hostile_lies[];
extern const size_t hostile_lies_count;

/* Finds the mode, touches the content unless it is an early one, runs it, accepts. Gives the exit status. */
int hostile_main(const struct hostile_mode *const *lists, const size_t *counts, size_t list_count,
                 int argc, char **argv);

#endif
