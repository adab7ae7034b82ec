/*
 * A fuzzer without libFuzzer: tries each file of the corpus as it is, cut off at every length, and with each byte changed in a few ways.
 *
 *     wire FILE...            prints how many inputs it tried; a property that does not hold ends it
 */
#include "tests/fuzz/fuzz.h"

#define SIZE_MAX_READ 65536u
#define CHANGES_MOST  400u /* positions of a file that are changed: evenly spread in a long one */

static size_t read_file(const char *path, uint8_t *data)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) {
        perror(path);
        exit(2);
    }
    size_t size = fread(data, 1, SIZE_MAX_READ, f);
    fclose(f);
    return size;
}

/* From memory of exactly its size, so that a sanitizer sees the first byte too many. */
static void try(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size != 0 ? size : 1);
    memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    static const uint8_t masks[] = {0x01, 0x80, 0x20, 0xff};
    uint8_t *data = malloc(SIZE_MAX_READ);
    unsigned long tried = 0;
    for (int i = 1; i < argc; i++) {
        size_t size = read_file(argv[i], data), step = size / CHANGES_MOST + 1;
        try(data, size);
        for (size_t at = 0; at < size; at += step) {
            uint8_t kept = data[at];
            for (size_t k = 0; k < sizeof masks; k++, tried++) {
                data[at] = kept ^ masks[k];
                try(data, size);
            }
            data[at] = kept;
            try(data, at);
            tried++;
        }
    }
    printf("%lu inputs\n", tried);
    free(data);
    return tried == 0;
}
