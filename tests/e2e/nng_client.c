/* nng_client.c - a client of the door that is not ours: nng's req socket. `nng_client URL N` calls
 * net.Stats N times.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t request[] = {1, 1, 3,   5,   0,   0,   0,   0,   0,   0,
                                  0, 0, 'n', 'e', 't', 'S', 't', 'a', 't', 's'};

int main(int argc, char **argv)
{
    nng_socket socket;
    int calls = argc > 2 ? atoi(argv[2]) : 1, answered = 0;
    if (argc < 2 || nng_req0_open(&socket) != 0 ||
        nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, 5000) != 0 ||
        nng_dial(socket, argv[1], NULL, 0) != 0) {
        return 1;
    }
    for (int i = 0; i < calls; i++) {
        uint8_t *reply = NULL;
        size_t len = 0;
        uint8_t copy[sizeof request];
        memcpy(copy, request, sizeof request);
        if (nng_send(socket, copy, sizeof copy, 0) != 0 ||
            nng_recv(socket, &reply, &len, NNG_FLAG_ALLOC) != 0) {
            break;
        }
        answered += len >= 12 && reply[0] == 1 && reply[1] == 1 && reply[2] == 0 && reply[3] == 0;
        nng_free(reply, len);
    }
    printf("%d calls answered\n", answered);
    return answered == calls ? 0 : 1;
}
