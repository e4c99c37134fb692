/* Every call that returns a status, with nobody looking at it, one a line: each has to be a warning from C++17 on. */
#include <oe_process.hpp>

void options(oe::options &o, const std::string &text, const std::uint8_t *pem)
{
    o.set_api_key("k");
    o.set_api_key(text);
    o.set_backend(0);
    o.set_endpoint("https://x");
    o.set_endpoint(text);
    o.set_allow_http(true);
    o.set_trust(0);
    o.set_ca_file("x");
    o.set_ca_file(text);
    o.set_ca_pem(pem, 1);
    o.set_proxy("x");
    o.set_resolve("a", "::1");
    o.set_resolve(std::string("a"), std::string("::1"));
    o.set_proxy(text);
    o.set_timeout(std::chrono::seconds(1));
    o.set_connect_timeout(std::chrono::seconds(1));
    o.set_interval_sec(5);
    o.set_max_frame_age(std::chrono::seconds(1));
    o.set_workers(1);
    o.set_picture_memory_mb(8);
    o.set_user_agent("x");
    o.set_user_agent(text);
    o.set_model_file("x");
    o.set_model_file(text);
    o.set_log(OE_LOG_INFO, nullptr);
}

void client(oe::client &c, const oe::options &o, std::uint32_t &ms, oe::usage &usage, oe::event &event)
{
    c.open(o);
    c.cancel();
    c.create_due_in_ms(ms);
    c.check_key();
    c.clear_latch();
    c.read(usage);
    c.next_event(event);
}

void context(oe::context &p, const oe::client &c, std::string &text, const std::uint8_t *jpeg, oe::result &result)
{
    std::uint32_t ms = 0;
    oe::info info;
    oe::error error;
    p.create(c);
    p.create(c, oe::print_options());
    p.restore(c, text);
    p.process(jpeg, 3, result);
    p.process_at(jpeg, 3, 0, result);
    p.renew();
    p.due_in_ms(ms);
    p.wait_due();
    p.cancel();
    p.set_interval_sec(5);
    p.set_confidence(1, 5);
    p.save(text);
    p.read(info);
    p.last_error(error);
}

void monitor(oe::monitor &m, const oe::client &c, std::string &text, const std::uint8_t *jpeg, oe::info &info)
{
    m.start(c, 0, 0, 1);
    m.start(c, oe::print_options(), 1);
    m.start_saved(c, text, 1);
    m.stop();
    m.pause();
    m.resume();
    m.mute();
    m.set_interval_sec(5);
    m.set_confidence(1, 5);
    m.submit(jpeg, 3);
    m.read(info);
    m.save(text);
}
