/* The least that the job takes: a socket, OpenSSL if the URL is https, a request that is ready but for its number, and an answer of
 * which only the known places are read. One thread; it connects again when the server says that it closes. */
#include "peer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

static int fd = -1, secure, port;
static SSL_CTX *context;
static SSL *ssl;
static SSL_SESSION *session;
static char *request, *digits;
static size_t request_len;

static int remember(SSL *of, SSL_SESSION *new)
{
    (void)of;
    if (session) SSL_SESSION_free(session);
    session = new;
    return 1;
}

static void prepare(void)
{
    static const char head[] = "--floor\r\nContent-Disposition: form-data; name=\"image\"; filename=\"print.jpg\"\r\n"
                               "Content-Type: image/jpeg\r\n\r\n",
                      tail[] = "\r\n--floor--\r\n";
    char host[64];
    secure = !strncmp(url, "https", 5);
    if (sscanf(strstr(url, "//") + 2, "%63[^:]:%d", host, &port) != 2) die("bad URL");
    request = malloc(jpeg_len + 1024);
    int len = sprintf(request,
                      "POST /p/00000000 HTTP/1.1\r\nHost: %s:%d\r\nX-API-Key: bench-key\r\n"
                      "Content-Type: multipart/form-data; boundary=floor\r\nContent-Length: %zu\r\n\r\n%s",
                      host, port, sizeof head - 1 + jpeg_len + sizeof tail - 1, head);
    memcpy(request + len, jpeg, jpeg_len);
    memcpy(request + len + jpeg_len, tail, sizeof tail - 1);
    request_len = (size_t)len + jpeg_len + sizeof tail - 1;
    digits = strstr(request, "00000000");
    if (!secure) return;
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(context, remember);
    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) die("no CA");
}

static void hang_up(void)
{
    if (ssl) SSL_shutdown(ssl), SSL_free(ssl), ssl = NULL;
    if (fd >= 0) close(fd);
    fd = -1;
}

static void dial(void)
{
    struct sockaddr_in to;
    int one = 1;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((uint16_t)port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) die("no connection");
    if (!secure) return;
    ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, "localhost");
    SSL_set1_host(ssl, "localhost");
    if (session) SSL_set_session(ssl, session);
    if (SSL_connect(ssl) != 1) die("no TLS");
}

static int after(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? atoi(at + strlen(name)) : -1;
}

static int truth(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at ? at[strlen(name)] == 't' : -1;
}

static int call(int printer, int thread, verdict *out)
{
    char text[4096], number[16];
    size_t done = 0, len = 0;
    const char *body = NULL;
    (void)thread;
    snprintf(number, sizeof number, "%08d", printer);
    memcpy(digits, number, 8);
    if (fd < 0) dial();
    while (done < request_len) {
        ssize_t n = secure ? SSL_write(ssl, request + done, (int)(request_len - done))
                           : send(fd, request + done, request_len - done, MSG_NOSIGNAL);
        if (n <= 0) return hang_up(), 0;
        done += (size_t)n;
    }
    for (;;) {
        ssize_t n = secure ? SSL_read(ssl, text + len, (int)(sizeof text - 1 - len)) : recv(fd, text + len, sizeof text - 1 - len, 0);
        if (n <= 0) return hang_up(), 0;
        len += (size_t)n;
        text[len] = '\0';
        body = strstr(text, "\r\n\r\n");
        if (body && strlen(body + 4) >= (size_t)after(text, "Content-Length: ")) break;
    }
    out->quality = after(body, "\"PrintQuality\":");
    out->score = after(body, "\"Score\":");
    out->minimum = after(body, "\"Minimum\":");
    out->recommended = after(body, "\"Recommended\":");
    out->warning = truth(body, "\"WarningSuggested\":");
    out->pause = truth(body, "\"PauseSuggested\":");
    if (strstr(text, "Connection: close")) hang_up();
    return after(text, "HTTP/1.1 ") == 200;
}

static void tidy(void)
{
    hang_up();
    free(request);
}
