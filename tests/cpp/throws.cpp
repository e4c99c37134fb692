/* The unit with exceptions of a program whose other unit, quiet.cpp, has none: its log function throws, and the program
 * goes on, whichever of the two the linker sees first. */
#include <oe_process.hpp>

#include <cstdio>
#include <stdexcept>

extern int lines_of_the_quiet_unit();

int main()
{
    int lines = 0;
    oe::options options;
    oe::check(options.set_api_key("k"));
    oe::check(options.set_endpoint("http://127.0.0.1:1")); /* where nobody listens, which is worth a line */
    oe::check(options.set_allow_http(true));
    oe::check(options.set_log(OE_LOG_TRACE, [&lines](std::int32_t, const char *) {
        lines++;
        throw std::runtime_error("goes no further");
    }));
    oe::client client(options);
    const bool refused = client.check_key() == OE_ERR_CONNECT;
    const int quiet = lines_of_the_quiet_unit();
    std::printf("%d lines, %d in the other unit\n", lines, quiet);
    return refused && lines > 0 && quiet > 0 ? 0 : 1;
}
