/* What POSIX and Windows say differently: Ctrl-C, a nap, and the files of a folder. For watch.c, which gives `stop`. */
#ifndef WATCH_PLATFORM_H
#define WATCH_PLATFORM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct file_info {
    int is_folder;
    int64_t modified_unix_ms;
} file_info;

/* Called when the user wants the program to end, on a thread of its own. */
static void stop(void);

static int is_jpeg_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return name[0] != '.' && dot && (!strcmp(dot, ".jpg") || !strcmp(dot, ".jpeg") || !strcmp(dot, ".JPG") || !strcmp(dot, ".JPEG"));
}

#ifdef _WIN32
#include <windows.h>

static BOOL WINAPI on_console(DWORD why)
{
    (void)why;
    stop();
    return TRUE;
}

static int listen_for_stop(void)
{
    return SetConsoleCtrlHandler(on_console, TRUE) ? 0 : -1;
}

static void nap_slice(void)
{
    Sleep(50);
}

static int64_t unix_ms(FILETIME time)
{
    /* Tenths of a microsecond since 1601. */
    int64_t ticks = (int64_t)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime);
    return ticks / 10000 - 11644473600000;
}

static int look(const char *path, file_info *out)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    if (!GetFileAttributesExA(path, GetFileExInfoStandard, &data)) return -1;
    out->is_folder = (data.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    out->modified_unix_ms = unix_ms(data.ftLastWriteTime);
    return 0;
}

/* Calls `visit` with the name of each picture in a folder, in no order. */
static void each_jpeg(const char *folder, void (*visit)(void *state, const char *name), void *state)
{
    char pattern[4096];
    WIN32_FIND_DATAA entry;
    snprintf(pattern, sizeof pattern, "%s\\*", folder);
    HANDLE find = FindFirstFileA(pattern, &entry);
    if (find == INVALID_HANDLE_VALUE) return;
    do
        if (is_jpeg_name(entry.cFileName)) visit(state, entry.cFileName);
    while (FindNextFileA(find, &entry));
    FindClose(find);
}

static int replace_file(const char *from, const char *to)
{
    return MoveFileExA(from, to, MOVEFILE_REPLACE_EXISTING) ? 0 : -1;
}

static int local_time(const time_t *when, struct tm *out)
{
    return localtime_s(out, when) == 0 ? 0 : -1;
}

#else
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

/* Signals go to one thread that waits for them, so no handler ever runs. */
static void *wait_for_signal(void *signals)
{
    int which = 0;
    sigwait(signals, &which);
    stop();
    return NULL;
}

static int listen_for_stop(void)
{
    static sigset_t signals;
    pthread_t thread;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (pthread_sigmask(SIG_BLOCK, &signals, NULL) != 0) return -1;
    if (pthread_create(&thread, NULL, wait_for_signal, &signals) != 0) return -1;
    return pthread_detach(thread);
}

static void nap_slice(void)
{
    const struct timespec slice = { 0, 50 * 1000000L };
    nanosleep(&slice, NULL);
}

static int look(const char *path, file_info *out)
{
    struct stat info;
    if (stat(path, &info) != 0) return -1;
    out->is_folder = S_ISDIR(info.st_mode);
    out->modified_unix_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
    return 0;
}

/* Calls `visit` with the name of each picture in a folder, in no order. */
static void each_jpeg(const char *folder, void (*visit)(void *state, const char *name), void *state)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    if (!dir) return;
    while ((entry = readdir(dir)) != NULL)
        if (is_jpeg_name(entry->d_name)) visit(state, entry->d_name);
    closedir(dir);
}

static int replace_file(const char *from, const char *to)
{
    return rename(from, to);
}

static int local_time(const time_t *when, struct tm *out)
{
    return localtime_r(when, out) ? 0 : -1;
}
#endif

#endif
