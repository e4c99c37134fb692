#include "engine.h"

#include <string.h>
#include <strings.h>

oe_status engine_open(const engine_config *config, oe_client **out)
{
    oe_options *options = oe_options_new();
    oe_status status = oe_options_set_user_agent(options, "oe-moonraker/" OE_VERSION_STRING);
    if (!config->service[0]) {
        if (status == OE_OK) status = oe_options_set_backend(options, OE_BACKEND_EMBEDDED);
        /* One look at a time: the other cores are Klipper's. */
        if (status == OE_OK) status = oe_options_set_workers(options, 1);
    } else {
        if (status == OE_OK && config->api_key[0]) status = oe_options_set_api_key(options, config->api_key);
        if (status == OE_OK && config->ca_file[0]) status = oe_options_set_ca_file(options, config->ca_file);
        if (status == OE_OK && strcmp(config->service, HOSTED) != 0) {
            status = oe_options_set_endpoint(options, config->service);
            if (status == OE_OK && strncasecmp(config->service, "http:", 5) == 0)
                status = oe_options_set_allow_http(options, 1);
        }
    }
    if (status == OE_OK) status = oe_client_new(options, out);
    oe_options_free(options);
    return status;
}
