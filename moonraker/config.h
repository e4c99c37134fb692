/* The configuration of one printer: oe_process.cfg in its config folder. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdint.h>

#include <oe_process.h>

enum { MAX_PATH = 4096, MAX_URL = 512, MAX_NAME = 64, MAX_SECRET = 520 };

/* The judge of the pictures. */
typedef struct engine_config {
    char service[MAX_URL]; /* "": the engine inside this program; HOSTED; or the address of a service */
    char api_key[MAX_SECRET];
    char ca_file[MAX_PATH];
} engine_config;

#define HOSTED "octoeverywhere"

typedef struct printer_config {
    char file[MAX_PATH]; /* this configuration's */
    char name[MAX_NAME];
    char moonraker[MAX_URL], moonraker_key[MAX_SECRET];
    int32_t poll_ms;
    engine_config engine;
    char camera_name[MAX_NAME], camera_url[MAX_URL], camera_user[MAX_NAME], camera_password[MAX_SECRET];
    int32_t camera_timeout_ms;
    oe_print_options print; /* levels, interval, ignored regions */
    int32_t notify_only, console, display;
    char notifier[MAX_NAME];
} printer_config;

/* Reads a file over the defaults. Complains on stderr, by line; 0 if it is good. */
int config_read(const char *file, printer_config *out);

/* Whether two printers can share a client. */
int config_same_engine(const engine_config *one, const engine_config *other);

#endif
