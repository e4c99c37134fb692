/* One fault each, in a process of its own: cases REPORT NAME URL [more]. The host around the library must be the same
 * before and after. */
#include "hostile.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *url, *more;
static int own_environment; /* a case changes it itself */

/* ---- what must not change ---- */

extern char **environ;

typedef struct world {
    struct sigaction signals[65];
    sigset_t mask;
    char locale[128], cwd[1024];
    char **environment;
    size_t environment_len;
    mode_t umask;
    int descriptors, threads;
} world;

static void look(world *w)
{
    memset(w, 0, sizeof *w);
    for (int n = 1; n < 65; n++) sigaction(n, NULL, &w->signals[n]);
    pthread_sigmask(SIG_SETMASK, NULL, &w->mask);
    snprintf(w->locale, sizeof w->locale, "%s", setlocale(LC_ALL, NULL));
    if (!getcwd(w->cwd, sizeof w->cwd)) w->cwd[0] = '\0';
    w->environment = environ;
    for (char **e = environ; *e; e++) w->environment_len += strlen(*e);
    w->umask = umask(0);
    umask(w->umask);
    w->descriptors = descriptors();
    w->threads = threads();
}

static void compare(const world *before)
{
    static world after;
    CHECK(soon(threads, before->threads));
    CHECK(soon(descriptors, before->descriptors));
    look(&after);
    for (int n = 1; n < 65; n++)
        if (before->signals[n].sa_handler != after.signals[n].sa_handler) FAIL("the handler of signal %d changed", n);
    CHECK(memcmp(&before->mask, &after.mask, sizeof after.mask) == 0);
    CHECK(!strcmp(before->locale, after.locale) && !strcmp(before->cwd, after.cwd));
    CHECK(own_environment || (before->environment == after.environment && before->environment_len == after.environment_len));
    CHECK(before->umask == after.umask);
    CHECK(before->descriptors == after.descriptors);
    CHECK(before->threads == after.threads);
}

static oe_monitor *start(oe_client *client, uint64_t tag)
{
    oe_monitor *m = NULL;
    IS(oe_monitor_start(client, 0, 0, tag, &m), OE_OK);
    IS(oe_monitor_submit(m, jpeg, 20000, 0), OE_OK);
    return m;
}

static int wait_for(oe_client *client, int32_t kind, oe_error *error)
{
    oe_event event = OE_EVENT_INIT;
    for (int64_t until = now_ms() + 15000; now_ms() < until;)
        if (oe_client_next_event(client, 100, &event, NULL, error) == OE_OK && event.kind == kind) return 1;
    return 0;
}

static void *cancel_later(void *client)
{
    nap(300);
    oe_client_cancel(client);
    return NULL;
}

#include "threads.h"

/* ---- the cases ---- */

/* A print as it should be; what the others leave must be no more than this leaves. */
static void plain(void)
{
    oe_result result = OE_RESULT_INIT;
    oe_context *context = NULL;
    oe_client *client = client_of(url, 10000, NULL);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, 300000, &result), OE_OK);
    oe_monitor *m = start(client, 1);
    CHECK(wait_for(client, OE_EVENT_RESULT, NULL));
    oe_monitor_free(m);
    oe_context_free(context);
    oe_client_free(client);
}

/* A fork while monitors have calls in flight. */
static void forked(void)
{
    oe_client *client = client_of(url, 10000, NULL), *hanging = client_of(more, 10000, NULL);
    oe_monitor *m = start(client, 1), *stuck = start(hanging, 2);
    nap(300);
    for (int n = 0; n < 20; n++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            failures = 0;
            oe_event event = OE_EVENT_INIT;
            IS(oe_monitor_submit(m, jpeg, 1000, 0), OE_ERR_FORKED);
            IS(oe_client_next_event(client, 1000, &event, NULL, NULL), OE_ERR_FORKED);
            oe_monitor_free(stuck);
            oe_client_free(hanging);
            if (n == 0) { /* and a life of its own */
                oe_client *own = client_of(url, 10000, NULL);
                oe_monitor *mine = start(own, 3);
                CHECK(wait_for(own, OE_EVENT_RESULT, NULL));
                oe_monitor_free(mine);
                oe_client_free(own);
            }
            _exit(failures);
        }
        int code = 1;
        CHECK(waitpid(child, &code, 0) == child && code == 0);
    }
    CHECK(wait_for(client, OE_EVENT_RESULT, NULL)); /* the parent's went on */
    int64_t begun = now_ms();
    oe_monitor_free(stuck);
    oe_monitor_free(m);
    oe_client_free(hanging);
    oe_client_free(client);
    CHECK(now_ms() - begun < 2000);
}

/* The peer resets in the middle of an upload; SIGPIPE would end this process. */
static void sigpipe(void)
{
    oe_result result = OE_RESULT_INIT;
    oe_context *context = NULL;
    struct sigaction action;
    sigaction(SIGPIPE, NULL, &action);
    CHECK(action.sa_handler == SIG_DFL);
    oe_client *client = client_of(url, 10000, NULL);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    IS(oe_process_jpeg(context, jpeg, sizeof jpeg, &result), OE_ERR_IO);
    oe_context_free(context);
    oe_client_free(client);
}

/* Descriptors 0 to 2 are closed: a socket may get their numbers, and nothing may be written to it but requests. */
static void closed_012(void)
{
    for (int fd = 0; fd < 3; fd++) close(fd);
    plain();
    for (int fd = 0; fd < 3; fd++) CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
    open("/dev/null", O_RDWR);
    CHECK(dup(0) == 1 && dup(0) == 2);
}

/* No descriptor is to be had, then one is. */
static void no_descriptors(void)
{
    struct rlimit before, none;
    oe_context *context = NULL;
    oe_result result = OE_RESULT_INIT;
    oe_error error = OE_ERROR_INIT;
    oe_client *client = client_of(url, 5000, NULL), *other = client_of(url, 5000, NULL);
    IS(oe_context_create(client, 0, 0, &context), OE_OK);
    nap(5200); /* the idle connection is not used again after 5 s */
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &none);
    IS(oe_process_jpeg(context, jpeg, 20000, &result), OE_ERR_RESOURCES);
    CHECK(oe_client_event_fd(other) == -1);
    oe_monitor *m = start(other, 1);
    CHECK(wait_for(other, OE_EVENT_ERROR, &error));
    CHECK(error.status == OE_ERR_RESOURCES && oe_status_is_retryable(error.status));
    setrlimit(RLIMIT_NOFILE, &before);
    CHECK(oe_client_event_fd(other) >= 0);
    oe_monitor_free(m);
    IS(oe_process_jpeg(context, jpeg, 20000, &result), OE_NOT_DUE);
    oe_context_free(context);
    oe_client_free(client);
    oe_client_free(other);
    plain();
}

/* No thread is to be had: `more` is how to say so to the stand-in that is loaded before the C library. */
static void no_threads(void)
{
    oe_monitor *m = (oe_monitor *)&m;
    oe_error error = OE_ERROR_INIT;
    oe_client *client = client_of(url, 5000, NULL);
    own_environment = 1;
    setenv("OE_NO_THREADS", "0", 1);
    IS(oe_monitor_start(client, 0, 0, 1, &m), OE_ERR_RESOURCES);
    CHECK(m == NULL);
    setenv("OE_NO_THREADS", "1", 1); /* the scheduler, but no worker */
    m = start(client, 1);
    CHECK(wait_for(client, OE_EVENT_ERROR, &error) && error.status == OE_ERR_RESOURCES);
    oe_monitor_free(m);
    CHECK(soon(threads, 1));
    unsetenv("OE_NO_THREADS");
    m = start(client, 1);
    CHECK(wait_for(client, OE_EVENT_RESULT, NULL));
    oe_monitor_free(m);
    oe_client_free(client);
}

/* Memory for what is large is short: frames, and the stacks of threads. */
static void no_memory(void)
{
    struct rlimit before, little;
    oe_error error = OE_ERROR_INIT;
    unsigned long pages = 0;
    oe_client *client = client_of(url, 5000, NULL), *late = client_of(url, 5000, NULL);
    oe_monitor *m[8], *none = NULL;
    for (uint64_t n = 0; n < 8; n++) {
        IS(oe_monitor_start(client, 0, 0, n, &m[n]), OE_OK);
    }
    /* Every thread has begun, and hangs: one that begins without memory for a few bytes ends the process. */
    for (int64_t until = now_ms() + 10000; now_ms() < until && threads() < 6;) nap(10);
    CHECK(threads() == 6);
    nap(200);
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%lu", &pages) == 1);
    if (file) fclose(file);
    getrlimit(RLIMIT_AS, &before);
    little = before;
    little.rlim_cur = (rlim_t)pages * 4096 + 900 * 1024; /* less than a stack, less than a frame */
    setrlimit(RLIMIT_AS, &little);
    oe_status frame = oe_monitor_submit(m[7], jpeg, sizeof jpeg, 0);
    oe_status thread = oe_monitor_start(late, 0, 0, 99, &none);
    oe_last_error(&error);
    setrlimit(RLIMIT_AS, &before);
    IS(frame, OE_ERR_RESOURCES);
    IS(thread, OE_ERR_RESOURCES);
    CHECK(none == NULL && error.status == OE_ERR_RESOURCES);
    IS(oe_monitor_submit(m[7], jpeg, sizeof jpeg, 0), OE_OK);
    for (int n = 0; n < 8; n++) oe_monitor_free(m[n]);
    oe_client_free(client);
    oe_client_free(late);
}

/* getaddrinfo() sleeps for 40 s: the stand-in that is loaded before the C library sees to that. */
static void black_hole(void)
{
    oe_context *context = NULL;
    pthread_t thread;
    oe_client *client = client_of("http://printer.example:80", 30000, NULL);
    int64_t begun = now_ms();
    pthread_create(&thread, NULL, cancel_later, client);
    IS(oe_context_create(client, 0, 0, &context), OE_CANCELLED);
    CHECK(now_ms() - begun < 300 + 1000);
    pthread_join(thread, NULL);
    oe_client_free(client);
    client = client_of("http://printer.example:80", 1000, NULL);
    begun = now_ms();
    oe_status status = oe_context_create(client, 0, 0, &context);
    CHECK(status == OE_ERR_DNS || status == OE_ERR_TIMEOUT);
    CHECK(now_ms() - begun < 1000 + 500);
    oe_client_free(client);
    client = client_of("http://printer.example:80", 30000, NULL);
    oe_monitor *m = start(client, 1);
    nap(300);
    begun = now_ms();
    oe_monitor_free(m);
    oe_client_free(client);
    CHECK(now_ms() - begun < 1000);
    _exit(finish()); /* three look-ups are asleep; they must not keep a host from ending */
}

/* Whether a name is one of "A" or "A|B". */
static int is_one_of(const char *name, const char *names)
{
    size_t len = strlen(name);
    for (const char *at = names; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (!strncmp(at, name, len) && (at[len] == '\0' || at[len] == '|')) return 1;
    return 0;
}

/* A call against whatever the peer at `url` does; it must end as `more` says, within 2 s and half a second. */
static void call(void)
{
    oe_result result = OE_RESULT_INIT;
    oe_context *context = NULL;
    uint32_t timeout_ms = getenv("OE_SLOW") ? 60000 : 2000;
    oe_client *client = client_of(url, timeout_ms, getenv("OE_CA_FILE"));
    int64_t begun = now_ms();
    oe_status status = oe_context_create(client, 0, 0, &context);
    if (status == OE_OK) {
        begun = now_ms();
        status = oe_process_jpeg(context, jpeg, sizeof jpeg, &result);
    }
    CHECK(now_ms() - begun < timeout_ms + 500);
    if (!is_one_of(oe_status_name(status), more)) FAIL("%s, not %s", oe_status_name(status), more);
    oe_context_free(context);
    oe_client_free(client);
}

static void *call_on_small_stack(void *unused)
{
    call();
    return unused;
}

/* The same on a thread with the stack that musl gives. */
static void small_stack(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    CHECK(pthread_create(&thread, &attributes, call_on_small_stack, NULL) == 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    { "plain", plain }, { "forked", forked }, { "sigpipe", sigpipe }, { "closed_012", closed_012 },
    { "no_descriptors", no_descriptors }, { "no_threads", no_threads }, { "no_memory", no_memory },
    { "no_thread_beside", no_thread_beside }, { "begins_as_ends", begins_as_ends }, { "slow_log", slow_log },
    { "black_hole", black_hole }, { "call", call }, { "small_stack", small_stack },
};

int main(int argc, char **argv)
{
    static world before;
    if (argc < 4 || !(report = fopen(argv[1], "w"))) return 2;
    url = argv[3];
    more = argc > 4 ? argv[4] : "";
    make_jpeg();
    look(&before);
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        if (strcmp(cases[n].name, argv[2]) != 0) continue;
        cases[n].run();
        compare(&before);
        return finish();
    }
    return 2;
}
