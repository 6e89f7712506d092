/* output.h - standard output: JSON, and failed writes. */
#ifndef OUTPUT_H
#define OUTPUT_H

/* Writes the JSON of a contact on one line. */
void output_write_json(const char *json);

/* Writes what is buffered. Returns EXIT_SUCCESS, or EXIT_FAILURE after reporting an error. */
int output_flush(void);

/* Closes standard output, because some file systems report a failed write only at close. A failure
 * that output_flush has reported is not reported a second time. Returns status, or EXIT_FAILURE
 * after reporting an error. */
int output_close(int status);

#endif
