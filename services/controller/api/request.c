/* SPDX-License-Identifier: Apache-2.0 */
/* What all handlers check and say in the same way: ids, texts, pages, refusals; and the service's
 * own setup. */
#include "api_internal.h"

#include <openssl/evp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"

#define PAGE_TOKEN_BYTES 512

struct digest_buffer {
    ProtobufCBuffer base;
    EVP_MD_CTX *hash;
};

static void digest_append(ProtobufCBuffer *buffer, size_t len, const uint8_t *data)
{
    struct digest_buffer *self = (struct digest_buffer *)buffer;

    EVP_DigestUpdate(self->hash, data, len);
}

void api_digest(const ProtobufCMessage *message, uint8_t out[32])
{
    struct digest_buffer buffer = {.base = {.append = digest_append}, .hash = EVP_MD_CTX_new()};

    EVP_DigestInit_ex(buffer.hash, EVP_sha256(), NULL);
    protobuf_c_message_pack_to_buffer(message, &buffer.base);
    EVP_DigestFinal_ex(buffer.hash, out, NULL);
    EVP_MD_CTX_free(buffer.hash);
}

enum status api_check_text(const char *text, size_t bytes_max, const char *field, struct error *err)
{
    size_t len = strlen(text);

    if (len > bytes_max)
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", field,
                           "%s is %zu bytes, at most %zu are allowed", field, len, bytes_max);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ')
            return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", field,
                               "%s must not have control characters", field);
    return STATUS_OK;
}

enum status api_parse_id(struct api *api, const char *text, const char *what, struct id *ret,
                         struct error *err)
{
    if (!id_parse(text, ret) ||
        (host_has_cluster(api->host) && !host_has_shard(api->host, id_shard(ret))))
        return error_field(err, STATUS_NOT_FOUND, "NOT_FOUND", "id", "there is no %s with this id",
                           what);
    return STATUS_OK;
}

enum status api_page(struct api *api, int32_t page_size, uint32_t size_default,
                     const char *page_token, const char *filter, uint32_t *ret_limit, void *cursor,
                     size_t cursor_bytes, bool *ret_has_cursor, struct error *err)
{
    size_t len = 0;
    enum status st;

    if (page_size < 0 || page_size > API_PAGE_MAX)
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "pageSize",
                           "pageSize must be between 1 and %d", API_PAGE_MAX);
    *ret_limit = page_size ? (uint32_t)page_size : size_default;
    *ret_has_cursor = *page_token != 0;
    if (!*page_token)
        return STATUS_OK;
    st = page_token_open(api->cluster_key, filter, page_token, cursor, cursor_bytes, &len, err);
    if (st == STATUS_OK && len != cursor_bytes)
        st = error_set(err, STATUS_INVALID_ARGUMENT, "the page token is not of this list");
    if (st != STATUS_OK)
        return error_field(err, STATUS_INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", "pageToken",
                           "the page token is not valid for this list and filter");
    return STATUS_OK;
}

char *api_next_page(struct api *api, struct arena *arena, const char *filter, const void *cursor,
                    size_t cursor_bytes)
{
    char *token = arena_zalloc(arena, PAGE_TOKEN_BYTES);

    if (page_token_make(api->cluster_key, filter, (struct slice){cursor, cursor_bytes}, token,
                        PAGE_TOKEN_BYTES) != STATUS_OK)
        token[0] = 0;
    return token;
}

void api_fail_reply(struct rpc_call *call, const struct engine_reply *reply)
{
    struct error error = {0};

    error_field(&error, reply->status, reply->reason, NULL, "%s",
                reply->message ? reply->message : "refused");
    rpc_call_fail(call, &error);
}

void api_fail(struct rpc_call *call, enum status status, const char *reason, const char *field,
              const char *fmt, ...)
{
    struct error error = {0};
    char message[sizeof error.message];
    va_list args;

    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    error_field(&error, status, reason, field, "%s", message);
    rpc_call_fail(call, &error);
}

struct api *api_new(struct loop *loop, struct host *host, const struct api_options *options)
{
    struct api *api = mem_zalloc(sizeof *api);

    api->loop = loop;
    api->host = host;
    api->cluster_key = options->cluster_key;
    api->admin_key = options->admin_key;
    api->worker_key = options->worker_key;
    api->registry = options->registry;
    auth_init(api);
    api->bulk = bulk_new(api);
    return api;
}

void api_register(struct api *api, struct rpc_server *server)
{
    rpc_server_set_authorizer(server, auth_authorize, api);
    rpc_server_add(server, &plankton_v1_task_controller_desc, &api_task_ops, api);
    rpc_server_add(server, &plankton_v1_plan_api_desc, &api_plan_ops, api);
    rpc_server_add(server, &plankton_v1_keys_desc, &api_keys_ops, api);
    rpc_server_add(server, &plankton_v1_queues_desc, &api_queues_ops, api);
    rpc_server_add(server, &plankton_v1_bulk_desc, &api_bulk_ops, api);
    rpc_server_add(server, &plankton_v1_doctor_desc, &api_doctor_ops, api);
}

void api_free(struct api *api)
{
    if (!api)
        return;
    bulk_free(api->bulk);
    auth_fini(api);
    free(api);
}
