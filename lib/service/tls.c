/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdio.h>
#include <time.h>
#include "log/log.h"
#include "metrics/metrics.h"
#include "service/tls.h"
#include "service_internal.h"

#define TIME_TEXT_BYTES 32

static struct metric expires[] = {
    {.name = "tls_certificate_expires_timestamp_seconds",
     .help = "When the program's TLS certificate ends, seconds since 1970",
     .kind = METRIC_GAUGE},
};

static void log_loaded(const char *event, const struct service_tls *context)
{
    time_t end = net_tls_expires_unix_s(context->tls);
    char text[TIME_TEXT_BYTES] = "";
    struct tm parts;

    if (end != 0 && gmtime_r(&end, &parts)) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
        metric_set(&expires[0], (double)end);
    }
    log_info(event, LOG_STR("for", context->name), LOG_STR("certificate", context->certificate),
             LOG_STR("expires", text));
}

static void reload(void *userdata)
{
    struct service_tls *context = userdata;
    struct error err = {0};

    if (net_tls_reload(context->tls, &err) == STATUS_OK)
        log_loaded("tls.reloaded", context);
    else
        log_error("tls.reload_failed", LOG_STR("for", context->name), LOG_ERR(&err));
}

static enum status add_context(struct service *service, const struct net_tls_options *options,
                               const char *name, struct net_tls **ret, struct error *err)
{
    struct service_tls *context = &service->tls[service->tls_count];

    assert(service->tls_count < SERVICE_TLS_MAX);
    context->tls = net_tls_new(options, err);
    if (!context->tls)
        return err->status;
    context->name = name;
    context->certificate = options->certificate_file ? options->certificate_file : "";
    if (service->tls_count++ == 0 && options->certificate_file)
        metrics_register(expires, ARRAY_LEN(expires));
    log_loaded("tls.loaded", context);
    service_on_hangup(service, reload, context);
    *ret = context->tls;
    return STATUS_OK;
}

static enum status refuse(struct error *err, const char *option, const char *missing)
{
    return error_field(err, STATUS_INVALID_ARGUMENT, "BAD_SETTING", option, "--%s needs %s too",
                       option, missing);
}

enum status service_tls_client(struct service *service, const struct service_tls_settings *settings,
                               struct net_tls **ret, struct error *err)
{
    const struct net_tls_options options = {.ca_file = settings->ca,
                                            .certificate_file = settings->certificate,
                                            .key_file = settings->key};

    *ret = NULL;
    if (settings->key && !settings->certificate)
        return refuse(err, "tls-key", "--tls-certificate");
    if (!settings->dial && !settings->ca)
        return STATUS_OK;
    return add_context(service, &options, "dialling", ret, err);
}

enum status service_tls_server(struct service *service, const struct service_tls_settings *settings,
                               struct net_tls **ret, struct error *err)
{
    const struct net_tls_options options = {.server = true,
                                            .certificate_file = settings->certificate,
                                            .key_file = settings->key,
                                            .ca_file = settings->client_ca,
                                            .require_peer_certificate = true};

    *ret = NULL;
    if (settings->client_ca && !settings->certificate)
        return refuse(err, "tls-client-ca", "--tls-certificate");
    if (!settings->certificate)
        return STATUS_OK;
    return add_context(service, &options, "listening", ret, err);
}
