/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include "scan.h"

enum status json__build(struct slice text, json_t **ret, struct error *err)
{
    json_error_t detail;
    json_t *json = json_loadb(text.data, text.len, JSON_DECODE_ANY, &detail);

    if (!json)
        return error_field(err, STATUS_INVALID_ARGUMENT, "INVALID_JSON", NULL,
                           "line %d, column %d: %s", detail.line, detail.column, detail.text);
    *ret = json;
    return STATUS_OK;
}

enum status json__bound(const struct json_fault *fault, struct error *err)
{
    if (fault->values <= JSON_VALUES_MAX)
        return STATUS_OK;
    return error_field(err, STATUS_RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", NULL,
                       "text has more than %d values", JSON_VALUES_MAX);
}

enum status json_parse(struct slice text, size_t bytes_max, json_t **ret, struct error *err)
{
    struct json_fault fault;
    enum status status = json__check(text, bytes_max, &fault);

    /* Depth and duplicates are known to be fine before jansson, which would recurse and build, sees
     * the text. */
    if (status != STATUS_OK)
        return json__report(&fault, bytes_max, status, err);
    status = json__bound(&fault, err);
    if (status != STATUS_OK)
        return status;
    return json__build(text, ret, err);
}

void json_drop(json_t **json)
{
    if (*json)
        json_decref(*json);
    *json = NULL;
}
