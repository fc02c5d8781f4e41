/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where to connect. libpq resolves names inside PQconnectPoll, which would stop the loop for as
 * long as DNS takes; so names are resolved here, in the pool and anew for each attempt (a failover
 * may move a name), and libpq gets hostaddr beside host.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "db_internal.h"

#define CONNINFO_PARAMS_MAX 64
#define OPTIONS_BYTES 1024
#define LIST_BYTES (DB_HOSTS_MAX * 256)

static void conninfo_freep(PQconninfoOption **options)
{
    PQconninfoFree(*options);
}

static PQconninfoOption *conninfo_parse(const char *url, struct error *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);

    if (!options) {
        size_t len = message ? strcspn(message, "\n") : 0;

        error_field(err, STATUS_INVALID_ARGUMENT, "DATABASE_URL_INVALID", NULL,
                    "database url: %.*s", (int)len, message ? message : "");
        PQfreemem(message);
    }
    return options;
}

static const char *option_value(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *option = options; option->keyword; option++)
        if (str_eq(option->keyword, keyword))
            return option->val && *option->val ? option->val : NULL;
    return NULL;
}

/* The i-th entry of a comma list. A list of one serves all hosts when `repeat` (ports). NULL when
 * absent or empty. */
static char *list_entry(const char *list, size_t i, bool repeat)
{
    if (!list)
        return NULL;
    if (repeat && !strchr(list, ','))
        i = 0;
    for (; i > 0; i--) {
        list = strchr(list, ',');
        if (!list)
            return NULL;
        list++;
    }
    size_t len = strcspn(list, ",");

    if (len == 0)
        return NULL;
    char *entry = mem_zalloc(len + 1);

    memcpy(entry, list, len);
    return entry;
}

static size_t list_length(const char *list)
{
    size_t n = 1;

    for (const char *c = list; c && *c; c++)
        n += *c == ',';
    return list ? n : 0;
}

static bool is_address(const char *text)
{
    struct in6_addr scratch;

    return inet_pton(AF_INET, text, &scratch) == 1 || inet_pton(AF_INET6, text, &scratch) == 1 ||
           strchr(text, '%');
}

static bool is_socket(const char *host)
{
    return *host == '/' || *host == '@';
}

enum status db__hosts_parse(const char *url, struct db_hosts *ret, struct error *err)
{
    AUTO(conninfo_freep) PQconninfoOption *options = conninfo_parse(url, err);

    if (!options)
        return STATUS_INVALID_ARGUMENT;
    const char *hosts = option_value(options, "host");
    const char *addresses = option_value(options, "hostaddr");
    const char *ports = option_value(options, "port");

    if (!hosts && !addresses)
        hosts = getenv("PGHOST");
    if (!ports)
        ports = getenv("PGPORT");
    size_t n = MAX_OF(MAX_OF(list_length(hosts), list_length(addresses)), 1);

    if (n > DB_HOSTS_MAX)
        return error_field(err, STATUS_INVALID_ARGUMENT, "DATABASE_URL_INVALID", NULL,
                           "database url: %zu hosts, at most %d are allowed", n, DB_HOSTS_MAX);
    *ret = (struct db_hosts){.n = n};
    for (size_t i = 0; i < n; i++)
        ret->list[i] = (struct db_host){
            .host = list_entry(hosts, i, false),
            .address = list_entry(addresses, i, false),
            .port = list_entry(ports, i, true),
        };
    return STATUS_OK;
}

static bool host_needs_name(const struct db_host *host)
{
    return host->host && !host->address && !is_socket(host->host) && !is_address(host->host);
}

bool db__hosts_need_names(const struct db_hosts *hosts)
{
    for (size_t i = 0; i < hosts->n; i++)
        if (host_needs_name(&hosts->list[i]))
            return true;
    return false;
}

static void host_fini(struct db_host *host)
{
    free(host->host);
    free(host->address);
    free(host->port);
}

void db__hosts_fini(struct db_hosts *hosts)
{
    for (size_t i = 0; i < hosts->n; i++)
        host_fini(&hosts->list[i]);
    hosts->n = 0;
}

static void hosts_add(struct db_hosts *hosts, const struct db_host *host, const char *address)
{
    if (hosts->n == DB_HOSTS_MAX)
        return;
    hosts->list[hosts->n++] = (struct db_host){
        .host = host->host ? mem_strdup(host->host) : NULL,
        .address = address ? mem_strdup(address) : NULL,
        .port = host->port ? mem_strdup(host->port) : NULL,
    };
}

/* Returns 0 or getaddrinfo's error. */
static int host_resolve(const struct db_host *host, struct db_hosts *to)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(host->host, NULL, &hints, &found), taken = 0;

    for (struct addrinfo *a = found; rc == 0 && a && taken < DB_ADDRESSES_PER_HOST_MAX;
         a = a->ai_next) {
        char address[INET6_ADDRSTRLEN + 16]; /* with a scope */

        if (getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof(address), NULL, 0,
                        NI_NUMERICHOST) != 0)
            continue;
        hosts_add(to, host, address);
        taken++;
    }
    if (found)
        freeaddrinfo(found);
    return rc;
}

enum status db__hosts_resolve(struct db_hosts *hosts, struct error *err)
{
    struct db_hosts resolved = {.n = 0};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < hosts->n; i++) {
        const struct db_host *host = &hosts->list[i];

        if (!host_needs_name(host)) {
            hosts_add(&resolved, host, host->address);
            continue;
        }
        int rc = host_resolve(host, &resolved);

        if (rc != 0)
            status = error_field(err, STATUS_UNAVAILABLE, "DATABASE_UNREACHABLE", NULL,
                                 "resolving %s: %s", host->host, gai_strerror(rc));
    }
    if (resolved.n == 0)
        return status;
    /* Some names may have failed: the others are tried. */
    error_reset(err);
    db__hosts_fini(hosts);
    *hosts = resolved;
    return STATUS_OK;
}

struct conninfo {
    const char *keywords[CONNINFO_PARAMS_MAX], *values[CONNINFO_PARAMS_MAX];
    size_t n;
    char options[OPTIONS_BYTES], host[LIST_BYTES], address[LIST_BYTES], port[LIST_BYTES];
};

static void conninfo_put(struct conninfo *info, const char *keyword, const char *value)
{
    if (info->n + 1 >= CONNINFO_PARAMS_MAX)
        return;
    info->keywords[info->n] = keyword;
    info->values[info->n++] = value;
}

static void conninfo_default(struct conninfo *info, const PQconninfoOption *parsed,
                             const char *keyword, const char *value)
{
    if (!option_value(parsed, keyword))
        conninfo_put(info, keyword, value);
}

static void list_put(char *list, bool first, const char *entry)
{
    size_t len = strlen(list);

    snprintf(list + len, LIST_BYTES - len, "%s%s", first ? "" : ",", entry ? entry : "");
}

static void conninfo_hosts(struct conninfo *info, const struct db_hosts *hosts, size_t turn)
{
    bool any_host = false, any_address = false, any_port = false;

    for (size_t i = 0; i < hosts->n; i++) {
        const struct db_host *host = &hosts->list[(i + turn) % hosts->n];

        list_put(info->host, i == 0, host->host);
        list_put(info->address, i == 0, host->address);
        list_put(info->port, i == 0, host->port);
        any_host |= host->host != NULL;
        any_address |= host->address != NULL;
        any_port |= host->port != NULL;
    }
    if (any_host)
        conninfo_put(info, "host", info->host);
    if (any_address)
        conninfo_put(info, "hostaddr", info->address);
    if (any_port)
        conninfo_put(info, "port", info->port);
}

/* Timeouts and settings ride on the connection, so that they hold for every statement. A
 * transaction pooler refuses `options`: there they have to be set on the role. */
static void conninfo_options(struct conninfo *info, const struct db_conn *conn, const char *given)
{
    size_t len = 0;

    if (given)
        len = (size_t)snprintf(info->options, OPTIONS_BYTES, "%s", given);
    if (!conn->pooler_transaction && conn->settings && len < OPTIONS_BYTES)
        len += (size_t)snprintf(info->options + len, OPTIONS_BYTES - len, " %s", conn->settings);
    if (!conn->pooler_transaction && conn->statement_timeout_ms > 0 && len < OPTIONS_BYTES)
        len +=
            (size_t)snprintf(info->options + len, OPTIONS_BYTES - len, " -c statement_timeout=%lld",
                             (long long)conn->statement_timeout_ms);
    if (!conn->pooler_transaction && conn->lock_timeout_ms > 0 && len < OPTIONS_BYTES)
        len += (size_t)snprintf(info->options + len, OPTIONS_BYTES - len, " -c lock_timeout=%lld",
                                (long long)conn->lock_timeout_ms);
    if (len > 0)
        conninfo_put(info, "options", info->options);
}

PGconn *db__connect_start(const struct db_conn *conn, const struct db_hosts *hosts,
                          struct error *err)
{
    AUTO(conninfo_freep) PQconninfoOption *parsed = conninfo_parse(conn->url, err);

    if (!parsed)
        return NULL;
    AUTO(free_ptr) struct conninfo *info = mem_zalloc(sizeof(*info));

    conninfo_hosts(info, hosts, conn->attempts);
    conninfo_options(info, conn, option_value(parsed, "options"));
    for (const PQconninfoOption *option = parsed; option->keyword; option++) {
        static const char *const own[] = {"host", "hostaddr", "port", "options", "client_encoding"};
        bool skip = !option->val;

        for (size_t i = 0; i < ARRAY_LEN(own); i++)
            skip |= str_eq(option->keyword, own[i]);
        if (!skip)
            conninfo_put(info, option->keyword, option->val);
    }
    conninfo_put(info, "client_encoding", "UTF8");
    if (conn->application_name)
        conninfo_default(info, parsed, "application_name", conn->application_name);
    /* GSSAPI costs a round trip and is never meant; who wants it says so in the url. */
    conninfo_default(info, parsed, "gssencmode", "disable");
    conninfo_default(info, parsed, "keepalives_idle", "30");
    conninfo_default(info, parsed, "tcp_user_timeout", "10000");
    if (hosts->n > 1)
        conninfo_default(info, parsed, "target_session_attrs", "read-write");
    return PQconnectStartParams(info->keywords, info->values, 0);
}
