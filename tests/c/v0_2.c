/* What came with 0.2.0, against a service at argv[1] with the image argv[2]. */
#include "check.h"

#include <stdlib.h>
#include <string.h>

static uint8_t jpeg[1 << 20];
static size_t jpeg_len;

static void version(void)
{
    char own[32];
    CHECK(OE_VERSION <= oe_version());
    snprintf(own, sizeof own, "%d.%d.%d", OE_VERSION_MAJOR, OE_VERSION_MINOR, OE_VERSION_PATCH);
    CHECK(!strcmp(own, OE_VERSION_STRING));
    snprintf(own, sizeof own, "%u.%u.%u", oe_version() >> 16, oe_version() >> 8 & 255, oe_version() & 255);
    CHECK(!strcmp(own, oe_version_string()));
    CHECK(oe_version_string() == oe_version_string());
    CHECK(oe_has(OE_FEATURE_TLS) == 1 && oe_has(OE_FEATURE_MONITOR) == 1);
    CHECK(oe_has(0) == 0 && oe_has(-1) == 0 && oe_has(1000) == 0);
}

/* What oe_has() says of the engine and of descriptors is what a try finds. */
static void features(void)
{
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    IS(oe_options_set_backend(o, OE_BACKEND_EMBEDDED), OE_OK);
    IS(oe_client_new(o, &client), oe_has(OE_FEATURE_EMBEDDED) ? OE_OK : OE_ERR_UNSUPPORTED);
    oe_client_free(client);
    IS(oe_options_set_backend(o, OE_BACKEND_SERVICE), OE_OK);
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    CHECK((oe_client_event_fd(client) != -1) == oe_has(OE_FEATURE_EVENT_FD));
    oe_client_free(client);
    oe_options_free(o);
}

static void levels(void)
{
    static const int32_t level[] = { 0, 3, 3, 3, 2, 2, 1, 1, 1, 1, 1, 0 };
    for (int32_t quality = 0; quality < 12; quality++) CHECK(oe_quality_level(quality) == level[quality]);
    CHECK(oe_quality_level(INT32_MIN) == OE_LEVEL_UNKNOWN && oe_quality_level(INT32_MAX) == OE_LEVEL_UNKNOWN);
}

/* An answer without a place: all of it is 0, whatever was there before. */
static void no_place(const char *url)
{
    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_options *o = oe_options_new();
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    CHECK(result.struct_size == sizeof result && result.place.width == 0);
    memset(&result.place, 0x55, sizeof result.place);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    CHECK(!result.place.x && !result.place.y && !result.place.width && !result.place.height);
    oe_context_free(context);
    oe_client_free(client);
}

/* A name that no server of names knows, and where it is. */
static void resolve(const char *url)
{
    char named[100];
    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    oe_options *o = oe_options_new();
    snprintf(named, sizeof named, "http://printer.invalid:%s", strrchr(url, ':') + 1);
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_options_set_endpoint(o, named), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_resolve(NULL, "a", "::1"), OE_ERR_HANDLE);
    IS(oe_options_set_resolve(o, NULL, "127.0.0.1"), OE_ERR_ARGUMENT);
    IS(oe_options_set_resolve(o, "", "127.0.0.1"), OE_ERR_ARGUMENT);
    IS(oe_options_set_resolve(o, "\xff", "127.0.0.1"), OE_ERR_ARGUMENT);
    IS(oe_options_set_resolve(o, "printer.invalid", "\xff"), OE_ERR_ARGUMENT);
    IS(oe_options_set_resolve(o, "printer.invalid", "localhost"), OE_ERR_ARGUMENT);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* it would be looked up */
    IS(oe_last_error(&error), OE_OK);
    CHECK(client == NULL && strstr(error.text, "oe_options_set_resolve"));
    IS(oe_options_set_resolve(o, "Printer.INVALID", " 127.0.0.1 "), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    oe_context_free(context);
    oe_client_free(client);
    IS(oe_options_set_resolve(o, "printer.invalid", NULL), OE_OK);
    IS(oe_options_set_resolve(o, "other.invalid", "::1"), OE_OK);
    IS(oe_options_set_resolve(o, NULL, NULL), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    IS(oe_context_create(client, 0, 0, &context), OE_ERR_DNS);
    oe_client_free(client);
    oe_options_free(o);
}

static void without_a_key(const char *url)
{
    oe_client *client = NULL;
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_options *o = oe_options_new();
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* the hosted service needs one */
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* plain http, even so */
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_api_key(o, ""), OE_ERR_ARGUMENT);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* a key was meant */
    IS(oe_options_set_api_key(o, NULL), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    IS(oe_client_check_key(client), OE_OK);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    oe_context_free(context);
    oe_client_free(client);
    oe_options_free(o);
}

int main(int argc, char **argv)
{
    FILE *file = argc > 2 ? fopen(argv[2], "rb") : NULL;
    if (!file) return 2;
    jpeg_len = fread(jpeg, 1, sizeof jpeg, file);
    fclose(file);
    CHECK(jpeg_len > 0);
    version();
    features();
    levels();
    no_place(argv[1]);
    resolve(argv[1]);
    without_a_key(argv[1]);
    printf("%d failed\n", failures);
    return failures != 0;
}
