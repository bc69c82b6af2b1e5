/* event_text.h - an event as the bytes of text/event-stream (WHATWG HTML 9.2.5). Pure.
 */
#ifndef EVENT_TEXT_H
#define EVENT_TEXT_H

#include "plexus.h"

#include <px/bytes.h>

/* How many bytes it takes. False: nothing is in it, a name or id has a line end, or it is beyond a
 * limit of plexus/events.h. */
bool event_text_len(const struct px_event *event, size_t *ret_len);
/* Writes exactly so many. The id comes first, if there is one. */
void event_text_write(const struct px_event *event, struct px_bytes_out *out);

#endif
