/* SPDX-License-Identifier: Apache-2.0 */
#include "sinks/wandb/wandb_metric.h"

#include <stdio.h>
#include <string.h>

#define KEY_BYTES_MAX 256
#define KEYS_MAX 1000 /* of one row */
#define DEPTH_MAX 4
#define METRIC_BYTES_MAX ((size_t)64 << 10)
#define RESULT_BYTES_MAX ((size_t)64 << 10)

static void flatten(json_t *row, const char *prefix, const json_t *value, int depth)
{
    char key[KEY_BYTES_MAX];
    const char *name;
    json_t *member;

    if (json_is_number(value) || json_is_boolean(value)) {
        if (json_object_size(row) < KEYS_MAX)
            json_object_set(row, prefix, (json_t *)value);
        return;
    }
    if (!json_is_object(value) || depth == DEPTH_MAX)
        return;
    json_object_foreach((json_t *)value, name, member)
    {
        if (!*name || *name == '_') /* W&B's own begin so */
            continue;
        snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "/" : "", name);
        flatten(row, key, member, depth + 1);
    }
}

json_t *wandb_metric_line(struct slice text, struct slice step)
{
    static const char begin[] = "{\"metric\"";
    AUTO(json_drop) json_t *line = NULL;
    char prefix[KEY_BYTES_MAX];

    if (text.len < sizeof begin || text.len > METRIC_BYTES_MAX ||
        memcmp(text.data, begin, sizeof begin - 1) != 0 ||
        json_parse(text, METRIC_BYTES_MAX, &line, NULL) != STATUS_OK)
        return NULL;
    json_t *row = json_object();
    snprintf(prefix, sizeof prefix, "%.*s", (int)MIN_OF(step.len, sizeof prefix - 1), step.data);
    if (json_is_object(json_object_get(line, "metric")))
        flatten(row, prefix, json_object_get(line, "metric"), 0);
    if (json_object_size(row) > 0)
        return row;
    json_decref(row);
    return NULL;
}

void wandb_metric_result(json_t *row, const char *prefix, struct slice result)
{
    AUTO(json_drop) json_t *value = NULL;
    char key[KEY_BYTES_MAX];

    if (result.len == 0 || json_parse(result, RESULT_BYTES_MAX, &value, NULL) != STATUS_OK)
        return;
    if (json_is_object(value)) {
        flatten(row, prefix, value, 0);
        return;
    }
    snprintf(key, sizeof key, "%s%sresult", prefix, *prefix ? "/" : "");
    flatten(row, key, value, 0);
}
