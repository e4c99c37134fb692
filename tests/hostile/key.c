/* Where the API key is left: key REPORT URL. While a client lives its key is in memory; when it is gone, nowhere on the
 * heap. The program itself has the key only in disguise, and looks for it byte by byte. */
#include "hostile.h"

#include <fcntl.h>

/* "ThisKeyIsSecret.0123456789", each letter moved by one. */
static const unsigned char disguised[] = "UijtLfzJtTfdsfu/123456789:";
enum { LEN = sizeof disguised - 1 };

static int is_key(const unsigned char *at)
{
    for (size_t n = 0; n < LEN; n++)
        if (at[n] + 1 != disguised[n]) return 0;
    return 1;
}

/* Sees what would be found by whoever reads this process's memory: every writable page but the stacks of this program. */
static int places(void)
{
    int found = 0, memory = open("/proc/self/mem", O_RDONLY);
    unsigned long from, to;
    char line[512], mode[8];
    unsigned char *copy = NULL;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' || strstr(line, "[stack]")) continue;
        copy = realloc(copy, to - from);
        ssize_t len = pread(memory, copy, to - from, (off_t)from);
        for (ssize_t n = 0; n + LEN <= len; n++) found += is_key(copy + n);
        /* What was copied must not be found a second time. */
        memset(copy, 0, to - from);
    }
    free(copy);
    if (maps) fclose(maps);
    close(memory);
    return found;
}

int main(int argc, char **argv)
{
    static oe_result result = OE_RESULT_INIT;
    oe_client *client = NULL;
    oe_context *context = NULL;
    if (argc < 3 || !(report = fopen(argv[1], "w"))) return 2;
    make_jpeg();
    CHECK(places() == 0);
    oe_options *o = oe_options_new();
    char key[LEN + 1] = { 0 };
    for (size_t n = 0; n < LEN; n++) key[n] = (char)(disguised[n] - 1);
    IS(oe_options_set_api_key(o, key), OE_OK);
    memset(key, 0, sizeof key);
    IS(oe_options_set_endpoint(o, argv[2]), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    if (getenv("OE_CA_FILE")) IS(oe_options_set_ca_file(o, getenv("OE_CA_FILE")), OE_OK);
    IS(oe_client_new(o, &client), OE_OK);
    oe_options_free(o);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, 20000, &result), OE_OK);
    CHECK(places() > 0); /* It looks, and finds. */
    oe_context_free(context);
    oe_client_free(client);
    int left = places();
    if (left != 0) FAIL("the key is still in %d places", left);
    return finish();
}
