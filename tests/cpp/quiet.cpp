/* The unit without exceptions of throws.cpp's program. */
#include <oe_process.hpp>

#ifndef OE_NO_EXCEPTIONS
#error "it is defined by the host, or by the header where the compiler has none"
#endif

int lines_of_the_quiet_unit()
{
    int lines = 0;
    oe::options options;
    oe::client client;
    const auto log = [&lines](std::int32_t, const char *) { lines++; };
    const bool made = options.set_api_key("k") == OE_OK && options.set_endpoint("http://127.0.0.1:1") == OE_OK &&
        options.set_allow_http(true) == OE_OK && options.set_log(OE_LOG_TRACE, log) == OE_OK &&
        client.open(options) == OE_OK;
    return made && client.check_key() == OE_ERR_CONNECT ? lines : 0;
}
