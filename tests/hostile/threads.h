/* The cases of cases.c in which threads meet: workers that end, threads that are not to be had, and a log function that is
 * slow. */
#ifndef HOSTILE_THREADS_H
#define HOSTILE_THREADS_H

/* No thread is to be had beside a worker that is busy with a call that hangs: it is not asked for all the time. */
static void no_thread_beside(void)
{
    int *refused = (int *)dlsym(RTLD_DEFAULT, "oe_preload_refused");
    oe_monitor *m[4];
    oe_client *client = client_of(url, 30000, NULL);
    own_environment = 1;
    CHECK(refused && *refused == 0);
    setenv("OE_NO_THREADS", "2", 1); /* the scheduler and one worker */
    for (uint64_t n = 0; n < 4; n++) m[n] = start(client, n);
    nap(4000);
    CHECK(refused && *refused >= 1 && *refused <= 2);
    if (refused && *refused > 2) FAIL("%d threads were asked for", *refused);
    for (int n = 0; n < 4; n++) oe_monitor_free(m[n]);
    oe_client_free(client);
    unsetenv("OE_NO_THREADS");
}

/* A print that begins as the last one of its client ends is watched as any other. */
static void begins_as_ends(void)
{
    enum { CLIENTS = 100 };
    static oe_client *client[CLIENTS];
    static oe_monitor *m[CLIENTS];
    int64_t begun = now_ms();
    for (int n = 0; n < CLIENTS; n++) {
        client[n] = client_with(url, 10000, NULL, 1);
        m[n] = start(client[n], 1);
    }
    for (int n = 0; n < CLIENTS; n++) CHECK(wait_for(client[n], OE_EVENT_RESULT, NULL));
    while (now_ms() - begun < 21000) nap(100); /* prints that begin within 20 s wait for each other */
    for (int n = 0; n < CLIENTS; n++) {
        oe_monitor_free(m[n]);
        m[n] = start(client[n], 2);
    }
    for (int n = 0; n < CLIENTS; n++) {
        if (!wait_for(client[n], OE_EVENT_RESULT, NULL)) FAIL("print %d is not watched", n);
        oe_monitor_free(m[n]);
        oe_client_free(client[n]);
    }
}

/* ---- a log function that takes 20 ms a line ---- */

static struct {
    pthread_mutex_t lock;
    int inside, lines, freed;
    int64_t longest;
    oe_client *client;
} slow = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void on_slow_log(void *user_data, int32_t level, const char *text)
{
    (void)user_data, (void)level;
    pthread_mutex_lock(&slow.lock);
    CHECK(slow.inside++ == 0 && slow.freed == 0);
    slow.lines += strstr(text, " lines of this log were dropped") ? atoi(text) : 1;
    pthread_mutex_unlock(&slow.lock);
    nap(20);
    pthread_mutex_lock(&slow.lock);
    slow.inside--;
    pthread_mutex_unlock(&slow.lock);
}

static void on_slow_freed(void *user_data)
{
    (void)user_data;
    pthread_mutex_lock(&slow.lock);
    slow.freed++;
    pthread_mutex_unlock(&slow.lock);
}

static int slow_and_unfreed(void)
{
    pthread_mutex_lock(&slow.lock);
    int left = 1 - slow.freed;
    pthread_mutex_unlock(&slow.lock);
    return left;
}

static void *create_often(void *unused)
{
    for (int n = 0; n < 40; n++) {
        oe_context *context = NULL;
        int64_t begun = now_ms();
        IS(oe_context_create(slow.client, 0, 0, &context), OE_OK);
        int64_t took = now_ms() - begun;
        pthread_mutex_lock(&slow.lock);
        if (took > slow.longest) slow.longest = took;
        pthread_mutex_unlock(&slow.lock);
        oe_context_free(context);
    }
    return unused;
}

static void slow_log(void)
{
    pthread_t thread[4], canceller;
    oe_client *hanging = NULL, *cancelled = NULL;
    oe_context *context = NULL;
    oe_options *o = oe_options_new();
    IS(oe_options_set_api_key(o, "SECRETKEY"), OE_OK);
    IS(oe_options_set_allow_http(o, 1), OE_OK);
    IS(oe_options_set_log(o, OE_LOG_TRACE, on_slow_log, NULL, on_slow_freed), OE_OK);
    IS(oe_options_set_endpoint(o, url), OE_OK);
    IS(oe_client_new(o, &slow.client), OE_OK);
    IS(oe_options_set_endpoint(o, more), OE_OK);
    IS(oe_client_new(o, &cancelled), OE_OK);
    IS(oe_options_set_timeout_ms(o, 1000), OE_OK);
    IS(oe_client_new(o, &hanging), OE_OK);
    oe_options_free(o);
    for (int n = 0; n < 4; n++) pthread_create(&thread[n], NULL, create_often, NULL);
    int64_t begun = now_ms();
    IS(oe_context_create(hanging, 0, 0, &context), OE_ERR_TIMEOUT);
    CHECK(now_ms() - begun < 1000 + 500);
    pthread_create(&canceller, NULL, cancel_later, cancelled);
    begun = now_ms();
    IS(oe_context_create(cancelled, 0, 0, &context), OE_CANCELLED);
    CHECK(now_ms() - begun < 300 + 500);
    pthread_join(canceller, NULL);
    for (int n = 0; n < 4; n++) pthread_join(thread[n], NULL);
    if (slow.longest > 1000) FAIL("a create took %d ms", (int)slow.longest);
    oe_client_free(slow.client);
    oe_client_free(cancelled);
    begun = now_ms();
    oe_client_free(hanging); /* the last that logs: what is queued is written or counted, and the data is freed */
    CHECK(now_ms() - begun < 2000);
    CHECK(soon(slow_and_unfreed, 0) && slow.lines >= 160);
}

#endif
