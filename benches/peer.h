/* What the peers of `cargo xtask bench` share: the command line, the checks, what is counted.
 *
 *     PEER URL CA JPEG CALLS MODE THREADS PAUSE_MS
 *
 * A peer makes CALLS process calls over THREADS threads, each to a path of its own (/p/N), waits PAUSE_MS at most (that long, if it is
 * negative) between them and checks every field of every answer. MODE: "keep" (connections are kept), "each" (a new handle for every call), "printers" (a
 * handle for each printer), "create" (contexts alone). It prints one line; a wrong answer ends it. */
#ifndef OE_BENCH_PEER_H
#define OE_BENCH_PEER_H

#include <dirent.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct verdict {
    int quality, score, minimum, recommended, warning, pause;
} verdict;

static const char *url, *ca_file, *mode;
static uint8_t *jpeg;
static size_t jpeg_len;
static int calls, threads, pause_ms;

/* What a peer defines. */
static void prepare(void);
static int call(int printer, int thread, verdict *out); /* 1, or 0 when the call was lost */
static void tidy(void);

/* In the library that counts allocations, if that is loaded. */
extern void count_from_here(void) __attribute__((weak));
extern void count_result(long *bytes, long *peak) __attribute__((weak));

static void die(const char *why)
{
    fprintf(stderr, "%s\n", why);
    exit(3);
}

/* The server gives call N to /p/N a verdict of which every field follows from N. */
static void check(int printer, const verdict *v)
{
    int k = printer % 10;
    if (v->quality != 1 + k || v->score != 10 * k || v->minimum != 5 + k || v->recommended != 20 + k || v->warning != (k > 7) ||
        v->pause != (k > 8)) {
        fprintf(stderr, "call %d: quality %d score %d minimum %d recommended %d warning %d pause %d\n", printer, v->quality,
                v->score, v->minimum, v->recommended, v->warning, v->pause);
        exit(3);
    }
}

static int entries(const char *folder)
{
    int n = -2;
    DIR *dir = opendir(folder);
    while (dir && readdir(dir)) n++;
    if (dir) closedir(dir);
    return n;
}

static long rss_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static long us_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static long cpu_us(void) { return us_of(CLOCK_PROCESS_CPUTIME_ID); }

/* Since the process was started. */
static long age_us(void)
{
    unsigned long long started = 0;
    struct timespec now;
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "r");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[len] = '\0';
    if (file) fclose(file);
    char *field = strrchr(text, ')');
    for (int n = 2; field && n < 22; n++) field = strchr(field + 1, ' ');
    if (field) sscanf(field, "%llu", &started);
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (long)(now.tv_sec * 1000000LL + now.tv_nsec / 1000 - (long long)(started * 1000000ULL / (unsigned)sysconf(_SC_CLK_TCK)));
}

typedef struct share {
    int thread, lost;
} share;

static void *work(void *argument)
{
    share *mine = (share *)argument;
    uint64_t random = 88172645463325252ULL + (uint64_t)mine->thread;
    for (int n = mine->thread + 1; n < calls; n += threads) {
        verdict v;
        if (pause_ms) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            struct timespec nap = { 0, pause_ms < 0 ? -pause_ms * 1000000L : (long)(random % ((uint64_t)pause_ms * 1000000)) };
            nanosleep(&nap, NULL);
        }
        memset(&v, 0, sizeof v);
        if (call(n, mine->thread, &v)) check(n, &v);
        else mine->lost++;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static share shares[64];
    static pthread_t ids[64];
    long bytes = 0, peak = 0, rss, fds, own;
    verdict v;
    if (argc != 8) die("PEER URL CA JPEG CALLS MODE THREADS PAUSE_MS");
    url = argv[1], ca_file = argv[2], calls = atoi(argv[4]), mode = argv[5], threads = atoi(argv[6]), pause_ms = atoi(argv[7]);
    FILE *file = fopen(argv[3], "rb");
    if (!file || calls < 1 || threads < 1 || threads > 64) die("bad arguments");
    jpeg = (uint8_t *)malloc(6291456);
    jpeg_len = fread(jpeg, 1, 6291456, file);
    fclose(file);
    prepare();
    if (!strcmp(mode, "create")) return tidy(), puts("created"), 0;
    /* The first call, which connects, is not counted. */
    memset(&v, 0, sizeof v);
    if (!call(0, 0, &v)) die("the first call was lost");
    check(0, &v);
    long first_cpu = cpu_us(), first = age_us();
    if (count_from_here) count_from_here();
    long begun = cpu_us();
    int lost = 0;
    for (int n = 1; n < threads; n++) shares[n].thread = n, pthread_create(&ids[n], NULL, work, &shares[n]);
    work(&shares[0]);
    for (int n = 1; n < threads; n++) pthread_join(ids[n], NULL);
    for (int n = 0; n < threads; n++) lost += shares[n].lost;
    long used = cpu_us() - begun;
    if (count_result) count_result(&bytes, &peak);
    rss = rss_kb(), fds = entries("/proc/self/fd") - 1, own = entries("/proc/self/task");
    printf("calls=%d lost=%d cpu_us=%ld first_cpu_us=%ld first_us=%ld bytes=%ld peak=%ld rss_kb=%ld fds=%ld threads=%ld\n", calls - 1,
           lost, used, first_cpu, first, bytes, peak, rss, fds, own);
    fflush(stdout);
    tidy();
    return 0;
}

#ifdef __cplusplus
}
#endif
#endif
