/* only_thread.c - whether the calling thread is the only one of its process. */
#include "only_thread.h"

#include <sys/stat.h>

/* The kernel keeps a folder for each thread, which links to the folder that it stands in; and two links are of every folder. */
bool is_only_thread(void) {
    struct stat tasks;
    return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3;
}
