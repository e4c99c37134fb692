#define _XOPEN_SOURCE 700

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_LINE = 1024, MAX_VALUE = 4096 };

typedef struct option option;

/* Reads a value into its member; what is wrong with it, or NULL. */
typedef const char *reader(const option *option, const char *value, void *to);

struct option {
    const char *section, *name;
    reader *read;
    size_t offset, size;
    int32_t least, most; /* of a number, before it is multiplied */
    int32_t scale;
};

static const char *read_text(const option *o, const char *value, void *to)
{
    if (strlen(value) >= o->size) return "too long";
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < ' ') return "one line, please";
    memcpy(to, value, strlen(value) + 1);
    return NULL;
}

static const char *read_url(const option *o, const char *value, void *to)
{
    if (strncasecmp(value, "http://", 7) != 0 && strncasecmp(value, "https://", 8) != 0)
        return "an address begins with http:// or https://";
    return read_text(o, value, to);
}

static const char *read_service(const option *o, const char *value, void *to)
{
    if (!strcmp(value, "embedded")) value = "";
    return *value && strcmp(value, HOSTED) != 0 ? read_url(o, value, to) : read_text(o, value, to);
}

static const char *read_number(const option *o, const char *value, void *to)
{
    char *end;
    errno = 0;
    long number = strtol(value, &end, 10);
    if (end == value || *end || errno) return "not a whole number";
    if (number < o->least || number > o->most) return "out of range";
    int32_t result = (int32_t)number * o->scale;
    memcpy(to, &result, sizeof result);
    return NULL;
}

static const char *read_bool(const option *o, const char *value, void *to)
{
    static const char *const words[] = { "false", "true", "no", "yes", "off", "on", "0", "1" };
    (void)o;
    for (int32_t n = 0; n < 8; n++) {
        if (strcasecmp(value, words[n]) != 0) continue;
        int32_t result = n % 2;
        memcpy(to, &result, sizeof result);
        return NULL;
    }
    return "neither True nor False";
}

static int read_percent(const char **at, uint16_t *thousandths)
{
    char *end;
    double percent = strtod(*at, &end);
    if (end == *at || !(percent >= 0 && percent <= 100)) return 0;
    *thousandths = (uint16_t)(percent * 10 + 0.5);
    while (*end == ' ' || *end == '\t' || *end == ',' || *end == '%') end++;
    *at = end;
    return 1;
}

/* One region a line: x, y, width, height in percent. */
static const char *read_regions(const option *o, const char *value, void *to)
{
    oe_print_options *print = to;
    (void)o;
    print->ignore_count = 0;
    while (*value) {
        oe_region *r = &print->ignore[print->ignore_count];
        if (print->ignore_count == sizeof print->ignore / sizeof *print->ignore) return "at most 8 regions";
        if (!read_percent(&value, &r->x) || !read_percent(&value, &r->y) || !read_percent(&value, &r->width) ||
            !read_percent(&value, &r->height) || (*value && *value != '\n'))
            return "a region is four percentages: x, y, width, height";
        if (!r->width || !r->height || r->x + r->width > 1000 || r->y + r->height > 1000)
            return "a region lies inside the picture";
        print->ignore_count++;
        while (*value == '\n') value++;
    }
    return NULL;
}

#define AT(member) offsetof(printer_config, member), sizeof(((printer_config *)0)->member)

static const option options[] = {
    { "moonraker", "name", read_text, AT(name), 0, 0, 0 },
    { "moonraker", "url", read_url, AT(moonraker), 0, 0, 0 },
    { "moonraker", "api_key", read_text, AT(moonraker_key), 0, 0, 0 },
    { "moonraker", "poll_ms", read_number, AT(poll_ms), 100, 60000, 1 },
    { "engine", "service", read_service, AT(engine.service), 0, 0, 0 },
    { "engine", "api_key", read_text, AT(engine.api_key), 0, 0, 0 },
    { "engine", "ca_file", read_text, AT(engine.ca_file), 0, 0, 0 },
    { "engine", "interval", read_number, AT(print.interval_sec), 5, 3600, 1 },
    { "camera", "name", read_text, AT(camera_name), 0, 0, 0 },
    { "camera", "url", read_url, AT(camera_url), 0, 0, 0 },
    { "camera", "user", read_text, AT(camera_user), 0, 0, 0 },
    { "camera", "password", read_text, AT(camera_password), 0, 0, 0 },
    { "camera", "timeout", read_number, AT(camera_timeout_ms), 1, 60, 1000 },
    { "camera", "ignore", read_regions, AT(print), 0, 0, 0 },
    { "alerts", "warning_confidence", read_number, AT(print.warning_confidence), 1, 5, 1 },
    { "alerts", "pause_confidence", read_number, AT(print.pause_confidence), 1, 5, 1 },
    { "alerts", "notify_only", read_bool, AT(notify_only), 0, 0, 0 },
    { "alerts", "console", read_bool, AT(console), 0, 0, 0 },
    { "alerts", "display", read_bool, AT(display), 0, 0, 0 },
    { "alerts", "notifier", read_text, AT(notifier), 0, 0, 0 },
};

enum { OPTIONS = sizeof options / sizeof *options };

/* One file while it is read. */
typedef struct parser {
    printer_config *out;
    int line, complaints;
    char section[MAX_NAME];
    const option *option; /* whose value is gathered; NULL: none */
    int option_line;
    char value[MAX_VALUE];
    unsigned char seen[OPTIONS];
} parser;

static void complain(parser *p, int line, const char *what, const char *why)
{
    fprintf(stderr, "%s:%d: %s: %s\n", p->out->file, line, what, why);
    p->complaints++;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) len--;
    text[len] = '\0';
    return text;
}

/* A comment begins the line, or follows white space. */
static void cut_comment(char *line)
{
    for (char *c = line; *c; c++) {
        if ((*c != '#' && *c != ';') || (c > line && !isspace((unsigned char)c[-1]))) continue;
        *c = '\0';
        return;
    }
}

static void end_option(parser *p)
{
    if (!p->option) return;
    const char *value = trim(p->value);
    const char *wrong = p->option->read(p->option, value, (char *)p->out + p->option->offset);
    if (wrong) complain(p, p->option_line, p->option->name, wrong);
    p->option = NULL;
}

static void add_to_value(parser *p, const char *more)
{
    size_t len = strlen(p->value);
    if (len + strlen(more) + 2 > sizeof p->value) complain(p, p->line, p->option->name, "too long");
    else snprintf(p->value + len, sizeof p->value - len, "%s%s", len ? "\n" : "", more);
}

static void begin_section(parser *p, char *line)
{
    char *end = strchr(line, ']');
    if (!end || strlen(line) > sizeof p->section) {
        complain(p, p->line, line, "a section is a name in brackets");
        return;
    }
    *end = '\0';
    snprintf(p->section, sizeof p->section, "%s", trim(line + 1));
    for (int n = 0; n < OPTIONS; n++)
        if (!strcmp(options[n].section, p->section)) return;
    complain(p, p->line, p->section, "there is no such section");
}

static void begin_option(parser *p, char *line)
{
    char *value = strpbrk(line, ":=");
    if (!value) {
        complain(p, p->line, line, "neither a section nor an option with a value");
        return;
    }
    *value++ = '\0';
    const char *name = trim(line);
    for (int n = 0; n < OPTIONS; n++) {
        if (strcmp(options[n].section, p->section) != 0 || strcmp(options[n].name, name) != 0) continue;
        if (p->seen[n]++) complain(p, p->line, name, "set twice");
        p->option = &options[n];
        p->option_line = p->line;
        p->value[0] = '\0';
        add_to_value(p, trim(value));
        return;
    }
    complain(p, p->line, name, "there is no such option in this section");
}

static void read_line(parser *p, char *line)
{
    int continues = isspace((unsigned char)*line);
    cut_comment(line);
    line = trim(line);
    if (!*line) return;
    if (continues && p->option) {
        add_to_value(p, line);
        return;
    }
    end_option(p);
    if (*line == '[') begin_section(p, line);
    else begin_option(p, line);
}

/* /home/pi/printer_data/config/oe_process.cfg is printer_data's. */
static void name_by_folder(printer_config *out)
{
    char *path = realpath(out->file, NULL), *at[3] = { path, path, path };
    for (int n = 0; n < 3 && path; n++) {
        char *slash = strrchr(path, '/');
        at[n] = slash ? slash + 1 : path;
        if (!slash) break;
        *slash = '\0';
    }
    if (path) snprintf(out->name, sizeof out->name, "%.63s", !strcmp(at[1], "config") ? at[2] : at[0]);
    free(path);
}

static void check_whole(parser *p)
{
    printer_config *c = p->out;
    if (!c->name[0]) name_by_folder(c);
    if (strchr(c->name, '/') || c->name[0] == '.') complain(p, 0, "name", "it names a file too: no slash, no dot at its start");
    if (c->engine.service[0] && c->print.ignore_count)
        complain(p, 0, "ignore", "only the embedded engine leaves regions out");
    if (!c->engine.service[0] && (c->engine.api_key[0] || c->engine.ca_file[0]))
        complain(p, 0, "engine", "the embedded engine takes no api_key and no ca_file: name the service");
}

int config_read(const char *file, printer_config *out)
{
    parser p = { .out = out };
    char line[MAX_LINE];
    printer_config defaults = { .moonraker = "http://127.0.0.1:7125", .poll_ms = 2000, .camera_timeout_ms = 10000,
                                .print = OE_PRINT_OPTIONS_INIT, .console = 1, .display = 1 };
    *out = defaults;
    snprintf(out->file, sizeof out->file, "%s", file);
    FILE *from = fopen(file, "r");
    if (!from) {
        fprintf(stderr, "%s: %s\n", file, strerror(errno));
        return -1;
    }
    while (fgets(line, sizeof line, from)) {
        p.line++;
        if (!strchr(line, '\n') && !feof(from)) complain(&p, p.line, "line", "too long");
        read_line(&p, line);
    }
    end_option(&p);
    if (ferror(from)) complain(&p, p.line, "reading", strerror(errno));
    fclose(from);
    check_whole(&p);
    return p.complaints ? -1 : 0;
}

int config_same_engine(const engine_config *one, const engine_config *other)
{
    return !strcmp(one->service, other->service) && !strcmp(one->api_key, other->api_key) &&
           !strcmp(one->ca_file, other->ca_file);
}
