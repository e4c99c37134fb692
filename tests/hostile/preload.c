/* Loaded before the C library: a resolver that sleeps for 40 s, and threads that are not to be had. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!getenv("OE_SLOW_RESOLVER")) {
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
        return real(node, service, hints, out);
    }
    sleep(40);
    return EAI_AGAIN;
}

/* How often a thread was asked for in vain. */
int oe_preload_refused;

/* OE_NO_THREADS is how many may still be started; each one that is counts it down. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *data)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    char *left = getenv("OE_NO_THREADS");
    if (left && *left == '0') {
        oe_preload_refused++;
        return EAGAIN;
    }
    if (left) --*left;
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, run, data);
}
