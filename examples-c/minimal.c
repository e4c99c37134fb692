#include <oe_process.h>
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) { // minimal snapshot.jpg [--engine embedded|service [URL]]
    static uint8_t jpeg[6291456]; oe_error why = OE_ERROR_INIT;
    oe_client *client = NULL; oe_context *print = NULL; oe_options *o = oe_options_new();
    int32_t engine = OE_BACKEND_EMBEDDED; // or OE_BACKEND_SERVICE, with a key
    if (argc > 3 && argv[3][0] == 's') engine = OE_BACKEND_SERVICE;
    oe_status status = oe_options_set_backend(o, engine);
    if (status == OE_OK) status = oe_options_set_api_key(o, getenv("OE_API_KEY"));
    if (argc > 4) oe_options_set_endpoint(o, argv[4]), oe_options_set_allow_http(o, 1);
    if (status == OE_OK) status = oe_client_new(o, &client); // refuses what a setter refused
    if (status == OE_OK) status = oe_context_create(client, 0, 0, &print);
    while (!fflush(stdout) && !status && (status = oe_context_wait_due(print)) == OE_OK) {
        oe_result result = OE_RESULT_INIT;
        size_t len = 0; FILE *file = fopen(argc > 1 ? argv[1] : "snapshot.jpg", "rb");
        if (file) { len = fread(jpeg, 1, sizeof jpeg, file); fclose(file); }
        status = oe_process_jpeg(print, jpeg, len, &result);
        printf("%s: %s\n", oe_status_name(status), oe_quality_text(result.print_quality));
        if (result.flags & OE_RESULT_PAUSE_EDGE) puts("pause the print now");
        if (status != OE_ERR_IMAGE_REJECTED && oe_status_is_retryable(status)) status = OE_OK;
    }
    oe_last_error(&why); oe_context_free(print); oe_client_free(client); oe_options_free(o);
    return fprintf(stderr, "%s %s\n", oe_status_text(status), why.text) > 0;
}
