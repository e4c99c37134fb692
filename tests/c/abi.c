/* The C ABI against a service at argv[1] with the image argv[2]: right use, and wrong arguments in every position. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

static uint8_t jpeg[1 << 20];
static size_t jpeg_len;
static int lines, frees;
static oe_context *inside;

static void on_log(void *user_data, int32_t level, const char *text)
{
    (void)user_data;
    CHECK(level >= OE_LOG_ERROR && level <= OE_LOG_TRACE);
    CHECK(!strstr(text, "SECRETKEY") && !strstr(text, "CTX1"));
    lines++;
    if (inside) {
        oe_result result = OE_RESULT_INIT;
        uint32_t due;
        IS(oe_process_jpeg(inside, jpeg, jpeg_len, &result), OE_ERR_REENTRANT);
        IS(oe_context_wait_due(inside), OE_ERR_REENTRANT);
        IS(oe_context_renew(inside), OE_ERR_REENTRANT);
        IS(oe_context_due_in_ms(inside, &due), OE_OK);
    }
}

static void on_free(void *user_data) { frees += *(int *)user_data; }

static void version(void)
{
    char line[200], cut[5];
    CHECK(OE_VERSION <= oe_version()); /* programs of earlier releases are compiled from this file too, and kept */
    CHECK(OE_VERSION == ((OE_VERSION_MAJOR << 16) | (OE_VERSION_MINOR << 8) | OE_VERSION_PATCH));
    size_t len = oe_build_info(line, sizeof line);
    CHECK(len > 10 && strlen(line) == len);
    CHECK(oe_build_info(NULL, 0) == len && oe_build_info(cut, sizeof cut) == len && strlen(cut) == 4);
}

static void statuses(void)
{
    CHECK(!strcmp(oe_status_name(OE_ERR_TIMEOUT), "OE_ERR_TIMEOUT"));
    CHECK(OE_ERR_MODEL == -92 && OE_NO_EVENT == 3 && OE_ERR_CLOCK == -41);
    for (oe_status s = -200; s < 50; s++) CHECK(oe_status_name(s) && oe_status_text(s)[0]);
    CHECK(oe_status_is_retryable(OE_NOT_DUE) == 1 && oe_status_is_retryable(OE_ERR_HANDLE) == 0);
    CHECK(!strcmp(oe_quality_text(1), "print failure") && !strcmp(oe_quality_text(11), "unknown"));
}

static void structs(void)
{
    oe_error error = OE_ERROR_INIT;
    CHECK(error.struct_size == sizeof error);
    error.struct_size = 7;
    IS(oe_last_error(&error), OE_ERR_ABI);
    error.struct_size = 10;
    IS(oe_last_error(&error), OE_ERR_ABI);
    error.struct_size = 5000;
    IS(oe_last_error(&error), OE_ERR_ABI);
    IS(oe_last_error(NULL), OE_ERR_ARGUMENT);
    memset(&error, 0x55, sizeof error);
    error.struct_size = 8; /* the first two members only */
    IS(oe_client_cancel(NULL), OE_ERR_HANDLE);
    IS(oe_last_error(&error), OE_OK);
    CHECK(error.status == OE_ERR_HANDLE && error.http_status == 0x55555555 && error.struct_size == 8);
    oe_usage usage;
    oe_usage_init(&usage, sizeof usage);
    CHECK(usage.struct_size == sizeof usage && usage.processed == 0);
    CHECK(sizeof(oe_error) == 336 && sizeof(oe_result) >= 48 && sizeof(oe_usage) == 64 && sizeof(oe_info) == 40);
}

static void options(void)
{
    int one = 1;
    oe_client *client = (oe_client *)&one;
    oe_options *o = oe_options_new();
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* no key */
    CHECK(client == NULL);
    IS(oe_client_new(o, NULL), OE_ERR_ARGUMENT);
    IS(oe_options_set_api_key(NULL, "k"), OE_ERR_HANDLE);
    IS(oe_options_set_api_key((oe_options *)&one, "k"), OE_ERR_HANDLE);
    IS(oe_options_set_api_key(o, "a\r\nb"), OE_ERR_ARGUMENT);
    IS(oe_options_set_api_key(o, "\xff"), OE_ERR_ARGUMENT);
    IS(oe_options_set_backend(o, 7), OE_ERR_ARGUMENT);
    IS(oe_options_set_endpoint(o, "ftp://x"), OE_ERR_ARGUMENT);
    IS(oe_options_set_allow_http(o, 2), OE_ERR_ARGUMENT);
    IS(oe_options_set_trust(o, 9), OE_ERR_ARGUMENT);
    IS(oe_options_set_ca_file(o, "/no/such/file"), OE_ERR_ARGUMENT);
    IS(oe_options_set_ca_pem(o, NULL, 5), OE_ERR_ARGUMENT);
    IS(oe_options_set_ca_pem(o, (const uint8_t *)"x", 1), OE_ERR_ARGUMENT);
    IS(oe_options_set_ca_pem(o, NULL, 0), OE_OK);
    IS(oe_options_set_proxy(o, "socks5://x"), OE_ERR_ARGUMENT);
    IS(oe_options_set_proxy(o, NULL), OE_OK);
    IS(oe_options_set_timeout_ms(o, 999), OE_ERR_ARGUMENT);
    IS(oe_options_set_connect_timeout_ms(o, 0), OE_ERR_ARGUMENT);
    IS(oe_options_set_interval_sec(o, 1209601), OE_ERR_ARGUMENT);
    IS(oe_options_set_max_frame_age_ms(o, 3600001), OE_ERR_ARGUMENT);
    IS(oe_options_set_workers(o, 65), OE_ERR_ARGUMENT);
    IS(oe_options_set_user_agent(o, "a\nb"), OE_ERR_ARGUMENT);
    IS(oe_options_set_model_file(o, NULL), OE_OK);
    IS(oe_options_set_log(o, 6, on_log, &one, on_free), OE_ERR_ARGUMENT);
    CHECK(frees == 1);
    IS(oe_options_set_api_key(o, "k"), OE_OK);
    IS(oe_options_set_backend(o, OE_BACKEND_EMBEDDED), OE_OK);
    client = (oe_client *)&one;
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* the endpoint is still the oldest that was refused */
    CHECK(client == NULL);
    oe_error error = OE_ERROR_INIT;
    IS(oe_last_error(&error), OE_OK);
    CHECK(strstr(error.text, "oe_options_set_endpoint"));
    IS(oe_options_set_endpoint(o, NULL), OE_OK);
    IS(oe_options_set_allow_http(o, 0), OE_OK);
    IS(oe_options_set_trust(o, 0), OE_OK);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* and the CA file: ca_pem is another setter */
    IS(oe_options_set_ca_file(o, NULL), OE_OK);
    IS(oe_client_new(o, &client), oe_has(OE_FEATURE_EMBEDDED) ? OE_OK : OE_ERR_UNSUPPORTED);
    oe_client_free(client);
    oe_options_free(o);
    oe_options_free(o);
    oe_options_free(NULL);
    IS(oe_options_set_workers(o, 1), OE_ERR_HANDLE);
}

/* Each setter that decides where key and pictures go: refused, then set right, on options that are else complete. */
typedef struct setter {
    const char *name;
    oe_status (*text)(oe_options *, const char *);
    oe_status (*number)(oe_options *, int32_t);
    const char *bad, *good; /* good: NULL where the default is what makes up for it */
    int32_t bad_number;
} setter;

static oe_status set_pem(oe_options *o, const char *pem)
{
    return oe_options_set_ca_pem(o, (const uint8_t *)pem, pem ? strlen(pem) : 0);
}

static const setter setters[] = {
    { "oe_options_set_api_key", oe_options_set_api_key, NULL, "a b", "k", 0 },
    { "oe_options_set_api_key", oe_options_set_api_key, NULL, "\xff", "k", 0 },
    { "oe_options_set_endpoint", oe_options_set_endpoint, NULL, "127.0.0.1:8674", "https://127.0.0.1:8674", 0 },
    { "oe_options_set_endpoint", oe_options_set_endpoint, NULL, "http://caf\xe9", NULL, 0 },
    { "oe_options_set_endpoint", oe_options_set_endpoint, NULL, "", NULL, 0 },
    { "oe_options_set_ca_file", oe_options_set_ca_file, NULL, "/no/such/file", NULL, 0 },
    { "oe_options_set_ca_pem", set_pem, NULL, "something else", NULL, 0 },
    { "oe_options_set_proxy", oe_options_set_proxy, NULL, "socks5://x", NULL, 0 },
    { "oe_options_set_model_file", oe_options_set_model_file, NULL, "", NULL, 0 },
    { "oe_options_set_backend", NULL, oe_options_set_backend, NULL, NULL, 2 },
    { "oe_options_set_allow_http", NULL, oe_options_set_allow_http, NULL, NULL, -1 },
    { "oe_options_set_trust", NULL, oe_options_set_trust, NULL, NULL, 9 },
};

static void refusals_are_remembered(void)
{
    for (size_t n = 0; n < sizeof setters / sizeof *setters; n++) {
        const setter *s = &setters[n];
        int one = 1;
        oe_client *client = (oe_client *)&one;
        oe_error error = OE_ERROR_INIT;
        oe_options *o = oe_options_new();
        IS(oe_options_set_api_key(o, "k"), OE_OK);
        for (int again = 0; again < 2; again++)
            IS(s->text ? s->text(o, s->bad) : s->number(o, s->bad_number), OE_ERR_ARGUMENT);
        IS(oe_options_set_workers(o, 65), OE_ERR_ARGUMENT); /* is not remembered, and takes nothing back */
        IS(oe_options_set_workers(o, 2), OE_OK);
        for (int again = 0; again < 2; again++) { /* asking does not change it either */
            IS(oe_client_new(o, &client), OE_ERR_ARGUMENT);
            CHECK(client == NULL);
            IS(oe_last_error(&error), OE_OK);
            CHECK(error.status == OE_ERR_ARGUMENT && strstr(error.text, s->name));
            CHECK(!s->bad || strlen(s->bad) < 4 || !strstr(error.text, s->bad));
        }
        IS(s->text ? s->text(o, s->good) : s->number(o, 0), OE_OK);
        IS(oe_client_new(o, &client), OE_OK);
        oe_client_free(client);
        oe_options_free(o);
    }
}

static void wrong_arguments(oe_client *client, oe_context *context)
{
    oe_result result = OE_RESULT_INIT;
    oe_info info = OE_INFO_INIT;
    oe_error error = OE_ERROR_INIT;
    oe_usage usage = OE_USAGE_INIT;
    oe_context *none = context;
    uint32_t ms;
    size_t needed;
    char text[16];
    IS(oe_process_jpeg(NULL, jpeg, jpeg_len, &result), OE_ERR_HANDLE);
    IS(oe_process_jpeg((oe_context *)client, jpeg, jpeg_len, &result), OE_ERR_HANDLE);
    IS(oe_process_jpeg(context, NULL, 5, &result), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg(context, jpeg, 0, &result), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, NULL), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg_at(context, jpeg, jpeg_len, -1, &result), OE_ERR_ARGUMENT);
    IS(oe_process_jpeg(context, (const uint8_t *)"GIF89a", 6, &result), OE_ERR_NOT_JPEG);
    IS(oe_process_jpeg_at(context, jpeg, jpeg_len, 1, &result), OE_ERR_STALE_FRAME);
    result.struct_size = 3;
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_ERR_ABI);
    IS(oe_context_create(client, 6, 0, &none), OE_ERR_ARGUMENT);
    CHECK(none == NULL);
    IS(oe_context_create(client, 0, -1, &none), OE_ERR_ARGUMENT);
    IS(oe_context_create(client, 0, 0, NULL), OE_ERR_ARGUMENT);
    IS(oe_context_create(NULL, 0, 0, &none), OE_ERR_HANDLE);
    IS(oe_context_due_in_ms(context, NULL), OE_ERR_ARGUMENT);
    IS(oe_context_due_in_ms(NULL, &ms), OE_ERR_HANDLE);
    IS(oe_client_create_due_in_ms(client, NULL), OE_ERR_ARGUMENT);
    IS(oe_context_set_interval_sec(context, 1209601), OE_ERR_ARGUMENT);
    IS(oe_context_save(context, NULL, 0, NULL), OE_ERR_ARGUMENT);
    IS(oe_context_save(context, text, sizeof text, &needed), OE_ERR_BUFFER);
    CHECK(needed > sizeof text && strlen(text) < sizeof text);
    IS(oe_context_restore(client, NULL, &none), OE_ERR_ARGUMENT);
    IS(oe_context_restore(client, "nonsense", &none), OE_ERR_ARGUMENT);
    IS(oe_context_info(context, NULL), OE_ERR_ARGUMENT);
    IS(oe_context_info(NULL, &info), OE_ERR_HANDLE);
    IS(oe_client_usage(client, NULL), OE_ERR_ARGUMENT);
    IS(oe_client_usage(NULL, &usage), OE_ERR_HANDLE);
    IS(oe_client_check_key(NULL), OE_ERR_HANDLE);
    IS(oe_client_clear_latch(NULL), OE_ERR_HANDLE);
    IS(oe_context_wait_due(NULL), OE_ERR_HANDLE);
    IS(oe_context_cancel(NULL), OE_ERR_HANDLE);
    IS(oe_context_renew(NULL), OE_ERR_HANDLE);
    IS(oe_context_last_error(NULL, &error), OE_ERR_HANDLE);
    IS(oe_context_last_error(context, &error), OE_OK);
    CHECK(error.status < 0 && error.text[0]);
}

static void forked(oe_client *client, oe_context *context)
{
#ifdef _WIN32
    (void)client, (void)context; /* which has no fork */
#else
    pid_t child = fork();
    if (child == 0) {
        uint32_t ms;
        int bad = oe_context_due_in_ms(context, &ms) != OE_ERR_FORKED;
        bad |= oe_client_cancel(client) != OE_ERR_FORKED;
        oe_context_free(context);
        oe_client_free(client);
        oe_options *own = oe_options_new();
        bad |= oe_options_set_workers(own, 2) != OE_OK;
        oe_options_free(own);
        _exit(bad);
    }
    int status = 1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
}

static void one_print(const char *url)
{
    int one = 1;
    char saved[8193];
    size_t needed = 0;
    uint32_t ms = 1;
    oe_client *client = NULL;
    oe_context *context = NULL, *restored = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_info info = OE_INFO_INIT;
    oe_usage usage = OE_USAGE_INIT;
    oe_options *o = oe_options_new();
    frees = 0;
    IS(oe_options_set_log(o, OE_LOG_TRACE, on_log, &one, on_free), OE_OK);
    IS(oe_options_set_api_key(o, " SECRETKEY "), OE_OK);
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_client_new(o, &client), OE_ERR_ARGUMENT); /* plain http without consent */
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    IS(oe_client_check_key(client), OE_OK);
    IS(oe_context_create(client, 1, 5, &context), OE_OK);
    wrong_arguments(client, context);
    oe_result_init(&result, sizeof result);
    IS(oe_context_due_in_ms(context, &ms), OE_OK);
    CHECK(ms == 0);
    inside = context;
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_OK);
    inside = NULL;
    CHECK(result.print_quality == 8 && result.score == 5 && result.next_due_ms > 19000);
    CHECK(result.frame_age_ms >= result.latency_ms); /* from the call, without a capture time */
    CHECK(result.minimum_interval_sec == 5 && result.recommended_interval_sec == 20);
    IS(oe_process_jpeg(context, jpeg, jpeg_len, &result), OE_NOT_DUE);
    IS(oe_context_info(context, &info), OE_OK);
    CHECK(info.calls == 1 && info.last_quality == 8 && info.last_status == OE_OK && info.due_in_ms > 0);
    IS(oe_context_set_interval_sec(context, 5), OE_OK);
    IS(oe_context_save(context, saved, sizeof saved, &needed), OE_OK);
    CHECK(strlen(saved) == needed && !strstr(saved, "SECRETKEY"));
    IS(oe_context_restore(client, saved, &restored), OE_OK);
    IS(oe_context_renew(restored), OE_OK);
    oe_context_free(restored);
    forked(client, context);
    IS(oe_client_usage(client, &usage), OE_OK);
    CHECK(usage.contexts == 1 && usage.processed == 1 && usage.creates == 3 && usage.latched == OE_OK);
    IS(oe_client_clear_latch(client), OE_OK);
    oe_client_free(client);
    IS(oe_client_cancel(client), OE_ERR_HANDLE);
    IS(oe_context_cancel(context), OE_OK); /* the context lives on */
    CHECK(frees == 0);
    oe_context_free(context);
    oe_context_free(context);
    IS(oe_context_cancel(context), OE_ERR_HANDLE);
    CHECK(frees == 1 && lines > 3);
}

int main(int argc, char **argv)
{
    FILE *file = argc > 2 ? fopen(argv[2], "rb") : NULL;
    if (!file) return 2;
    jpeg_len = fread(jpeg, 1, sizeof jpeg, file);
    fclose(file);
    version();
    statuses();
    structs();
    options();
    refusals_are_remembered();
    one_print(argv[1]);
    printf("%d failed\n", failures);
    return failures != 0;
}
