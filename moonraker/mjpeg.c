#include "mjpeg.h"

#include <stdio.h>
#include <string.h>

void mjpeg_set_boundary(mjpeg *m, const char *content_type, size_t len)
{
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)len, content_type);
    char *value = strstr(text, "boundary=");
    if (!value) return;
    value += strlen("boundary=");
    value += strspn(value, "\"-");
    value[strcspn(value, "\"; \t\r\n")] = '\0';
    snprintf(m->boundary, sizeof m->boundary, "%.71s", value);
}

/* Where the part ends whose picture has no end marker: before the boundary, which is the last one in front of `next`. */
static size_t end_of_part(const mjpeg *m, const uint8_t *bytes, size_t next)
{
    const char *mark = m->boundary[0] ? m->boundary : "\r\n--";
    size_t len = strlen(mark), at = next > len ? next - len : 0;
    while (at > m->first && memcmp(bytes + at, mark, len) != 0) at--;
    if (at <= m->first) return next;
    if (!m->boundary[0]) return at;
    while (at > m->first && bytes[at - 1] == '-') at--;
    if (at > m->first && bytes[at - 1] == '\n') at--;
    if (at > m->first && bytes[at - 1] == '\r') at--;
    return at;
}

/* Another picture begins before this one has ended. Either it was cut short, or this camera writes no end markers: when two in
 * a row have none it does not. */
static void meet_next(mjpeg *m, const uint8_t *bytes)
{
    if (m->no_end) {
        m->size = end_of_part(m, bytes, m->at) - m->first;
        return;
    }
    m->no_end = 1;
    m->first = m->at;
    m->at += 2;
}

/* Walks segments and scans: that finds the end also where the stream gives no length, and whatever thumbnails the picture
 * contains. */
void mjpeg_find(mjpeg *m, const uint8_t *bytes, size_t len)
{
    if (!m->at) {
        while (m->first + 3 <= len && memcmp(bytes + m->first, "\xFF\xD8\xFF", 3) != 0) m->first++;
        if (m->first + 3 > len) return;
        m->at = m->first + 2;
    }
    while (m->at + 2 <= len && !m->size) {
        uint8_t marker = bytes[m->at + 1];
        if (bytes[m->at] != 0xFF) { /* inside a scan */
            const uint8_t *next = memchr(bytes + m->at, 0xFF, len - m->at);
            m->at = next ? (size_t)(next - bytes) : len;
        } else if (marker == 0xD9) {
            m->size = m->at + 2 - m->first;
        } else if (marker == 0xD8) {
            meet_next(m, bytes);
        } else if (marker == 0xFF) {
            m->at++;
        } else if (marker <= 1 || (marker >= 0xD0 && marker <= 0xD7)) {
            m->at += 2;
        } else if (m->at + 4 <= len) {
            m->at += 2 + ((size_t)bytes[m->at + 2] << 8 | bytes[m->at + 3]);
        } else {
            return;
        }
    }
}

void mjpeg_end(mjpeg *m, const uint8_t *bytes, size_t len)
{
    if (m->at && !m->size) m->size = end_of_part(m, bytes, len) - m->first;
}
