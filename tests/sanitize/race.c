/* A race on purpose: two threads have the library write one structure at the same time. */
#include <oe_process.h>
#include <pthread.h>

static oe_error shared = OE_ERROR_INIT;

static void *write_it(void *unused)
{
    (void)unused;
    for (int i = 0; i < 1000; i++) oe_last_error(&shared);
    return NULL;
}

int main(void)
{
    pthread_t other;
    pthread_create(&other, NULL, write_it, NULL);
    write_it(NULL);
    return pthread_join(other, NULL);
}
