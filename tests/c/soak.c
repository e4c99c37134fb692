/* argv[2] rounds of create, process, free against argv[1]; memory, descriptors and threads must
 * be at the end what they were after the first tenth. */
#include <dirent.h>
#include <oe_process.h>
#include <stdio.h>
#include <stdlib.h>

static int entries(const char *path)
{
    int n = 0;
    DIR *dir = opendir(path);
    while (dir && readdir(dir)) n++;
    if (dir) closedir(dir);
    return n;
}

static long rss_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return pages * 4;
}

int main(int argc, char **argv)
{
    static uint8_t jpeg[20000] = { 0xFF, 0xD8, 0xFF };
    long rounds = argc == 3 ? atol(argv[2]) : 0, rss = 0, fds = 0, threads = 0;
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    if (oe_options_set_api_key(o, "k") || oe_options_set_endpoint(o, argv[1]) ||
        oe_options_set_allow_http(o, 1) || oe_client_new(o, &client))
        return 2;
    oe_options_free(o);
    for (long n = 0; n < rounds; n++) {
        oe_context *context = NULL;
        oe_result result = OE_RESULT_INIT;
        oe_status status = oe_context_create(client, 0, 0, &context);
        if (status == OE_OK) status = oe_process_jpeg(context, jpeg, sizeof jpeg, &result);
        oe_context_free(context);
        if (status != OE_OK) return printf("round %ld: %s\n", n, oe_status_name(status)), 1;
        if (n == rounds / 10) {
            rss = rss_kb(), fds = entries("/proc/self/fd"), threads = entries("/proc/self/task");
            printf("round %ld: rss %ld KB, descriptors %ld, threads %ld\n", n, rss, fds - 2, threads - 2);
        }
    }
    long grown = rss_kb() - rss, more = entries("/proc/self/fd") - fds;
    long started = entries("/proc/self/task") - threads;
    printf("round %ld: rss %+ld KB, descriptors %+ld, threads %+ld\n", rounds, grown, more, started);
    oe_client_free(client);
    return grown > 512 || more > 0 || started > 0;
}
