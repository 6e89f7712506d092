/* card.h - a contact, formatted for a terminal. */
#ifndef CARD_H
#define CARD_H

#include <replyio.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* Writes a contact as a card. Times are shown in the user's local time zone, and the next send also
 * relative to now. */
void card_write(FILE *stream, const reply_sequence_contact *contact, time_t now, bool use_colour);

#endif
