/* State that an endpoint's boot hangs on, on a disk that may hold anything: both copies damaged, or sound copies around
 * any payload. The first byte chooses. Nothing is guessed: a state is read whole, is refused, or is not there. */
#include "agent/activate/slot.h"
#include "agent/agent_identity.h"
#include "agent/fetch/clock_floor.h"
#include "common/base/alt.h"
#include "tests/fuzz/folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct rw_wall built = {1000000000};

static void load_all(void)
{
    struct rw_err err;
    struct slot_state slots;
    struct agent_identity who;
    bool fresh = false;
    int dir = fuzz_folder();
    struct clock_floor floor = clock_floor_open(dir, built);
    RW_ASSERT(floor.at.s >= built.s); /* never below the build */
    if (rw_is_ok(slot_load(dir, &slots, &fresh, &err))) {
        RW_ASSERT(slots.abandoned_count <= INSTALL_ABANDONED_MAX);
        RW_ASSERT(slots.left_count <= INSTALL_ABANDONED_MAX);
        RW_ASSERT(slots.current >= 0 && slots.next >= 1);
    }
    if (rw_is_ok(agent_identity_load(dir, &who, &fresh, &err))) {
        RW_ASSERT(who.bucket >= 0 && who.bucket < 10000);
        RW_ASSERT(strlen(who.endpoint) == sizeof(who.endpoint) - 1);
    }
}

/* Two copies of each state as they come, cut at the first NUL byte behind the header. */
static void damaged(struct rw_span rest)
{
    static const char *const names[] = {"slots", "identity", "clock"};
    struct rw_err err;
    uint64_t serial = 0;
    RW_AUTO(rw_buf) struct rw_buf text = rw_buf_make(1 << 20);
    int dir = fuzz_folder();
    size_t half = rest.n / 2;
    for (size_t i = 0; i < RW_LEN(names); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%s.a", names[i]);
        fuzz_folder_put_at(dir, name, rw_span_of(rest.p, half));
        (void)snprintf(name, sizeof(name), "%s.b", names[i]);
        fuzz_folder_put_at(dir, name, rw_span_of(rest.p + half, rest.n - half));
    }
    if (rw_is_ok(rw_alt_load(dir, "slots", &text, &serial, &err))) { RW_ASSERT(text.n <= rest.n); }
    load_all();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"slots", "identity", "clock"};
    struct rw_err err;
    if (size == 0) { return 0; }
    struct rw_span rest = rw_span_of(data + 1, size - 1);
    int dir = fuzz_folder();
    fuzz_folder_empty();
    if (data[0] % 4 == 3) {
        damaged(rest);
        return 0;
    }
    RW_IGNORE(rw_alt_save(dir, names[data[0] % 4], rest, &err), "too long a payload is refused");
    load_all();
    return 0;
}
