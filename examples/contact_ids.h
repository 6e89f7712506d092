/* contact_ids.h - contact ids from the command line or standard input. */
#ifndef CONTACT_IDS_H
#define CONTACT_IDS_H

#include <stddef.h>
#include <stdint.h>

struct contact_ids {
    int64_t *ids;
    size_t count;
};

/* Reads ids from the operands, or from standard input if the only operand is "-". Returns
 * EXIT_SUCCESS, or another exit status after reporting an error. The caller frees contact_ids with
 * contact_ids_free in either case. */
int contact_ids_read(struct contact_ids *contact_ids, int count, char *const *operands);

/* Frees what contact_ids_read allocated. */
void contact_ids_free(struct contact_ids *contact_ids);

#endif
