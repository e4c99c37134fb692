/* The judge of the pictures: the engine inside the library, or a service. */
#ifndef ENGINE_H
#define ENGINE_H

#include "config.h"

/* Makes the client that all printers share. */
oe_status engine_open(const engine_config *config, oe_client **out);

#endif
