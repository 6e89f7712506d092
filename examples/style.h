/* style.h - escape sequences for emphasis on a terminal. */
#ifndef STYLE_H
#define STYLE_H

#define STYLE_BOLD    "\033[1m"
#define STYLE_DIM     "\033[2m"
#define STYLE_WARNING "\033[1;37;41m"
#define STYLE_PLAIN   "\033[0m"

#endif
