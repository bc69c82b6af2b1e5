/* file_impl.h - what the files of the mailbox "file" share. Not installed.
 */
#ifndef PX_FILE_IMPL_H
#define PX_FILE_IMPL_H

#include <px/service.h>

#include "file.pb-c.h"
#include "file_cache.h"
#include "file_contract.h"
#include "file_open.h"

enum {
    FILE_ROOTS_MAX = 256,      /* configured and added */
    FILE_PATH_MAX = 4096,      /* bytes of a path below a root */
    FILE_OPEN_MAX = 1024,      /* default of Config.open_max */
    FILE_OPEN_CEILING = 65536, /* what Config.open_max may be */
    FILE_KEEP_MS = 5000,       /* default of Config.keep_ms */
    FILE_MEMORY_MAX = 8 << 20, /* default of Config.memory_max */
    FILE_READ_MAX = 262144,    /* bytes of one Read */
    FILE_SMALL_MAX = 16384,    /* what OpenFile.read_max may be */
    FILE_SUFFIXES_MAX = 4,     /* of OpenFile */
    FILE_SUFFIX_MAX = 16,      /* bytes of one */
    FILE_SLICE_MAX = 1 << 30,  /* bytes of one slice of a range; PX_SLICES_MAX of them in a reply */
    FILE_ENTRIES_MAX = 4096,   /* what ListDirectory.entries_max may be */
};

enum file_counter {
    FILE_N_OPENED,
    FILE_N_HITS,
    FILE_N_REFUSED,
    FILE_N_BUSY,
    FILE_N_TRUNCATED,
    FILE_N_COUNTERS
};

/* A directory that may be read below. The descriptor is in a chain, which owns what came in a
 * message as well as what we opened. */
struct root {
    struct px_chain dir; /* empty: no root */
    px_peer owner;       /* 0: configured */
    uint32_t number;     /* the owner's, or the index in the configuration */
    bool without_links;
};

struct file {
    struct px_env *env;
    struct file_cache cache;
    struct file_opener opener;
    uint32_t n_roots; /* places in use or free again */
    struct root roots[FILE_ROOTS_MAX];
};

/* ---- file_root.c ---- */
enum px_err file_roots_configure(struct file *f, const File__Config *config);
/* The root that `msg` speaks of, or NULL. */
struct root *file_root_of(struct file *f, const struct px_msg *msg, bool own, uint32_t number);
int file_root_fd(const struct root *root);
void file_on_add_root(void *state, const struct px_msg *msg);
void file_on_drop_root(void *state, const struct px_msg *msg);
void file_gone(void *state, px_peer peer);

/* ---- file_list.c ---- */
void file_on_list(void *state, const struct px_msg *msg);

/* ---- file.c ---- */
/* The path of a request with a zero behind it. */
bool file_path(const ProtobufCBinaryData *path, char ret[FILE_PATH_MAX + FILE_SUFFIX_MAX + 1]);

#endif
