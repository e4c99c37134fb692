/* The agent's search for a picture in a stream: the same picture however the bytes arrive, and no byte read beyond them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../moonraker/mjpeg.h"

enum { ROUNDS = 4000, MAX_STREAM = 16384 };

static uint64_t drawn = 88172645463325252u;

static size_t below(size_t limit)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return (size_t)(drawn % limit);
}

static uint8_t stream[MAX_STREAM];
static size_t length;

static void add(const void *bytes, size_t len)
{
    memcpy(stream + length, bytes, len);
    length += len;
}

/* A segment that may hold a thumbnail, a scan of noise without markers, an end or none. */
static void add_picture(int end)
{
    uint8_t segment[64] = { 0xFF, 0xE1, 0, 62, 0xFF, 0xD8, 0xFF, 0xE0, 0xFF, 0xD9 }, noise;
    add("\xFF\xD8", 2);
    add(segment, sizeof segment);
    add("\xFF\xDA\x00\x04\x01\x02", 6);
    for (size_t n = below(500); n > 0; n--) {
        noise = (uint8_t)below(256);
        add(&noise, 1);
        if (noise == 0xFF) add("", 1);
        if (below(60) == 0) add("\xFF\xD3", 2);
    }
    if (end) add("\xFF\xD9", 2);
}

/* Looks at a copy that ends where the bytes do, in pieces. */
static mjpeg find(const char *boundary, size_t largest)
{
    mjpeg m = { .first = 0 };
    char type[100];
    int len = snprintf(type, sizeof type, "Content-Type: multipart/x-mixed-replace; boundary=%s\r\n", boundary);
    if (boundary[0]) mjpeg_set_boundary(&m, type, (size_t)len);
    for (size_t have = 0; have < length && !m.size;) {
        have += 1 + below(largest);
        if (have > length) have = length;
        uint8_t *copy = malloc(have);
        memcpy(copy, stream, have);
        mjpeg_find(&m, copy, have);
        if (have == length) mjpeg_end(&m, copy, have);
        free(copy);
    }
    return m;
}

static int round_trip(int end)
{
    static const char *const boundaries[] = { "frame", "\"--frame\"", "--frame; charset=x", "" };
    const char *boundary = boundaries[below(4)];
    size_t first[3], last[3];
    length = 0;
    for (int n = 0; n < 3; n++) {
        add("--frame\r\nContent-Type: image/jpeg\r\n\r\n", 37);
        first[n] = length;
        add_picture(end);
        last[n] = length;
        add("\r\n", 2);
    }
    int wanted = end ? 0 : 1; /* the first one without an end may have been cut short */
    for (size_t largest = 1; largest < 5000; largest = largest * 7 + 1) {
        mjpeg m = find(boundary, largest);
        if (m.first == first[wanted] && m.first + m.size == last[wanted]) continue;
        fprintf(stderr, "boundary %s, pieces of %zu: %zu to %zu, not %zu to %zu\n", boundary, largest, m.first, m.first + m.size,
                first[wanted], last[wanted]);
        return 1;
    }
    return 0;
}

/* Whatever comes: what is found lies inside. */
static int rubbish(void)
{
    static const uint8_t likely[] = { 0xFF, 0xD8, 0xD9, 0xDA, 0xE0, 0x00, '-', '\r', '\n', 'f' };
    length = below(400);
    for (size_t n = 0; n < length; n++) stream[n] = below(2) ? likely[below(sizeof likely)] : (uint8_t)below(256);
    mjpeg m = find(below(2) ? "f" : "", 50);
    return m.size != 0 && m.first + m.size > length;
}

int main(void)
{
    for (int n = 0; n < ROUNDS; n++)
        if (round_trip(n % 2) || rubbish()) return 1;
    puts("ok");
    return 0;
}
