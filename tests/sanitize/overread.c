/* An error on purpose, inside the library: it is told that there are more bytes than there are. */
#include <oe_process.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    oe_client *client = NULL;
    oe_monitor *monitor = NULL;
    oe_options *options = oe_options_new();
    oe_options_set_api_key(options, "k");
    oe_options_set_endpoint(options, "http://127.0.0.1:9");
    oe_options_set_allow_http(options, 1);
    oe_client_new(options, &client);
    oe_monitor_start(client, 0, 0, 1, &monitor);
    uint8_t *frame = malloc(1000);
    memcpy(frame, "\xff\xd8\xff\xe0", 4);
    return oe_monitor_submit(monitor, frame, 1001, 0) != OE_OK;
}
