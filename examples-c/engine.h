/* --engine embedded|service, of all examples: who looks at the pictures. C99 and C++11. */
#ifndef EXAMPLES_ENGINE_H
#define EXAMPLES_ENGINE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <oe_process.h>

#define ENGINE_USAGE \
    "  --engine embedded    the engine inside the library looks: no key, no network (default)\n" \
    "  --engine service     OctoEverywhere's service does, with the API key in OE_API_KEY\n" \
    "  --endpoint URL       a service of your own does (http is allowed then; the key may be missing)\n"

/* The backend for what was asked for; either may be NULL. A key in the environment alone changes nothing: no picture
 * leaves the machine unasked. NULL: all is well; else a sentence for the user. */
static const char *engine_problem(const char *engine, const char *endpoint, int32_t *backend)
{
    int embedded = engine ? strcmp(engine, "embedded") == 0 : endpoint == NULL;
    if (engine && !embedded && strcmp(engine, "service") != 0) return "--engine is embedded or service";
    *backend = embedded ? OE_BACKEND_EMBEDDED : OE_BACKEND_SERVICE;
    if (embedded && endpoint) return "--endpoint is for --engine service";
    if (embedded && !oe_has(OE_FEATURE_EMBEDDED))
        return "this library was built without the engine: use --engine service, or a library that has it";
    if (!embedded && !endpoint && !getenv("OE_API_KEY"))
        return "--engine service needs an API key in the environment variable OE_API_KEY, or --endpoint";
    return NULL;
}

#endif
