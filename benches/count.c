/* Counts what a peer allocates, loaded before the C library: bytes asked for, and the most that was held over what was held when
 * counting began. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

static void *(*real_malloc)(size_t), *(*real_calloc)(size_t, size_t), *(*real_realloc)(void *, size_t), (*real_free)(void *);
static int (*real_aligned)(void **, size_t, size_t);
static atomic_long asked, held, most, held_at, asked_at;

/* What dlsym itself allocates before the real functions are known. */
static char early[8192];
static size_t early_used;

static void *from_early(size_t size)
{
    void *at = early + early_used;
    early_used += (size + 15) & ~(size_t)15;
    return early_used <= sizeof early ? at : NULL;
}

static int is_early(void *at) { return (char *)at >= early && (char *)at < early + sizeof early; }

static void find(void)
{
    if (real_malloc) return;
    real_calloc = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "calloc");
    real_realloc = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
    real_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
    real_aligned = (int (*)(void **, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
    real_malloc = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
}

static void *took(void *at, size_t size)
{
    if (!at) return at;
    atomic_fetch_add(&asked, (long)size);
    long now = atomic_fetch_add(&held, (long)malloc_usable_size(at)) + (long)malloc_usable_size(at), before = atomic_load(&most);
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) {}
    return at;
}

void *malloc(size_t size)
{
    static _Thread_local int finding;
    if (!real_malloc) {
        if (finding) return from_early(size);
        finding = 1;
        find();
        finding = 0;
    }
    return took(real_malloc(size), size);
}

void *calloc(size_t count, size_t size)
{
    if (!real_calloc) return from_early(count * size);
    return took(real_calloc(count, size), count * size);
}

void free(void *at)
{
    if (!at || is_early(at)) return;
    find();
    atomic_fetch_sub(&held, (long)malloc_usable_size(at));
    real_free(at);
}

void *realloc(void *at, size_t size)
{
    find();
    if (is_early(at)) {
        void *new = malloc(size);
        return new ? memcpy(new, at, size) : new;
    }
    if (at) atomic_fetch_sub(&held, (long)malloc_usable_size(at));
    return took(real_realloc(at, size), size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    find();
    int status = real_aligned(out, alignment, size);
    if (status == 0) took(*out, size);
    return status;
}

void count_from_here(void)
{
    atomic_store(&asked_at, atomic_load(&asked));
    atomic_store(&held_at, atomic_load(&held));
    atomic_store(&most, atomic_load(&held));
}

void count_result(long *bytes, long *peak)
{
    *bytes = atomic_load(&asked) - atomic_load(&asked_at);
    *peak = atomic_load(&most) - atomic_load(&held_at);
}
