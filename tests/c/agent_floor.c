/* What an agent's memory is compared with: a program that has asked once by libcurl, has had the engine look at one picture, and
 * then does nothing. */
#define _POSIX_C_SOURCE 200809L
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <oe_process.h>

static size_t drop(char *bytes, size_t one, size_t len, void *user_data)
{
    (void)bytes, (void)user_data;
    return one * len;
}

static void ask(const char *url)
{
    CURLM *multi = curl_multi_init();
    CURL *easy = curl_easy_init();
    int running = 1;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_multi_add_handle(multi, easy);
    while (running && !curl_multi_perform(multi, &running)) curl_multi_poll(multi, NULL, 0, 100, NULL);
}

/* A monitor's looks are on a thread of the library, and so are those of an agent. */
static oe_status look(const char *picture)
{
    oe_options *options = oe_options_new();
    oe_client *client = NULL;
    oe_monitor *print = NULL;
    oe_event event = OE_EVENT_INIT;
    size_t cap = 1 << 20, len = 0;
    uint8_t *jpeg = malloc(cap);
    FILE *file = fopen(picture, "rb");
    if (file && jpeg) len = fread(jpeg, 1, cap, file);
    if (file) fclose(file);
    oe_status status = oe_options_set_backend(options, OE_BACKEND_EMBEDDED);
    if (status == OE_OK) status = oe_options_set_workers(options, 1);
    if (status == OE_OK) status = oe_client_new(options, &client);
    if (status == OE_OK) status = oe_monitor_start(client, 0, 0, 1, &print);
    if (status == OE_OK) status = oe_monitor_submit(print, jpeg, len, 0);
    while (status == OE_OK && event.kind != OE_EVENT_RESULT) status = oe_client_next_event(client, 60000, &event, NULL, NULL);
    oe_options_free(options);
    free(jpeg);
    return status; /* client and print stay, as in a program that watches */
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    ask(argv[1]);
    oe_status status = look(argv[2]);
    printf("%s\n", status == OE_OK ? "idle" : oe_status_text(status));
    fflush(stdout);
    pause();
    return 0;
}
