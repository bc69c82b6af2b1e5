/* files_impl.h - what the files that answer with files share.
 *
 *     files.c         px_files: configuration, life, asking for a file
 *     files_answer.c  from an open file to a response: 200, 206, 304, 412, 416
 *     files_dir.c     directories: the redirect that adds a slash, the listing
 *     reply_file.c    px_request_reply_file, and reading for engines that take no file ranges
 */
#ifndef FILES_IMPL_H
#define FILES_IMPL_H

#include "lib.h"

#include <plexus/files.h>

#include "files_encoding.h"
#include "files_mime.h"

enum {
    FILES_MAX = 128,          /* px_files at a time */
    FILES_FIELDS_MAX = 32,    /* fields of one */
    FILES_ENTRIES_MAX = 4096, /* listing_max */
    FILE_PATH_MAX = 4096,     /* file.proto */
    LOCATION_MAX = 8192,      /* bytes of a Location field */
};

struct px_files {
    struct px_files *next, **link; /* of the system */
    struct px_system *system;
    struct mime *mime;
    char *param, *index, *default_type; /* index NULL: none */
    uint8_t *fields;                    /* serialized HeaderList */
    size_t fields_len;
    struct px_buf *directory; /* open, to be handed over again if need be */
    uint32_t root;            /* our number for it */
    uint32_t refs; /* the program's, and one for each request that waits for the mailbox */
    uint32_t listing_max, ranges_max;
    bool listing, dotfiles, precompressed, without_links;
};

/* What to say of a file besides what the file itself says. */
struct file_terms {
    struct px_text content_type; /* ptr NULL: none */
    struct px_span fields;       /* serialized; a content-type in it is passed over */
    const char *coding;          /* Content-Encoding, or NULL */
    uint32_t ranges_max;         /* 0: ranges are not offered */
    bool validators;             /* ETag and Last-Modified, and what hangs on them */
};

/* ---- files.c ---- */
void files_hold(struct px_files *files);
void files_release(struct px_files *files);
/* The mailbox `file` lives again, and knows no roots of ours. */
void files_back(struct px_system *system);
/* Frees what is left when the kernel is gone. */
void files_free_all(struct px_system *system);

/* ---- files_answer.c ---- */
/* Answers with the file of an Open's reply; the request is OPENING. */
void file_answer(struct request *r, const struct px_msg *opened, const struct file_terms *terms);
/* Answers what Open, Read or List refused. */
void file_refused(struct request *r, enum px_status status);

/* ---- files_dir.c ---- */
void file_redirect(struct request *r);
/* Asks for what is in the directory of the request's path, and shows it. Takes a reference of
 * `files`, which the caller has. */
void files_list(struct request *r, struct px_files *take_files, struct px_text path);

#endif
