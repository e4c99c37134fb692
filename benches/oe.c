/* This library, through its C ABI. Pacing allows a context one call in its interval, so each call has a context of its own. */
#include "peer.h"

#include <oe_process.h>

static oe_client *client;
static oe_context **contexts;

static void prepare(void)
{
    oe_options *o = oe_options_new();
    contexts = (oe_context **)calloc((size_t)calls, sizeof *contexts);
    if (oe_options_set_api_key(o, "bench-key") || oe_options_set_endpoint(o, url) || oe_options_set_allow_http(o, 1) ||
        (*ca_file && oe_options_set_ca_file(o, ca_file)) || oe_client_new(o, &client))
        die("no client");
    oe_options_free(o);
    for (int n = 0; n < calls; n++)
        if (oe_context_create(client, 0, 0, &contexts[n])) die("no context");
}

static int call(int printer, int thread, verdict *out)
{
    oe_result r = OE_RESULT_INIT;
    (void)thread;
    if (oe_process_jpeg(contexts[printer], jpeg, jpeg_len, &r) != OE_OK) return 0;
    out->quality = r.print_quality;
    out->score = r.score;
    out->minimum = (int)r.minimum_interval_sec;
    out->recommended = (int)r.recommended_interval_sec;
    out->warning = r.warning_suggested;
    out->pause = r.pause_suggested;
    return 1;
}

static void tidy(void)
{
    for (int n = 0; n < calls; n++) oe_context_free(contexts[n]);
    oe_client_free(client);
}
