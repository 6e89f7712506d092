/* csv.h - contacts as CSV (RFC 4180). */
#ifndef CSV_H
#define CSV_H

#include <replyio.h>
#include <stdbool.h>
#include <stdio.h>

/* Writes the line with the endpoint's field names. */
void csv_write_header(FILE *stream);

/* Writes a contact's 17 fields: texts as sent, null as an empty field. A text that a spreadsheet
 * could run as a formula gets a leading apostrophe. If is_escaped, control characters are replaced
 * as terminal_write does. */
void csv_write_contact(FILE *stream, const reply_sequence_contact *contact, bool is_escaped);

#endif
