/* ringward-box-selftest: the five behaviours by which ringward-box proves itself at the start of an agent. */
#include "agent/prove/hostile.h"

int main(int argc, char **argv)
{
    const struct hostile_mode *const lists[] = {hostile_basic};
    const size_t counts[] = {hostile_basic_count};
    return hostile_main(lists, counts, RW_LEN(lists), argc, argv);
}
