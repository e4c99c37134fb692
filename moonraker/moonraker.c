#define _POSIX_C_SOURCE 200809L

#include "moonraker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum {
    MAX_ANSWER = 2097152,   /* a large printer.cfg is a few hundred KB */
    ANSWER_TIME_MS = 5000,
    /* G-code is answered when Klipper has carried it out, behind what it is at: a bed that heats takes minutes. Asked again, it
     * would be carried out twice. */
    COMMAND_TIME_MS = 1800000
};

int moonraker_open(moonraker *m, CURLM *multi, const printer_config *config)
{
    char header[MAX_SECRET + 16];
    m->multi = multi;
    m->config = config;
    m->headers = NULL;
    if (!config->moonraker_key[0]) return 0;
    snprintf(header, sizeof header, "X-Api-Key: %s", config->moonraker_key);
    m->headers = curl_slist_append(NULL, header);
    return m->headers ? 0 : -1;
}

void moonraker_close(moonraker *m)
{
    curl_slist_free_all(m->headers);
    m->headers = NULL;
}

void moonraker_send(const moonraker *m, request *r, const char *path, int post, answered *done, void *user_data)
{
    char url[MAX_URL * 2];
    size_t len = strlen(m->config->moonraker);
    while (len > 0 && m->config->moonraker[len - 1] == '/') len--;
    snprintf(url, sizeof url, "%.*s%s", (int)len, m->config->moonraker, path);
    ask asked = { .url = url, .headers = m->headers, .post = post, .most = MAX_ANSWER, .done = done, .user_data = user_data,
                  .time_ms = post ? COMMAND_TIME_MS : ANSWER_TIME_MS };
    http_send(m->multi, r, &asked);
}

void moonraker_query(const moonraker *m, request *r, answered *done, void *user_data)
{
    moonraker_send(m, r, "/printer/objects/query?print_stats=state,filename,total_duration&webhooks=state"
                         "&pause_resume=is_paused&gcode_macro%20" MUTE_MACRO "=muted", 0, done, user_data);
}

void moonraker_script(const moonraker *m, request *r, const char *script, answered *done, void *user_data)
{
    char path[MAX_URL];
    char *escaped = curl_easy_escape(NULL, script, 0);
    if (escaped && snprintf(path, sizeof path, "/printer/gcode/script?script=%s", escaped) < (int)sizeof path)
        moonraker_send(m, r, path, 1, done, user_data);
    curl_free(escaped);
}

static const cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static void copy_text(const cJSON *object, const char *name, char *to, size_t cap)
{
    const char *text = cJSON_GetStringValue(member(object, name));
    snprintf(to, cap, "%s", text ? text : "");
    for (char *c = to; *c; c++)
        if ((unsigned char)*c < ' ') *c = '?';
}

static int is_true(const cJSON *value)
{
    return cJSON_IsTrue(value) || (cJSON_IsNumber(value) && value->valuedouble != 0);
}

const char *moonraker_trouble(const request *answer, char *buf, size_t cap)
{
    if (answer->status == 401 || answer->status == 403)
        return "Moonraker asks for a login: set api_key in [moonraker], or trust this machine in moonraker.conf";
    const char *trouble = http_trouble(answer, buf, cap);
    if (answer->code != CURLE_HTTP_RETURNED_ERROR) return trouble;
    char words[120];
    cJSON *json = cJSON_ParseWithLength((const char *)answer->body, answer->len);
    copy_text(member(json, "error"), "message", words, sizeof words);
    cJSON_Delete(json);
    if (words[0]) snprintf(buf, cap, "HTTP %ld, %s", answer->status, words);
    return trouble;
}

static void read_status(const cJSON *status, report *out)
{
    char klipper[16];
    const cJSON *stats = member(status, "print_stats"), *sec = member(stats, "total_duration");
    copy_text(member(status, "webhooks"), "state", klipper, sizeof klipper);
    copy_text(stats, "state", out->state, sizeof out->state);
    copy_text(stats, "filename", out->file, sizeof out->file);
    if (cJSON_IsNumber(sec) && sec->valuedouble > 0 && sec->valuedouble < 1e9)
        out->printing_ms = (int64_t)(sec->valuedouble * 1000);
    /* What Klipper does not have is null. */
    out->has_pause = cJSON_IsBool(member(member(status, "pause_resume"), "is_paused"));
    const cJSON *muted = member(member(status, "gcode_macro " MUTE_MACRO), "muted");
    out->muted = is_true(muted);
    if (!klipper[0] || !strcmp(klipper, "ready")) return;
    out->reach = NO_KLIPPY; /* after an emergency stop the print still has its state */
    snprintf(out->why, sizeof out->why, "its state is %s", klipper);
}

/* Moonraker, just started, has no such path before Klipper has told it: 404. */
static reach reach_without_status(const request *answer)
{
    switch (answer->status) {
    case 401: case 403: return LOCKED;
    case 404: case 503: return NO_KLIPPY;
    default: return AWAY;
    }
}

void moonraker_report(const request *answer, report *out)
{
    char words[sizeof out->why];
    memset(out, 0, sizeof *out);
    cJSON *json = answer->code == CURLE_OK ? cJSON_ParseWithLength((const char *)answer->body, answer->len) : NULL;
    const cJSON *status = member(member(json, "result"), "status");
    if (status) {
        read_status(status, out);
    } else {
        const char *trouble = moonraker_trouble(answer, words, sizeof words);
        snprintf(out->why, sizeof out->why, "%s", trouble ? trouble : "the answer is not Moonraker's");
        out->reach = reach_without_status(answer);
    }
    cJSON_Delete(json);
}
