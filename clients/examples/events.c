/* events.c - server-sent events: the time, and what anybody says. CC0, no rights reserved.
 *
 *     ./events 127.0.0.1:8080 & curl -N http://127.0.0.1:8080/events &
 *     curl -d "Hello, all" http://127.0.0.1:8080/
 */
#include <plexus.h>
#include <stdio.h>
#include <time.h>

static const char page[] = "<!doctype html><title>Events</title><b id=now></b><pre id=said></pre>\n"
                           "<script>const s = new EventSource('/events')\n"
                           "s.addEventListener('time', e => now.textContent = e.data)\n"
                           "s.onmessage = e => said.append(e.data + '\\n')</script>\n";

static void on_events(struct px_request request, void *topic)
{
    struct px_events_config config = {.policy = PX_EVENTS_DROP_OLDEST, .retry_ms = 1000};
    px_events_begin(request, &config); /* who reads too slowly misses some; nobody waits for him */
    px_topic_subscribe(topic, request, NULL);
}

static void on_said(struct px_request request, void *topic, const void *data, size_t len)
{
    struct px_reply html = {.content_type = "text/html", .body = page, .body_len = sizeof page - 1};
    if (len > 0) {
        px_topic_publish(topic, &(struct px_event){.data = data, .data_len = len});
    }
    px_request_reply(request, &html);
}

static void on_any(struct px_request request, void *topic)
{
    px_request_collect(request, 1000, on_said, topic);
}

static void on_second(struct px_timer *timer, void *topic)
{
    px_topic_text(topic, "time", ctime(&(time_t){time(NULL)}));
    px_timer_set(timer->system, timer, PX_SEC(1), on_second, topic);
}

int main(int argc, char **argv)
{
    struct px_topic_config keep = {.replay_max = 100}; /* for browsers that were away */
    struct px_timer timer = {.arg = NULL};
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    struct px_topic *topic = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_topic_new(system, &keep, &topic) != PX_EOK ||
        px_server_route(server, "*", "/", on_any, topic) != PX_EOK ||
        px_server_route(server, "GET", "/events", on_events, topic) != PX_EOK ||
        px_timer_set(system, &timer, 0, on_second, topic) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        return 1;
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
