/*
 * Key files. Secrets are in guarded memory from the moment they are read until they are freed, and are wiped on every path.
 */
#include "peers/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "peers/yaml.h"

#define VERSION_LINE  "sanquan-key: v1"
#define FILE_SIZE_MAX 4096
#define SECRETS_MAX   (SQ_SECRET_SIZE + SQ_KEY_SIZE + SQ_SECRET_SIZE)

/* "role:code": small letters, then letters, digits and - _ . / of ASCII. */
static int is_name(const char *name)
{
    size_t role = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    const char *code = name + role + 1;
    return strlen(name) <= SQ_NAME_SIZE_MAX && role != 0 && name[role] == ':' && *code != '\0' &&
           strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./") == strlen(code);
}

sq_status sq_keys_new(const char *name, struct sq_keys **out, struct sq_error *err)
{
    if (!is_name(name))
        return sq_fail(err, SQ_E_FORMAT, "%.60s is not a participant name like provider:91310199TXXXXX0015", name);
    struct sq_keys *k = sq_secret_new(sizeof *k);
    if (k == NULL)
        return sq_fail(err, SQ_E_NOMEM, "keys (is the limit on locked memory too low?)");
    memcpy(k->name, name, strlen(name));
    sq_ed25519_keypair(k->public_key, k->secret);
    sq_curve_keypair(k->transport_public, k->transport_secret);
    k->has_log = strncmp(name, "node:", 5) == 0;
    if (k->has_log)
        sq_ed25519_keypair(k->log_public, k->log_secret);
    *out = k;
    return SQ_OK;
}

/* ---- secrets as one run of bytes ---- */

static size_t gather(const struct sq_keys *k, uint8_t out[static SECRETS_MAX])
{
    memcpy(out, k->secret, SQ_SECRET_SIZE);
    memcpy(out + SQ_SECRET_SIZE, k->transport_secret, SQ_KEY_SIZE);
    memcpy(out + SQ_SECRET_SIZE + SQ_KEY_SIZE, k->log_secret, SQ_SECRET_SIZE);
    return k->has_log ? SECRETS_MAX : SQ_SECRET_SIZE + SQ_KEY_SIZE;
}

static void scatter(struct sq_keys *k, const uint8_t in[static SECRETS_MAX])
{
    memcpy(k->secret, in, SQ_SECRET_SIZE);
    memcpy(k->transport_secret, in + SQ_SECRET_SIZE, SQ_KEY_SIZE);
    if (k->has_log)
        memcpy(k->log_secret, in + SQ_SECRET_SIZE + SQ_KEY_SIZE, SQ_SECRET_SIZE);
}

/* ---- writing ---- */

static void line(char *text, const char *name, const uint8_t *data, size_t size)
{
    char hex[2 * (SECRETS_MAX + SQ_BOX_EXTRA) + 1];
    sq_hex(data, size, hex);
    size_t used = strlen(text);
    snprintf(text + used, FILE_SIZE_MAX - used, "%s: %s\n", name, hex);
    sq_wipe(hex, sizeof hex);
}

static sq_status compose(const struct sq_keys *k, const char *passphrase, char text[static FILE_SIZE_MAX],
                         struct sq_error *err)
{
    uint8_t secrets[SECRETS_MAX], box[SECRETS_MAX + SQ_BOX_EXTRA], salt[SQ_SALT_SIZE], nonce[SQ_NONCE_SIZE],
        key[SQ_KEY_SIZE];
    size_t size = gather(k, secrets);
    sq_status st = SQ_OK;
    snprintf(text, FILE_SIZE_MAX, VERSION_LINE "\nname: %s\n", k->name);
    line(text, "public", k->public_key, SQ_KEY_SIZE);
    line(text, "transport-public", k->transport_public, SQ_KEY_SIZE);
    if (k->has_log)
        line(text, "log-public", k->log_public, SQ_KEY_SIZE);
    if (passphrase == NULL || *passphrase == '\0') {
        line(text, "secret", secrets, size);
    } else {
        sq_random(salt, sizeof salt);
        sq_random(nonce, sizeof nonce);
        if (sq_passphrase_key(passphrase, salt, key)) {
            sq_secretbox(secrets, size, nonce, key, box);
            line(text, "salt", salt, sizeof salt);
            line(text, "nonce", nonce, sizeof nonce);
            line(text, "sealed", box, size + SQ_BOX_EXTRA);
        } else {
            st = sq_fail(err, SQ_E_NOMEM, "memory for the passphrase's key (256 MiB are needed)");
        }
    }
    sq_wipe(secrets, sizeof secrets);
    sq_wipe(key, sizeof key);
    return st;
}

sq_status sq_keys_write(const struct sq_keys *keys, const char *path, const char *passphrase, struct sq_error *err)
{
    char *text = sq_secret_new(FILE_SIZE_MAX);
    if (text == NULL)
        return sq_fail(err, SQ_E_NOMEM, "key file");
    sq_status st = compose(keys, passphrase, text, err);
    int fd = st == SQ_OK ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (st == SQ_OK && fd < 0)
        st = sq_fail(err, SQ_E_IO,
                     errno == EEXIST ? "%s is there already; keys are never overwritten" : "cannot create %s", path);
    if (fd >= 0) {
        size_t size = strlen(text);
        if (write(fd, text, size) != (ssize_t)size || fsync(fd) != 0) {
            st = sq_fail(err, SQ_E_IO, "write %s: %s", path, strerror(errno));
            unlink(path);
        }
        close(fd);
    }
    sq_secret_free(text);
    return st;
}

/* ---- reading ---- */

static sq_status load(const char *path, char **text, struct sq_error *err)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sq_fail(err, SQ_E_IO, "open key file %s: %s", path, strerror(errno));
    sq_status st = SQ_OK;
    *text = sq_secret_new(FILE_SIZE_MAX + 1);
    if (*text == NULL)
        st = sq_fail(err, SQ_E_NOMEM, "key file");
    else if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) || file.st_size > FILE_SIZE_MAX)
        st = sq_fail(err, SQ_E_FORMAT, "%s is not a key file", path);
    else if ((file.st_mode & 077) != 0)
        st = sq_fail(err, SQ_E_CRYPTO, "others can read %s (mode %03o); run: chmod 600 %s", path, file.st_mode & 0777u,
                     path);
    else if (read(fd, *text, (size_t)file.st_size) != (ssize_t)file.st_size)
        st = sq_fail(err, SQ_E_IO, "read %s: %s", path, strerror(errno));
    close(fd);
    if (st != SQ_OK && *text != NULL)
        sq_secret_free(*text);
    return st;
}

/* The value of "name: value", copied; 0 when the line is not there or too long. */
static int value_of(const char *text, const char *name, char *out, size_t out_size)
{
    size_t length = strlen(name);
    for (const char *at = text; *at != '\0';) {
        size_t size = strcspn(at, "\n");
        if (size > length + 2 && memcmp(at, name, length) == 0 && at[length] == ':' && at[length + 1] == ' ') {
            size_t n = size - length - 2;
            if (n >= out_size)
                return 0;
            memcpy(out, at + length + 2, n);
            out[n] = '\0';
            return 1;
        }
        at += size + (at[size] == '\n');
    }
    return 0;
}

static int hex_value(const char *text, const char *name, uint8_t *out, size_t size)
{
    char hex[2 * (SECRETS_MAX + SQ_BOX_EXTRA) + 1];
    int ok = value_of(text, name, hex, sizeof hex) && sq_unhex(hex, out, size, NULL) == SQ_OK;
    sq_wipe(hex, sizeof hex);
    return ok;
}

static sq_status parse_public(const char *text, const char *path, struct sq_keys *k, struct sq_error *err)
{
    if (strncmp(text, VERSION_LINE "\n", strlen(VERSION_LINE) + 1) != 0 ||
        !value_of(text, "name", k->name, sizeof k->name) || !is_name(k->name) ||
        !hex_value(text, "public", k->public_key, SQ_KEY_SIZE) ||
        !hex_value(text, "transport-public", k->transport_public, SQ_KEY_SIZE))
        return sq_fail(err, SQ_E_FORMAT, "%s is not a key file of version 1", path);
    k->has_log = hex_value(text, "log-public", k->log_public, SQ_KEY_SIZE);
    return SQ_OK;
}

static sq_status unseal(const char *text, const char *path, sq_keys_ask ask, void *ctx, size_t size, uint8_t *secrets,
                        struct sq_error *err)
{
    uint8_t salt[SQ_SALT_SIZE], nonce[SQ_NONCE_SIZE], key[SQ_KEY_SIZE], box[SECRETS_MAX + SQ_BOX_EXTRA];
    char passphrase[256] = "";
    if (!hex_value(text, "salt", salt, sizeof salt) || !hex_value(text, "nonce", nonce, sizeof nonce) ||
        !hex_value(text, "sealed", box, size + SQ_BOX_EXTRA))
        return sq_fail(err, SQ_E_FORMAT, "%s has no secret keys", path);
    if (ask == NULL)
        return sq_fail(err, SQ_E_CRYPTO, "%s needs a passphrase", path);
    sq_status st = ask(ctx, passphrase, sizeof passphrase, err);
    if (st == SQ_OK && !sq_passphrase_key(passphrase, salt, key))
        st = sq_fail(err, SQ_E_NOMEM, "memory for the passphrase's key (256 MiB are needed)");
    if (st == SQ_OK && !sq_secretbox_open(box, size + SQ_BOX_EXTRA, nonce, key, secrets))
        st = sq_fail(err, SQ_E_CRYPTO, "the passphrase does not open %s", path);
    sq_wipe(passphrase, sizeof passphrase);
    sq_wipe(key, sizeof key);
    return st;
}

static sq_status read_file(const char *path, int secret, sq_keys_ask ask, void *ctx, struct sq_keys **out,
                           struct sq_error *err)
{
    char *text = NULL;
    sq_status st = load(path, &text, err);
    if (st != SQ_OK)
        return st;
    struct sq_keys *k = sq_secret_new(sizeof *k);
    uint8_t secrets[SECRETS_MAX] = {0};
    st = k == NULL ? sq_fail(err, SQ_E_NOMEM, "keys") : parse_public(text, path, k, err);
    if (st == SQ_OK && secret) {
        size_t size = k->has_log ? SECRETS_MAX : SQ_SECRET_SIZE + SQ_KEY_SIZE;
        if (!hex_value(text, "secret", secrets, size))
            st = unseal(text, path, ask, ctx, size, secrets, err);
        if (st == SQ_OK)
            scatter(k, secrets);
        /* With another public half beside it a secret key would sign for somebody else, or never get a connection. */
        if (st == SQ_OK && (!sq_ed25519_pair_ok(k->secret, k->public_key) ||
                            !sq_curve_pair_ok(k->transport_secret, k->transport_public) ||
                            (k->has_log && !sq_ed25519_pair_ok(k->log_secret, k->log_public))))
            st = sq_fail(err, SQ_E_CRYPTO, "%s: secret and public keys do not belong together", path);
    }
    sq_wipe(secrets, sizeof secrets);
    sq_secret_free(text);
    if (st == SQ_OK)
        *out = k;
    else if (k != NULL)
        sq_secret_free(k);
    return st;
}

sq_status sq_keys_read(const char *path, sq_keys_ask ask, void *ctx, struct sq_keys **out, struct sq_error *err)
{
    return read_file(path, 1, ask, ctx, out, err);
}

sq_status sq_keys_read_public(const char *path, struct sq_keys **out, struct sq_error *err)
{
    return read_file(path, 0, NULL, NULL, out, err);
}

sq_status sq_passphrase_read(const char *path, char *out, size_t out_size, struct sq_error *err)
{
    uint8_t *text;
    size_t size;
    sq_status st = sq_file_read(path, &text, &size, err);
    if (st != SQ_OK)
        return st;
    while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r'))
        size--;
    if (size == 0 || size >= out_size || memchr(text, '\0', size) != NULL || memchr(text, '\n', size) != NULL)
        st = sq_fail(err, SQ_E_FORMAT, "%s does not hold one passphrase of at most %zu bytes", path, out_size - 1);
    else
        memcpy(out, text, size), out[size] = '\0';
    sq_wipe(text, size);
    free(text);
    return st;
}
