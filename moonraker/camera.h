/* Which camera watches the print, and its pictures. */
#ifndef CAMERA_H
#define CAMERA_H

#include "moonraker.h"

typedef struct camera {
    char name[MAX_NAME], url[MAX_URL]; /* "": there is none */
} camera;

/* The camera of the configuration, if it has an address. Whether it has one. */
int camera_from_config(const printer_config *config, camera *out);

/* The camera to use from Moonraker's answer to GET /server/webcams/list; without one, why. */
const char *camera_choose(const printer_config *config, const request *answer, camera *out);

/* Asks for a picture. */
void camera_take(const moonraker *m, const camera *from, request *r, answered *done, void *user_data);

/* An address without the password in it, for people. */
void camera_show(const camera *which, char *buf, size_t cap);

#endif
