/* card.h - a contact as a card that a person reads. */
#ifndef CARD_H
#define CARD_H

#include <replyio.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* Writes the card of a contact. Times are the user's local time, and now is what they are near to
 * or far from. */
void card_write(FILE *stream, const reply_sequence_contact *contact, time_t now, bool use_colour);

#endif
