/* own_domain.c - what runs in a process that is to have the service: named by PX_DOMAIN, started by
 * Plexus. CC0, no rights reserved. */
#include <plexus.h>

#include "remind.h"

int main(int argc, char **argv)
{
    static const struct px_contract *const contracts[] = {&contract_remind};
    const struct px_addition addition = {
        .service = &remind_service, .contracts = contracts, .n_contracts = 1};
    return px_domain_main(argc, argv, &addition, 1);
}
