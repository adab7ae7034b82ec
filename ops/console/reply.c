#include <stdlib.h>
#include <string.h>

#include "ops/console/console.h"

void sq_reply_text(struct sq_reply *out, const char *type, char *data, size_t size)
{
    *out = (struct sq_reply){200, type, data, size, 0, 0};
}

void sq_reply_json(struct sq_reply *out, unsigned status, json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    *out =
        (struct sq_reply){text != NULL ? status : 500, "application/json", text, text != NULL ? strlen(text) : 0, 0, 0};
}

void sq_reply_error(struct sq_reply *out, unsigned http, const char *name, const char *detail)
{
    json_t *o = json_object(), *e = json_object();
    json_object_set_new(e, "status", json_string(name));
    json_object_set_new(e, "detail", json_string(detail));
    json_object_set_new(o, "error", e);
    sq_reply_json(out, http, o);
}
