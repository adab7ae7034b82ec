/* Commands that list what a node has of something that begins and ends: what is open, or with --all what is over too. */
#ifndef SQ_LISTING_H
#define SQ_LISTING_H

#include "ops/cli/cli.h"

/* Options and parser of such a command's sq_args; its input is the listing's own. */
extern const struct argp_option sq_listing_options[];
error_t sq_listing_parse(int key, char *value, struct argp_state *state);

struct sq_listing {
    const struct sq_args *args;
    const char *name; /* of the question to the node, and of the list in its answer */
    int (*is_over)(const json_t *one);
    void (*print)(const json_t *list); /* at least one */
};
/* Returns the exit code. */
int sq_listing_run(struct sq_cli *cli, int argc, char **argv, const struct sq_listing *l);

#endif
