/* The engine as users have it, in C11 and nothing of a system: no key, no address, no network. The demo's print is played,
 * 20 s a picture, in no time: its quality falls, and there is one warning and one pause. embedded FRAMES-FOLDER 1|0 [LOOKS]:
 * whether the library has the engine; where it has not, choosing it has its own status. With LOOKS only so many
 * pictures are looked at, for those who count. */
#include "../c/check.h"

#include <stdlib.h>
#include <string.h>

static const int order[] = { 1, 3, 5, 7, 9, 11, 12, 11, 12, 11, 12, 11, 12, 11, 12, 11, 12 };
static uint8_t jpeg[1 << 20];

static size_t load(const char *folder, int number)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/frame-%02d.jpg", folder, number);
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(jpeg, 1, sizeof jpeg, file) : 0;
    if (file) fclose(file);
    CHECK(size > 0 && size < sizeof jpeg);
    return size;
}

static void lite(void)
{
    oe_client *client = NULL;
    oe_error error = OE_ERROR_INIT;
    oe_options *options = oe_options_new();
    IS(oe_options_set_backend(options, OE_BACKEND_EMBEDDED), OE_OK);
    IS(oe_client_new(options, &client), OE_ERR_UNSUPPORTED);
    CHECK(client == NULL && oe_last_error(&error) == OE_OK && error.status == OE_ERR_UNSUPPORTED);
    IS(oe_options_set_backend(options, OE_BACKEND_SERVICE), OE_OK);
    IS(oe_options_set_api_key(options, "k"), OE_OK);
    IS(oe_client_new(options, &client), OE_OK);
    oe_client_free(client);
    oe_options_free(options);
}

static void full(const char *folder, int looks)
{
    const int64_t started = 1700000000000;
    int warnings = 0, pauses = 0, first = 0, most = (int)(sizeof order / sizeof *order);
    oe_client *client = NULL;
    oe_context *print = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_usage usage = OE_USAGE_INIT;
    oe_print_options how = OE_PRINT_OPTIONS_INIT;
    oe_options *options = oe_options_new();
    IS(oe_options_set_backend(options, OE_BACKEND_EMBEDDED), OE_OK);
    IS(oe_options_set_timeout_ms(options, 600000), OE_OK); /* under an emulator, on a busy machine */
    IS(oe_client_new(options, &client), OE_OK);
    how.flags = OE_PRINT_REPLAY;
    IS(oe_context_create_with(client, &how, &print), OE_OK);
    for (int i = 0; i < (looks ? looks : most); i++) {
        size_t size = load(folder, order[i % most]);
        IS(oe_process_jpeg_at(print, jpeg, size, started + i * 20000, &result), OE_OK);
        warnings += (result.flags & OE_RESULT_WARNING_EDGE) != 0;
        pauses += (result.flags & OE_RESULT_PAUSE_EDGE) != 0;
        CHECK(result.flags & OE_RESULT_EMBEDDED);
        if (i == 0) first = result.print_quality;
        printf("%2d: quality %d, score %d, flags %u\n", i, (int)result.print_quality, (int)result.score, (unsigned)result.flags);
    }
    CHECK(first >= 6);
    if (!looks) CHECK(warnings == 1 && pauses == 1 && result.print_quality <= 3 && result.score >= 50);
    IS(oe_client_usage(client, &usage), OE_OK);
    CHECK(usage.bytes_sent == 0 && usage.bytes_received == 0);
    oe_context_free(print);
    oe_client_free(client);
    oe_options_free(options);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    int has = argv[2][0] == '1';
    CHECK(oe_has(OE_FEATURE_EMBEDDED) == has);
    if (has)
        full(argv[1], argc > 3 ? atoi(argv[3]) : 0);
    else
        lite();
    return failures != 0;
}
