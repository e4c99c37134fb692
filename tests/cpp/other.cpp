/* The second unit of a program that includes oe_process.hpp twice. */
#include <oe_process.hpp>

int from_another_unit()
{
    oe::options options;
    (void)options.set_log(OE_LOG_INFO, [](std::int32_t, const char *) {});
    return static_cast<int>(oe::version() >> 16);
}
