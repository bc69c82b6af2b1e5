/* door_client.h - a blocking client of a door, for commands (docs/wire.md).
 */
#ifndef DOOR_CLIENT_H
#define DOOR_CLIENT_H

#include <plexus.h>
#include <px/err.h>
#include <stdint.h>

#include "inspect.pb-c.h"

struct door_client {
    const char *command; /* whose messages these are */
    const char *name;    /* of the door */
    int fd;
    uint32_t next_id;
};

struct door_answer {
    enum px_status status;
    char *text;          /* zero-terminated; never NULL */
    uint8_t *bytes;      /* what was read; text, body and payload lie in it */
    const uint8_t *body; /* packed */
    size_t body_len;
    size_t payload_len;
};

/* Connects. False: said why on standard error. */
bool door_client_open(struct door_client *client, const char *command, const char *name);
void door_client_close(struct door_client *client);

/* Calls a method; `deadline_ms` 0: the door's own. False: said why on standard error; otherwise the
 * answer is to be freed. */
bool door_client_call(struct door_client *client, const char *service, const char *method,
                      const void *body, size_t body_len, uint32_t deadline_ms,
                      struct door_answer *ret_answer);
void door_answer_free(struct door_answer *answer);

/* The same for methods of inspect.Inspect, whose status must be OK. `service`: what is not there if
 * it is NOT_FOUND. NULL: said why. To be freed with protobuf_c_message_free_unpacked. */
void *door_client_inspect(struct door_client *client, const char *method, const char *service,
                          const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type);

/* What there is to call of a service. NULL: said why. */
Inspect__Description *door_client_describe(struct door_client *client, const char *service);

#endif
