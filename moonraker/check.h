/* oe-moonraker check: says in plain words what is missing. */
#ifndef CHECK_H
#define CHECK_H

#include <curl/curl.h>

#include "config.h"

/* How much is missing of what a printer needs to be watched. */
int check_printer(CURLM *multi, const printer_config *config);

#endif
