/* How a run ends: one message that says what happened, with which value, and what to do next; one exit code. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ops/cli/cli.h"
#include "ops/cli/text.h"

#define BAR_EVERY_MS 100u
#define BAR_CELLS    24u

/* ---- ending ---- */

enum sq_exit sq_cli_exit_of(sq_status status)
{
    switch ((unsigned)status) {
    case SQ_OK:
        return SQ_EXIT_DONE;
    case SQ_E_USAGE:
    case SQ_E_CONFIG:
    case SQ_E_FORMAT:
    case SQ_E_OVERFLOW:
        return SQ_EXIT_USAGE;
    case SQ_E_NETWORK:
    case SQ_E_TIMEOUT:
        return SQ_EXIT_NETWORK;
    case SQ_E_VERIFY:
    case SQ_E_CORRUPT:
        return SQ_EXIT_VERIFY;
    default:
        return status >= SQ_R_UNKNOWN_SENDER ? SQ_EXIT_REFUSED : SQ_EXIT_LOCAL;
    }
}

/* What a person can do about it; NULL when the message says all there is. */
static const char *next_step(sq_status status)
{
    switch ((unsigned)status) {
    case SQ_E_TIMEOUT:
    case SQ_E_NETWORK:
        return N_("Check that the node is running and that --connect, --node and --key are right; a key that is not "
                  "enrolled there gets no answer.");
    case SQ_E_LOCKED:
        return N_("Another process is using it; wait until that has ended, or stop it.");
    case SQ_E_CORRUPT:
        return N_("Do not go on with this ledger: check the disk, and run 'sanquan audit'.");
    case SQ_E_FOREIGN:
        return N_("Check that the directory file, the node and the ledger belong together.");
    case SQ_R_UNKNOWN_SENDER:
        return N_("Ask an operator of the node to enrol you, or check --key.");
    case SQ_R_WRONG_NETWORK:
        return N_("Your directory file is not the one the node uses: get the present one.");
    case SQ_R_NOT_PERMITTED:
    case SQ_R_NOT_YOUR_ISSUER:
        return N_("Use the key of somebody who may do this: see --key.");
    case SQ_R_BUSY:
    case SQ_R_DISK_LOW:
        return N_("Nothing was changed; run the same command again later.");
    case SQ_R_ID_REUSED:
        return N_("Somebody else is sending with the same key; run the command again when that has ended.");
    default:
        return NULL;
    }
}

static void print_error_json(const struct sq_error *err, json_t *problems)
{
    json_t *inner = json_pack("{s:s, s:i, s:s, s:s}", "status", sq_status_name(err->status), "number", (int)err->status,
                              "text", sq_status_text(err->status), "detail", err->text);
    json_t *outer = json_pack("{s:o}", "error", sq_need(inner));
    if (problems != NULL)
        json_object_set(sq_need(outer), "problems", problems);
    sq_cli_json(outer);
}

int sq_cli_fail(const struct sq_cli *cli, const struct sq_error *err)
{
    return sq_cli_fail_about(cli, err, NULL);
}

int sq_cli_fail_about(const struct sq_cli *cli, const struct sq_error *err, json_t *problems)
{
    const char *next = next_step(err->status), *text = sq_status_text(err->status);
    int said = strncmp(err->text, text, strlen(text)) == 0; /* some layers begin with the status's own text */
    fprintf(stderr, "sanquan %s: %s%s%s\n", cli->command, _(text), err->text[0] != '\0' ? ": " : "",
            said ? err->text + strlen(text) + (err->text[strlen(text)] == ':' ? 2 : 0) : err->text);
    if (next != NULL)
        fprintf(stderr, "%s\n", _(next));
    if (cli->json)
        print_error_json(err, problems);
    return sq_cli_exit_of(err->status);
}

int sq_cli_usage(const struct sq_cli *cli, const char *format, ...)
{
    va_list args;
    struct sq_error err = {.status = SQ_E_USAGE};
    va_start(args, format);
    vsnprintf(err.text, sizeof err.text, format, args);
    va_end(args);
    fprintf(stderr, "sanquan %s: %s\n", cli->command, err.text);
    fprintf(stderr, _("See 'sanquan %s --help'.\n"), cli->command);
    if (cli->json)
        print_error_json(&err, NULL);
    return SQ_EXIT_USAGE;
}

void sq_cli_note(const struct sq_cli *cli, const char *format, ...)
{
    va_list args;
    if (cli->json)
        return;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void sq_cli_json(json_t *object)
{
    char *text = json_dumps(sq_need(object), JSON_COMPACT);
    puts(sq_need(text));
    free(text);
    json_decref(object);
}

void *sq_need(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "sanquan: %s\n", _(sq_status_text(SQ_E_NOMEM)));
        exit(SQ_EXIT_LOCAL);
    }
    return memory;
}

/* ---- waiting ---- */

static uint64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void sq_bar_begin(struct sq_bar *b, const struct sq_cli *cli, const char *label, uint64_t total)
{
    *b = (struct sq_bar){.on = !cli->json && total != 0 && isatty(STDERR_FILENO),
                         .label = label,
                         .total = total,
                         .began_ms = clock_ms()};
}

void sq_bar_at(struct sq_bar *b, uint64_t done)
{
    uint64_t now = b->on ? clock_ms() : 0;
    char rate[SQ_TEXT_SIZE], at[SQ_TEXT_SIZE], all[SQ_TEXT_SIZE];
    b->done = done;
    if (!b->on || (now - b->drawn_ms < BAR_EVERY_MS && done < b->total))
        return;
    unsigned full = (unsigned)(done * BAR_CELLS / b->total);
    fprintf(stderr, "\r%s [", b->label);
    for (unsigned i = 0; i < BAR_CELLS; i++)
        fputc(i < full ? '#' : '.', stderr);
    fprintf(stderr, _("] %s of %s, %s/s"), sq_text_count(done, at), sq_text_count(b->total, all),
            sq_text_count(done * 1000 / (now - b->began_ms + 1), rate));
    fputs("\033[K", stderr);
    b->drawn_ms = now;
}

void sq_bar_end(struct sq_bar *b)
{
    if (b->on && b->drawn_ms != 0)
        fputs("\r\033[K", stderr);
    b->on = 0;
}
