/* odd_domain.c - what spawn_test starts instead of px-domain: ODD_DOMAIN says what is odd about it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hello.h"
#include "ktest_contract.h"
#include "link_contract.h"

enum { LINK_FD = 3 };

static const struct px_contract *const contracts[] = {&px_contract_toy};

static void say(uint16_t method, const ProtobufCMessage *body)
{
    if (px_hello_write_message(LINK_FD, method, body) != PX_EOK) {
        _exit(0);
    }
}

static void say_ready(void)
{
    Link__ReadyWith ready = LINK__READY_WITH__INIT;
    ready.sandbox = (ProtobufCBinaryData){3, (uint8_t[]){'o', 'd', 'd'}};
    say(LINK_READY, &ready.base);
}

static void say_refused(void)
{
    Link__RefusedBecause refused = LINK__REFUSED_BECAUSE__INIT;
    refused.reason = (ProtobufCBinaryData){6, (uint8_t[]){'n', 'o', '\n', 'w', 'a', 'y'}};
    say(LINK_REFUSED, &refused.base);
}

/* Nobody but the link keeps it alive. */
static void wait_for_the_end(void)
{
    char sink[4096];
    while (recv(LINK_FD, sink, sizeof sink, 0) > 0) {
    }
}

/* Whatever it hears after it is ready is taken for a Ping or a Stop. */
static void answer(void)
{
    char sink[4096];
    Link__None none = LINK__NONE__INIT;
    while (recv(LINK_FD, sink, sizeof sink, 0) > 0) {
        say(LINK_PONG, &none.base);
        say(LINK_STOPPED, &none.base);
    }
}

static void greet(bool other_version, bool other_contract)
{
    struct px_hello hello;
    px_hello_fill("odd 1.0", contracts, 1, &hello);
    hello.from.version += other_version ? 1 : 0;
    hello.forms[0].hash += other_contract ? 1 : 0;
    if (px_hello_write(LINK_FD, &hello) != PX_EOK) {
        _exit(0);
    }
}

int main(void)
{
    struct px_hello_body hello, setup;
    int offer[PX_RING_FDS];
    const char *how = getenv("ODD_DOMAIN");
    how = how == NULL ? "" : how;
    if (px_hello_read(LINK_FD, &hello, &setup, offer) != PX_EOK) {
        return 8;
    }
    free(hello.bytes);
    free(setup.bytes);
    if (strcmp(how, "dies") == 0) {
        return 7;
    }
    if (strcmp(how, "silent") == 0) {
        wait_for_the_end();
    } else if (strcmp(how, "babbles") == 0) {
        (void)!write(LINK_FD, "HTTP/1.1 400 Bad Request\r\n", 26);
        wait_for_the_end();
    }
    greet(strcmp(how, "other version") == 0, strcmp(how, "other contract") == 0);
    if (strcmp(how, "refuses") == 0) {
        say_refused();
        wait_for_the_end();
    }
    say_ready();
    if (strcmp(how, "talks") == 0) {
        (void)!write(STDERR_FILENO, "warned\n<2>h1 peer n=3\x7f\n", 24);
    }
    if (strcmp(how, "ready twice") == 0) {
        say_ready();
    }
    if (strcmp(how, "quick") == 0) {
        return 0;
    }
    if (strcmp(how, "deaf") == 0) {
        wait_for_the_end();
    }
    answer();
    return 0;
}
