/* farm: watches a thousand printers from one process.
 *
 * One client, one queue of events, one thread of this program; the library adds its workers and a
 * scheduler. The table is redrawn twice a second, a character per printer. With --bench there is
 * no table but a line for every tenth of the calls, and at the end what they cost:
 *
 *     farm --printers 20 demo/frames
 *     farm --endpoint http://127.0.0.1:8674 --printers 1000 demo/frames
 *     farm --endpoint http://127.0.0.1:8674 --printers 1000 --calls 5000 --bench demo/frames
 *
 * Every printer gets the pictures of the folder in turn. Linux. Build: see the Makefile.
 */
#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <oe_process.h>

#include "engine.h"

enum { MAX_IMAGE = 6291456, MAX_PICTURES = 64, COLUMNS = 50, REDRAW_MS = 500 };

typedef struct picture {
    uint8_t *bytes; /* with room for a mark behind the image, which no decoder reads */
    size_t len;
} picture;

typedef struct printer {
    oe_monitor *monitor;
    int32_t quality; /* 0: none yet */
    int failing, stalled, paused;
    uint64_t calls;
    int64_t due_ms; /* when the next call was due, on the clock of now_ms() */
} printer;

typedef struct farm {
    const char *engine, *endpoint, *folder;
    int32_t backend;
    uint32_t count, workers, interval_sec;
    uint64_t wanted_calls; /* 0: until it is stopped */
    int bench;

    oe_client *client;
    printer *printers;
    picture pictures[MAX_PICTURES];
    size_t picture_count;
    uint64_t calls, errors, frames;
    int64_t latest_ms; /* the largest lateness of a call */
    long rss_before_kb;
    double cpu_before_sec;
} farm;

static volatile sig_atomic_t stopping;

static void on_signal(int signal)
{
    (void)signal;
    stopping = 1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- what this process takes ---- */

static long status_value(const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name))) value = strtol(line + strlen(name), NULL, 10);
    if (file) fclose(file);
    return value;
}

static int open_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) count++;
    if (folder) closedir(folder);
    return count - 3; /* ".", ".." and the folder itself */
}

static double cpu_sec(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void measure(const farm *f)
{
    printf("calls=%" PRIu64 " errors=%" PRIu64 " threads=%ld descriptors=%d rss_kb=%ld\n", f->calls,
           f->errors, status_value("Threads:"), open_descriptors(), status_value("VmRSS:"));
    fflush(stdout);
}

static void conclude(const farm *f)
{
    long rss = status_value("VmRSS:");
    double calls = f->calls ? (double)f->calls : 1;
    uint64_t fewest = UINT64_MAX, most = 0;
    for (uint32_t n = 0; n < f->count; n++) {
        if (f->printers[n].calls < fewest) fewest = f->printers[n].calls;
        if (f->printers[n].calls > most) most = f->printers[n].calls;
    }
    printf("rss_kb_per_monitor=%.2f cpu_ms_per_1000_calls=%.1f latest_ms=%" PRId64
           " fewest_calls=%" PRIu64 " most_calls=%" PRIu64 "\n",
           (double)(rss - f->rss_before_kb) / f->count,
           (cpu_sec() - f->cpu_before_sec) * 1e6 / calls, f->latest_ms, fewest, most);
}

/* ---- the table ---- */

static char cell(const printer *p)
{
    if (p->paused) return 'P';
    if (p->failing) return 'E';
    if (p->stalled) return 'c';
    if (p->quality == 0) return '.';
    return p->quality == 10 ? '*' : (char)('0' + p->quality);
}

static void draw(const farm *f)
{
    printf("\033[H\033[J%" PRIu32 " printers, %" PRIu64 " verdicts, %" PRIu64 " errors, latest %" PRId64
           " ms\n1-9 quality, * perfect, P pause suggested, E error, c no camera, . none yet\n\n",
           f->count, f->calls, f->errors, f->latest_ms);
    for (uint32_t n = 0; n < f->count; n++) {
        putchar(cell(&f->printers[n]));
        if (n % COLUMNS == COLUMNS - 1 || n + 1 == f->count) putchar('\n');
    }
    fflush(stdout);
}

/* ---- pictures ---- */

static int load(farm *f)
{
    struct dirent **names = NULL;
    int count = scandir(f->folder, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[4096];
        const char *dot = strrchr(names[i]->d_name, '.');
        int wanted = dot && !strcmp(dot, ".jpg") && f->picture_count < MAX_PICTURES;
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]->d_name);
        FILE *file = wanted ? fopen(path, "rb") : NULL;
        if (file) {
            picture *p = &f->pictures[f->picture_count++];
            p->bytes = malloc(MAX_IMAGE);
            p->len = p->bytes ? fread(p->bytes, 1, MAX_IMAGE - 16, file) : 0;
            uint8_t *fitting = realloc(p->bytes, p->len + 16);
            if (fitting) p->bytes = fitting;
            fclose(file);
        }
        free(names[i]);
    }
    free(names);
    return f->picture_count ? 0 : -1;
}

/* The next picture, with a number behind it: no two are the same, as with a real camera. */
static void submit(farm *f, printer *p)
{
    const picture *next = &f->pictures[(size_t)(p->calls % f->picture_count)];
    uint64_t mark = ++f->frames;
    memcpy(next->bytes + next->len, &mark, sizeof mark);
    oe_monitor_submit(p->monitor, next->bytes, next->len + sizeof mark, 0);
}

/* ---- events ---- */

static void on_result(farm *f, printer *p, const oe_event *event, const oe_result *result)
{
    int64_t answered = now_ms() - event->age_ms;
    int64_t late = answered - result->latency_ms - p->due_ms;
    if (p->calls && late > f->latest_ms) f->latest_ms = late;
    p->due_ms = answered + result->next_due_ms;
    p->quality = result->print_quality;
    p->calls++;
    f->calls++;
    if (f->bench && f->wanted_calls && f->calls % (f->wanted_calls / 10 + 1) == 0) measure(f);
}

static void on_event(farm *f, const oe_event *event, const oe_result *result)
{
    printer *p = &f->printers[event->tag];
    switch (event->kind) {
    case OE_EVENT_FRAME_WANTED: submit(f, p); break;
    case OE_EVENT_RESULT: on_result(f, p, event, result); break;
    case OE_EVENT_PAUSE: p->paused = 1; break; /* a farm would stop the printer here */
    case OE_EVENT_ERROR: p->failing = 1; f->errors++; break;
    case OE_EVENT_RECOVERED: p->failing = 0; break;
    case OE_EVENT_CAMERA_STALLED: p->stalled = 1; break;
    case OE_EVENT_CAMERA_BACK: p->stalled = 0; break;
    case OE_EVENT_LATCHED: p->failing = 1; stopping = 1; break;
    default: break;
    }
}

static void loop(farm *f)
{
    oe_event event = OE_EVENT_INIT;
    oe_result result = OE_RESULT_INIT;
    int64_t drawn = 0;
    while (!stopping && (!f->wanted_calls || f->calls < f->wanted_calls)) {
        if (oe_client_next_event(f->client, REDRAW_MS, &event, &result, NULL) == OE_OK)
            on_event(f, &event, &result);
        if (!f->bench && now_ms() - drawn >= REDRAW_MS) {
            draw(f);
            drawn = now_ms();
        }
    }
}

/* ---- setting up ---- */

static int usage(FILE *to)
{
    fputs("usage: farm [options] FOLDER\n"
          ENGINE_USAGE
          "  --printers N         how many (default 1000)\n"
          "  --workers N          worker threads of the library (default 4)\n"
          "  --interval SEC       look every SEC seconds, where the service allows it\n"
          "  --calls N            end after N verdicts\n"
          "  --bench              no table, but what it takes\n", to);
    return to == stdout ? 0 : 2;
}

static int parse(int argc, char **argv, farm *f)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(name, "--help")) return usage(stdout), -1;
        if (!strcmp(name, "--bench")) f->bench = 1;
        else if (name[0] != '-') f->folder = name;
        else if (!value) return usage(stderr);
        else {
            i++;
            if (!strcmp(name, "--engine")) f->engine = value;
            else if (!strcmp(name, "--endpoint")) f->endpoint = value;
            else if (!strcmp(name, "--printers")) f->count = (uint32_t)strtoul(value, NULL, 10);
            else if (!strcmp(name, "--workers")) f->workers = (uint32_t)strtoul(value, NULL, 10);
            else if (!strcmp(name, "--interval")) f->interval_sec = (uint32_t)strtoul(value, NULL, 10);
            else if (!strcmp(name, "--calls")) f->wanted_calls = strtoull(value, NULL, 10);
            else return usage(stderr);
        }
    }
    const char *problem = engine_problem(f->engine, f->endpoint, &f->backend);
    if (problem) return fprintf(stderr, "farm: %s\n", problem), 2;
    return f->folder && f->count ? 0 : usage(stderr);
}

static oe_status begin(farm *f)
{
    oe_options *options = oe_options_new();
    oe_status status = oe_options_set_backend(options, f->backend);
    if (status == OE_OK) status = oe_options_set_api_key(options, getenv("OE_API_KEY"));
    if (status == OE_OK) status = oe_options_set_endpoint(options, f->endpoint);
    if (status == OE_OK) status = oe_options_set_allow_http(options, f->endpoint != NULL);
    if (status == OE_OK) status = oe_options_set_interval_sec(options, f->interval_sec);
    if (status == OE_OK) status = oe_options_set_workers(options, f->workers);
    if (status == OE_OK) status = oe_client_new(options, &f->client);
    oe_options_free(options);
    f->rss_before_kb = status_value("VmRSS:");
    f->cpu_before_sec = cpu_sec();
    for (uint32_t n = 0; status == OE_OK && n < f->count; n++)
        status = oe_monitor_start(f->client, 0, 0, n, &f->printers[n].monitor);
    return status;
}

int main(int argc, char **argv)
{
    farm f = { .count = 1000, .workers = 4 };
    int code = parse(argc, argv, &f);
    if (code) return code < 0 ? 0 : code;
    struct sigaction action = { .sa_handler = on_signal };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    f.printers = calloc(f.count, sizeof *f.printers);
    if (!f.printers || load(&f) != 0) {
        printf("%s: no picture there\n", f.folder);
        return 1;
    }
    memset(f.printers, 0, f.count * sizeof *f.printers); /* touched before the first measurement */
    oe_status status = begin(&f);
    if (status != OE_OK) {
        printf("%s\n", oe_status_text(status));
        code = 1;
    } else {
        loop(&f);
        measure(&f);
        conclude(&f);
    }
    int64_t ending = now_ms();
    oe_client_free(f.client); /* stops them all at once; each handle is still to be freed */
    for (uint32_t n = 0; n < f.count; n++) oe_monitor_free(f.printers[n].monitor);
    if (f.bench) printf("ended_in_ms=%" PRId64 "\n", now_ms() - ending);
    for (size_t n = 0; n < f.picture_count; n++) free(f.pictures[n].bytes);
    free(f.printers);
    return code;
}
