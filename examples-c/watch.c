/* watch: watches one print through a folder or a snapshot file.
 *
 * One line per verdict; a command when a warning or a pause rises, once per episode. It keeps
 * going through every error that time can mend, and stops on Ctrl-C at once, whatever is in
 * flight. A camera's snapshot, a recording in seconds, and both by oe-process-server:
 *
 *     watch --on-pause 'echo pausing' /run/camera/snapshot.jpg
 *     watch --replay demo/frames
 *     watch --endpoint http://127.0.0.1:8674 --replay demo/frames
 *
 * Build: see the Makefile beside this file; on Windows `gcc -DOE_SHARED watch.c -loe_process -o watch.exe` with MinGW-w64.
 */
#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64 /* or a 32-bit program cannot list the folders of a large disk */

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <oe_process.h>

#include "engine.h"
#include "watch_platform.h"

enum { MAX_IMAGE = 6291456, LONGEST_PATH = 4096, LONGEST_NAME = 1024, USUAL_INTERVAL_SEC = 20 };

typedef struct settings {
    const char *path, *engine, *endpoint, *ca_file, *on_warning, *on_pause, *state_file, *table_file;
    uint32_t interval_sec;
    int32_t backend, warning_confidence, pause_confidence;
    int replay, verbose;
    int played; /* a replay with the embedded engine: the recording's time passes, not ours */
    FILE *table;
} settings;

/* What the thread that stops the program needs. The handles are plain numbers to the library: using one that is
 * not there yet, or no longer, is an error status and nothing worse. */
static atomic_int stopping;
static _Atomic(oe_client *) the_client;
static _Atomic(oe_context *) the_context;

static void stop(void)
{
    atomic_store(&stopping, 1);
    oe_client_cancel(atomic_load(&the_client));
    oe_context_cancel(atomic_load(&the_context));
}

static void nap(uint32_t ms)
{
    for (uint32_t slept = 0; slept < ms && !atomic_load(&stopping); slept += 50) nap_slice();
}

/* ---- frames ---- */

typedef struct frame {
    uint8_t *bytes;
    size_t len;
    int64_t captured_unix_ms; /* 0: now */
    char name[LONGEST_NAME];  /* within a folder */
} frame;

typedef struct choice {
    const char *folder, *last;
    char *name; /* the best so far; empty at first */
    int64_t modified_unix_ms;
} choice;

/* A replay takes the picture that comes after the last in the order of names. */
static void take_if_next(void *state, const char *name)
{
    choice *best = state;
    if (strcmp(name, best->last) > 0 && (!best->name[0] || strcmp(name, best->name) < 0))
        snprintf(best->name, LONGEST_NAME, "%s", name);
}

/* A camera's folder: the newest. */
static void take_if_newer(void *state, const char *name)
{
    choice *best = state;
    char path[LONGEST_PATH];
    file_info info;
    snprintf(path, sizeof path, "%s/%s", best->folder, name);
    if (look(path, &info) != 0 || (best->name[0] && info.modified_unix_ms < best->modified_unix_ms)) return;
    best->modified_unix_ms = info.modified_unix_ms;
    snprintf(best->name, LONGEST_NAME, "%s", name);
}

/* 0: a frame; 1: a replay has come to its end; -1: none at the moment, or in a replay: not readable. */
static int grab(const settings *set, const char *last, frame *out)
{
    char path[LONGEST_PATH];
    file_info info;
    if (look(set->path, &info) != 0) return -1;
    if (!info.is_folder) snprintf(path, sizeof path, "%s", set->path);
    else {
        choice best = { set->path, last, out->name, 0 };
        out->name[0] = '\0';
        each_jpeg(set->path, set->replay ? take_if_next : take_if_newer, &best);
        if (!out->name[0]) return set->replay ? 1 : -1;
        snprintf(path, sizeof path, "%s/%s", set->path, out->name);
    }

    /* The time first: a picture that is replaced meanwhile is then newer than it says, never older. */
    FILE *file = look(path, &info) == 0 ? fopen(path, "rb") : NULL;
    if (!file) return -1;
    /* One byte more than is allowed, so that the library sees that it is too much. */
    out->len = fread(out->bytes, 1, MAX_IMAGE + 1, file);
    int bad = ferror(file);
    fclose(file);
    out->captured_unix_ms = set->replay ? 0 : info.modified_unix_ms;
    return bad || out->len == 0 ? -1 : 0;
}

/* ---- what is shown and done ---- */

static int64_t played_sec = -1; /* how far a recording is; -1: none is played */

static void stamp(char *buf, size_t cap)
{
    time_t now = time(NULL);
    struct tm local;
    int n = (int)(played_sec < 0 ? 0 : played_sec);
    if (played_sec >= 0) snprintf(buf, cap, "%d:%02d:%02d", n / 3600, n / 60 % 60, n % 60);
    else if (local_time(&now, &local) != 0 || strftime(buf, cap, "%H:%M:%S", &local) == 0) buf[0] = '\0';
}

/* In words, and as the box that a program would draw. */
static void show_place(const oe_region *p)
{
    static const char *const words[3][3] = { { "upper left", "top", "upper right" },
                                             { "left", "middle", "right" },
                                             { "lower left", "bottom", "lower right" } };
    if (p->width == 0) return;
    int across = (p->x + p->width / 2) * 3 / 1001, down = (p->y + p->height / 2) * 3 / 1001;
    printf("  %s (%d-%d %% across, %d-%d %% down)", words[down][across], p->x / 10, (p->x + p->width) / 10, p->y / 10,
           (p->y + p->height) / 10);
}

static void show(const oe_result *r)
{
    char at[16];
    int bar = r->score > 0 ? (r->score + 9) / 10 : 0;
    stamp(at, sizeof at);
    printf("%-8s  quality %2" PRId32 "  %-34s  score %3" PRId32 " |%-10.*s|", at, r->print_quality,
           oe_quality_text(r->print_quality), r->score, bar, "##########");
    if (played_sec < 0) printf("  next %3" PRIu32 " s ", (r->next_due_ms + 999) / 1000);
    printf("%s%s%s%s%s%s%s", r->warning_suggested ? " warning" : "", r->pause_suggested ? " pause" : "",
           r->flags & OE_RESULT_WARNING_EDGE ? " [WARN NOW]" : "", r->flags & OE_RESULT_PAUSE_EDGE ? " [PAUSE NOW]" : "",
           r->flags & OE_RESULT_FALLBACK ? " fallback" : "",
           r->flags & OE_RESULT_REPEATED_FRAME ? " same-frame" : "", r->flags & OE_RESULT_LATE ? " late" : "");
    show_place(&r->place);
    putchar('\n');
    fflush(stdout);
}

/* A line for programs: what a chart or a spreadsheet wants. `r` is all 0 where there is no verdict. */
static void note(FILE *table, int64_t second, oe_status status, const oe_result *r, const char *name)
{
    if (!table) return;
    fprintf(table, "%" PRId64 ",%" PRId32 ",%" PRId32 ",%" PRId32 ",%" PRId32 ",%" PRId32 ",%d,%d,%d,%d,%d,%d,%s\n", second,
            status, r->print_quality, r->score, r->warning_suggested, r->pause_suggested,
            (r->flags & OE_RESULT_WARNING_EDGE) != 0, (r->flags & OE_RESULT_PAUSE_EDGE) != 0, r->place.x, r->place.y,
            r->place.width, r->place.height, name);
    fflush(table);
}

static FILE *open_table(const char *path)
{
    FILE *table = fopen(path, "wb");
    if (table)
        fputs("second,status,quality,score,warning,pause,warning_edge,pause_edge,x,y,width,height,picture\n", table);
    return table;
}

static void complain(const char *what, oe_status status)
{
    char at[16];
    oe_error error;
    oe_error_init(&error, sizeof error);
    oe_last_error(&error);
    stamp(at, sizeof at);
    printf("%-8s  %s: %s: %s\n", at, what, oe_status_name(status),
           error.status == status ? error.text : oe_status_text(status));
    fflush(stdout);
}

static void run(const char *what, const char *command)
{
    if (!command) return;
    int code = system(command);
    if (code != 0) printf("          the %s command ended with %d\n", what, code);
    fflush(stdout);
}

static void on_log(void *user_data, int32_t level, const char *text)
{
    (void)user_data;
    printf("          log %" PRId32 ": %s\n", level, text);
    fflush(stdout);
}

/* The context in a file, replaced as a whole: a crash loses nothing that was saved before. */
static void save(const settings *set, oe_context *context)
{
    char text[8193], temporary[LONGEST_PATH];
    size_t needed = 0;
    if (!set->state_file || set->played || oe_context_save(context, text, sizeof text, &needed) != OE_OK) return;
    snprintf(temporary, sizeof temporary, "%s.new", set->state_file);
    FILE *file = fopen(temporary, "wb");
    if (!file) return;
    int bad = fwrite(text, 1, needed, file) != needed;
    bad |= fclose(file) != 0;
    if (bad || replace_file(temporary, set->state_file) != 0) remove(temporary);
}

static oe_status restore(const settings *set, oe_client *client, oe_context **context)
{
    char text[8193];
    FILE *file = set->state_file && !set->played ? fopen(set->state_file, "rb") : NULL;
    if (!file) return OE_ERR_ARGUMENT;
    size_t len = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[len] = '\0';
    return oe_context_restore(client, text, context);
}

/* ---- the loop ---- */

/* A context, however long it takes. Gives up only where waiting cannot help. */
static oe_status begin(const settings *set, oe_client *client, oe_context **context)
{
    oe_status status = restore(set, client, context);
    oe_print_options print = OE_PRINT_OPTIONS_INIT;
    print.warning_confidence = set->warning_confidence;
    print.pause_confidence = set->pause_confidence;
    if (set->played) print.flags = OE_PRINT_REPLAY;
    while (status != OE_OK && !atomic_load(&stopping)) {
        status = oe_context_create_with(client, &print, context);
        if (status == OE_OK) break;
        if (status != OE_NOT_DUE) complain("create", status);
        if (status < 0 && !oe_status_is_retryable(status)) return status;
        uint32_t wait_ms = 1000;
        oe_client_create_due_in_ms(client, &wait_ms);
        nap(wait_ms < 1000 ? 1000 : wait_ms);
    }
    return atomic_load(&stopping) ? OE_CANCELLED : status;
}

/* What a failed call asks for, by its status alone. 0: go on; -1: end. */
static int recover(oe_client *client, oe_context *context, oe_status status)
{
    if (status == OE_CANCELLED || status == OE_NOT_DUE) return 0;
    complain("process", status);
    if (status == OE_ERR_CONTEXT_LOST) {
        oe_status renewed = oe_context_renew(context);
        if (renewed != OE_OK && renewed != OE_NOT_DUE) complain("renew", renewed);
        if (renewed != OE_OK) nap(20000);
    } else if (status <= OE_ERR_INVALID_API_KEY && status >= OE_ERR_FREE_LIMIT) {
        /* Someone has to mend the account; a free check now and then sees when they did. */
        nap(600000);
        if (!atomic_load(&stopping)) oe_client_check_key(client);
    } else if (status == OE_ERR_NOT_JPEG || status == OE_ERR_IMAGE_TOO_LARGE ||
               status == OE_ERR_STALE_FRAME || status == OE_ERR_IMAGE_REJECTED) {
        nap(1000); /* the camera; the next frame may be better */
    } else if (status == OE_ERR_ARGUMENT || status == OE_ERR_HANDLE || status == OE_ERR_ABI) {
        return -1; /* a mistake in this program */
    }
    return 0; /* everything else: the library paces the next try */
}

/* Whether a replay goes on with the next picture: this one is of no use, now or later. */
static int passes_over(const settings *set, oe_status status)
{
    if (!set->replay || status == OE_CANCELLED) return 0;
    return set->played || status == OE_BLIND || status == OE_ERR_NOT_JPEG || status == OE_ERR_IMAGE_TOO_LARGE ||
           status == OE_ERR_IMAGE_REJECTED;
}

/* One call, and what its verdict asks for. */
static oe_status process(const settings *set, oe_context *context, frame *picture, int64_t second)
{
    oe_result result = OE_RESULT_INIT;
    oe_status status = oe_process_jpeg_at(context, picture->bytes, picture->len, picture->captured_unix_ms, &result);
    save(set, context);
    if (status != OE_CANCELLED && status != OE_NOT_DUE) note(set->table, second, status, &result, picture->name);
    if (status != OE_OK) return status;
    show(&result);
    if (result.flags & OE_RESULT_WARNING_EDGE) run("warning", set->on_warning);
    if (result.flags & OE_RESULT_PAUSE_EDGE) run("pause", set->on_pause);
    return status;
}

static int watch(const settings *set, oe_client *client, oe_context *context, frame *picture)
{
    const int64_t some_day = 1700000000; /* when a recording began: it does not say */
    const int64_t apart = set->interval_sec ? set->interval_sec : USUAL_INTERVAL_SEC;
    const time_t started = time(NULL);
    char last[LONGEST_NAME] = "";
    for (int64_t seen = 0; !atomic_load(&stopping);) {
        oe_status status = oe_context_wait_due(context);
        if (status == OE_OK) {
            int got = grab(set, last, picture);
            if (got == 1) return 0;
            if (got == -1 && !set->replay) {
                nap(1000);
                continue;
            }
            int64_t second = set->played ? seen * apart : (int64_t)(time(NULL) - started);
            if (set->played) {
                played_sec = second;
                picture->captured_unix_ms = (some_day + second) * 1000;
            }
            if (got == 0) status = process(set, context, picture, second);
            else printf("          %s: cannot be read, or is empty\n", picture->name);
            if (got == -1 || status == OE_OK || passes_over(set, status)) {
                if (status != OE_OK && status != OE_NOT_DUE) complain(picture->name, status);
                memcpy(last, picture->name, sizeof last);
                seen++;
                continue;
            }
        }
        if (recover(client, context, status) != 0) return 1;
    }
    return 0;
}

/* ---- setting up ---- */

static int usage(FILE *to)
{
    fputs("usage: watch [options] FOLDER|SNAPSHOT.jpg\n"
          ENGINE_USAGE
          "  --ca FILE            trust these certificates (PEM) instead of the bundled ones\n"
          "  --interval SEC       look every SEC seconds, where the service allows it\n"
          "  --warning N          warning confidence, 1 (soonest) to 5 (only when certain)\n"
          "  --pause N            pause confidence, likewise\n"
          "  --on-warning CMD     run once when a warning rises\n"
          "  --on-pause CMD       run once when the print should be paused\n"
          "  --state FILE         keep the context there, to continue after a restart\n"
          "  --replay             the folder's pictures in the order of their names, then end; with the embedded engine\n"
          "                       at once, as if they had been taken --interval apart (20 s if it is not given)\n"
          "  --table FILE         write there what was seen, as comma-separated values\n"
          "  --verbose            show the library's log\n", to);
    return to == stdout ? 0 : 2;
}

static int parse(int argc, char **argv, settings *set)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(name, "--help")) return usage(stdout), -1;
        if (!strcmp(name, "--replay")) set->replay = 1;
        else if (!strcmp(name, "--verbose")) set->verbose = 1;
        else if (name[0] != '-') set->path = name;
        else if (!value) return usage(stderr);
        else {
            i++;
            if (!strcmp(name, "--engine")) set->engine = value;
            else if (!strcmp(name, "--endpoint")) set->endpoint = value;
            else if (!strcmp(name, "--ca")) set->ca_file = value;
            else if (!strcmp(name, "--interval")) set->interval_sec = (uint32_t)strtoul(value, NULL, 10);
            else if (!strcmp(name, "--warning")) set->warning_confidence = (int32_t)strtol(value, NULL, 10);
            else if (!strcmp(name, "--pause")) set->pause_confidence = (int32_t)strtol(value, NULL, 10);
            else if (!strcmp(name, "--on-warning")) set->on_warning = value;
            else if (!strcmp(name, "--on-pause")) set->on_pause = value;
            else if (!strcmp(name, "--state")) set->state_file = value;
            else if (!strcmp(name, "--table")) set->table_file = value;
            else return usage(stderr);
        }
    }
    return set->path ? 0 : usage(stderr);
}

static void count(void *state, const char *name)
{
    (void)name;
    ++*(int *)state;
}

/* What can be said before anything is begun. A camera's pictures may still come, those of a recording must be there. */
static int check(settings *set)
{
    file_info info;
    int pictures = 0;
    const char *problem = engine_problem(set->engine, set->endpoint, &set->backend);
    if (problem) return fprintf(stderr, "watch: %s\n", problem), 2;
    set->played = set->replay && set->backend == OE_BACKEND_EMBEDDED;
    if (set->replay && (look(set->path, &info) != 0 || !info.is_folder))
        return fprintf(stderr, "watch: %s: no such folder\n", set->path), 1;
    if (set->replay) each_jpeg(set->path, count, &pictures);
    if (set->replay && !pictures) return fprintf(stderr, "watch: %s: no JPEG in it\n", set->path), 1;
    if (set->table_file && !(set->table = open_table(set->table_file)))
        return fprintf(stderr, "watch: %s: cannot be written\n", set->table_file), 1;
    return 0;
}

static oe_status configure(const settings *set, oe_options *options)
{
    oe_status status = oe_options_set_user_agent(options, "watch-example");
    if (status == OE_OK) status = oe_options_set_backend(options, set->backend);
    if (status == OE_OK) status = oe_options_set_api_key(options, getenv("OE_API_KEY"));
    if (status == OE_OK && set->endpoint) {
        status = oe_options_set_endpoint(options, set->endpoint);
        if (status == OE_OK) status = oe_options_set_allow_http(options, 1);
    }
    if (status == OE_OK && set->ca_file) status = oe_options_set_ca_file(options, set->ca_file);
    if (status == OE_OK) status = oe_options_set_interval_sec(options, set->interval_sec);
    if (status == OE_OK && set->verbose)
        status = oe_options_set_log(options, OE_LOG_DEBUG, on_log, NULL, NULL);
    return status;
}

int main(int argc, char **argv)
{
    settings set = { 0 };
    int wrong = parse(argc, argv, &set);
    if (wrong) return wrong < 0 ? 0 : wrong;
    wrong = check(&set);
    if (wrong) return wrong;

    frame picture = { .bytes = malloc(MAX_IMAGE + 1) };
    if (!picture.bytes || listen_for_stop() != 0) return 1;

    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_options *options = oe_options_new();
    oe_status status = configure(&set, options);
    if (status == OE_OK) status = oe_client_new(options, &client);
    oe_options_free(options);
    if (status != OE_OK) complain("set-up", status);

    int code = 1;
    if (status == OE_OK) {
        atomic_store(&the_client, client);
        status = begin(&set, client, &context);
        atomic_store(&the_context, context);
        if (status == OE_OK) code = watch(&set, client, context, &picture);
        else if (status == OE_CANCELLED) code = 0;
    }
    oe_context_free(context);
    oe_client_free(client);
    free(picture.bytes);
    if (set.table && fclose(set.table) != 0) code = 1;
    return code;
}
