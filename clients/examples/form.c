/* form.c - a page with a form, and its answer; as sent by browsers either way, urlencoded or
 * multipart. CC0, no rights reserved.
 *
 *     ./form 127.0.0.1:8080 & curl -d "name=Ann&drink=tea" http://127.0.0.1:8080/
 */
#include <plexus.h>
#include <stdio.h>

static const char page[] = "<!doctype html><title>Order</title><form method=post>Your name: "
                           "<input name=name><select name=drink><option>tea<option>coffee</select>"
                           "<button>Order</button></form>\n";

static void on_form(struct px_request request, void *arg, const struct px_form *form)
{
    char text[256];
    struct px_text name, drink = {"water", 5};
    unsigned *n_orders = arg;
    px_form_value(form, "drink", &drink); /* or water */
    if (!px_form_value(form, "name", &name) || name.len == 0) {
        px_request_reply_text(request, 422, "Who are you?\n");
        return;
    }
    snprintf(text, sizeof text, "Order %u: %.*s for %.*s\n", ++*n_orders, PX_TEXT_ARG(drink),
             PX_TEXT_ARG(name));
    px_request_reply_text(request, 200, text);
}

static void on_post(struct px_request request, void *n_orders)
{
    struct px_form_config small = {.total_len_max = 2000, .parts_max = 2};
    px_form_collect(request, &small, on_form, n_orders); /* what is no form, it answers itself */
}

static void on_get(struct px_request request, void *arg)
{
    struct px_reply html = {.content_type = "text/html", .body = page, .body_len = sizeof page - 1};
    (void)arg;
    px_request_reply(request, &html);
}

int main(int argc, char **argv)
{
    unsigned n_orders = 0;
    struct px_system *system = NULL;
    struct px_server *server = NULL;
    if (px_system_new(NULL, &system) != PX_EOK || px_server_new(system, NULL, &server) != PX_EOK ||
        px_server_route(server, "GET", "/", on_get, NULL) != PX_EOK ||
        px_server_route(server, "POST", "/", on_post, &n_orders) != PX_EOK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", NULL) != PX_EOK) {
        return fprintf(stderr, "%s\n", px_system_error(system));
    }
    printf("listening on %s\n", px_server_address(server, 0));
    return fflush(stdout) != 0 || px_run(system) != PX_EOK;
}
