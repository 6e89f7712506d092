/* thread_count.h - how many threads the process has, an emulator's own among them. */
#ifndef REPLYIO_THREAD_COUNT_H
#define REPLYIO_THREAD_COUNT_H

long thread_count(void);

#endif
