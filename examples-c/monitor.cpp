/* monitor.cpp: watches one print through oe_process.hpp, C++11.
 *
 * Reads events with a timeout, on the main thread; no other thread is needed. Errors are exceptions where the program
 * cannot go on, and events where the library tries again by itself. With the engine in the library, and with
 * oe-process-server:
 *
 *     monitor-cpp /run/camera/snapshot.jpg 'echo pausing' [state-file]
 *     monitor-cpp --endpoint http://127.0.0.1:8674 /run/camera/snapshot.jpg 'echo pausing' [state-file]
 *
 * Build: see the Makefile beside this file.
 */
#include <oe_process.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "engine.h"

namespace {

volatile std::sig_atomic_t stopping = 0;

std::string read_file(const std::string &path)
{
    std::ifstream file(path.c_str(), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

class watcher {
public:
    watcher(std::int32_t backend, const char *endpoint, std::string snapshot, std::string on_pause, std::string state)
        : snapshot_(std::move(snapshot)), on_pause_(std::move(on_pause)), state_(std::move(state))
    {
        oe::options options;
        const char *key = std::getenv("OE_API_KEY");
        oe::check(options.set_backend(backend));
        oe::check(options.set_api_key(key));
        oe::check(options.set_endpoint(endpoint));
        oe::check(options.set_allow_http(endpoint != nullptr));
        oe::check(options.set_interval_sec(5));
        oe::check(options.set_log(OE_LOG_WARN, [](std::int32_t, const char *text) { std::cout << "log: " << text << '\n'; }));
        oe::check(client_.open(options));
        const std::string saved = state_.empty() ? std::string() : read_file(state_);
        if (saved.empty() || print_.start_saved(client_, saved, 1) != OE_OK) oe::check(print_.start(client_, 0, 0, 1));
    }

    void run()
    {
        oe::event event;
        while (!stopping && !latched_)
            if (oe::check(client_.next_event(event, std::chrono::milliseconds(200))) == OE_OK) on(event);
    }

private:
    void on(const oe::event &event)
    {
        switch (event.kind) {
        case OE_EVENT_FRAME_WANTED: submit(); break;
        case OE_EVENT_RESULT:
            std::cout << "quality " << event.result.print_quality << ": " << event.result.quality_text() << std::endl;
            save();
            break;
        case OE_EVENT_WARNING: std::cout << "warning" << std::endl; break;
        case OE_EVENT_PAUSE:
            std::cout << "pause" << std::endl;
            if (event.age() < std::chrono::seconds(30) && std::system(on_pause_.c_str()) == 0)
                oe::check(print_.pause()); /* until the printer says that it goes on */
            save();
            break;
        case OE_EVENT_ERROR:
            std::cout << "error: " << event.error.text << std::endl;
            save();
            break;
        case OE_EVENT_LATCHED:
            std::cout << "stopped: " << event.error.text << std::endl;
            latched_ = true;
            break;
        default: break; /* recovered, camera, renewed, and what later releases add */
        }
    }

    void submit()
    {
        const std::string jpeg = read_file(snapshot_);
        const oe::status status = print_.submit(reinterpret_cast<const std::uint8_t *>(jpeg.data()), jpeg.size());
        if (status != OE_OK) std::cout << "frame: " << oe::status_text(status) << std::endl;
    }

    /* Replaced as a whole, so that a crash leaves the old one or the new one. */
    void save() const
    {
        std::string text;
        if (state_.empty() || print_.save(text) != OE_OK) return;
        const std::string temporary = state_ + ".new";
        std::ofstream file(temporary.c_str(), std::ios::binary);
        file << text;
        file.close();
        if (file) std::rename(temporary.c_str(), state_.c_str());
    }

    oe::client client_;
    oe::monitor print_;
    std::string snapshot_, on_pause_, state_;
    bool latched_ = false;
};

int usage(std::ostream &to)
{
    to << "usage: monitor-cpp [options] SNAPSHOT.jpg PAUSE-COMMAND [STATE-FILE]\n" ENGINE_USAGE;
    return &to == &std::cout ? 0 : 2;
}

} /* namespace */

int main(int argc, char **argv)
{
    const char *engine = nullptr, *endpoint = nullptr;
    std::vector<std::string> words;
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        if (word == "--help") return usage(std::cout);
        if (word == "--engine" && i + 1 < argc) engine = argv[++i];
        else if (word == "--endpoint" && i + 1 < argc) endpoint = argv[++i];
        else words.push_back(word);
    }
    if (words.size() < 2 || words.size() > 3 || words[0].compare(0, 1, "-") == 0) return usage(std::cerr);
    std::int32_t backend = OE_BACKEND_EMBEDDED;
    if (const char *problem = engine_problem(engine, endpoint, &backend)) {
        std::cerr << "monitor-cpp: " << problem << '\n';
        return 2;
    }
    std::signal(SIGINT, [](int) { stopping = 1; });
    std::signal(SIGTERM, [](int) { stopping = 1; });
    try {
        watcher(backend, endpoint, words[0], words[1], words.size() > 2 ? words[2] : "").run();
        return 0;
    } catch (const oe::exception &failed) {
        std::cerr << oe::status_name(failed.status()) << ": " << failed.what() << '\n';
        return 1;
    }
}
