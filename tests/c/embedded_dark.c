/* Two monitors of the engine, one of a dark room, one whose pictures cannot be decoded: after a minute each says once that nobody
 * watches, and why; then the lamp is on. argv: a picture, a black one, and one that is refused. */
#include "check.h"
#include <string.h>
#include <time.h>

enum { DARK, BROKEN, PRINTS };
struct image { uint8_t bytes[1 << 19]; size_t length; };
static struct image images[3];

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void load(const char *path, struct image *into)
{
    FILE *file = fopen(path, "rb");
    into->length = file ? fread(into->bytes, 1, sizeof into->bytes, file) : 0;
    if (file) fclose(file);
    CHECK(into->length > 0 && into->length + 4 < sizeof into->bytes);
}

/* With other bytes behind its end each time: a camera of the same bytes is frozen, which is told sooner. */
static void submit(oe_monitor *monitor, struct image *image)
{
    static uint32_t count;
    count++;
    memcpy(image->bytes + image->length, &count, sizeof count);
    oe_monitor_submit(monitor, image->bytes, image->length + sizeof count, 0);
}

/* What was told of a print. */
struct told { int stalled, back, results, errors; oe_status why; double when; };

static void told_until(oe_client *client, oe_monitor **monitors, struct image *shown[PRINTS], struct told *told, double end,
    int (*enough)(const struct told *))
{
    while (seconds() < end && !enough(told)) {
        oe_event event = OE_EVENT_INIT;
        for (int n = 0; n < PRINTS; n++) submit(monitors[n], shown[n]);
        if (oe_client_next_event(client, 1000, &event, NULL, NULL) != OE_OK) continue;
        struct told *of = &told[event.tag];
        if (event.kind == OE_EVENT_CAMERA_STALLED) of->stalled++, of->why = event.status, of->when = seconds();
        of->back += event.kind == OE_EVENT_CAMERA_BACK;
        of->results += event.kind == OE_EVENT_RESULT;
        of->errors += event.kind == OE_EVENT_ERROR;
    }
}

static int both_stalled(const struct told *told) { return told[DARK].stalled && told[BROKEN].stalled; }
static int both_back(const struct told *told) { return told[DARK].results && told[BROKEN].results; }

int main(int argc, char **argv)
{
    oe_client *client = NULL;
    oe_monitor *monitors[PRINTS] = { NULL, NULL };
    struct told told[PRINTS];
    oe_info info = OE_INFO_INIT;
    if (argc != 4) return 2;
    for (int n = 0; n < 3; n++) load(argv[n + 1], &images[n]);
    memset(told, 0, sizeof told);
    oe_options *o = oe_options_new();
    IS(oe_options_set_backend(o, OE_BACKEND_EMBEDDED), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    double start = seconds();
    for (uint64_t n = 0; n < PRINTS; n++) IS(oe_monitor_start(client, 0, 0, n, &monitors[n]), OE_OK);
    told_until(client, monitors, (struct image *[]){ &images[1], &images[2] }, told, start + 150, both_stalled);
    for (int n = 0; n < PRINTS; n++) CHECK(told[n].stalled == 1 && told[n].when - start >= 60 && told[n].results == 0);
    CHECK(told[DARK].why == OE_BLIND && told[DARK].errors == 0);
    CHECK(told[BROKEN].why == OE_ERR_IMAGE_REJECTED && told[BROKEN].errors > 0);
    IS(oe_monitor_info(monitors[DARK], &info), OE_OK);
    CHECK(info.last_status == OE_BLIND && info.last_quality == 0 && info.failures_in_a_row == 0 && info.calls >= 2);
    told_until(client, monitors, (struct image *[]){ &images[0], &images[0] }, told, seconds() + 60, both_back);
    for (int n = 0; n < PRINTS; n++) CHECK(told[n].stalled == 1 && told[n].back == 1 && told[n].results > 0);
    IS(oe_monitor_info(monitors[DARK], &info), OE_OK);
    CHECK(info.last_status == OE_OK && info.last_quality >= 6);
    oe_client_free(client);
    for (int n = 0; n < PRINTS; n++) oe_monitor_free(monitors[n]);
    return failures != 0;
}
