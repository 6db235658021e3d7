/* ringward-validate-hostile: a validator that does what content might make one do; for tests.
 *
 * The content type chooses the behaviour. Every attack that the box should have stopped ends in "accepted", with how
 * the try ended as its reason. */
#include "agent/prove/hostile.h"

int main(int argc, char **argv)
{
    const struct hostile_mode *const lists[] = {hostile_basic, hostile_attacks, hostile_escapes,
                                                hostile_lies};
    const size_t counts[] = {hostile_basic_count, hostile_attacks_count, hostile_escapes_count,
                             hostile_lies_count};
    return hostile_main(lists, counts, RW_LEN(lists), argc, argv);
}
