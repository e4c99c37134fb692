/* What a host may do to the engine in the library, sensibly or not: pictures of every kind, captures from any time, regions,
 * model files, saved texts, forks, cancels and frees in the middle of a look. argv: a picture, a folder of pictures each named
 * after the status that it gets, a folder to write to, and how many contexts are to be alive at once. */
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CAP = 8 << 20 };
static uint8_t picture[1 << 20];
static size_t length;
static const char *scratch;

static size_t load(const char *path, uint8_t *into, size_t cap)
{
    FILE *file = fopen(path, "rb");
    size_t read = file ? fread(into, 1, cap, file) : 0;
    if (file) fclose(file);
    CHECK(read > 0 && read < cap);
    return read;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static oe_status client_with(const char *model, uint32_t mb, uint32_t timeout_ms, oe_client **client)
{
    oe_options *o = oe_options_new();
    IS(oe_options_set_backend(o, OE_BACKEND_EMBEDDED), OE_OK);
    if (model) IS(oe_options_set_model_file(o, model), OE_OK);
    IS(oe_options_set_picture_memory_mb(o, mb), OE_OK);
    IS(oe_options_set_timeout_ms(o, timeout_ms), OE_OK);
    oe_status status = oe_client_new(o, client);
    oe_options_free(o);
    return status;
}

static oe_context *recording(oe_client *client)
{
    oe_print_options how = OE_PRINT_OPTIONS_INIT;
    oe_context *context = NULL;
    how.flags = OE_PRINT_REPLAY;
    IS(oe_context_create_with(client, &how, &context), OE_OK);
    return context;
}

/* Each picture first of its print: what shows nothing and what is none never gets a verdict. */
static void pictures(oe_client *client, const char *folder)
{
    static uint8_t bytes[CAP];
    char path[1024];
    int seen = 0;
    struct dirent *entry;
    DIR *dir = opendir(folder);
    CHECK(dir != NULL);
    while (dir && (entry = readdir(dir))) {
        if (!strstr(entry->d_name, ".jpg")) continue;
        oe_context *context = NULL;
        oe_result result, before;
        oe_info info = OE_INFO_INIT;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        size_t size = load(path, bytes, sizeof bytes);
        memset(&result, 0x55, sizeof result);
        result.struct_size = sizeof result;
        memcpy(&before, &result, sizeof before);
        IS(oe_context_create(client, 0, 0, &context), OE_OK);
        oe_status status = oe_process_jpeg(context, bytes, size, &result);
        size_t named = strlen(oe_status_name(status));
        int right = strncmp(entry->d_name, oe_status_name(status), named) == 0 && entry->d_name[named] == '-';
        if (!right) printf("%s: %s\n", entry->d_name, oe_status_name(status));
        CHECK(right);
        IS(oe_context_info(context, &info), OE_OK);
        CHECK(info.last_status == status || status == OE_ERR_NOT_JPEG || status == OE_ERR_IMAGE_TOO_LARGE);
        CHECK(status == OE_OK ? info.last_quality == result.print_quality : info.last_quality == 0);
        CHECK(status == OE_OK || memcmp(&result, &before, sizeof before) == 0);
        if (status == OE_OK)
            CHECK(result.print_quality >= 1 && result.print_quality <= 10 && result.score >= 0 && result.score <= 100);
        oe_context_free(context);
        seen++;
    }
    if (dir) closedir(dir);
    CHECK(seen >= 20);
}

/* A clock that goes back, stands still, or is centuries ahead. */
static void any_time(oe_client *client)
{
    oe_result result = OE_RESULT_INIT;
    oe_info info = OE_INFO_INIT;
    uint32_t due = 7;
    oe_context *context = recording(client);
    IS(oe_process_jpeg_at(context, picture, length, 1700000000000, &result), OE_OK);
    IS(oe_process_jpeg_at(context, picture, length, 1699999999999, &result), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg_at(context, picture, length, -1, &result), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg_at(context, picture, length, INT64_MIN, &result), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg_at(context, picture, length, 1700000000000, &result), OE_NOT_DUE);
    /* The same bytes for a year of them: a camera that froze raises nothing. */
    for (int i = 1; i <= 10; i++) {
        IS(oe_process_jpeg_at(context, picture, length, 1700000000000 + i * INT64_C(3153600000), &result), OE_OK);
        CHECK(result.flags == (OE_RESULT_EMBEDDED | OE_RESULT_REPEATED_FRAME) && result.print_quality >= 6);
    }
    IS(oe_process_jpeg_at(context, picture, length, INT64_MAX, &result), OE_OK);
    IS(oe_process_jpeg_at(context, picture, length, INT64_MAX, &result), OE_NOT_DUE);
    IS(oe_context_due_in_ms(context, &due), OE_OK);
    CHECK(due == 0);
    IS(oe_context_info(context, &info), OE_OK);
    CHECK(info.calls == 12);
    oe_context_free(context);
    /* Not a recording: the future is now, and what is too old is refused. */
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg_at(context, picture, length, 1, &result), OE_ERR_STALE_FRAME);
    IS(oe_process_jpeg_at(context, picture, length, INT64_MAX, &result), OE_OK);
    CHECK(result.frame_age_ms < 30000 && !(result.flags & OE_RESULT_LATE));
    oe_context_free(context);
}

/* Saved and restored between any two looks, a recording says what it says without. */
static void restarts(oe_client *client, oe_client *other)
{
    oe_context *whole = recording(client), *parts = recording(client);
    char saved[8193], again[8193];
    size_t needed = 0;
    for (int i = 0; i < 6; i++) {
        oe_result one = OE_RESULT_INIT, two = OE_RESULT_INIT;
        int64_t at = 1700000000000 + i * 20000;
        IS(oe_process_jpeg_at(whole, picture, length, at, &one), OE_OK);
        IS(oe_process_jpeg_at(parts, picture, length, at, &two), OE_OK);
        CHECK(one.print_quality == two.print_quality && one.score == two.score && one.flags == two.flags);
        IS(oe_context_save(parts, saved, sizeof saved, &needed), OE_OK);
        IS(oe_context_save(parts, saved, needed, &needed), OE_ERR_BUFFER);
        IS(oe_context_save(parts, saved, sizeof saved, &needed), OE_OK);
        oe_context_free(parts);
        IS(oe_context_restore(i % 2 ? client : other, saved, &parts), OE_OK);
        IS(oe_context_save(parts, again, sizeof again, &needed), OE_OK);
        IS(oe_process_jpeg_at(parts, picture, length, at, &two), OE_NOT_DUE);
    }
    oe_context_free(whole);
    oe_context_free(parts);
    /* Every text that is cut is refused; so is one of a monitor, and the other way round a recording. */
    oe_monitor *monitor = NULL;
    oe_context *context = NULL;
    IS(oe_monitor_start_saved(client, saved, 1, &monitor), OE_ERR_ARGUMENT);
    for (size_t cut = strlen(saved); cut-- > 0;) {
        saved[cut] = '\0';
        IS(oe_context_restore(client, saved, &context), OE_ERR_ARGUMENT);
    }
    IS(oe_monitor_start(client, 0, 0, 1, &monitor), OE_OK);
    IS(oe_monitor_save(monitor, saved, sizeof saved, &needed), OE_OK);
    IS(oe_context_restore(client, saved, &context), OE_ERR_ARGUMENT);
    oe_monitor_free(monitor);
    IS(oe_monitor_start_saved(client, saved, 1, &monitor), OE_OK);
    oe_monitor_free(monitor);
}

static oe_status with_regions(oe_client *client, const oe_region *regions, uint32_t count)
{
    oe_print_options how = OE_PRINT_OPTIONS_INIT;
    oe_context *context = NULL;
    oe_monitor *monitor = NULL;
    oe_result result = OE_RESULT_INIT;
    how.ignore_count = count;
    for (uint32_t i = 0; i < count && i < 8; i++) how.ignore[i] = regions[i];
    oe_status status = oe_context_create_with(client, &how, &context);
    oe_status watched = oe_monitor_start_with(client, &how, 3, &monitor);
    CHECK(status == watched && (context == NULL) == (status != OE_OK));
    if (context) status = oe_process_jpeg(context, picture, length, &result);
    oe_context_free(context);
    oe_monitor_free(monitor);
    return status;
}

static void regions(oe_client *client)
{
    const oe_region bad[] = { { 0, 0, 0, 10 }, { 0, 0, 10, 0 }, { 0, 0, 1001, 1 }, { 1000, 0, 1, 1 }, { 65535, 65535, 65535, 65535 },
        { 1, 0, 65535, 1 }, { 0, 999, 1, 2 }, { 0, 0, 1000, 1000 } };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) IS(with_regions(client, &bad[i], 1), OE_ERR_ARGUMENT);
    const oe_region halves[] = { { 0, 0, 500, 1000 }, { 500, 0, 500, 1000 } };
    IS(with_regions(client, halves, 2), OE_ERR_ARGUMENT);
    IS(with_regions(client, halves, 1), OE_OK);
    IS(with_regions(client, halves, 9), OE_ERR_ARGUMENT);
    IS(with_regions(client, halves, UINT32_MAX), OE_ERR_ARGUMENT);
    /* A slit of a thousandth is left: there is nothing to judge in it. */
    const oe_region slit[] = { { 0, 0, 500, 1000 }, { 501, 0, 499, 1000 } };
    IS(with_regions(client, slit, 2), OE_BLIND);
    const oe_region same[] = { { 0, 0, 1, 1 }, { 0, 0, 1, 1 }, { 0, 0, 1, 1 }, { 0, 0, 1, 1 }, { 999, 999, 1, 1 }, { 0, 999, 1000, 1 },
        { 0, 0, 1000, 1 }, { 0, 0, 1, 1000 } };
    IS(with_regions(client, same, 8), OE_OK);
    oe_print_options how = OE_PRINT_OPTIONS_INIT;
    oe_context *context = NULL;
    how.flags = 2;
    IS(oe_context_create_with(client, &how, &context), OE_ERR_ARGUMENT);
    how = (oe_print_options)OE_PRINT_OPTIONS_INIT;
    how.flags = OE_PRINT_REPLAY;
    oe_monitor *monitor = NULL;
    IS(oe_monitor_start_with(client, &how, 1, &monitor), OE_ERR_ARGUMENT);
}

static const char *write_model(const char *name, const uint8_t *bytes, size_t size)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(bytes, 1, size, file) == size);
    if (file) fclose(file);
    return path;
}

/* argv's model, whole and hurt in every way. */
static void models(const char *whole)
{
    static uint8_t bytes[CAP];
    static uint8_t large[(16 << 20) + 1];
    oe_client *client = NULL;
    size_t size = load(whole, bytes, sizeof bytes);
    char path[1024];
    IS(client_with(write_model("whole", bytes, size), 0, 60000, &client), OE_OK);
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    remove(write_model("whole", bytes, size)); /* not needed again */
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, picture, length, &result), OE_OK);
    oe_client_free(client);
    oe_context_free(context);
    for (size_t i = 0; i < 8; i++) {
        size_t cut = i < 4 ? i * 5 : size - (size_t)1 - i * 1000;
        IS(client_with(write_model("cut", bytes, cut), 0, 60000, &client), OE_ERR_MODEL);
        size_t at = i == 7 ? size - 1 : i * (size / 7);
        bytes[at] ^= 0x10;
        IS(client_with(write_model("bit", bytes, size), 0, 60000, &client), OE_ERR_MODEL);
        CHECK(client == NULL);
        bytes[at] ^= 0x10;
    }
    memcpy(large, bytes, size);
    IS(client_with(write_model("large", large, sizeof large), 0, 60000, &client), OE_ERR_MODEL);
    IS(client_with(write_model("longer", large, size + 1), 0, 60000, &client), OE_ERR_MODEL);
    remove(write_model("large", large, 1));
    snprintf(path, sizeof path, "%s/fifo", scratch);
    remove(path);
    CHECK(mkfifo(path, 0600) == 0);
    IS(client_with(path, 0, 60000, &client), OE_ERR_MODEL);
    remove(path);
    snprintf(path, sizeof path, "%s/link", scratch);
    remove(path);
    CHECK(symlink(path, path) == 0); /* to itself */
    IS(client_with(path, 0, 60000, &client), OE_ERR_MODEL);
    IS(client_with(scratch, 0, 60000, &client), OE_ERR_MODEL);
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    IS(client_with(path, 0, 60000, &client), OE_ERR_MODEL);
    oe_options *o = oe_options_new();
    IS(oe_options_set_model_file(o, ""), OE_ERR_ARGUMENT);
    IS(oe_options_set_backend(o, OE_BACKEND_EMBEDDED), OE_OK);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT);
    IS(oe_options_set_model_file(o, NULL), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_client_free(client);
    oe_options_free(o);
}

/* 151 MB are to be had by the options, and not by the system. */
static void short_of_memory(oe_client *client, const char *folder)
{
    static uint8_t bytes[1 << 20];
    char path[1024];
    unsigned long pages = 0;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    struct rlimit before, little;
    snprintf(path, sizeof path, "%s/OE_ERR_IMAGE_REJECTED-50mp-flat-progressive.jpg", folder);
    size_t size = load(path, bytes, sizeof bytes);
    oe_context *context = recording(client);
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%lu", &pages) == 1);
    if (file) fclose(file);
    getrlimit(RLIMIT_AS, &before);
    little = before;
    little.rlim_cur = (rlim_t)pages * 4096 + (50 << 20);
    setrlimit(RLIMIT_AS, &little);
    oe_status status = oe_process_jpeg_at(context, bytes, size, 1000, &result);
    setrlimit(RLIMIT_AS, &before);
    IS(status, OE_ERR_RESOURCES);
    IS(oe_context_last_error(context, &error), OE_OK);
    CHECK(strstr(error.text, "no memory of 15") && error.retry_after_ms >= 20000);
    IS(oe_process_jpeg_at(context, bytes, size, 100000, &result), OE_BLIND);
    oe_context_free(context);
}

struct call {
    oe_context *context;
    pthread_t thread;
    oe_status status;
};

static void *look(void *of)
{
    struct call *call = of;
    oe_result result = OE_RESULT_INIT;
    call->status = oe_process_jpeg(call->context, picture, length, &result);
    return NULL;
}

enum { AT_ONCE = 40 };

static void begin(oe_client *client, struct call *calls)
{
    for (int i = 0; i < AT_ONCE; i++) {
        calls[i] = (struct call){ NULL, 0, OE_OK };
        IS(oe_context_create(client, 0, 0, &calls[i].context), OE_OK);
        CHECK(!pthread_create(&calls[i].thread, NULL, look, &calls[i]));
    }
}

/* Many look or wait for it; whoever is cancelled or freed ends soon, and the next may look. */
static void ended(oe_client *client)
{
    static struct call calls[AT_ONCE];
    begin(client, calls);
    double start = seconds();
    for (int i = 0; i < AT_ONCE; i++) {
        if (i % 2) IS(oe_context_cancel(calls[i].context), OE_OK);
        else oe_context_free(calls[i].context);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_join(calls[i].thread, NULL);
        oe_status status = calls[i].status;
        CHECK(status == OE_OK || status == OE_CANCELLED || (i % 2 == 0 && status == OE_ERR_HANDLE));
    }
    CHECK(seconds() - start < 2);
    oe_context *last = NULL;
    for (int i = 1; i < AT_ONCE; i += 2) {
        oe_result result = OE_RESULT_INIT;
        if (calls[i].status == OE_CANCELLED && !last) {
            last = calls[i].context;
            IS(oe_process_jpeg(last, picture, length, &result), OE_OK); /* at once: nothing was judged */
        }
        oe_context_free(calls[i].context);
    }
}

/* Children made while others look: theirs is a life of its own, with all turns and all memory. */
static void forked(oe_client *client)
{
    static struct call calls[AT_ONCE];
    begin(client, calls);
    for (int n = 0; n < 5; n++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            oe_client *own = NULL;
            oe_context *context = NULL;
            oe_result result = OE_RESULT_INIT;
            alarm(30);
            failures = 0;
            IS(oe_process_jpeg(calls[0].context, picture, length, &result), OE_ERR_FORKED);
            IS(oe_context_create(client, 0, 0, &context), OE_ERR_FORKED);
            oe_context_free(calls[0].context);
            oe_client_free(client);
            IS(client_with(NULL, 0, 10000, &own), OE_OK);
            IS(oe_context_create(own, 0, 0, &context), OE_OK);
            IS(oe_process_jpeg(context, picture, length, &result), OE_OK);
            oe_context_free(context);
            oe_client_free(own);
            fflush(stdout);
            _exit(failures != 0);
        }
        int code = 1;
        CHECK(child > 0 && waitpid(child, &code, 0) == child && code == 0);
    }
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_join(calls[i].thread, NULL);
        IS(calls[i].status, OE_OK);
        oe_context_free(calls[i].context);
    }
}

/* So many prints alive; the client goes before them. */
static void many(int count)
{
    oe_client *client = NULL;
    oe_context **contexts = calloc((size_t)count, sizeof *contexts);
    oe_result result = OE_RESULT_INIT;
    oe_usage usage = OE_USAGE_INIT;
    IS(client_with(NULL, 0, 60000, &client), OE_OK);
    for (int i = 0; contexts && i < count; i++) IS(oe_context_create(client, 0, 0, &contexts[i]), OE_OK);
    IS(oe_client_usage(client, &usage), OE_OK);
    CHECK(usage.contexts == (uint32_t)count && usage.creates == (uint64_t)count);
    oe_client_free(client);
    IS(oe_process_jpeg(contexts[count - 1], picture, length, &result), OE_OK);
    for (int i = 0; contexts && i < count; i++) oe_context_free(contexts[i]);
    IS(oe_process_jpeg(contexts[0], picture, length, &result), OE_ERR_HANDLE);
    free(contexts);
}

/* What there is only at a service, and calls before there is anything to call about. */
static void orders(oe_client *client)
{
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_usage usage = OE_USAGE_INIT;
    uint32_t due = 7;
    IS(oe_client_check_key(client), OE_ERR_UNSUPPORTED);
    IS(oe_client_clear_latch(client), OE_OK);
    IS(oe_client_cancel(client), OE_OK);
    IS(oe_client_create_due_in_ms(client, &due), OE_OK);
    CHECK(due == 0);
    IS(oe_context_create(client, 6, 0, &context), OE_ERR_ARGUMENT);
    IS(oe_context_create(client, 1, 5, &context), OE_OK);
    IS(oe_context_renew(context), OE_ERR_UNSUPPORTED);
    IS(oe_context_wait_due(context), OE_OK);
    IS(oe_context_cancel(context), OE_OK);
    IS(oe_context_set_confidence(context, 0, 6), OE_ERR_ARGUMENT);
    IS(oe_context_set_confidence(context, 5, 1), OE_OK);
    IS(oe_context_set_interval_sec(context, 1209601), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg(context, NULL, 5, &result), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg(context, picture, 0, &result), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg(context, picture, length, NULL), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg(context, picture, length, &result), OE_OK);
    IS(oe_context_set_interval_sec(context, 5), OE_OK);
    IS(oe_context_due_in_ms(context, &due), OE_OK);
    CHECK(due <= 5000 && due > 0);
    IS(oe_client_usage(client, &usage), OE_OK);
    CHECK(usage.latched == OE_OK && usage.processed >= 1 && usage.possibly_billed == 0 && usage.bytes_sent == 0);
    oe_context_free(context);
    oe_context_free(context);
}

int main(int argc, char **argv)
{
    oe_client *client = NULL, *other = NULL;
    if (argc != 6) return 2;
    length = load(argv[1], picture, sizeof picture);
    scratch = argv[3];
    IS(client_with(NULL, 0, 60000, &client), OE_OK);
    IS(client_with(NULL, 200, 60000, &other), OE_OK);
    orders(client);
    pictures(client, argv[2]);
    any_time(client);
    restarts(client, other);
    regions(client);
    models(argv[5]);
    short_of_memory(other, argv[2]);
    ended(client);
    forked(client);
    many(atoi(argv[4]));
    oe_client_free(other);
    oe_client_free(client);
    return failures != 0;
}
