/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: files into an SSL_CTX with our rules, their reload, and a client's sessions. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "tls_internal.h"

/* RFC 9113 appendix A forbids the other ones of TLS 1.2. */
#define CIPHERS_TLS12                                                                              \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"     \
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_TLS13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define SECURITY_LEVEL 2 /* no RSA below 2,048 bits, no SHA-1 signatures */
#define SESSION_CONTEXT "plankton"

/* The reason of the first thing that went wrong; empties OpenSSL's queue. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_get_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    ERR_clear_error();
    return reason ? reason : "not understood";
}

/* OpenSSL's word for a file that cannot be opened is "no such file" at best. */
static enum status check_readable(const char *what, const char *path, struct error *err)
{
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return error_set(err, status_from_errno(errno), "cannot read the %s file %.200s: %s", what,
                         path, strerror(errno));
    return STATUS_OK;
}

static enum status bad_file(const char *what, const char *path, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "the %s file %.200s is no good: %s", what, path,
                     openssl_reason());
}

/* Never asks on a terminal. */
static int no_password(char *out, int out_bytes, int for_writing, void *userdata)
{
    bool *asked = userdata;

    *asked = true;
    return -1;
}

static enum status use_key(SSL_CTX *ctx, const char *path, struct error *err)
{
    bool asked = false;

    enum status st = check_readable("key", path, err);
    if (st != STATUS_OK)
        return st;
    SSL_CTX_set_default_passwd_cb(ctx, no_password);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    int ok = SSL_CTX_use_PrivateKey_file(ctx, path, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    SSL_CTX_set_default_passwd_cb(ctx, NULL);
    if (ok == 1)
        return STATUS_OK;
    if (asked) {
        ERR_clear_error();
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the key file %.200s is encrypted, which is not supported", path);
    }
    return bad_file("key", path, err);
}

static enum status use_certificate(SSL_CTX *ctx, const struct net_tls_options *options,
                                   int64_t *ret_expires_unix_s, struct error *err)
{
    const char *path = options->certificate_file;
    struct tm end = {0};
    enum status st = check_readable("certificate", path, err);

    if (st != STATUS_OK)
        return st;
    if (SSL_CTX_use_certificate_chain_file(ctx, path) != 1)
        return bad_file("certificate", path, err);
    if (!options->key_file)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the certificate file %.200s comes without a key file", path);
    st = use_key(ctx, options->key_file, err); /* looks whether it belongs to the certificate too */
    if (st != STATUS_OK)
        return st;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(ctx)), &end) != 1)
        return bad_file("certificate", path, err);
    int64_t expires_unix_s = timegm(&end);
    if (expires_unix_s <= clock_unix_us() / 1000000) {
        char text[32];
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &end);
        return error_set(err, STATUS_FAILED_PRECONDITION,
                         "the certificate of file %.200s expired at %s", path, text);
    }
    *ret_expires_unix_s = expires_unix_s;
    return STATUS_OK;
}

/* Whom to trust: the authorities of a file, or of the system. */
static enum status use_authorities(SSL_CTX *ctx, const struct net_tls_options *options,
                                   struct error *err)
{
    /* Whatever the file names is trusted, also an authority below a root, or one certificate. */
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
    if (!options->ca_file) {
        if (SSL_CTX_set_default_verify_paths(ctx) != 1)
            return error_set(err, STATUS_INTERNAL, "cannot use the system's authorities: %s",
                             openssl_reason());
        return STATUS_OK;
    }
    enum status st = check_readable("CA", options->ca_file, err);
    if (st != STATUS_OK)
        return st;
    if (SSL_CTX_load_verify_file(ctx, options->ca_file) != 1)
        return bad_file("CA", options->ca_file, err);
    if (!options->server)
        return STATUS_OK;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(options->ca_file);
    if (!names)
        return bad_file("CA", options->ca_file, err);
    SSL_CTX_set_client_CA_list(ctx, names);
    return STATUS_OK;
}

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned int in_len, void *userdata)
{
    unsigned char *chosen = NULL;

    if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)NET_TLS_ALPN,
                              strlen(NET_TLS_ALPN), in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* choose_protocol is not even asked when the client offers nothing. */
static int look_at_hello(SSL *ssl, int *alert, void *userdata)
{
    const unsigned char *bytes;
    size_t len;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bytes,
                                  &len) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_NO_APPLICATION_PROTOCOL;
    return SSL_CLIENT_HELLO_ERROR;
}

static void set_server_rules(SSL_CTX *ctx, const struct net_tls_options *options)
{
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    SSL_CTX_set_client_hello_cb(ctx, look_at_hello, NULL);
    /* Sessions live in tickets alone. The keys are the context's own, so that a reload ends the
     * trust that older ones carry. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)SESSION_CONTEXT,
                                   strlen(SESSION_CONTEXT));
    if (options->ca_file)
        SSL_CTX_set_verify(
            ctx,
            SSL_VERIFY_PEER |
                (options->require_peer_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
            NULL);
}

static bool set_client_rules(SSL_CTX *ctx)
{
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, net__tls_end_new_session);
    return SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)NET_TLS_ALPN,
                                   strlen(NET_TLS_ALPN)) == 0;
}

static bool set_rules(SSL_CTX *ctx, const struct net_tls_options *options)
{
    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* An idle connection keeps no record buffers (34 KiB else). */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_timeout(ctx, NET_TLS_SESSION_S);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, CIPHERS_TLS12) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, CIPHERS_TLS13) != 1 ||
        SSL_CTX_set1_groups_list(ctx, GROUPS) != 1)
        return false;
    if (!options->server)
        return set_client_rules(ctx);
    set_server_rules(ctx, options);
    return true;
}

static enum status load_files(SSL_CTX *ctx, const struct net_tls_options *options,
                              int64_t *ret_expires_unix_s, struct error *err)
{
    enum status st = STATUS_OK;

    if (options->server && !options->certificate_file)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a TLS server needs a certificate file");
    if (options->key_file && !options->certificate_file)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the key file %.200s comes without a certificate file", options->key_file);
    *ret_expires_unix_s = 0;
    if (options->certificate_file)
        st = use_certificate(ctx, options, ret_expires_unix_s, err);
    if (st == STATUS_OK && (options->ca_file || !options->server))
        st = use_authorities(ctx, options, err);
    return st;
}

static enum status context_new(const struct net_tls_options *options, SSL_CTX **ret,
                               int64_t *ret_expires_unix_s, struct error *err)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(options->server ? TLS_server_method() : TLS_client_method());
    if (!ctx || !set_rules(ctx, options)) {
        SSL_CTX_free(ctx);
        return error_set(err, STATUS_INTERNAL, "cannot set up TLS: %s", openssl_reason());
    }
    enum status st = load_files(ctx, options, ret_expires_unix_s, err);
    if (st != STATUS_OK) {
        SSL_CTX_free(ctx);
        return st;
    }
    *ret = ctx;
    return STATUS_OK;
}

static const char *copy(const char *text)
{
    return text ? mem_strdup(text) : NULL;
}

struct net_tls *net_tls_new(const struct net_tls_options *options, struct error *err)
{
    int64_t expires_unix_s;
    SSL_CTX *ctx;

    if (context_new(options, &ctx, &expires_unix_s, err) != STATUS_OK)
        return NULL;
    struct net_tls *tls = mem_zalloc(sizeof *tls);
    tls->refs = 1;
    tls->ctx = ctx;
    tls->expires_unix_s = expires_unix_s;
    tls->options = *options;
    tls->options.certificate_file = copy(options->certificate_file);
    tls->options.key_file = copy(options->key_file);
    tls->options.ca_file = copy(options->ca_file);
    tls->options.server_name = copy(options->server_name);
    return tls;
}

static void forget_sessions(struct net_tls *tls)
{
    for (size_t i = 0; i < NET_TLS_SESSIONS_MAX; i++) {
        SSL_SESSION_free(tls->sessions[i].session);
        tls->sessions[i] = (struct tls_session){0};
    }
}

enum status net_tls_reload(struct net_tls *tls, struct error *err)
{
    int64_t expires_unix_s;
    SSL_CTX *ctx;

    enum status st = context_new(&tls->options, &ctx, &expires_unix_s, err);
    if (st != STATUS_OK)
        return st;
    SSL_CTX_free(tls->ctx);
    tls->ctx = ctx;
    tls->expires_unix_s = expires_unix_s;
    /* They were made under the old trust, and resuming does not look at certificates again. */
    forget_sessions(tls);
    return STATUS_OK;
}

struct net_tls *net_tls_ref(struct net_tls *tls)
{
    if (tls)
        tls->refs++;
    return tls;
}

void net_tls_unref(struct net_tls *tls)
{
    if (!tls || --tls->refs > 0)
        return;
    forget_sessions(tls);
    SSL_CTX_free(tls->ctx);
    free((char *)tls->options.certificate_file);
    free((char *)tls->options.key_file);
    free((char *)tls->options.ca_file);
    free((char *)tls->options.server_name);
    free(tls);
}

int64_t net_tls_expires_unix_s(const struct net_tls *tls)
{
    return tls->expires_unix_s;
}

uint64_t net__tls_handshake_timeout_ms(const struct net_tls *tls)
{
    return tls->options.handshake_timeout_ms ? tls->options.handshake_timeout_ms
                                             : NET_TLS_HANDSHAKE_MS;
}

static struct tls_session *find_session(struct net_tls *tls, const char *server)
{
    for (size_t i = 0; i < NET_TLS_SESSIONS_MAX; i++) {
        if (tls->sessions[i].session && str_eq(tls->sessions[i].server, server))
            return &tls->sessions[i];
    }
    return NULL;
}

void net__tls_keep_session(struct net_tls *tls, const char *server, SSL_SESSION *session)
{
    struct tls_session *place = find_session(tls, server);

    if (!place)
        place = &tls->sessions[tls->session_next++ % NET_TLS_SESSIONS_MAX];
    SSL_SESSION_free(place->session);
    place->session = session;
    snprintf(place->server, sizeof place->server, "%s", server);
}

SSL_SESSION *net__tls_take_session(struct net_tls *tls, const char *server)
{
    struct tls_session *place = find_session(tls, server);
    SSL_SESSION *session = place ? place->session : NULL;

    if (place)
        place->session = NULL;
    return session;
}
