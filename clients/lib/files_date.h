/* files_date.h - dates of HTTP (RFC 9110 5.6.7). Pure. Times are whole seconds since 1970-01-01
 * UTC.
 */
#ifndef FILES_DATE_H
#define FILES_DATE_H

#include "plexus.h"

enum { DATE_TEXT_MAX = 30 }; /* bytes of an IMF-fixdate, with the zero */

/* Any of the three forms: IMF-fixdate, the obsolete form of RFC 850, and that of C's asctime.
 * `now_s` places the two digits of an RFC 850 year: what would be more than 50 years ahead is past.
 * The name of the day must be one, but need not be the right one. False: not a date. */
bool date_parse(struct px_text text, int64_t now_s, int64_t *ret_s);

/* The IMF-fixdate of a time of the years 0 to 9999; what lies outside is moved inside. */
void date_format(int64_t at_s, char ret_text[DATE_TEXT_MAX]);

/* Year, month (1..12), day, hour, minute, second: for those who write dates their own way. */
void date_parts(int64_t at_s, int ret_parts[6]);

#endif
