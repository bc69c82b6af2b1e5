/* remind.h - the service, its contract and its limits. CC0, no rights reserved. */
#ifndef REMIND_H
#define REMIND_H

#include <px/contract.h>
#include <px/service.h>

enum { REMIND_MAX = 100, REMIND_MS_MAX = 3600000, REMIND_TEXT_MAX = 200 };

/* 0x80..0xff are for contracts like this one. */
enum { C_REMIND = 0x80, REMIND_LATER = PX_METHOD(C_REMIND, 0) };

extern const struct px_contract contract_remind;
extern const struct px_service remind_service;

#endif
