#include <oe_process.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) { // minimal snapshot.jpg [http://a-server-of-your-own:port]
    static uint8_t jpeg[6291456];
    oe_client *client = NULL; oe_context *print = NULL;
    oe_options *options = oe_options_new();
    oe_status status = oe_options_set_api_key(options, getenv("OE_API_KEY"));
    if (status == OE_OK) status = oe_options_set_endpoint(options, argc > 2 ? argv[2] : NULL);
    if (status == OE_OK) status = oe_options_set_allow_http(options, argc > 2);
    if (status == OE_OK) status = oe_client_new(options, &client);
    if (status == OE_OK) status = oe_context_create(client, 0, 0, &print);
    while (status == OE_OK && (status = oe_context_wait_due(print)) == OE_OK) {
        oe_result result = OE_RESULT_INIT;
        FILE *file = fopen(argc > 1 ? argv[1] : "snapshot.jpg", "rb");
        size_t len = file ? fread(jpeg, 1, sizeof jpeg, file) : 0;
        if (file) fclose(file);
        status = oe_process_jpeg(print, jpeg, len, &result);
        printf("%s: %s\n", oe_status_name(status), oe_quality_text(result.print_quality));
        if (result.flags & OE_RESULT_PAUSE_EDGE) puts("pause the print now");
        if (status != OE_ERR_IMAGE_REJECTED && oe_status_is_retryable(status)) status = OE_OK;
    }
    oe_context_free(print); oe_client_free(client); oe_options_free(options);
    return fprintf(stderr, "%s\n", oe_status_text(status)) > 0;
}
