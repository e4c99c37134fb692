/* A program as Microsoft's tools build it, without their headers: oe_process.h alone, dllimport, oe_process.lib, and of
 * the C runtime only what the compiler itself calls. Ends with 0 when the DLL answers, else with the number of what did not. */
#define OE_SHARED
#include <oe_process.h>

__declspec(dllimport) void __stdcall ExitProcess(unsigned code);

static unsigned looked_at(void)
{
    oe_client *client = NULL;
    oe_error error = OE_ERROR_INIT;
    oe_options *options = oe_options_new();
    if (oe_version() != OE_VERSION) return 1;
    if (!options) return 2;
    if (oe_client_new(options, &client) != OE_ERR_ARGUMENT || client) return 3; /* no key */
    if (oe_last_error(&error) != OE_OK || error.status != OE_ERR_ARGUMENT || !error.text[0]) return 4;
    if (oe_options_set_api_key(options, "k") != OE_OK) return 5;
    if (oe_client_new(options, &client) != OE_OK || !client) return 6;
    if (oe_client_event_fd(client) == -1) return 7;
    oe_client_free(client);
    oe_options_free(options);
    return oe_client_cancel(client) == OE_ERR_HANDLE ? 0 : 8;
}

void start(void)
{
    ExitProcess(looked_at());
}
