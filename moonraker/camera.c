#define _POSIX_C_SOURCE 200809L

#include "camera.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cjson/cJSON.h>

enum { MAX_IMAGE = 6291456 }; /* bytes; the library takes no larger ones */

int camera_from_config(const printer_config *config, camera *out)
{
    snprintf(out->name, sizeof out->name, "%s", config->camera_name[0] ? config->camera_name : "configured");
    snprintf(out->url, sizeof out->url, "%s", config->camera_url);
    return out->url[0] != '\0';
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

/* An address of Moonraker's list. One without a host is on the web server of the printer's host, which listens on port 80. */
static int resolve(const printer_config *config, const char *address, char *out, size_t cap)
{
    CURLU *url = curl_url();
    char *text = NULL;
    int good = *address && url && !curl_url_set(url, CURLUPART_URL, config->moonraker, 0);
    if (good && !strstr(address, "://")) {
        good = !curl_url_set(url, CURLUPART_SCHEME, "http", 0) && !curl_url_set(url, CURLUPART_PORT, NULL, 0) &&
               !curl_url_set(url, CURLUPART_URL, "/", 0);
    }
    good = good && !curl_url_set(url, CURLUPART_URL, address, 0) && !curl_url_get(url, CURLUPART_URL, &text, 0) &&
           strncasecmp(text, "http", 4) == 0 && strlen(text) < cap;
    if (good) snprintf(out, cap, "%s", text);
    curl_free(text);
    curl_url_cleanup(url);
    return good;
}

/* Only these show a stream of pictures that is one of JPEGs. */
static int streams_jpeg(const cJSON *webcam)
{
    const char *service = text_of(webcam, "service");
    return !strncmp(service, "mjpeg", 5) || !strcmp(service, "uv4l-mjpeg") || !strcmp(service, "ipstream");
}

static int use(const printer_config *config, const cJSON *webcam, camera *out)
{
    snprintf(out->name, sizeof out->name, "%s", text_of(webcam, "name"));
    return resolve(config, text_of(webcam, "snapshot_url"), out->url, sizeof out->url) ||
           (streams_jpeg(webcam) && resolve(config, text_of(webcam, "stream_url"), out->url, sizeof out->url));
}

const char *camera_choose(const printer_config *config, const request *answer, camera *out)
{
    static char why[160];
    cJSON *json = answer->code == CURLE_OK ? cJSON_ParseWithLength((const char *)answer->body, answer->len) : NULL;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "result"), *webcam = NULL;
    list = cJSON_GetObjectItemCaseSensitive(list, "webcams");
    int found = 0, disabled = 0, unusable = 0;
    cJSON_ArrayForEach(webcam, list) {
        if (config->camera_name[0] && strcmp(text_of(webcam, "name"), config->camera_name) != 0) continue;
        if (cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(webcam, "enabled"))) disabled++;
        else if (use(config, webcam, out)) found = 1;
        else unusable++;
        if (found) break;
    }
    cJSON_Delete(json);
    if (found) return NULL;
    memset(out, 0, sizeof *out);
    if (answer->code != CURLE_OK) return moonraker_trouble(answer, why, sizeof why);
    if (unusable) return "it has neither a snapshot address nor a stream of JPEGs";
    if (disabled) return "it is disabled in the settings of the web interface";
    if (config->camera_name[0]) {
        snprintf(why, sizeof why, "Moonraker knows no camera with the name %s", config->camera_name);
        return why;
    }
    return "Moonraker knows no camera: add one in the settings of the web interface, or set url in [camera]";
}

void camera_take(const moonraker *m, const camera *from, request *r, answered *done, void *user_data)
{
    ask asked = { .url = from->url, .user = m->config->camera_user, .password = m->config->camera_password, .picture = 1,
                  .most = MAX_IMAGE, .time_ms = m->config->camera_timeout_ms, .done = done, .user_data = user_data };
    http_send(m->multi, r, &asked);
}

void camera_show(const camera *which, char *buf, size_t cap)
{
    CURLU *url = curl_url();
    char *text = NULL;
    int good = url && !curl_url_set(url, CURLUPART_URL, which->url, CURLU_GUESS_SCHEME) &&
               !curl_url_set(url, CURLUPART_USER, NULL, 0) && !curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) &&
               !curl_url_set(url, CURLUPART_QUERY, NULL, 0) && !curl_url_get(url, CURLUPART_URL, &text, 0);
    snprintf(buf, cap, "%s", good ? text : "its address");
    curl_free(text);
    curl_url_cleanup(url);
}
