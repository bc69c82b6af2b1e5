/* http_contract.h - numbers and methods of the contracts in http.proto, which says what each means.
 */
#ifndef PX_HTTP_CONTRACT_H
#define PX_HTTP_CONTRACT_H

#include <px/contract.h>
#include <px/msg.h>

enum {
    PX_C_HTTP_RESPONDER = 0x03,
    PX_C_HTTP_REQUESTER = 0x04,
};

/* http.Responder */
enum {
    RESPONDER_EXCHANGE = PX_METHOD(PX_C_HTTP_RESPONDER, 0),
    RESPONDER_DATA = PX_METHOD(PX_C_HTTP_RESPONDER, 1),
    RESPONDER_TRAILERS = PX_METHOD(PX_C_HTTP_RESPONDER, 2),
    RESPONDER_CREDIT = PX_METHOD(PX_C_HTTP_RESPONDER, 3),
    RESPONDER_CANCEL = PX_METHOD(PX_C_HTTP_RESPONDER, 4),
    RESPONDER_ENDED = PX_METHOD(PX_C_HTTP_RESPONDER, 5),
    RESPONDER_REFUSED = PX_METHOD(PX_C_HTTP_RESPONDER, 6),
};

extern const struct px_contract px_contract_http_responder;

/* http.Requester */
enum {
    REQUESTER_INFORM = PX_METHOD(PX_C_HTTP_REQUESTER, 0),
    REQUESTER_RESPOND = PX_METHOD(PX_C_HTTP_REQUESTER, 1),
    REQUESTER_DATA = PX_METHOD(PX_C_HTTP_REQUESTER, 2),
    REQUESTER_TRAILERS = PX_METHOD(PX_C_HTTP_REQUESTER, 3),
    REQUESTER_CREDIT = PX_METHOD(PX_C_HTTP_REQUESTER, 4),
    REQUESTER_CANCEL = PX_METHOD(PX_C_HTTP_REQUESTER, 5),
    REQUESTER_ENDED = PX_METHOD(PX_C_HTTP_REQUESTER, 6),
};

extern const struct px_contract px_contract_http_requester;

#endif
