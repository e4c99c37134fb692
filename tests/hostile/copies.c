/* How often an image is copied: copies REPORT URL, with benches/count.c loaded before. A call allocates nothing of the image's size,
 * a submit the image once. */
#include "hostile.h"

extern void count_from_here(void) __attribute__((weak));
extern void count_result(long *bytes, long *peak) __attribute__((weak));

int main(int argc, char **argv)
{
    oe_result result = OE_RESULT_INIT;
    oe_context *context = NULL;
    oe_monitor *monitor = NULL;
    long bytes = 0, peak = 0;
    if (argc < 3 || !count_from_here || !(report = fopen(argv[1], "w"))) return 2;
    make_jpeg();
    oe_client *client = client_of(argv[2], 20000, getenv("OE_CA_FILE"));
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    count_from_here();
    IS(oe_process_jpeg(context, jpeg, sizeof jpeg, &result), OE_OK);
    count_result(&bytes, &peak);
    if (peak > 130000) FAIL("a call held %ld bytes", peak);
    IS(oe_monitor_start(client, 0, 0, 0, &monitor), OE_OK);
    nap(300); /* its context is made */
    count_from_here();
    IS(oe_monitor_submit(monitor, jpeg, sizeof jpeg, 0), OE_OK);
    count_result(&bytes, &peak);
    if (peak < (long)sizeof jpeg || peak > (long)sizeof jpeg + 200000) FAIL("a submit held %ld bytes", peak);
    oe_monitor_free(monitor);
    oe_context_free(context);
    oe_client_free(client);
    return finish();
}
