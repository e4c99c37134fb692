/* The first whole picture of an endless multipart stream. */
#ifndef MJPEG_H
#define MJPEG_H

#include <stddef.h>
#include <stdint.h>

typedef struct mjpeg {
    char boundary[72]; /* of the parts, without dashes; "": not known */
    size_t first, at;  /* where the picture begins, how far it is known */
    size_t size;       /* 0: it is not whole yet */
    int no_end;        /* the one before ended without a marker */
} mjpeg;

/* Takes the boundary from a Content-Type. */
void mjpeg_set_boundary(mjpeg *m, const char *content_type, size_t len);

/* Looks on, in all bytes that came so far. */
void mjpeg_find(mjpeg *m, const uint8_t *bytes, size_t len);

/* The stream has ended: so has its picture. */
void mjpeg_end(mjpeg *m, const uint8_t *bytes, size_t len);

#endif
