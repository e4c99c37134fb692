/* Loads and unloads the library a hundred times: loading REPORT LIBRARY URL. Not linked with it. */
#include <dirent.h>
#include <dlfcn.h>
#include <oe_process.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static FILE *report;
static int failures;
#define CHECK(condition) \
    do { if (!(condition)) { failures++; fprintf(report, "%s:%d: %s\n", __FILE__, __LINE__, #condition); } } while (0)

/* The type is the header's; only the address is looked up. */
#define LOAD(name) \
    __typeof__(name) *p_##name; \
    *(void **)&p_##name = dlsym(library, #name); \
    CHECK(p_##name != NULL)

static int threads(void)
{
    int entries = -2;
    DIR *dir = opendir("/proc/self/task");
    while (dir && readdir(dir)) entries++;
    if (dir) closedir(dir);
    return entries;
}

static int mapped(const char *path)
{
    char line[1024];
    int found = 0;
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) found |= strstr(line, name) != NULL;
    if (maps) fclose(maps);
    return found;
}

static void once(const char *path, const char *url, int live)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    if (!library) return;
    LOAD(oe_options_new);
    LOAD(oe_options_free);
    LOAD(oe_options_set_api_key);
    LOAD(oe_options_set_endpoint);
    LOAD(oe_options_set_allow_http);
    LOAD(oe_client_new);
    LOAD(oe_client_free);
    LOAD(oe_monitor_start);
    LOAD(oe_monitor_free);
    oe_client *client = NULL;
    oe_monitor *monitor = NULL;
    oe_options *options = p_oe_options_new();
    CHECK(p_oe_options_set_api_key(options, "k") == OE_OK && p_oe_options_set_endpoint(options, url) == OE_OK);
    CHECK(p_oe_options_set_allow_http(options, 1) == OE_OK);
    CHECK(p_oe_client_new(options, &client) == OE_OK);
    CHECK(p_oe_monitor_start(client, 0, 0, 1, &monitor) == OE_OK);
    p_oe_options_free(options);
    if (live) dlclose(library); /* with its threads at work: what the linker was told keeps it in memory */
    nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
    p_oe_monitor_free(monitor);
    p_oe_client_free(client);
    if (!live) dlclose(library);
    CHECK(mapped(path));
}

int main(int argc, char **argv)
{
    if (argc != 4 || !(report = fopen(argv[1], "w"))) return 2;
    for (int n = 0; n < 100; n++) once(argv[2], argv[3], n % 2);
    for (int n = 0; n < 200 && threads() > 1; n++) nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
    CHECK(threads() == 1);
    fprintf(report, "%d failures\n", failures);
    fclose(report);
    return failures != 0;
}
