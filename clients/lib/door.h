/* door.h - the part of a system that others come in through. */
#ifndef LIB_DOOR_H
#define LIB_DOOR_H

#include "lib.h"

/* A contract of a mailbox that may be called through the door, if there is one. ELIMIT. */
enum px_err callable_add(struct px_system *system, px_addr addr, const struct px_contract *contract,
                         bool looks);

/* Before the kernel starts: who may send what. Without a door: nothing. */
enum px_err door_grant(struct px_system *system);
/* Afterwards: it is opened. */
enum px_err door_start(struct px_system *system);
/* Behind the kernel's end. NULL is fine. */
void door_free(struct door_part *take_door);

/* The name a program outside gave to mailbox `addr`; NULL: none. */
const char *door_outside_name(const struct px_system *system, px_addr addr);

/* Is it a mailbox for programs outside? */
bool door_is_outside(const struct px_system *system, px_addr addr);

/* ---- inspect.c ---- */

extern const struct px_service px_inspect_service;
/* Behind the kernel's start. */
void inspect_start(struct px_system *system);

#endif
