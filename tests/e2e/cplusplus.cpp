/* cplusplus.cpp - the installed headers in a C++ program: each of them, and something of each
 * library.
 */
#include <cstdio>
#include <cstring>
#include <plexus.h>
#include <px/kernel.h>
#include <px/msg.h>
#include <px/posix.h>
#include <px/sockaddr46.h>
#include <px/test.h>

static void on_root(px_request request, void *)
{
    px_request_reply_text(request, 200, "Hello from C++.\n");
}

static bool simulated()
{
    px_sim_config config = {};
    px_sim *sim = px_sim_new(&config);
    px_sim_advance_us(sim, PX_SEC(1));
    bool moved = px_sim_now_us(sim) > PX_SEC(1);
    px_sim_free(sim);
    return moved;
}

int main()
{
    px_system *system = nullptr;
    px_server *server = nullptr;
    bool good = px_system_new(nullptr, &system) == PX_EOK &&
                px_server_new(system, nullptr, &server) == PX_EOK &&
                px_server_route(server, "GET", "/", on_root, nullptr) == PX_EOK &&
                px_server_listen(server, "127.0.0.1:0", nullptr) == PX_EOK &&
                px_system_env(system) != nullptr;
    std::printf("%s %s\n", px_err_text(PX_EOK),
                good ? px_server_address(server, 0) : px_system_error(system));
    px_sockaddr46 address;
    good = good && px_sockaddr46_parse("::1", 3, &address) == PX_EOK && simulated();
    px_system_free(system);
    return good ? 0 : 1;
}
