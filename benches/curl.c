/* libcurl and cJSON, as a host author would write it. */
#include "peer.h"

#include <cjson/cJSON.h>
#include <curl/curl.h>

static CURL *shared[64], **printers;

typedef struct answer {
    char text[4096];
    size_t len;
} answer;

static size_t keep(char *data, size_t size, size_t count, void *to)
{
    answer *a = to;
    if (a->len + size * count >= sizeof a->text) return 0;
    memcpy(a->text + a->len, data, size * count);
    a->len += size * count;
    return size * count;
}

static CURL *handle(void)
{
    CURL *curl = curl_easy_init();
    if (!curl) die("no handle");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    if (*ca_file) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
    return curl;
}

static void prepare(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!strcmp(mode, "printers")) printers = calloc((size_t)calls, sizeof *printers);
}

static int number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valueint : -1;
}

static int flag(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : -1;
}

static int read_verdict(const char *text, verdict *out)
{
    cJSON *all = cJSON_Parse(text);
    const cJSON *interval = cJSON_GetObjectItemCaseSensitive(all, "NextProcessIntervalSec");
    out->quality = number(all, "PrintQuality");
    out->score = number(all, "Score");
    out->minimum = number(interval, "Minimum");
    out->recommended = number(interval, "Recommended");
    out->warning = flag(all, "WarningSuggested");
    out->pause = flag(all, "PauseSuggested");
    cJSON_Delete(all);
    return 1;
}

static int call(int printer, int thread, verdict *out)
{
    char to[256];
    long status = 0;
    answer a;
    a.len = 0;
    CURL **kept = printers ? &printers[printer] : &shared[thread];
    CURL *curl = !strcmp(mode, "each") ? handle() : *kept ? *kept : (*kept = handle());
    struct curl_slist *headers = curl_slist_append(NULL, "X-API-Key: bench-key");
    headers = curl_slist_append(headers, "Expect:");
    curl_mime *mime = curl_mime_init(curl);
    curl_mimepart *part = curl_mime_addpart(mime);
    curl_mime_name(part, "image");
    curl_mime_filename(part, "print.jpg");
    curl_mime_type(part, "image/jpeg");
    curl_mime_data(part, (const char *)jpeg, jpeg_len);
    snprintf(to, sizeof to, "%s/p/%d", url, printer);
    curl_easy_setopt(curl, CURLOPT_URL, to);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, mime);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_mime_free(mime);
    curl_slist_free_all(headers);
    if (!strcmp(mode, "each")) curl_easy_cleanup(curl);
    a.text[a.len] = '\0';
    return code == CURLE_OK && status == 200 && read_verdict(a.text, out);
}

static void tidy(void)
{
    for (int n = 0; n < 64; n++)
        if (shared[n]) curl_easy_cleanup(shared[n]);
    for (int n = 0; printers && n < calls; n++)
        if (printers[n]) curl_easy_cleanup(printers[n]);
    free(printers);
    curl_global_cleanup();
}
