#include "ops/cli/names.h"

#include <stdio.h>
#include <string.h>

#include "clearing/base/uscc.h"
#include "clearing/core/invoice.h"
#include "ops/cli/cli.h"
#include "proto/wire.h"

static const char uscc_alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";

/* What the check character should be; 0 when the other seventeen are wrong by themselves. */
static char right_check_character(const char *code)
{
    char tried[SQ_USCC_LENGTH + 1];
    memcpy(tried, code, sizeof tried);
    for (const char *c = uscc_alphabet; *c != '\0'; c++) {
        tried[SQ_USCC_LENGTH - 1] = *c;
        if (sq_uscc_valid(tried))
            return *c;
    }
    return '\0';
}

int sq_uscc_explain(const char *code, char why[static SQ_WHY_SIZE])
{
    if (sq_uscc_valid(code))
        return 1;
    size_t known = strspn(code, uscc_alphabet);
    if (strlen(code) != SQ_USCC_LENGTH)
        snprintf(why, SQ_WHY_SIZE, _("a unified social credit code has %d characters, this has %zu"), SQ_USCC_LENGTH,
                 strlen(code));
    else if (known != SQ_USCC_LENGTH)
        snprintf(
            why, SQ_WHY_SIZE,
            _("character %zu cannot stand in a unified social credit code (digits and capitals without I O S V Z)"),
            known + 1);
    else if (strspn(code + 2, "0123456789") < 6)
        snprintf(why, SQ_WHY_SIZE, _("characters 3 to 8 of a unified social credit code are digits"));
    else
        snprintf(why, SQ_WHY_SIZE, _("the check character is %c, but the other 17 give %c"), code[SQ_USCC_LENGTH - 1],
                 right_check_character(code));
    return 0;
}

static int is_code(const char *text)
{
    return strlen(text) >= 6 && strspn(text, "0123456789") == 6 && text[0] != '0';
}

static int is_short_name(const char *text)
{
    return *text != '\0' && strlen(text) <= 24 &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(text);
}

int sq_name_explain(const char *name, char why[static SQ_WHY_SIZE])
{
    const char *colon = strchr(name, ':'), *code = colon != NULL ? colon + 1 : "";
    size_t role = colon != NULL ? (size_t)(colon - name) : 0;
#define IS(text) (role == strlen(text) && strncmp(name, text, role) == 0)
    if (strlen(name) > SQ_NAME_SIZE_MAX) {
        snprintf(why, SQ_WHY_SIZE, _("a name has at most %d characters"), SQ_NAME_SIZE_MAX);
        return 0;
    }
    if (IS("provider") || IS("holder") || IS("evaluator"))
        return sq_uscc_explain(code, why);
    if (IS("node") || IS("issuer")) {
        snprintf(why, SQ_WHY_SIZE, _("behind the colon stands a six-digit code, as in issuer:440300"));
        return is_code(code) && code[6] == '\0';
    }
    if (IS("operator")) {
        snprintf(why, SQ_WHY_SIZE,
                 _("an operator is operator:NODE/NAME, as in operator:310000/zhang; NAME is of a-z, 0-9, - _ ."));
        return is_code(code) && code[6] == '/' && is_short_name(code + 7);
    }
    if (IS("regulator")) {
        snprintf(why, SQ_WHY_SIZE, _("a regulator is regulator:NAME; NAME is of a-z, 0-9, - _ ."));
        return is_short_name(code);
    }
#undef IS
    snprintf(why, SQ_WHY_SIZE,
             _("a name begins with node: issuer: operator: regulator: provider: holder: or evaluator:"));
    return 0;
}

int sq_invoice_read(const char *text, uint8_t cell[static 10])
{
    struct sq_invoice_key key;
    size_t size = strlen(text), pad = size == 18 ? 2 : 0; /* an old invoice: code and number, with 00 before them */
    memset(cell, 0, SQ_INVOICE_CELL);
    if (size + pad != 2 * SQ_INVOICE_CELL || strspn(text, "0123456789") != size)
        return 0;
    for (size_t i = 0; i < size; i++)
        cell[(i + pad) / 2] = (uint8_t)(cell[(i + pad) / 2] | (text[i] - '0') << ((i + pad) % 2 == 0 ? 4 : 0));
    return sq_invoice_key_of(cell, &key);
}
