/* Runs a fuzz target over the files of its corpus: how the finds of fuzzing become unit tests of every build.
 * Usage: NAME_fuzz FOLDER... */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(int dir, const char *name)
{
    static uint8_t data[1 << 20];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, data, sizeof(data));
    if (fd >= 0) { (void)close(fd); }
    if (n < 0) {
        (void)fprintf(stderr, "cannot read '%s'\n", name);
        return -1;
    }
    (void)LLVMFuzzerTestOneInput(data, (size_t)n);
    return 0;
}

static long replay_folder(const char *path)
{
    DIR *list = opendir(path);
    long count = 0;
    if (list == NULL) {
        (void)fprintf(stderr, "cannot open '%s'\n", path);
        return -1;
    }
    for (const struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
        if (e->d_name[0] == '.') { continue; }
        if (replay_file(dirfd(list), e->d_name) != 0) {
            (void)closedir(list);
            return -1;
        }
        count++;
    }
    (void)closedir(list);
    return count;
}

int main(int argc, char **argv)
{
    long count = 0;
    (void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        long n = replay_folder(argv[i]);
        if (n < 0) { return 1; }
        count += n;
    }
    printf("%ld inputs\n", count);
    return 0;
}
