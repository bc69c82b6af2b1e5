/** @file files.h
 * Files as responses: a directory becomes part of a site.
 *
 *     struct px_files_config config = {.directory = "/srv/www"};
 *     px_files_new(system, &config, &files);
 *     px_server_route(server, "GET", "/static/" "*path", px_files_serve, files);
 *
 * What a client gets: the bytes of regular files and nothing from outside the directory; a type by
 * the ending of the name; a strong ETag (of inode, size and time in nanoseconds), Last-Modified and
 * every conditional request of RFC 9110 13; one range or several (RFC 9110 14); the index of a
 * directory, and a redirect that adds the slash. Names that begin with a dot are not served, but
 * for .well-known in the first place (RFC 8615).
 *
 * Small files (up to 16384 bytes) go out with their head in one write, larger ones by sendfile. A
 * file that gets shorter or is written over while it is sent ends that response: the connection is
 * reset before the last bytes. One that grows, or is replaced by renaming, is sent as it was.
 */
#ifndef PLEXUS_FILES_H
#define PLEXUS_FILES_H

#include <plexus.h>

#ifdef __cplusplus
extern "C" {
#endif

struct px_files;

/** A type for names with some ending. */
struct px_files_type {
    const char *ending; /**< behind the last dot, any case ("md"); 1..31 bytes */
    const char *type;   /**< value of Content-Type; up to 255 bytes */
};

/** What becomes of symbolic links. */
enum px_files_links {
    /** Relative ones that lead to a place below the directory are followed, others are not there.
     * Before Linux 5.6: as PX_FILES_LINKS_NEVER. */
    PX_FILES_LINKS_INSIDE,
    PX_FILES_LINKS_NEVER, /**< none is followed: a path with one is not there */
};

/** How to serve a directory. A zeroed one, but for `directory`, takes every default. Everything is
 * copied. */
struct px_files_config {
    /** The directory. It is opened now, once: it may be moved, and rights be given up, afterwards.
     */
    const char *directory;
    const char *param;    /**< name of the route's parameter that has the path ["path"] */
    const char *index;    /**< file shown for a directory; "": none ["index.html"] */
    bool listing;         /**< show what is in a directory without index; otherwise 404 */
    uint32_t listing_max; /**< entries of a listing, 1..4096; the rest is left out [1000] */
    bool dotfiles;        /**< serve names that begin with a dot too */
    /** Where FILE.br or FILE.gz lies beside FILE, send it to those who prefer that coding. */
    bool precompressed;
    enum px_files_links links;     /**< what becomes of symbolic links */
    const char *cache_control;     /**< value of Cache-Control with 200, 206 and 304; NULL: none */
    const struct px_field *fields; /**< further fields with 200, 206 and 304 */
    uint32_t n_fields;             /**< how many; 0..32 */
    const struct px_files_type *types; /**< types of your own; they come before all others */
    uint32_t n_types;                  /**< how many */
    /** More types, for endings that libplexus does not know; a file that is not there is no
     * mistake. "": none ["/etc/mime.types"] */
    const char *types_path;
    const char *default_type; /**< of unknown endings ["application/octet-stream"] */
    /** Ranges of one request, 1..64; who asks for more gets the whole file [16]. One: no
     * multipart/byteranges. */
    uint32_t ranges_max;
};

/** Opens a directory to be served. Starts the system; may be called while it runs, and from inside
 * a callback. PX_ENOENT, PX_EDENIED: px_system_error says more; PX_EINVAL: something is out of
 * range; PX_ELIMIT: 128 directories are served; PX_ENOMEM; or the error of starting. */
PX_MUST_USE enum px_err px_files_new(struct px_system *system, const struct px_files_config *config,
                                     struct px_files **ret_files);

/** Ends it, once the last response under way has: take its routes away first. Otherwise it is freed
 * with the system. NULL is fine. */
void px_files_free(struct px_files *take_files);

/** Answers a request with a file; `files` is a struct px_files. A px_route_fn, for GET (and HEAD)
 * of a pattern that ends in "*path".
 *
 * 404: no such file, not readable, hidden, outside, or a directory without index; 503: too many are
 * open (px_system_config.files_open_max); 301: a directory without its slash; 304, 412, 416, 206 as
 * the client asked. */
void px_files_serve(struct px_request request, void *files);

#ifdef __cplusplus
}
#endif

#endif
