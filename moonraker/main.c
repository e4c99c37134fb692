/* oe-moonraker: watches the prints of Klipper printers, and pauses one that fails.
 *
 * One loop, one thread of this program. Printers are followed through Moonraker's HTTP API, by polling; libcurl does the HTTP of
 * printers and cameras, the library looks at the pictures or has a service look.
 */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "engine.h"
#include "printer.h"

enum { MAX_PRINTERS = 16, WRONG_CONFIG = 2 };

static volatile sig_atomic_t stopping;
static int wake[2]; /* a pipe that a signal makes readable: none is missed between a look and a wait */

static printer_config configs[MAX_PRINTERS];
static printer printers[MAX_PRINTERS];
static int count;

static void on_signal(int signal)
{
    int before = errno;
    stopping = signal;
    if (write(wake[1], "", 1) < 0) stopping = signal; /* full: it is readable */
    errno = before;
}

/* ---- the loop ---- */

static void read_events(oe_client *client)
{
    oe_event event = OE_EVENT_INIT;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    while (oe_client_next_event(client, 0, &event, &result, &error) == OE_OK) {
        uint64_t number = event.tag >> 32;
        if (number < (uint64_t)count) printer_event(&printers[number], &event, &result, &error);
    }
}

static void loop(CURLM *multi, oe_client *client)
{
    struct curl_waitfd fds[] = { { .fd = wake[0], .events = CURL_WAIT_POLLIN },
                                 { .fd = (curl_socket_t)oe_client_event_fd(client), .events = CURL_WAIT_POLLIN } };
    while (!stopping) {
        int64_t due = INT64_MAX;
        http_turn(multi);
        read_events(client);
        for (int n = 0; n < count; n++) {
            printer_turn(&printers[n]);
            if (printer_due(&printers[n]) < due) due = printer_due(&printers[n]);
        }
        fflush(stdout);
        int64_t wait = due - now_ms();
        curl_multi_poll(multi, fds, 2, wait < 0 ? 0 : (int)wait, NULL);
    }
}

static int watch(CURLM *multi, const char *state_folder)
{
    oe_client *client = NULL;
    oe_status status = engine_open(&configs[0].engine, &client);
    if (status == OE_OK && oe_client_event_fd(client) < 0) status = OE_ERR_RESOURCES;
    for (int n = 0; n < count && status == OE_OK; n++)
        if (printer_open(&printers[n], multi, client, &configs[n], (uint64_t)n, state_folder) != 0) status = OE_ERR_RESOURCES;
    if (status == OE_OK) loop(multi, client);
    else fprintf(stderr, "oe-moonraker: the engine does not start: %s\n", oe_status_text(status));
    for (int n = 0; n < count && status == OE_OK; n++) printer_close(&printers[n]);
    oe_client_free(client);
    return status == OE_OK ? 0 : status == OE_ERR_ARGUMENT ? WRONG_CONFIG : 1;
}

static int check(CURLM *multi)
{
    int missing = 0;
    for (int n = 0; n < count; n++) missing += check_printer(multi, &configs[n]);
    puts(missing ? "Not ready: see what is MISSING." : "Ready.");
    return missing ? 1 : 0;
}

/* ---- setting up ---- */

static int usage(FILE *to)
{
    fputs("usage: oe-moonraker [--state FOLDER] [CONFIG...]\n"
          "       oe-moonraker check [CONFIG...]\n"
          "  CONFIG           the oe_process.cfg of each printer; without one, those of this user:\n"
          "                   ~/printer_data/config/oe_process.cfg and ~/printer_*_data/config/oe_process.cfg\n"
          "  --state FOLDER   where prints are kept over restarts; $STATE_DIRECTORY, or ~/.local/state/oe-moonraker\n"
          "  --version, --help\n", to);
    return to == stdout ? 0 : WRONG_CONFIG;
}

static int add_config(const char *file)
{
    if (count == MAX_PRINTERS) {
        fprintf(stderr, "oe-moonraker: at most %d printers\n", MAX_PRINTERS);
        return -1;
    }
    printer_config *config = &configs[count++];
    if (config_read(file, config) != 0) return -1;
    for (int n = 0; n + 1 < count; n++) {
        if (!strcmp(configs[n].name, config->name)) {
            fprintf(stderr, "%s: the name %s is that of %s too\n", file, config->name, configs[n].file);
            return -1;
        }
    }
    if (config_same_engine(&configs[0].engine, &config->engine)) return 0;
    fprintf(stderr, "%s: [engine] is not that of %s: start a process for each\n", file, configs[0].file);
    return -1;
}

static int find_configs(void)
{
    static const char *const patterns[] = { "printer_data", "printer_*_data" };
    const char *home = getenv("HOME");
    glob_t found = { 0 };
    int result = 0;
    for (int n = 0; n < 2 && home; n++) {
        char pattern[MAX_PATH];
        snprintf(pattern, sizeof pattern, "%s/%s/config/oe_process.cfg", home, patterns[n]);
        glob(pattern, n ? GLOB_APPEND : 0, NULL, &found);
    }
    for (size_t n = 0; n < found.gl_pathc && result == 0; n++) result = add_config(found.gl_pathv[n]);
    if (found.gl_pathc == 0)
        fprintf(stderr, "oe-moonraker: there is no oe_process.cfg in %s/printer_data/config: an empty file will do\n", home ? home : "~");
    result |= found.gl_pathc == 0 ? -1 : 0;
    globfree(&found);
    return result;
}

/* The folder, made if need be. NULL: there is none, and nothing outlives a restart. */
static const char *make_state_folder(const char *given)
{
    static char folder[MAX_PATH];
    const char *home = getenv("HOME"), *systemd = getenv("STATE_DIRECTORY");
    if (given || systemd) snprintf(folder, sizeof folder, "%s", given ? given : systemd);
    else if (home) snprintf(folder, sizeof folder, "%s/.local/state/oe-moonraker", home);
    else return NULL;
    for (char *c = folder + 1; *c; c++) {
        if (*c != '/') continue;
        *c = '\0';
        mkdir(folder, 0755);
        *c = '/';
    }
    if (mkdir(folder, 0700) == 0 || errno == EEXIST) return folder;
    fprintf(stderr, "oe-moonraker: %s: %s: nothing outlives a restart\n", folder, strerror(errno));
    return NULL;
}

/* Before there is any other thread. */
static CURLM *prepare(void)
{
    struct sigaction action = { .sa_handler = on_signal }, ignore = { .sa_handler = SIG_IGN };
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (pipe(wake) != 0) return NULL;
    for (int n = 0; n < 2; n++) {
        fcntl(wake[n], F_SETFD, FD_CLOEXEC);
        fcntl(wake[n], F_SETFL, O_NONBLOCK);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
}

int main(int argc, char **argv)
{
    const char *state = NULL;
    int checks = argc > 1 && !strcmp(argv[1], "check"), wrong = 0;
    for (int n = 1 + checks; n < argc && !wrong; n++) {
        if (!strcmp(argv[n], "--help")) return usage(stdout);
        if (!strcmp(argv[n], "--version")) return printf("oe-moonraker %s\n", oe_version_string()) < 0;
        if (!strcmp(argv[n], "--state") && n + 1 < argc) state = argv[++n];
        else if (argv[n][0] == '-') return usage(stderr);
        else wrong = add_config(argv[n]);
    }
    if (!wrong && !count) wrong = find_configs();
    if (wrong) return WRONG_CONFIG;
    CURLM *multi = prepare();
    if (!multi) return 1;
    int result = checks ? check(multi) : watch(multi, make_state_folder(state));
    curl_multi_cleanup(multi);
    curl_global_cleanup();
    return result;
}
