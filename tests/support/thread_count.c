/* thread_count.c - how many threads the process has, an emulator's own among them. */
#include "support/thread_count.h"

#include <sys/stat.h>

/* The kernel keeps a folder for each, which links to the folder that it stands in; and two links
 * are of every folder. */
long thread_count(void) {
    struct stat tasks;
    return stat("/proc/self/task", &tasks) == 0 ? (long)tasks.st_nlink - 2 : 1;
}
