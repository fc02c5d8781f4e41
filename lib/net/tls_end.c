/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One end of a TLS connection, in memory: OpenSSL reads from the input that a caller has just
 * received and writes into the stream's queue, through a BIO of ours, so that an idle connection
 * holds no buffers and the stream still sends once per loop turn.
 */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include "tls_internal.h"

#define RECORD_BYTES_MAX (17u << 10) /* of which all but the last byte may wait inside OpenSSL */
#define SPIFFE_PREFIX "spiffe://"

struct net_tls_end {
    struct net_tls *tls;
    struct net_stream *stream;
    SSL *ssl;
    struct slice in; /* received, not yet taken by OpenSSL */
    char *early;     /* what came behind the handshake, until somebody reads */
    size_t early_bytes;
    struct net_queue plain;
    char *name;     /* client: to be found in the server's certificate */
    char *server;   /* client: whose session to resume */
    char *identity; /* NULL: none */
    bool end_owed;  /* the peer's end came while the reader had paused */
    bool end_said, broken;
};

/* One read gives at most this much plaintext: it is handed on before the next one. */
static _Thread_local char plain_buffer[NET_READ_BYTES + RECORD_BYTES_MAX];

static int bio_write(BIO *bio, const char *data, size_t len, size_t *ret_written)
{
    struct net_tls_end *end = BIO_get_data(bio);

    net__queue_add(&end->stream->queue, data, len);
    *ret_written = len;
    return 1;
}

static int bio_read(BIO *bio, char *out, size_t out_bytes, size_t *ret_read)
{
    struct net_tls_end *end = BIO_get_data(bio);
    size_t n = MIN_OF(out_bytes, end->in.len);

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(out, end->in.data, n);
    end->in.data += n;
    end->in.len -= n;
    *ret_read = n;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method(void)
{
    static _Thread_local BIO_METHOD *method;

    if (!method) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
        if (!method || BIO_meth_set_write_ex(method, bio_write) != 1 ||
            BIO_meth_set_read_ex(method, bio_read) != 1 ||
            BIO_meth_set_ctrl(method, bio_control) != 1)
            abort();
    }
    return method;
}

/* Whom to ask for, whom to expect, and which session to go on with. */
static void prepare_client(struct net_tls_end *end, const struct net_target *target)
{
    const char *given = end->tls->options.server_name;
    const char *host = target->is_unix || !target->host[0] ? "localhost" : target->host;
    X509_VERIFY_PARAM *param = SSL_get0_param(end->ssl);
    char server[NET_TLS_KEY_BYTES];

    end->name = mem_strdup(given ? given : host);
    if (X509_VERIFY_PARAM_set1_ip_asc(param, end->name) != 1) {
        /* An address is no SNI name (RFC 6066 section 3). */
        X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (SSL_set1_host(end->ssl, end->name) != 1 ||
            SSL_set_tlsext_host_name(end->ssl, end->name) != 1)
            end->broken = true;
    }
    snprintf(server, sizeof server, "%.128s %.200s:%s", end->name, target->host, target->port);
    end->server = mem_strdup(server);
    SSL_SESSION *session = net__tls_take_session(end->tls, end->server);
    if (session && SSL_set_session(end->ssl, session) == 1 &&
        SSL_SESSION_get_protocol_version(session) < TLS1_3_VERSION)
        net__tls_keep_session(end->tls, end->server, session);
    else
        SSL_SESSION_free(session);
    SSL_set_connect_state(end->ssl);
}

struct net_tls_end *net__tls_end_new(struct net_tls *tls, struct net_stream *stream,
                                     const struct net_target *target)
{
    struct net_tls_end *end = mem_zalloc(sizeof *end);
    BIO *bio = BIO_new(bio_method());

    end->tls = net_tls_ref(tls);
    end->stream = stream;
    end->ssl = SSL_new(tls->ctx);
    if (!bio || !end->ssl)
        abort();
    BIO_set_data(bio, end);
    BIO_set_init(bio, 1);
    SSL_set_bio(end->ssl, bio, bio);
    SSL_set_app_data(end->ssl, end);
    if (tls->options.server)
        SSL_set_accept_state(end->ssl);
    else
        prepare_client(end, target);
    return end;
}

void net__tls_end_free(struct net_tls_end *end)
{
    if (!end)
        return;
    SSL_free(end->ssl);
    net__queue_clear(&end->plain);
    net_tls_unref(end->tls);
    free(end->early);
    free(end->name);
    free(end->server);
    free(end->identity);
    free(end);
}

int net__tls_end_new_session(SSL *ssl, SSL_SESSION *session)
{
    struct net_tls_end *end = SSL_get_app_data(ssl);

    /* A connection from before a reload: its session carries a trust that is over. */
    if (SSL_get_SSL_CTX(ssl) != end->tls->ctx || !SSL_SESSION_is_resumable(session))
        return 0;
    net__tls_keep_session(end->tls, end->server, session);
    return 1; /* the reference is ours now */
}

struct net_queue *net__tls_plain(struct net_tls_end *end)
{
    return &end->plain;
}

const char *net__tls_identity(const struct net_tls_end *end)
{
    return end->identity ? end->identity : "";
}

/* A name as text, when it is short and printable ASCII: what is not cannot be compared or logged
 * safely, a NUL inside least of all. */
static char *name_text(const ASN1_STRING *name)
{
    const unsigned char *data = ASN1_STRING_get0_data(name);
    int len = ASN1_STRING_length(name);

    if (len <= 0 || len > NET_TLS_IDENTITY_BYTES_MAX)
        return NULL;
    for (int i = 0; i < len; i++) {
        if (data[i] <= 0x20 || data[i] >= 0x7f)
            return NULL;
    }
    char *text = mem_zalloc((size_t)len + 1);
    memcpy(text, data, (size_t)len);
    return text;
}

static char *alternative_name(const GENERAL_NAMES *names, int type, const char *prefix)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != type)
            continue;
        char *text = name_text(name->d.ia5); /* both types that we ask for are IA5 strings */
        if (text && strncmp(text, prefix, strlen(prefix)) == 0)
            return text;
        free(text);
    }
    return NULL;
}

static char *common_name(X509 *certificate)
{
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

    return at < 0 ? NULL : name_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

static void look_at_peer(struct net_tls_end *end)
{
    X509 *certificate = SSL_get0_peer_certificate(end->ssl);

    if (!certificate || SSL_get_verify_result(end->ssl) != X509_V_OK)
        return;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    end->identity = alternative_name(names, GEN_URI, SPIFFE_PREFIX);
    if (!end->identity)
        end->identity = alternative_name(names, GEN_DNS, "");
    if (!end->identity)
        end->identity = common_name(certificate);
    GENERAL_NAMES_free(names);
}

/* The first error is the cause. Said from where we stand, since OpenSSL's words rarely tell who did
 * what. */
static void describe(struct net_tls_end *end, struct error *err)
{
    bool server = end->tls->options.server;
    const char *peer = server ? "client" : "server";
    unsigned long code = ERR_peek_error();
    long verdict = SSL_get_verify_result(end->ssl);
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    switch (ERR_GET_REASON(code)) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        error_set(err, STATUS_UNAVAILABLE, "TLS: the %s's certificate is refused: %s%s%.200s", peer,
                  X509_verify_cert_error_string(verdict), server ? "" : "; asked for ",
                  server ? "" : end->name);
        break;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        error_set(err, STATUS_UNAVAILABLE, "TLS: the client gave no certificate");
        break;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
        error_set(err, STATUS_UNAVAILABLE, "TLS: the %s does not speak it", peer);
        break;
    case SSL_R_UNSUPPORTED_PROTOCOL:
        error_set(err, STATUS_UNAVAILABLE, "TLS: the %s speaks neither 1.2 nor 1.3", peer);
        break;
    case SSL_R_CALLBACK_FAILED:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
        error_set(err, STATUS_UNAVAILABLE, "TLS: the %s does not offer HTTP/2 (ALPN \"%s\")", peer,
                  NET_TLS_ALPN_NAME);
        break;
    default:
        error_set(err, STATUS_UNAVAILABLE, "TLS: %s", reason ? reason : "broken");
    }
    ERR_clear_error();
}

static bool agreed_on_http2(const struct net_tls_end *end)
{
    const unsigned char *name;
    unsigned int len;

    SSL_get0_alpn_selected(end->ssl, &name, &len);
    return slice_is((struct slice){(const char *)name, len}, NET_TLS_ALPN_NAME);
}

enum net_handshake_step net__tls_handshake(struct net_tls_end *end, struct slice input,
                                           struct error *err)
{
    end->in = input;
    ERR_clear_error();
    int rc = end->broken ? -1 : SSL_do_handshake(end->ssl);
    if (rc != 1 && !end->broken && SSL_get_error(end->ssl, rc) == SSL_ERROR_WANT_READ)
        return NET_HANDSHAKE_GOES_ON;
    if (rc != 1) {
        end->broken = true;
        describe(end, err);
        return NET_HANDSHAKE_FAILED;
    }
    if (!agreed_on_http2(end)) {
        error_set(err, STATUS_UNAVAILABLE, "TLS: the server does not speak HTTP/2 (ALPN \"%s\")",
                  NET_TLS_ALPN_NAME);
        end->broken = true;
        return NET_HANDSHAKE_FAILED;
    }
    look_at_peer(end);
    if (end->in.len > 0) {
        end->early = mem_alloc(end->in.len);
        end->early_bytes = end->in.len;
        memcpy(end->early, end->in.data, end->in.len);
        end->in.len = 0;
    }
    return NET_HANDSHAKE_DONE;
}

bool net__tls_seal(struct net_tls_end *end)
{
    struct iovec iov[NET_IOV_MAX];
    size_t n = net__queue_iov(&end->plain, iov), done = 0;

    if (end->broken) {
        /* An alert may still leave, and nothing else. */
        net__queue_clear(&end->plain);
        return true;
    }
    ERR_clear_error();
    for (size_t i = 0; i < n && done < NET_TLS_SEAL_BYTES && !end->broken; i++) {
        size_t written = 0;
        /* Never blocks: bio_write takes everything. */
        if (SSL_write_ex(end->ssl, iov[i].iov_base, iov[i].iov_len, &written) != 1)
            end->broken = true;
        done += written;
    }
    net__queue_consume(&end->plain, done);
    return !end->broken;
}

static enum status open_records(struct net_tls_end *end, size_t *ret_bytes, struct error *err)
{
    size_t have = 0;

    for (;;) {
        size_t n = 0;
        assert(have < sizeof plain_buffer); /* plaintext is shorter than its records */
        ERR_clear_error();
        int rc = SSL_read_ex(end->ssl, plain_buffer + have, sizeof plain_buffer - have, &n);
        have += n;
        *ret_bytes = have;
        if (rc == 1)
            continue;
        switch (SSL_get_error(end->ssl, rc)) {
        case SSL_ERROR_WANT_READ:
            return STATUS_OK;
        case SSL_ERROR_ZERO_RETURN:
            end->end_owed = true;
            return STATUS_OK;
        default:
            end->broken = true;
            describe(end, err);
            return STATUS_UNAVAILABLE;
        }
    }
}

enum status net__tls_open(struct net_tls_end *end, struct slice input, bool *ret_ended,
                          struct error *err)
{
    AUTO(free_ptr) char *early = end->early;
    struct net_stream *stream = end->stream;
    enum status st = STATUS_OK;
    size_t bytes = 0;

    end->in = early ? (struct slice){early, end->early_bytes} : input;
    end->early = NULL;
    *ret_ended = false;
    if (!end->end_owed)
        st = open_records(end, &bytes, err);
    if (bytes > 0) {
        stream->callbacks.on_read(stream, (struct slice){plain_buffer, bytes}, stream->userdata);
        if (stream->freed) /* and with it this end */
            return STATUS_OK;
    }
    /* As with a plain socket, one who has paused does not hear of the end yet. */
    *ret_ended = end->end_owed && !stream->paused;
    return st;
}

bool net__tls_has_early(const struct net_tls_end *end)
{
    return end->early || end->end_owed;
}

bool net__tls_peer_ended(const struct net_tls_end *end)
{
    return end->end_owed;
}

void net__tls_say_end(struct net_tls_end *end)
{
    if (end->end_said || end->broken)
        return;
    end->end_said = true;
    ERR_clear_error();
    (void)SSL_shutdown(end->ssl);
    ERR_clear_error();
}
