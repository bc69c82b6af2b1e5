/** @file plexus/form.h
 * Forms that a browser sends: application/x-www-form-urlencoded (WHATWG URL 5.1) and
 * multipart/form-data (RFC 7578), read as they come. A file of any size streams through: the client
 * is slowed down to the speed at which its bytes are dealt with.
 *
 *     static void on_data(struct px_request request, void *arg, const struct px_form_part *part,
 *                         const void *data, size_t len)
 *     {
 *         fwrite(data, 1, len, arg);
 *     }
 *     ...
 *     px_form_read(request, NULL, &events, file);
 *
 * What is malformed is answered 400, what goes beyond a limit 413, another type of body 415 (with
 * the error pages of the server). The rules in plexus.h hold here too.
 */
#ifndef PLEXUS_FORM_H
#define PLEXUS_FORM_H

#include <plexus.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Limits of a form. A zeroed one takes every default. One past each is answered 413. */
struct px_form_config {
    uint32_t parts_max;      /**< fields and files; up to 65535 [256] */
    uint32_t name_len_max;   /**< bytes of a field's name; up to 4096 [256] */
    uint32_t header_len_max; /**< bytes of a part's header lines; up to 65536 [4096] */
    uint32_t value_len_max;  /**< bytes of what is not a file [65536] */
    uint64_t file_len_max;   /**< bytes of a file [no limit] */
    uint64_t total_len_max;  /**< bytes of the body [no limit; px_form_collect: 32768] */
    uint32_t window;         /**< as in px_request_read [65536] */
    bool settle_by_hand;     /**< the bytes given to `data` are yours to settle
                                (px_request_settle), the others not. False: they are dealt with when
                                `data` returns. */
};

/** A field or file of a form. Texts are UTF-8 without control characters (400 otherwise), borrowed,
 * and valid until `end` has returned.
 *
 * In a quoted name or filename \" stands for ", \\ for \, and %22, which browsers write, for ";
 * any other backslash is itself. `filename*` (RFC 8187) counts more than `filename`. */
struct px_form_part {
    struct px_text name;     /**< of the field; may be empty */
    struct px_text filename; /**< as the client says, which may be a path: px_form_safe_name */
    struct px_text type;     /**< Content-Type of the part, as sent; empty: text/plain */
    bool is_file;            /**< it has a filename; an empty one: none was chosen */
    uint32_t index;          /**< 0 for the first */
};

/** What happens while a form is read. Each may be NULL. No more is told once the request is
 * answered (px_request_begin alone does not count) but `done`. */
struct px_form_events {
    /** A field or file begins. */
    void (*begin)(struct px_request request, void *arg, const struct px_form_part *part);
    /** Bytes of it, decoded. */
    void (*data)(struct px_request request, void *arg, const struct px_form_part *part,
                 const void *data, size_t len);
    /** It is complete. */
    void (*end)(struct px_request request, void *arg, const struct px_form_part *part);
    /** The last, exactly once. PX_EOK: the form is complete; answer now. PX_EINVAL (400) and
     * PX_ELIMIT (413): it was not, and is answered, unless px_request_begin was called. PX_ESTALE:
     * the client has gone, or you had answered. */
    void (*done)(struct px_request request, void *arg, enum px_err err);
};

/** Reads the body of a request as a form; instead of px_request_read. `config` may be NULL,
 * `events` must outlive the request. px_request_on still tells `drained` and `ended`, not `body`.
 *
 * With an error `done` is not called. Answered already: PX_EUNSUPPORTED (415, or 400: no usable
 * boundary), PX_ELIMIT (413: the declared length). Not answered: PX_EINVAL: a limit is out of
 * range; PX_ENOMEM; PX_ESTALE; PX_ESTATE: the body is being read, or it is an event stream. */
enum px_err px_form_read(struct px_request request, const struct px_form_config *config,
                         const struct px_form_events *events, void *arg);

/** What a file may be stored as: of a filename what stands behind the last '/' or '\', with a zero.
 * PX_EINVAL: nothing does, or it begins with '.'; PX_ELIMIT: longer than `size` - 1 bytes. */
enum px_err px_form_safe_name(struct px_text filename, char *ret_name, size_t size);

/** A field of a whole form. Behind each text stands a zero byte. */
struct px_form_field {
    struct px_text name;     /**< as in px_form_part */
    struct px_text value;    /**< the field's text, or the file's bytes */
    struct px_text filename; /**< as in px_form_part */
    struct px_text type;     /**< as in px_form_part */
    bool is_file;            /**< as in px_form_part */
};

/** A whole form. */
struct px_form {
    const struct px_form_field *fields; /**< in the order sent */
    uint32_t n_fields;                  /**< how many */
};

/** Gets a whole form, borrowed. */
typedef void (*px_form_fn)(struct px_request request, void *arg, const struct px_form *form);

/** Takes a whole, small form (total_len_max is at most 1 MiB), then calls `fn`: not if the form was
 * answered 400 or 413 or the client has gone. Errors as px_form_read. */
enum px_err px_form_collect(struct px_request request, const struct px_form_config *config,
                            px_form_fn fn, void *arg);

/** The value of the first field of that name. False: there is none; `ret_value` is untouched. */
bool px_form_value(const struct px_form *form, const char *name, struct px_text *ret_value);

#ifdef __cplusplus
}
#endif

#endif
