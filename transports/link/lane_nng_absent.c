/* lane_nng_absent.c - a build without libnng: nothing is ever carried by it. */
#include "lane_impl.h"

#include <px/assert.h>

bool px_pair_is_built(void)
{
    return false;
}

enum px_err px_pair_listen(uid_t client, struct px_pair **ret_pair)
{
    (void)client;
    (void)ret_pair;
    return PX_EUNSUPPORTED;
}

const char *px_pair_path(const struct px_pair *pair)
{
    (void)pair;
    return "";
}

void px_pair_expect(struct px_pair *pair, pid_t pid)
{
    (void)pair;
    (void)pid;
}

enum px_err px_pair_dial(const char *path, struct px_pair **ret_pair)
{
    (void)path;
    (void)ret_pair;
    return PX_EUNSUPPORTED;
}

void px_pair_free(struct px_pair *take_pair)
{
    PX_ASSERT(take_pair == NULL);
}

void lane_nng_bell(struct px_lane *lane)
{
    (void)lane;
}

enum px_err px_lane_pair(struct px_lane *lane, struct px_pair *pair)
{
    (void)lane;
    (void)pair;
    return PX_EUNSUPPORTED;
}
