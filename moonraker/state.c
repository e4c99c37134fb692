#define _POSIX_C_SOURCE 200809L

#include "state.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

enum { SLACK_MS = 60000 }; /* of the printer's clock against ours */

/* Lines: the file that is printing; a time, for how long it was printing then, up to when it is to be paused; the text. */
int state_save(const char *path, const print_state *print, const char *saved)
{
    char temporary[MAX_PATH];
    if (snprintf(temporary, sizeof temporary, "%s.new", path) >= (int)sizeof temporary) return -1;
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!file) return -1;
    int good = fprintf(file, "%s\n%" PRId64 " %" PRId64 " %" PRId64 "\n%s", print->file, print->polled_unix_ms,
                       print->printing_ms, print->pause_until, saved) > 0 && fflush(file) == 0 && fsync(fd) == 0;
    good &= fclose(file) == 0;
    if (good && rename(temporary, path) == 0) return 0;
    unlink(temporary);
    return -1;
}

int state_load(const char *path, print_state *print, char *saved, int cap)
{
    char name[sizeof print->file + 1], numbers[80];
    int64_t polled_at = 0, printing_ms = 0, pause_until = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return 0;
    int good = fgets(name, sizeof name, file) && fgets(numbers, sizeof numbers, file) &&
               sscanf(numbers, "%" SCNd64 " %" SCNd64 " %" SCNd64, &polled_at, &printing_ms, &pause_until) == 3;
    size_t len = good ? fread(saved, 1, (size_t)cap - 1, file) : 0;
    saved[len] = '\0';
    fclose(file);
    if (len == 0) return 0;
    name[strcspn(name, "\n")] = '\0';
    int64_t late = (print->printing_ms - printing_ms) - (print->polled_unix_ms - polled_at);
    if (strcmp(name, print->file) != 0 || print->printing_ms < printing_ms || late > SLACK_MS || late < -SLACK_MS) return 0;
    print->pause_until = pause_until;
    return 1;
}
