/* What one print takes with the engine in the library: prints, in KB, how far the largest memory of the process (its program
 * text and model included, which it shares) grew over 100 looks, what of that is its own, and what each of 1,000 more contexts
 * takes, restored with what a look left. argv[1]: a picture that looks failed, of which most is remembered. */
#include <malloc.h>
#include <oe_process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 1000 };
static uint8_t picture[1 << 20];

static long status_kb(const char *what)
{
    char line[256], form[64];
    long kb = -1;
    FILE *file = fopen("/proc/self/status", "r");
    snprintf(form, sizeof form, "%s: %%ld", what);
    while (file && fgets(line, sizeof line, file)) sscanf(line, form, &kb);
    if (file) fclose(file);
    return kb;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    size_t length = file ? fread(picture, 1, sizeof picture, file) : 0;
    if (file) fclose(file);
    long idle = status_kb("VmRSS");
    oe_client *client = NULL;
    oe_options *o = oe_options_new();
    if (oe_options_set_backend(o, OE_BACKEND_EMBEDDED) || oe_client_new(o, &client)) return 2;
    oe_options_free(o);
    for (int i = 0; i < 100; i++) {
        oe_context *context = NULL;
        oe_result result = OE_RESULT_INIT;
        if (oe_context_create(client, 0, 0, &context)) return 3;
        if (oe_process_jpeg(context, picture, length, &result)) return 4;
        oe_context_free(context);
    }
    long most = status_kb("VmHWM"), own = status_kb("RssAnon");
    static oe_context *many[MANY];
    static char saved[8193];
    size_t needed = 0;
    oe_context *seen = NULL;
    oe_result result = OE_RESULT_INIT;
    if (oe_context_create(client, 0, 0, &seen) || oe_process_jpeg(seen, picture, length, &result)) return 5;
    if (oe_context_save(seen, saved, sizeof saved, &needed)) return 5;
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < MANY; i++) {
        if (oe_context_restore(client, saved, &many[i])) return 6;
    }
    long each = (long)(mallinfo2().uordblks - before) / MANY;
    printf("over idle %ld KB, of which its own %ld KB; each of %d more contexts %ld bytes\n", most - idle, own, MANY, each);
    oe_client_free(client);
    return most - idle > 16 * 1024 || each < 500 || each > 4096;
}
