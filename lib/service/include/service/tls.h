/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_TLS_H
#define SERVICE_TLS_H
/*
 * TLS of a program by its settings, the same for all: a program has one certificate, which it shows
 * to whom dials it and, when asked, to whom it dials. A program that listens puts both pieces into
 * its option table, one that only dials the second. On SIGHUP the files are read again; the
 * contexts live as long as the service.
 */
#include "net/tls.h"
#include "service/service.h"

struct service_tls_settings {
    bool dial;
    const char *ca, *certificate, *key, *client_ca;
};

#define SERVICE_TLS_LISTEN_OPTIONS(struct_, field_)                                                \
    CONF_OPTION("tls-client-ca", CONF_TEXT, NULL, 0, 0, struct_, field_.client_ca,                 \
                "PEM file of authorities; who dials this program must show a certificate of one")
#define SERVICE_TLS_OPTIONS(struct_, field_)                                                       \
    CONF_OPTION("tls", CONF_BOOL, "false", 0, 0, struct_, field_.dial,                             \
                "dial other programs by TLS, trusting the system's authorities"),                  \
        CONF_OPTION("tls-ca", CONF_TEXT, NULL, 0, 0, struct_, field_.ca,                           \
                    "PEM file of authorities to trust when dialling; turns --tls on"),             \
        CONF_OPTION("tls-certificate", CONF_TEXT, NULL, 0, 0, struct_, field_.certificate,         \
                    "PEM file of this program's certificate and its chain"),                       \
        CONF_OPTION("tls-key", CONF_TEXT, NULL, 0, 0, struct_, field_.key,                         \
                    "PEM file of the certificate's private key")

/* What to dial with. *ret NULL: plaintext, neither --tls nor --tls-ca is given. */
MUST_USE enum status service_tls_client(struct service *service,
                                        const struct service_tls_settings *settings,
                                        struct net_tls **ret, struct error *err);
/* What to listen with. *ret NULL: plaintext, there is no --tls-certificate. */
MUST_USE enum status service_tls_server(struct service *service,
                                        const struct service_tls_settings *settings,
                                        struct net_tls **ret, struct error *err);

#endif
