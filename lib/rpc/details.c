/* SPDX-License-Identifier: Apache-2.0 */
/* struct error <-> google.rpc.Status in grpc-status-details-bin: ErrorInfo, BadRequest, RetryInfo.
 */
#include <stdio.h>
#include <stdlib.h>
#include "base/text.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "internal.h"

#define TYPE_URL(name) ("type.googleapis.com/" name)
#define DETAILS_MAX 3
#define VIOLATION_TEXT_BYTES 400
#define VIOLATIONS_SENT_MAX 50
#define VIOLATIONS_BYTES_MAX                                                                       \
    (RPC_DETAILS_BYTES_MAX - 1500) /* the rest is for the other details                            \
                                    */

static const char *last_part(const char *type_url)
{
    const char *slash = strrchr(type_url, '/');

    return slash ? slash + 1 : type_url;
}

static Google__Protobuf__Any *to_any(struct arena *arena, const char *type_url,
                                     const ProtobufCMessage *message)
{
    Google__Protobuf__Any *any = arena_alloc(arena, sizeof *any);

    google__protobuf__any__init(any);
    any->type_url = (char *)type_url;
    any->value.len = protobuf_c_message_get_packed_size(message);
    any->value.data = arena_alloc(arena, any->value.len);
    protobuf_c_message_pack(message, any->value.data);
    return any;
}

/* FieldViolation has no place for line, column and hint: they become part of the sentence. */
static char *violation_text(struct arena *arena, const struct error_violation *violation)
{
    char where[48] = "";

    if (violation->line)
        snprintf(where, sizeof where, "line %u, column %u: ", violation->line, violation->column);
    return arena_printf(arena, "%s%.*s%s%.100s%s", where, VIOLATION_TEXT_BYTES,
                        violation->description ? violation->description : "",
                        violation->hint ? " (" : "", violation->hint ? violation->hint : "",
                        violation->hint ? ")" : "");
}

static Google__Protobuf__Any *bad_request_any(struct arena *arena, const struct error *err)
{
    Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
    Google__Rpc__BadRequest__FieldViolation *list;
    size_t n = 0, bytes = 0;

    bad.field_violations =
        ARENA_ARRAY(arena, Google__Rpc__BadRequest__FieldViolation *, VIOLATIONS_SENT_MAX);
    list = arena_alloc(arena, VIOLATIONS_SENT_MAX * sizeof *list);
    for (const struct error_violation *v = err->violations; v && n < VIOLATIONS_SENT_MAX;
         v = v->next) {
        google__rpc__bad_request__field_violation__init(&list[n]);
        list[n].field = (char *)(v->field ? v->field : "");
        list[n].description = violation_text(arena, v);
        bytes += strlen(list[n].field) + strlen(list[n].description) + 16;
        if (n > 0 && bytes > VIOLATIONS_BYTES_MAX)
            break;
        bad.field_violations[n] = &list[n];
        n++;
    }
    if (n == 0) {
        google__rpc__bad_request__field_violation__init(&list[0]);
        list[0].field = (char *)err->field;
        list[0].description = (char *)err->message;
        bad.field_violations[n++] = &list[0];
    }
    bad.n_field_violations = n;
    return to_any(arena, TYPE_URL("google.rpc.BadRequest"), &bad.base);
}

static Google__Protobuf__Any *retry_any(struct arena *arena, uint32_t after_ms)
{
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;

    delay.seconds = after_ms / 1000;
    delay.nanos = (int32_t)(after_ms % 1000) * 1000000;
    retry.retry_delay = &delay;
    return to_any(arena, TYPE_URL("google.rpc.RetryInfo"), &retry.base);
}

struct slice rpc__details_encode(struct arena *arena, enum status code, const struct error *err)
{
    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    Google__Protobuf__Any *details[DETAILS_MAX];
    size_t packed_bytes;

    if (err->reason[0]) {
        Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
        info.reason = (char *)err->reason;
        info.domain = (char *)RPC_ERROR_DOMAIN;
        details[status.n_details++] = to_any(arena, TYPE_URL("google.rpc.ErrorInfo"), &info.base);
    }
    if (err->retry_after_ms)
        details[status.n_details++] = retry_any(arena, err->retry_after_ms);
    if (err->field[0] || err->violations)
        details[status.n_details++] = bad_request_any(arena, err);
    if (status.n_details == 0)
        return (struct slice){0};
    status.details = details;
    status.code = (int32_t)code;
    status.message = (char *)err->message;
    packed_bytes = google__rpc__status__get_packed_size(&status);
    if (packed_bytes > RPC_DETAILS_BYTES_MAX) {
        /* The peer would refuse the whole trailer block. Only the violations can be so long. */
        status.n_details--;
        packed_bytes = google__rpc__status__get_packed_size(&status);
    }
    uint8_t *packed = arena_alloc(arena, packed_bytes);
    char *text = arena_alloc(arena, text_base64_bytes(packed_bytes));
    google__rpc__status__pack(&status, packed);
    text_to_base64(packed, packed_bytes, false, false, text);
    return slice_of(text);
}

static void decode_bad_request(struct arena *arena, const Google__Rpc__BadRequest *bad,
                               struct error *err)
{
    struct error_violation **tail = &err->violations;

    for (size_t i = 0; i < bad->n_field_violations; i++) {
        const Google__Rpc__BadRequest__FieldViolation *from = bad->field_violations[i];
        struct error_violation *violation = ARENA_NEW(arena, struct error_violation);
        violation->field = from->field;
        violation->description = from->description;
        if (!err->field[0])
            snprintf(err->field, sizeof err->field, "%s", from->field);
        *tail = violation;
        tail = &violation->next;
    }
}

static void decode_detail(struct arena *arena, const Google__Protobuf__Any *any, struct error *err)
{
    struct slice bytes = {(const char *)any->value.data, any->value.len};
    const char *type = last_part(any->type_url);
    ProtobufCMessage *message;

    if (str_eq(type, "google.rpc.ErrorInfo")) {
        if (rpc_unpack(&google__rpc__error_info__descriptor, bytes, false, arena, &message, NULL) ==
            STATUS_OK)
            snprintf(err->reason, sizeof err->reason, "%s",
                     ((Google__Rpc__ErrorInfo *)message)->reason);
    } else if (str_eq(type, "google.rpc.BadRequest")) {
        if (rpc_unpack(&google__rpc__bad_request__descriptor, bytes, false, arena, &message,
                       NULL) == STATUS_OK)
            decode_bad_request(arena, (Google__Rpc__BadRequest *)message, err);
    } else if (str_eq(type, "google.rpc.RetryInfo")) {
        if (rpc_unpack(&google__rpc__retry_info__descriptor, bytes, false, arena, &message, NULL) !=
            STATUS_OK)
            return;
        const Google__Protobuf__Duration *delay = ((Google__Rpc__RetryInfo *)message)->retry_delay;
        if (delay && delay->seconds >= 0 && delay->seconds < 86400 && delay->nanos >= 0)
            err->retry_after_ms = (uint32_t)(delay->seconds * 1000 + delay->nanos / 1000000);
    }
}

void rpc__details_decode(struct arena *arena, const char *text, struct error *err)
{
    size_t len = strlen(text), bytes_len;
    uint8_t *bytes = arena_alloc(arena, len + 4);
    ProtobufCMessage *message;

    /* What cannot be read is left out: code and message say the main thing. */
    if (!text_from_base64(text, len, bytes, &bytes_len))
        return;
    if (rpc_unpack(&google__rpc__status__descriptor, (struct slice){(char *)bytes, bytes_len},
                   false, arena, &message, NULL) != STATUS_OK)
        return;
    const Google__Rpc__Status *status = (Google__Rpc__Status *)message;
    if (status->code != (int32_t)err->status)
        return;
    for (size_t i = 0; i < status->n_details; i++)
        decode_detail(arena, status->details[i], err);
}
