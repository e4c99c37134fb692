/* What the hostile programs share. They write nothing to stdout and stderr, which must stay empty: what fails is written to
 * the file argv[1]. */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <dirent.h>
#include <oe_process.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static FILE *report;
static int failures;
static pthread_mutex_t reporting = PTHREAD_MUTEX_INITIALIZER;

#define FAIL(...) \
    do { pthread_mutex_lock(&reporting); failures++; fprintf(report, "%s:%d: ", __FILE__, __LINE__); \
        fprintf(report, __VA_ARGS__); fputc('\n', report); pthread_mutex_unlock(&reporting); } while (0)
#define CHECK(condition) do { if (!(condition)) FAIL("%s", #condition); } while (0)
#define IS(call, status) \
    do { oe_status got_ = (call); if (got_ != (status)) FAIL("%s is %s", #call, oe_status_name(got_)); } while (0)

static uint8_t jpeg[6291456];

static inline void make_jpeg(void)
{
    for (size_t n = 0; n < sizeof jpeg; n++) jpeg[n] = (uint8_t)(n * 2654435761u >> 11);
    memcpy(jpeg, "\xff\xd8\xff\xe0", 4);
}

static inline int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline void nap(long ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&time, NULL);
}

/* How many entries a folder of /proc has. */
static inline int count(const char *folder)
{
    int entries = 0;
    DIR *dir = opendir(folder);
    while (dir && readdir(dir)) entries++;
    if (dir) closedir(dir);
    return entries;
}

static inline int threads(void) { return count("/proc/self/task") - 2; }
static inline int descriptors(void) { return count("/proc/self/fd") - 3; }

static inline int soon(int (*what)(void), int wanted)
{
    for (int64_t until = now_ms() + 2500; now_ms() < until; nap(5))
        if (what() <= wanted) return 1;
    return 0;
}

static inline oe_client *client_with(const char *url, uint32_t timeout_ms, const char *ca_file, uint32_t workers)
{
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    IS(oe_options_set_api_key(o, "SECRETKEY"), OE_OK);
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_timeout_ms(o, timeout_ms), OE_OK);
    IS(oe_options_set_max_frame_age_ms(o, 0), OE_OK);
    if (getenv("OE_PROXY")) IS(oe_options_set_proxy(o, getenv("OE_PROXY")), OE_OK);
    if (ca_file) IS(oe_options_set_ca_file(o, ca_file), OE_OK);
    if (workers) IS(oe_options_set_workers(o, workers), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    return client;
}

static inline oe_client *client_of(const char *url, uint32_t timeout_ms, const char *ca_file)
{
    return client_with(url, timeout_ms, ca_file, 0);
}

static inline int finish(void)
{
    fprintf(report, "%d failures\n", failures);
    fclose(report);
    return failures != 0;
}

#endif
