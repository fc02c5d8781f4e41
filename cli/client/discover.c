/* SPDX-License-Identifier: Apache-2.0 */
/* Where the system is and with which key to ask. */
#include <stdlib.h>
#include <sys/stat.h>

#include "base/slice.h"
#include "client.h"
#include "json/json.h"
#include "up/datadir.h"
#include "values.h"

#define ENDPOINTS_BYTES_MAX ((size_t)64 * 1024)
#define KEY_BYTES_MAX ((size_t)4096)

struct endpoints {
    const char *controller, *logger, *controller_ops, *key;
    bool exists, running;
};

static const char *text_member(const json_t *json, const char *name, struct arena *arena)
{
    return arena_strdup(arena, json_string_value(json_object_get(json, name)));
}

static enum status read_endpoints(const char *dir, struct arena *arena, struct endpoints *ret,
                                  struct error *err)
{
    AUTO(json_drop) json_t *json = NULL;
    const char *path = arena_printf(arena, "%s/endpoints.json", dir);
    struct stat info;
    struct slice text;

    ret->exists = stat(dir, &info) == 0;
    if (file_read(arena_printf(arena, "%s/admin.key", dir), KEY_BYTES_MAX, arena, &text, NULL) ==
        STATUS_OK)
        ret->key = text_line(arena, text);
    if (file_read(path, ENDPOINTS_BYTES_MAX, arena, &text, NULL) != STATUS_OK)
        return STATUS_OK; /* not running, or not ours: said when an address is really needed */
    enum status st = json_parse(text, ENDPOINTS_BYTES_MAX, &json, err);
    if (st != STATUS_OK)
        return error_wrap(err, st, "%s", path);
    ret->running = true;
    ret->controller = text_member(json, "controller", arena);
    ret->logger = text_member(json, "logger", arena);
    ret->controller_ops = text_member(json, "controllerOps", arena);
    return STATUS_OK;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static const char *first_of(const char *flag, const char *explicit_dir, const char *env,
                            const char *dir)
{
    if (flag)
        return flag;
    if (explicit_dir)
        return explicit_dir;
    return env ? env : dir;
}

/* A system of a data directory is on this machine, without TLS: what the environment says is about
 * another one. */
static enum status discover_tls(const struct connection_settings *settings, bool from_dir,
                                struct client *ret, struct error *err)
{
    const char *ca = settings->tls_ca, *certificate = settings->tls_certificate,
               *key = settings->tls_key;
    bool tls = settings->tls;

    if (!from_dir) {
        ca = ca ? ca : variable("PLANKTON_TLS_CA");
        certificate = certificate ? certificate : variable("PLANKTON_TLS_CERTIFICATE");
        key = key ? key : variable("PLANKTON_TLS_KEY");
        tls = tls || str_eq(variable("PLANKTON_TLS"), "1");
    }
    ret->uses_tls = tls || ca;
    if (!ret->uses_tls && (certificate || key))
        return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_SETTING", "tls-certificate",
                           "--tls-certificate and --tls-key need --tls or --tls-ca too");
    ret->tls_options =
        (struct net_tls_options){.ca_file = ca, .certificate_file = certificate, .key_file = key};
    return STATUS_OK;
}

static enum status no_controller(const char *dir, const struct endpoints *found, struct error *err)
{
    if (found->exists && !found->running)
        return error_field(
            err, STATUS_FAILED_PRECONDITION, "NOT_RUNNING", NULL,
            "Plankton is not running in %s: start it with `plankton up`, or name another with "
            "--data-dir, --controller or PLANKTON_CONTROLLER",
            dir);
    return error_field(
        err, STATUS_FAILED_PRECONDITION, "NO_ADDRESS", NULL,
        "no controller is known: there is no %s here; give --controller or --data-dir, set "
        "PLANKTON_CONTROLLER, or start one with `plankton up`",
        dir);
}

enum status client_discover(const struct connection_settings *settings, struct arena *arena,
                            struct client *ret, struct error *err)
{
    const char *dir = settings->data_dir ? settings->data_dir : DATADIR_DEFAULT;
    bool chosen = settings->data_dir != NULL;
    struct endpoints found = {0};
    const char *key = settings->key;
    struct slice text;
    enum status st = read_endpoints(dir, arena, &found, err);

    if (st == STATUS_OK && !key && settings->key_file) {
        st = file_read(settings->key_file, KEY_BYTES_MAX, arena, &text, err);
        if (st == STATUS_OK)
            key = text_line(arena, text);
    }
    if (st != STATUS_OK)
        return st;
    ret->controller = first_of(settings->controller, chosen ? found.controller : NULL,
                               variable("PLANKTON_CONTROLLER"), found.controller);
    ret->logger = first_of(settings->logger, chosen ? found.logger : NULL,
                           variable("PLANKTON_LOGGER"), found.logger);
    key = first_of(key, chosen ? found.key : NULL, variable("PLANKTON_KEY"), found.key);
    if (!ret->controller)
        return no_controller(dir, &found, err);
    if (!key)
        return error_field(
            err, STATUS_UNAUTHENTICATED, "NO_KEY", NULL,
            "no API key is known: there is no %s/admin.key; give --key or --key-file, or set "
            "PLANKTON_KEY",
            dir);
    /* the ops address belongs to the controller that was found with it */
    if (str_eq(ret->controller, found.controller))
        ret->controller_ops = found.controller_ops;
    ret->authorization = arena_printf(arena, "Bearer %s", key);
    return discover_tls(
        settings, !settings->controller && str_eq(ret->controller, found.controller), ret, err);
}
