/* serve_schema.c - the one table of what plexus serve can be told: checking, defaults, messages and
 * docs/configuration.md come from it.
 */
#include "serve_schema.h"

#include <px/sockaddr46.h>
#include <string.h>

enum { PATH_LEN_MAX = 4095, TIME_MAX = 86400000, COUNT_MAX = 1 << 24 };

/* ---- listening ---- */

static const char address_text[] =
    "an address: 127.0.0.1:8080, [::1]:8080, [::]:80, unix:/run/plexus.sock, unix:@name or fd:3";

static const char *check_address(const char *text)
{
    union px_sockaddr46 addr;
    bool is_unix = strncmp(text, "unix:/", 6) == 0 || strncmp(text, "unix:@", 6) == 0;
    bool is_fd = strncmp(text, "fd:", 3) == 0 && text[3] != '\0' &&
                 strspn(text + 3, "0123456789") == strlen(text + 3);
    if ((is_unix && text[6] != '\0') || is_fd ||
        px_sockaddr46_parse_port(text, strlen(text), &addr) == PX_EOK) {
        return NULL;
    }
    return address_text;
}

static const struct conf_key listen_keys[] = {
    {.name = "address",
     .kind = CONF_TEXT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 113,
     .check = check_address,
     .expected = address_text,
     .text =
         "Where to listen. Port 0 takes any free one. `[::]:80` takes IPv4 too, unless `v6only`. "
         "`fd:3` is a socket that whoever starts the program has opened."},
    {.name = "unix_mode",
     .kind = CONF_MODE,
     .min = 1,
     .max = 0777,
     .standard = "0600",
     .text = "Permission bits of the path of a unix socket."},
    {.name = "backlog",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 65535,
     .standard = "4096",
     .text = "Connections that the operating system queues; it caps this further "
             "(`net.core.somaxconn`)."},
    {.name = "reuse_port",
     .kind = CONF_BOOL,
     .standard = "false",
     .text = "Share the port with other processes that do the same (SO_REUSEPORT)."},
    {.name = "v6only",
     .kind = CONF_BOOL,
     .standard = "false",
     .text = "An IPv6 address takes no IPv4 connections."},
    {.name = "connections_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 1 << 20,
     .text = "Connections through this address; without it `server.connections_max`."},
    {.name = "connections_peer_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 1 << 20,
     .text = "Of these, from one client; without it `server.connections_peer_max`."},
    {0},
};
static const struct conf_key listen_item = {
    .name = "address", .kind = CONF_MAP, .flags = CONF_SHORT, .keys = listen_keys};

/* ---- limits: those of struct px_server_config ---- */

static const struct conf_key server_keys[] = {
    {.name = "connections_max",
     .kind = CONF_COUNT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 1 << 20,
     .standard = "10000",
     .text = "Connections of each address at a time; further ones are closed at once."},
    {.name = "connections_peer_max",
     .kind = CONF_COUNT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 1 << 20,
     .standard = "1024",
     .text = "Of these, from one client address (IPv6: one /64); further ones are closed at once."},
    {.name = "requests_max",
     .kind = CONF_COUNT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = UINT32_MAX,
     .standard = "1000",
     .text = "Requests on one connection; the last is answered with close."},
    {.name = "idle",
     .kind = CONF_TIME,
     .flags = CONF_RESTART,
     .min = 1,
     .max = TIME_MAX,
     .standard = "75s",
     .text = "Between two requests; then the connection is closed."},
    {.name = "head",
     .kind = CONF_TIME,
     .flags = CONF_RESTART,
     .min = 1,
     .max = TIME_MAX,
     .standard = "10s",
     .text = "From the first byte of a request's head to its end; 408."},
    {.name = "write",
     .kind = CONF_TIME,
     .flags = CONF_RESTART,
     .min = 1,
     .max = TIME_MAX,
     .standard = "30s",
     .text = "While the client takes nothing of a response; then the connection is reset."},
    {.name = "body_rate_min",
     .kind = CONF_SIZE,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 1 << 30,
     .standard = "240",
     .text = "Of a request body after its first 5 s, bytes a second; 408."},
    {.name = "body_max",
     .kind = CONF_SIZE,
     .flags = CONF_RESTART,
     .min = 1,
     .max = UINT64_C(1) << 50,
     .text = "Of a request body, whatever the route; 413. Without it "
             "there is no limit but what routes say."},
    {.name = "request_line_max",
     .kind = CONF_SIZE,
     .flags = CONF_RESTART,
     .min = 64,
     .max = 16384,
     .standard = "8k",
     .text = "Of a request line; 414."},
    {.name = "header_line_max",
     .kind = CONF_SIZE,
     .flags = CONF_RESTART,
     .min = 64,
     .max = 49152,
     .standard = "8k",
     .text = "Of one header line; 431."},
    {.name = "headers_len_max",
     .kind = CONF_SIZE,
     .flags = CONF_RESTART,
     .min = 64,
     .max = 49152,
     .standard = "32k",
     .text = "Of all header lines of a request; 431."},
    {.name = "headers_max",
     .kind = CONF_COUNT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 1000,
     .standard = "100",
     .text = "Header fields of a request; 431."},
    {.name = "pipeline_max",
     .kind = CONF_COUNT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 256,
     .standard = "16",
     .text = "Requests of a connection that are read ahead of their answers; the rest waits."},
    {.name = "send_queue_max",
     .kind = CONF_SIZE,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 1 << 30,
     .standard = "64k",
     .text = "Of one streamed response that waits to be sent."},
    {.name = "exchanges_max",
     .kind = CONF_COUNT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = COUNT_MAX - 1,
     .standard = "65536",
     .text = "Requests under way at a time, of all connections; 503."},
    {.name = "files_open_max",
     .kind = CONF_COUNT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 65536,
     .standard = "1024",
     .text = "Files open at a time; 503."},
    {.name = "name",
     .kind = CONF_TEXT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 255,
     .text = "Value of the Server field of responses; without it there is none."},
    {0},
};

/* ---- routes ---- */

static const char path_text[] = "a folder or file: an absolute path, or one relative to where the "
                                "program was started, of up to 4095 bytes";

static const struct conf_key type_item = {.name = "type", .kind = CONF_TEXT, .min = 3, .max = 255};

static const struct conf_key files_keys[] = {
    {.name = "root",
     .kind = CONF_TEXT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = PATH_LEN_MAX,
     .expected = path_text,
     .text = "The folder. What lies outside it is never served, whatever links lie there."},
    {.name = "index",
     .kind = CONF_TEXT,
     .max = 255,
     .standard = "index.html",
     .text = "File that is shown for a folder; empty: none."},
    {.name = "listing",
     .kind = CONF_BOOL,
     .standard = "false",
     .text = "Show what is in a folder that has no index."},
    {.name = "listing_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 4096,
     .standard = "1000",
     .text = "Entries of a listing; the rest is left out."},
    {.name = "dotfiles",
     .kind = CONF_BOOL,
     .standard = "false",
     .text = "Serve names that begin with a dot (`.well-known` always is)."},
    {.name = "precompressed",
     .kind = CONF_BOOL,
     .standard = "true",
     .text = "Where FILE.br or FILE.gz lies beside FILE, send it to clients that prefer it."},
    {.name = "follow_links",
     .kind = CONF_BOOL,
     .standard = "true",
     .text = "Follow symbolic links that stay below the root; others never are."},
    {.name = "cache_control",
     .kind = CONF_TEXT,
     .min = 1,
     .max = 255,
     .text = "Value of Cache-Control with files."},
    {.name = "types",
     .kind = CONF_DICT,
     .max = SERVE_TYPES_MAX,
     .item = &type_item,
     .text = "Content types by the ending of a name, without its dot; they come before the known "
             "ones."},
    {.name = "default_type",
     .kind = CONF_TEXT,
     .min = 3,
     .max = 255,
     .standard = "application/octet-stream",
     .text = "Content type of unknown endings."},
    {.name = "ranges_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 64,
     .standard = "16",
     .text = "Ranges of one request; who asks for more gets the whole file."},
    {0},
};

static const struct conf_key redirect_keys[] = {
    {.name = "to",
     .kind = CONF_TEXT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 2048,
     .text = "Begins with `/` or `https://host`. `{name}` is what matched `:name` or `*name` of "
             "the path, `{/path}` the whole path, `{?query}` the query, `{host}` the host."},
    {.name = "status",
     .kind = CONF_COUNT,
     .min = 301,
     .max = 308,
     .standard = "302",
     .text = "301, 302, 303, 307 or 308."},
    {0},
};

static const struct conf_key respond_keys[] = {
    {.name = "status",
     .kind = CONF_COUNT,
     .min = 200,
     .max = 599,
     .standard = "200",
     .text = "Status of the response."},
    {.name = "text",
     .kind = CONF_LINES,
     .max = 65536,
     .text = "Its body; without it the status in words, or the error page."},
    {.name = "content_type",
     .kind = CONF_TEXT,
     .min = 3,
     .max = 255,
     .standard = "text/plain; charset=utf-8",
     .text = "Type of `text`."},
    {0},
};

static const struct conf_key header_value = {.name = "value", .kind = CONF_TEXT, .max = 4096};
static const struct conf_key header_name = {
    .name = "name", .kind = CONF_TEXT, .min = 1, .max = 128};
static const struct conf_key headers_keys[] = {
    {.name = "set",
     .kind = CONF_DICT,
     .max = SERVE_HEADERS_MAX,
     .item = &header_value,
     .text = "The field has this value, whatever it was."},
    {.name = "add",
     .kind = CONF_DICT,
     .max = SERVE_HEADERS_MAX,
     .item = &header_value,
     .text = "One more field of that name."},
    {.name = "remove",
     .kind = CONF_LIST,
     .max = SERVE_HEADERS_MAX,
     .item = &header_name,
     .text = "No field of that name."},
    {0},
};

static const struct conf_key rate_keys[] = {
    {.name = "requests",
     .kind = CONF_COUNT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 1000000,
     .text = "So many requests."},
    {.name = "per",
     .kind = CONF_TIME,
     .min = 1,
     .max = TIME_MAX,
     .standard = "1s",
     .text = "In so long."},
    {.name = "burst",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 1000000,
     .text = "So many at once after a rest; without it as many as `requests`."},
    {.name = "peers_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = COUNT_MAX,
     .standard = "65536",
     .text = "Clients (IPv6: /64) that are kept count of, 16 bytes each."},
    {0},
};

static const struct conf_key origin_item = {
    .name = "origin", .kind = CONF_TEXT, .min = 1, .max = 255};
static const struct conf_key cors_keys[] = {
    {.name = "origins",
     .kind = CONF_LIST,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 64,
     .item = &origin_item,
     .text = "`https://a.example`, `null`, or `*` for any."},
    {.name = "methods",
     .kind = CONF_TEXT,
     .min = 1,
     .max = 255,
     .text = "`GET, PUT`; without it those routed for the path."},
    {.name = "headers",
     .kind = CONF_TEXT,
     .min = 1,
     .max = 1024,
     .text = "Fields a page may send beyond the safe ones: `x-a, x-b`, or `*`."},
    {.name = "expose",
     .kind = CONF_TEXT,
     .min = 1,
     .max = 1024,
     .text = "Fields a page may read beyond the safe ones."},
    {.name = "max_age",
     .kind = CONF_TIME,
     .min = 0,
     .max = TIME_MAX,
     .standard = "0",
     .text = "How long a browser keeps the answer, in whole seconds; 0: its own 5 s."},
    {.name = "credentials",
     .kind = CONF_BOOL,
     .standard = "false",
     .text = "With cookies and authentication; not with `*`."},
    {0},
};

static const struct conf_key auth_keys[] = {
    {.name = "users",
     .kind = CONF_TEXT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = PATH_LEN_MAX,
     .expected = path_text,
     .text = "A file of lines `name:hash`, as `htpasswd -B` and `mkpasswd` make them: yescrypt, "
             "scrypt, bcrypt, SHA-512 or SHA-256. Up to 1 MiB and 10,000 lines; read when the "
             "configuration is loaded."},
    {.name = "realm",
     .kind = CONF_TEXT,
     .min = 1,
     .max = 128,
     .standard = "restricted",
     .text = "What the client shows."},
    {.name = "pending_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 1024,
     .standard = "64",
     .text = "Passwords being verified or waiting for it; 503 beyond."},
    {.name = "cache_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 65536,
     .standard = "1024",
     .text = "How many credentials are remembered as right."},
    {.name = "cache",
     .kind = CONF_TIME,
     .min = 1000,
     .max = TIME_MAX,
     .standard = "5m",
     .text = "For so long, in whole seconds."},
    {0},
};

static const char method_text[] = "a method in capitals (GET), or * for all";

static const char *check_method(const char *text)
{
    bool ok = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == strlen(text) || strcmp(text, "*") == 0;
    return ok ? NULL : method_text;
}

static const struct conf_key method_item = {.name = "method",
                                            .kind = CONF_TEXT,
                                            .min = 1,
                                            .max = 32,
                                            .check = check_method,
                                            .expected = method_text};

static const char service_text[] = "a name: 1 to 31 letters, digits, '.', '_' and '-'";

static const char *check_service(const char *text)
{
    static const char of_a_name[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    return text[strspn(text, of_a_name)] == '\0' ? NULL : service_text;
}

static const struct conf_key route_keys[] = {
    {.name = "path",
     .kind = CONF_TEXT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = 1024,
     .text = "Which requests: between slashes a literal, `:name` for any one segment, or last of "
             "all `*name` for whatever remains. The more specific wins, whatever the order."},
    {.name = "methods",
     .kind = CONF_LIST,
     .min = 1,
     .max = 16,
     .item = &method_item,
     .text = "Which methods; without it GET and HEAD for `files` and `health`, all "
             "otherwise. GET brings HEAD."},
    {.name = "files",
     .kind = CONF_MAP,
     .flags = CONF_SHORT,
     .keys = files_keys,
     .text = "Serve files; `path` must end in `*name`."},
    {.name = "redirect",
     .kind = CONF_MAP,
     .flags = CONF_SHORT,
     .keys = redirect_keys,
     .text = "Send the client somewhere else."},
    {.name = "respond",
     .kind = CONF_MAP,
     .keys = respond_keys,
     .text = "Answer with a status and a text."},
    {.name = "health",
     .kind = CONF_BOOL,
     .text = "Answer 200 while the server runs, 503 once it stops."},
    {.name = "service",
     .kind = CONF_TEXT,
     .min = 1,
     .max = 31,
     .check = check_service,
     .expected = service_text,
     .text =
         "Let a program answer that has come through the door under this name, such as one that "
         "uses `plexus.http` of the Python package or `provideHttp` of that for Node; 503 with "
         "Retry-After while there is none. "
         "Needs `door`."},
    {.name = "headers",
     .kind = CONF_MAP,
     .keys = headers_keys,
     .text = "Change the fields of every response; 32 changes at most."},
    {.name = "auth",
     .kind = CONF_MAP,
     .flags = CONF_SHORT,
     .keys = auth_keys,
     .text = "Only for users with a password (basic authentication); others get 401. Passwords "
             "travel readable."},
    {.name = "rate",
     .kind = CONF_MAP,
     .keys = rate_keys,
     .text = "Requests of one client; beyond: 429. The buckets are full again after a reload."},
    {.name = "cors",
     .kind = CONF_MAP,
     .keys = cors_keys,
     .text = "Which pages of other origins may use it."},
    {.name = "body_max",
     .kind = CONF_SIZE,
     .min = 1,
     .max = UINT64_C(1) << 50,
     .text = "Of a request body; 413."},
    {.name = "body_time",
     .kind = CONF_TIME,
     .min = 1,
     .max = TIME_MAX,
     .text = "From the head to the end of a request's body; 408."},
    {.name = "answer_time",
     .kind = CONF_TIME,
     .min = 1,
     .max = TIME_MAX,
     .text = "From the head to the beginning of the response; 503."},
    {0},
};
static const struct conf_key route_item = {.name = "route", .kind = CONF_MAP, .keys = route_keys};

static const struct conf_key error_page_keys[] = {
    {.name = "status",
     .kind = CONF_COUNT,
     .flags = CONF_REQUIRED,
     .min = 400,
     .max = 599,
     .text = "Which status."},
    {.name = "file",
     .kind = CONF_TEXT,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = PATH_LEN_MAX,
     .expected = path_text,
     .text = "Its body, up to 1 MiB; read when the configuration is loaded."},
    {.name = "content_type",
     .kind = CONF_TEXT,
     .min = 3,
     .max = 255,
     .standard = "text/html; charset=utf-8",
     .text = "Its type."},
    {0},
};
static const struct conf_key error_page_item = {
    .name = "page", .kind = CONF_MAP, .keys = error_page_keys};

static const struct conf_key name_item = {.name = "name", .kind = CONF_TEXT, .min = 1, .max = 253};

static const struct conf_key host_keys[] = {
    {.name = "names",
     .kind = CONF_LIST,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = SERVE_NAMES_MAX,
     .item = &name_item,
     .text = "`example.com`, or `*.example.com` for every host below that name."},
    {.name = "routes",
     .kind = CONF_LIST,
     .flags = CONF_REQUIRED,
     .min = 1,
     .max = SERVE_ROUTES_MAX,
     .item = &route_item,
     .text = "Its routes; those of the outermost mapping are not tried."},
    {.name = "error_pages",
     .kind = CONF_LIST,
     .max = SERVE_ERROR_PAGES_MAX,
     .item = &error_page_item,
     .text = "Its error pages; others are those of the outermost mapping."},
    {0},
};
static const struct conf_key host_item = {.name = "host", .kind = CONF_MAP, .keys = host_keys};

/* ---- logs ---- */

static const char *const formats[] = {"combined", "json", NULL};
static const char *const levels[] = {"error", "warn", "info", "debug", NULL};

static const struct conf_key access_log_keys[] = {
    {.name = "to",
     .kind = CONF_TEXT,
     .min = 1,
     .max = PATH_LEN_MAX,
     .standard = "off",
     .expected = "off, stderr, or a file of up to 4095 bytes",
     .text = "Where to."},
    {.name = "format",
     .kind = CONF_WORD,
     .words = formats,
     .standard = "combined",
     .text = "One line each: the combined format, or an object of JSON."},
    {0},
};

static const struct conf_key log_keys[] = {
    {.name = "to",
     .kind = CONF_TEXT,
     .min = 1,
     .max = PATH_LEN_MAX,
     .standard = "stderr",
     .expected = "stderr, or a file of up to 4095 bytes",
     .text = "Where to."},
    {.name = "level",
     .kind = CONF_WORD,
     .words = levels,
     .standard = "info",
     .text = "The least important that is written: error (someone must act), warn (degraded), info "
             "(start, stop, reload), debug."},
    {0},
};

/* ---- the door ---- */

static const struct conf_key service_item = {
    .kind = CONF_TEXT, .min = 1, .max = 31, .text = "Name of a service."};

static const struct conf_key door_client_keys[] = {
    {.name = "uid",
     .kind = CONF_COUNT,
     .flags = CONF_REQUIRED,
     .max = 4294967294,
     .text = "The user whose programs this is about, as a number."},
    {.name = "services",
     .kind = CONF_LIST,
     .max = SERVE_DOOR_SERVICES_MAX,
     .item = &service_item,
     .text = "What they may call, by name (`plexus ps`). Without it: every service."},
    {.name = "provides",
     .kind = CONF_LIST,
     .max = SERVE_DOOR_SERVICES_MAX,
     .item = &service_item,
     .text = "Services they may be, by name. Without it: none."},
    {0},
};

static const struct conf_key door_client_item = {
    .kind = CONF_MAP, .keys = door_client_keys, .text = "Programs of one user."};

static const struct conf_key door_keys[] = {
    {.name = "name",
     .kind = CONF_TEXT,
     .min = 1,
     .max = 100,
     .standard = "plexus",
     .text = "Its name, up to 31 bytes: what others pass to `--name` and to `plexus.connect`. With "
             "a slash in it: the folder in which its socket lies."},
    {.name = "clients",
     .kind = CONF_LIST,
     .max = SERVE_DOOR_CLIENTS_MAX,
     .item = &door_client_item,
     .text = "Who may come in besides this user and root, who may call everything."},
    {.name = "clients_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 65535,
     .standard = "256",
     .text = "Connections; further ones are closed at once."},
    {.name = "calls_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 65535,
     .standard = "32",
     .text = "Calls of one connection under way; further ones are answered BUSY."},
    {.name = "services_max",
     .kind = CONF_COUNT,
     .min = 1,
     .max = 32,
     .standard = "8",
     .text = "Programs that are services at a time."},
    {.name = "request_max",
     .kind = CONF_SIZE,
     .min = 1024,
     .max = 16777216,
     .standard = "4m",
     .text = "A request; longer ones are answered TOO_LARGE and end the connection."},
    {.name = "memory_max",
     .kind = CONF_SIZE,
     .min = 65536,
     .max = 4294967296,
     .standard = "64m",
     .text = "What is kept for all connections; what goes beyond is answered BUSY."},
    {0},
};

/* ---- all of it ---- */

const struct conf_key serve_schema[] = {
    {.name = "listen",
     .kind = CONF_LIST,
     .min = 1,
     .max = SERVE_LISTEN_MAX,
     .item = &listen_item,
     .text = "Where to listen. Without it: the sockets passed by systemd, or else 127.0.0.1:8080 "
             "and [::1]:8080."},
    {.name = "root",
     .kind = CONF_TEXT,
     .min = 1,
     .max = PATH_LEN_MAX,
     .expected = path_text,
     .text = "Serve the files below this folder: in short for a route with path `/*path` and "
             "`files`."},
    {.name = "routes",
     .kind = CONF_LIST,
     .max = SERVE_ROUTES_MAX,
     .item = &route_item,
     .text = "What to do with requests for hosts that `hosts` does not name. Without any route and "
             "`root`: a page that explains itself."},
    {.name = "hosts",
     .kind = CONF_LIST,
     .max = SERVE_HOSTS_MAX,
     .item = &host_item,
     .text = "Hosts with routes of their own."},
    {.name = "error_pages",
     .kind = CONF_LIST,
     .max = SERVE_ERROR_PAGES_MAX,
     .item = &error_page_item,
     .text = "Bodies of errors. What is no request (its head is malformed, too long or too late) "
             "is answered "
             "by a line of text."},
    {.name = "server",
     .kind = CONF_MAP,
     .keys = server_keys,
     .standard = "",
     .text = "Limits of every connection."},
    {.name = "access_log",
     .kind = CONF_MAP,
     .flags = CONF_SHORT,
     .keys = access_log_keys,
     .standard = "",
     .text = "One line for each request that has ended, and for what was refused before it was one "
             "(malformed, too long, too late)."},
    {.name = "log",
     .kind = CONF_MAP,
     .flags = CONF_SHORT,
     .keys = log_keys,
     .standard = "",
     .text = "What the server itself has to say."},
    {.name = "door",
     .kind = CONF_MAP,
     .flags = CONF_RESTART | CONF_SHORT,
     .keys = door_keys,
     .text =
         "A socket through which other programs of this host call services: `plexus ps`, `plexus "
         "call`, Python. Without it there is none."},
    {.name = "user",
     .kind = CONF_TEXT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 64,
     .text = "Started as root: who to be once the addresses, roots and logs are open."},
    {.name = "group",
     .kind = CONF_TEXT,
     .flags = CONF_RESTART,
     .min = 1,
     .max = 64,
     .text = "Its group; without it the user's."},
    {.name = "drain",
     .kind = CONF_TIME,
     .max = TIME_MAX,
     .standard = "10s",
     .text = "Stopping: how long requests under way may take to finish."},
    {0},
};

void serve_reference(FILE *out)
{
    fprintf(
        out, "%s",
        "# Configuration of `plexus serve`\n\n"
        "This page is printed by `plexus help configuration`; a test compares them.\n\n"
        "The file is YAML: mappings, lists and scalars, without anchors, aliases and tags. It "
        "is read by\n`plexus serve --config FILE`, and checked by `plexus serve --config FILE "
        "--check`: every mistake is told with\nfile, line, key, what was expected and the "
        "nearest known key, and the exit code is 2.\n\n"
        "Over the file goes the environment: `PLEXUS_` and the key in capitals, with `_` for "
        "`.` (`PLEXUS_SERVER_IDLE=10s`,\n`PLEXUS_LISTEN=127.0.0.1:80,[::1]:80`). Over that goes "
        "the command line: `--listen`, `--root`, `--log-level`,\nand `--set KEY=VALUE` for any "
        "key (`--set server.idle=10s`). Neither reaches into lists.\n\n"
        "On SIGHUP the file is read again. Connections and requests under way are not touched; "
        "routes, hosts, error pages,\nlogs, `drain` and addresses are what the new file says, "
        "or, if it has a mistake, all of it stays as it was and the\nlog says why. What changes "
        "at the next start only says so below, and in the log.\n\n"
        "A size has a unit of `k`, `m` or `g` (1,024 each) or none; a duration always has one "
        "(`ms`, `s`, `m`, `h`, `d`).\n");
    conf_reference(serve_schema, out);
}
