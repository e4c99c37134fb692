/* Many calls against a peer that breaks whatever it can: storm REPORT URL CALLS. Each call is the first of its context, and
 * so due. Eight threads. A create may find that the connection before it was broken too: that is paced per client, so its
 * thread goes on with a new one. Every outcome must be a status of the table, within its deadline. */
#include "hostile.h"

static const char *url;
static long left, outcomes[200], clients;
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

static int take(void)
{
    pthread_mutex_lock(&counting);
    int more = left-- > 0;
    pthread_mutex_unlock(&counting);
    return more;
}

static void tally(oe_status status)
{
    int known = strcmp(oe_status_name(status), "OE_STATUS_UNKNOWN") != 0;
    if (!known || status < -150 || status > 40) FAIL("status %d", (int)status);
    pthread_mutex_lock(&counting);
    outcomes[status + 150]++;
    pthread_mutex_unlock(&counting);
}

static oe_client *another(oe_client *before)
{
    oe_client_free(before);
    pthread_mutex_lock(&counting);
    clients++;
    pthread_mutex_unlock(&counting);
    return client_of(url, 1000, NULL);
}

static void *work(void *unused)
{
    oe_client *client = another(NULL);
    while (take()) {
        oe_context *context = NULL;
        oe_result result = OE_RESULT_INIT;
        for (oe_status status; (status = oe_context_create(client, 0, 0, &context)) != OE_OK; client = another(client))
            if (status != OE_ERR_IO) FAIL("create: %s", oe_status_name(status));
        int64_t begun = now_ms();
        tally(oe_process_jpeg(context, jpeg, 1000 + (size_t)(begun % 7) * 9000, &result));
        if (now_ms() - begun > 1000 + 700) FAIL("a call took %ld ms", (long)(now_ms() - begun));
        IS(oe_process_jpeg(context, jpeg, 1000, &result), OE_NOT_DUE); /* nothing ever comes early */
        oe_context_free(context);
    }
    oe_client_free(client);
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t all[8];
    if (argc != 4 || !(report = fopen(argv[1], "w"))) return 2;
    make_jpeg();
    left = strtol(argv[3], NULL, 10);
    int fds = descriptors();
    url = argv[2];
    for (int n = 0; n < 8; n++) pthread_create(&all[n], NULL, work, NULL);
    for (int n = 0; n < 8; n++) pthread_join(all[n], NULL);
    CHECK(soon(threads, 1));
    CHECK(soon(descriptors, fds));
    for (int n = 0; n < 200; n++)
        if (outcomes[n]) fprintf(report, "%s %ld\n", oe_status_name(n - 150), outcomes[n]);
    fprintf(report, "clients %ld\n", clients);
    return finish();
}
