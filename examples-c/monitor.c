/* monitor: watches one print from an event loop.
 *
 * One epoll loop, no thread of this program: the library's events, signals, commands on stdin and
 * the ends of child programs. A warning and a pause each run a command, once per episode. Killed
 * and started again with the same --state file, it goes on with the same print. With the engine
 * in the library, and with oe-process-server:
 *
 *     monitor --on-pause 'echo pausing' /run/camera/snapshot.jpg
 *     monitor --endpoint http://127.0.0.1:8674 --on-pause 'echo pausing' /run/camera/snapshot.jpg
 *
 * Lines on stdin: pause, resume, mute, unmute, stop. Linux. Build: see the Makefile beside this file.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <oe_process.h>

#include "engine.h"

enum { MAX_IMAGE = 6291456, MAX_PATH = 4096, TOO_OLD_MS = 30000 };

extern char **environ;

typedef struct program {
    const char *path, *engine, *endpoint, *ca_file, *on_warning, *on_pause, *state_file;
    uint32_t interval_sec;
    int32_t backend, warning_confidence, pause_confidence;
    int replay;

    oe_client *client;
    oe_monitor *monitor;
    uint8_t *jpeg;     /* MAX_IMAGE + 1 bytes */
    size_t taken;      /* frames of a replay that were handed in, or passed over */
    int ended;         /* 1: the print has ended, 2: only this program has */
} program;

/* ---- frames ---- */

static int is_jpeg_name(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && dot && (!strcmp(dot, ".jpg") || !strcmp(dot, ".jpeg"));
}

static int64_t modified_ms(const struct stat *info)
{
    return (int64_t)info->st_mtim.tv_sec * 1000 + info->st_mtim.tv_nsec / 1000000;
}

/* The n-th picture of the folder that is replayed; 0 when there is none. */
static int pick(const program *p, size_t n, char *path, size_t cap)
{
    struct dirent **names = NULL;
    int count = scandir(p->path, &names, is_jpeg_name, alphasort);
    int found = count > 0 && n < (size_t)count;
    if (found) found = snprintf(path, cap, "%s/%s", p->path, names[n]->d_name) < (int)cap;
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
    return found;
}

/* Hands in the picture there is now. Without one the library asks again. */
static void submit(program *p)
{
    char path[MAX_PATH];
    struct stat info;
    if (!p->replay) snprintf(path, sizeof path, "%s", p->path);
    else if (!pick(p, p->taken++, path, sizeof path)) {
        p->ended = 1;
        return;
    }
    FILE *file = fopen(path, "rb");
    size_t len = file ? fread(p->jpeg, 1, MAX_IMAGE + 1, file) : 0;
    int bad = !file || ferror(file) || fstat(fileno(file), &info) != 0;
    if (file) fclose(file);
    if (bad) {
        printf("%s: cannot be read\n", path);
        return;
    }
    oe_status status = oe_monitor_submit(p->monitor, p->jpeg, len, p->replay ? 0 : modified_ms(&info));
    if (status != OE_OK) printf("%s: %s\n", path, oe_status_text(status));
}

/* ---- the state: what a killed program goes on from ---- */

/* Replaced as a whole, and on the disk before it replaces: a crash leaves the old or the new one. */
static void save(const program *p)
{
    char text[8193], temporary[MAX_PATH];
    size_t len = 0;
    if (!p->state_file || oe_monitor_save(p->monitor, text, sizeof text, &len) != OE_OK) return;
    if (snprintf(temporary, sizeof temporary, "%s.new", p->state_file) >= MAX_PATH) return;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600); /* it is a secret */
    if (fd < 0) return;
    int good = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    good &= close(fd) == 0;
    if (!good || rename(temporary, p->state_file) != 0) unlink(temporary);
}

static oe_status start(program *p)
{
    char text[8193];
    FILE *file = p->state_file ? fopen(p->state_file, "rb") : NULL;
    if (file) {
        size_t len = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[len] = '\0';
        oe_status status = oe_monitor_start_saved(p->client, text, 1, &p->monitor);
        if (status == OE_OK) {
            puts("going on with the print that was saved");
            return status;
        }
        printf("the saved state is not used: %s\n", oe_status_text(status));
    }
    return oe_monitor_start(p->client, p->warning_confidence, p->pause_confidence, 1, &p->monitor);
}

/* ---- events ---- */

/* Starts a command and does not wait for it: the loop goes on. */
static void run(const char *what, const char *command)
{
    pid_t child;
    posix_spawnattr_t attributes;
    sigset_t none;
    if (!command) return;
    char *const argv[] = { "sh", "-c", (char *)command, NULL };
    sigemptyset(&none);
    posix_spawnattr_init(&attributes); /* the child gets signals, which this program blocks */
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawn(&child, "/bin/sh", NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (failed) printf("the %s command does not start: %s\n", what, strerror(failed));
    else printf("running the %s command\n", what);
}

static void on_event(program *p, const oe_event *event, const oe_result *result, const oe_error *error)
{
    switch (event->kind) {
    case OE_EVENT_FRAME_WANTED:
        submit(p);
        break;
    case OE_EVENT_RESULT:
        printf("quality %" PRId32 " (%s), score %" PRId32 ", next in %" PRIu32 " ms\n",
               result->print_quality, oe_quality_text(result->print_quality), result->score,
               result->next_due_ms);
        save(p);
        break;
    case OE_EVENT_WARNING:
        puts("warning");
        run("warning", p->on_warning);
        break;
    case OE_EVENT_PAUSE:
        puts("pause");
        if (event->age_ms <= TOO_OLD_MS) run("pause", p->on_pause);
        save(p);
        break;
    case OE_EVENT_ERROR:
        printf("error: %s, next try in %" PRIu32 " ms\n", error->text, error->retry_after_ms);
        save(p);
        break;
    case OE_EVENT_RECOVERED:
        puts("recovered");
        break;
    case OE_EVENT_CAMERA_STALLED:
        puts("camera stalled");
        break;
    case OE_EVENT_CAMERA_BACK:
        puts("camera back");
        break;
    case OE_EVENT_CONTEXT_RENEWED:
        puts("context renewed");
        break;
    case OE_EVENT_LATCHED: /* the owner has to act; after that, restart or oe_client_clear_latch() */
    case OE_EVENT_STOPPED:
        printf("stopped: %s\n", error->text);
        p->ended = 2;
        break;
    default: /* of a later release */
        break;
    }
}

static void read_events(program *p)
{
    oe_event event = OE_EVENT_INIT;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    while (!p->ended && oe_client_next_event(p->client, 0, &event, &result, &error) == OE_OK)
        on_event(p, &event, &result, &error);
    fflush(stdout);
}

static void read_commands(program *p, int epoll)
{
    char line[256];
    ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
    if (got <= 0) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        return;
    }
    line[got] = '\0';
    for (char *word = strtok(line, " \t\r\n"); word; word = strtok(NULL, " \t\r\n")) {
        if (!strcmp(word, "pause")) oe_monitor_pause(p->monitor);
        else if (!strcmp(word, "resume")) oe_monitor_resume(p->monitor);
        else if (!strcmp(word, "mute")) oe_monitor_mute(p->monitor, 1);
        else if (!strcmp(word, "unmute")) oe_monitor_mute(p->monitor, 0);
        else if (!strcmp(word, "stop")) p->ended = 1;
        else printf("unknown: %s\n", word);
    }
    save(p);
}

static void read_signal(program *p, int signals)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) != (ssize_t)sizeof info) return;
    if (info.ssi_signo != SIGCHLD) p->ended = 2;
    int code = 0;
    while (waitpid(-1, &code, WNOHANG) > 0)
        if (code != 0) printf("a command ended with %d; this program does not repeat it\n", code);
}

/* ---- the loop ---- */

static int add(int epoll, int fd)
{
    struct epoll_event wanted = { .events = EPOLLIN, .data.fd = fd };
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted);
}

static int loop(program *p)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGINT);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGCHLD);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    int signals = signalfd(-1, &mask, SFD_CLOEXEC), epoll = epoll_create1(EPOLL_CLOEXEC);
    int events = (int)oe_client_event_fd(p->client);
    if (signals < 0 || epoll < 0 || add(epoll, signals) != 0 || add(epoll, events) != 0) {
        perror("epoll");
        return 1;
    }
    add(epoll, STDIN_FILENO); /* fails for a plain file, which is as good as none */
    while (!p->ended) {
        struct epoll_event ready;
        if (epoll_wait(epoll, &ready, 1, -1) != 1) continue;
        if (ready.data.fd == events) read_events(p);
        else if (ready.data.fd == signals) read_signal(p, signals);
        else read_commands(p, epoll);
    }
    close(epoll);
    close(signals);
    return 0;
}

/* ---- setting up ---- */

static int usage(FILE *to)
{
    fputs("usage: monitor [options] SNAPSHOT.jpg|FOLDER\n"
          ENGINE_USAGE
          "  --ca FILE            trust these certificates (PEM) instead of the bundled ones\n"
          "  --interval SEC       look every SEC seconds, where the service allows it\n"
          "  --warning N          warning confidence, 1 (soonest) to 5 (only when certain)\n"
          "  --pause N            pause confidence, likewise\n"
          "  --on-warning CMD     run once when a warning rises\n"
          "  --on-pause CMD       run once when the print should be paused\n"
          "  --state FILE         go on from there after a restart\n"
          "  --replay             the folder's pictures in the order of their names, then end\n", to);
    return to == stdout ? 0 : 2;
}

static int parse(int argc, char **argv, program *p)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(name, "--help")) return usage(stdout), -1;
        if (!strcmp(name, "--replay")) p->replay = 1;
        else if (name[0] != '-') p->path = name;
        else if (!value) return usage(stderr);
        else {
            i++;
            if (!strcmp(name, "--engine")) p->engine = value;
            else if (!strcmp(name, "--endpoint")) p->endpoint = value;
            else if (!strcmp(name, "--ca")) p->ca_file = value;
            else if (!strcmp(name, "--interval")) p->interval_sec = (uint32_t)strtoul(value, NULL, 10);
            else if (!strcmp(name, "--warning")) p->warning_confidence = (int32_t)strtol(value, NULL, 10);
            else if (!strcmp(name, "--pause")) p->pause_confidence = (int32_t)strtol(value, NULL, 10);
            else if (!strcmp(name, "--on-warning")) p->on_warning = value;
            else if (!strcmp(name, "--on-pause")) p->on_pause = value;
            else if (!strcmp(name, "--state")) p->state_file = value;
            else return usage(stderr);
        }
    }
    const char *problem = engine_problem(p->engine, p->endpoint, &p->backend);
    if (problem) return fprintf(stderr, "monitor: %s\n", problem), 2;
    return p->path ? 0 : usage(stderr);
}

static oe_status connect_client(program *p)
{
    oe_options *options = oe_options_new();
    oe_status status = oe_options_set_backend(options, p->backend);
    if (status == OE_OK) status = oe_options_set_api_key(options, getenv("OE_API_KEY"));
    if (status == OE_OK) status = oe_options_set_endpoint(options, p->endpoint);
    if (status == OE_OK) status = oe_options_set_allow_http(options, p->endpoint != NULL);
    if (status == OE_OK && p->ca_file) status = oe_options_set_ca_file(options, p->ca_file);
    if (status == OE_OK) status = oe_options_set_interval_sec(options, p->interval_sec);
    if (status == OE_OK) status = oe_client_new(options, &p->client);
    oe_options_free(options);
    return status;
}

int main(int argc, char **argv)
{
    program p = { 0 };
    int code = parse(argc, argv, &p);
    if (code) return code < 0 ? 0 : code;
    p.jpeg = malloc(MAX_IMAGE + 1);
    oe_status status = p.jpeg ? connect_client(&p) : OE_ERR_RESOURCES;
    if (status == OE_OK) status = start(&p);
    if (status == OE_OK) {
        code = loop(&p);
        if (p.ended == 1 && p.state_file) unlink(p.state_file);
    } else {
        oe_error error = OE_ERROR_INIT;
        oe_last_error(&error);
        printf("set-up: %s: %s\n", oe_status_name(status), error.text);
        code = 1;
    }
    oe_monitor_free(p.monitor);
    oe_client_free(p.client);
    free(p.jpeg);
    return code;
}
