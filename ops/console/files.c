/*
 * The pages, read once at start: a request can only name what is in this list, so there are no paths to play with.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/console/console.h"
#include "peers/yaml.h"

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".html", "text/html; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".css", "text/css; charset=utf-8"},
                                           {".svg", "image/svg+xml"},
                                           {".json", "application/json"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof *types; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    return NULL;
}

static sq_status add_file(struct sq_pages *p, const char *file, const char *path, struct sq_error *err)
{
    if (p->count == sizeof p->list / sizeof *p->list || strlen(path) >= sizeof p->list[0].path)
        return sq_fail(err, SQ_E_FULL, "more pages than the console holds: %s", file);
    struct sq_page *page = &p->list[p->count];
    sq_status st = sq_file_read(file, &page->data, &page->size, err);
    if (st != SQ_OK)
        return st;
    strcpy(page->path, path);
    page->type = type_of(path);
    p->count++;
    return SQ_OK;
}

sq_status sq_pages_read(const struct sq_console_settings *s, struct sq_pages *out, struct sq_error *err)
{
    DIR *d = opendir(s->pages);
    sq_status st = d != NULL ? SQ_OK : sq_fail(err, SQ_E_IO, "%s: the folder of the pages cannot be read", s->pages);
    for (struct dirent *e; st == SQ_OK && (e = readdir(d)) != NULL;) {
        char file[4400], path[300];
        if (e->d_name[0] == '.' || type_of(e->d_name) == NULL)
            continue;
        snprintf(file, sizeof file, "%.4000s/%s", s->pages, e->d_name);
        snprintf(path, sizeof path, "/%s", e->d_name);
        st = add_file(out, file, path, err);
    }
    if (d != NULL)
        closedir(d);
    if (st == SQ_OK && s->chart_library != NULL)
        st = add_file(out, s->chart_library, "/chart.js", err);
    if (st == SQ_OK && s->signature_library != NULL)
        st = add_file(out, s->signature_library, "/nacl.js", err);
    if (st == SQ_OK && sq_pages_find(out, "/") == NULL)
        st = sq_fail(err, SQ_E_CONFIG, "%s holds no index.html", s->pages);
    return st;
}

void sq_pages_free(struct sq_pages *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->list[i].data);
    p->count = 0;
}

const struct sq_page *sq_pages_find(const struct sq_pages *p, const char *path)
{
    if (strcmp(path, "/") == 0)
        path = "/index.html";
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->list[i].path, path) == 0)
            return &p->list[i];
    return NULL;
}
