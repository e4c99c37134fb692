/* Two static libraries from Rust in one program. */
#include <oe_process.h>

int other_catches(void);

int main(void)
{
    oe_options *options = oe_options_new();
    oe_client *client = NULL;
    oe_status status = oe_client_new(options, &client);
    oe_client_free(client);
    oe_options_free(options);
    return !(other_catches() && status == OE_ERR_ARGUMENT);
}
