/* thread_count.h - the number of threads of the process. */
#ifndef REPLYIO_TESTS_THREAD_COUNT_H
#define REPLYIO_TESTS_THREAD_COUNT_H

/* Returns the number of threads, including an emulator's own. */
long thread_count(void);

#endif
