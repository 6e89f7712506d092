/* replay.c - runs a fuzz target on the files and directories in its arguments, without a fuzzing
 * compiler. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

static int replayed = 0;

static void replay_file(const char *path) {
    static uint8_t data[4 * 1024 * 1024];
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL);
    const size_t size = fread(data, 1, sizeof data, file);
    FUZZ_CHECK(ferror(file) == 0 && size < sizeof data);
    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    replayed++;
}

static void replay(const char *path) {
    struct stat status;
    FUZZ_CHECK(stat(path, &status) == 0);
    if (!S_ISDIR(status.st_mode)) {
        replay_file(path);
        return;
    }
    DIR *directory = opendir(path);
    FUZZ_CHECK(directory != NULL);
    for (const struct dirent *entry = readdir(directory); entry != NULL;
         entry = readdir(directory)) {
        char inner[4096];
        if (entry->d_name[0] != '.') {
            FUZZ_CHECK((size_t)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) <
                       sizeof inner);
            replay(inner);
        }
    }
    closedir(directory);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    printf("%d passed, 0 failed\n", replayed);
    return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
