/* url.h - checks of base URLs and proxy URLs, by libcurl's parser. */
#ifndef REPLYIO_URL_H
#define REPLYIO_URL_H

#include "transport/transport.h"

/* The functions of these names in the transport table. */
reply_result url_parse_base_url(const char *url, struct transport_base_url *base_url, char **text,
                                reply_error *error);
reply_result url_check_proxy(const char *url, reply_error *error);

#endif
