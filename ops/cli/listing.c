#include "ops/cli/listing.h"

#include "ops/cli/session.h"

const struct argp_option sq_listing_options[] = {
    {"all", 'a', NULL, 0, N_("those that are over too"), 0},
    {0},
};

error_t sq_listing_parse(int key, char *value, struct argp_state *state)
{
    int *all = state->input;
    (void)value;
    if (key != 'a')
        return ARGP_ERR_UNKNOWN;
    *all = 1;
    return 0;
}

static void drop_those_over(json_t *list, const struct sq_listing *l)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        if (l->is_over(json_array_get(list, i)))
            json_array_remove(list, i);
}

int sq_listing_run(struct sq_cli *cli, int argc, char **argv, const struct sq_listing *l)
{
    int all = 0;
    struct sq_session s;
    struct sq_error err = {0};
    json_t *answer = NULL;
    int code = sq_cli_parse(cli, l->args, argc, argv, &all);
    if (code != SQ_PARSED)
        return code;
    sq_status st = sq_session_open(cli, 1, &s, &err);
    if (st == SQ_OK)
        st = sq_session_ask(&s, l->name, &answer, &err);
    sq_session_close(&s);
    if (st != SQ_OK)
        return sq_cli_fail(cli, &err);
    json_t *list = json_object_get(answer, l->name);
    if (!all)
        drop_those_over(list, l);
    if (cli->json)
        sq_cli_json(json_incref(answer));
    else if (json_array_size(list) == 0)
        puts(all ? _("There never was one.") : _("There is none."));
    else
        l->print(list);
    json_decref(answer);
    return SQ_EXIT_DONE;
}
