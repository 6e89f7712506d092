/* only_thread.h - whether the calling thread is the only one of its process. */
#ifndef REPLYIO_ONLY_THREAD_H
#define REPLYIO_ONLY_THREAD_H

#include <stdbool.h>

bool is_only_thread(void);

#endif
