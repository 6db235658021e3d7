#include "server/release/release_signer_turn.h"

RW_RC release_signer_turn_make(struct release_signer_turn *t, struct rw_err *err)
{
    *t = (struct release_signer_turn){.taken = false};
    int failed = pthread_mutex_init(&t->lock, NULL);
    if (failed == 0) {
        failed = pthread_cond_init(&t->over, NULL);
        if (failed != 0) { (void)pthread_mutex_destroy(&t->lock); }
    }
    return failed == 0 ? RW_OK : rw_fail_errno(err, RW_E_NOMEM, failed, "turns at the signer");
}

void release_signer_turn_drop(struct release_signer_turn *t)
{
    (void)pthread_cond_destroy(&t->over);
    (void)pthread_mutex_destroy(&t->lock);
}

void release_signer_turn_take(struct release_signer_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->waiting++;
    while (t->taken) {
        (void)pthread_cond_wait(&t->over, &t->lock);
    }
    t->waiting--;
    t->taken = true;
    (void)pthread_mutex_unlock(&t->lock);
}

void release_signer_turn_take_last(struct release_signer_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    while (t->taken || t->waiting > 0) {
        (void)pthread_cond_wait(&t->over, &t->lock);
    }
    t->taken = true;
    (void)pthread_mutex_unlock(&t->lock);
}

bool release_signer_turn_try(struct release_signer_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    bool free = !t->taken;
    t->taken = true;
    (void)pthread_mutex_unlock(&t->lock);
    return free;
}

void release_signer_turn_give(struct release_signer_turn *t)
{
    (void)pthread_mutex_lock(&t->lock);
    RW_ASSERT(t->taken);
    t->taken = false;
    (void)pthread_cond_broadcast(&t->over);
    (void)pthread_mutex_unlock(&t->lock);
}
