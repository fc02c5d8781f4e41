/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "base/buf.h"
#include "internal.h"
#include "json/json.h"

/* Documents come from json_parse, so their depth is bounded; a path of keys is cut at this length
 * in messages. */
#define PLACE_BYTES_MAX ((size_t)1024)

enum item_kind {
    ITEM_CONST,
    ITEM_TEMPLATE,
    ITEM_ARRAY,
    ITEM_OBJECT,
};

struct item {
    enum item_kind kind;
    const char *key;   /* in an object */
    const char *place; /* of a template */
    union {
        json_t *constant; /* released with the arena */
        const struct cel_template *tmpl;
        struct {
            const struct item *items;
            uint32_t items_len;
        };
    };
};

struct cel_document {
    struct item root;
    const char *constant; /* text, when there is no template in it */
};

struct walk {
    struct arena *arena;
    cel_fault_fn on_fault;
    void *userdata;
    struct buf place;
    struct error *err;
    bool failed;
};

static void release(void *json)
{
    json_decref(json);
}

/* A place that does not fit is cut: it only serves messages. */
static void place_add(struct buf *place, const char *text, size_t len)
{
    size_t room = place->max - place->len;

    buf_put(place, text, MIN_OF(len, room));
}

static void place_key(struct buf *place, const char *key)
{
    if (place->len)
        place_add(place, ".", 1);
    place_add(place, key, strlen(key));
}

static void place_index(struct buf *place, uint32_t index)
{
    char text[16];
    int len = snprintf(text, sizeof(text), "[%u]", index);

    place_add(place, text, (size_t)len);
}

static void set_const(struct walk *walk, const json_t *json, struct item *ret)
{
    ret->kind = ITEM_CONST;
    ret->constant = json_incref((json_t *)json);
    arena_on_reset(walk->arena, release, ret->constant);
}

static void compile_string(struct walk *walk, const json_t *json, struct item *ret)
{
    struct slice text = {json_string_value(json), json_string_length(json)};
    struct error why = {0};
    uint32_t column = 0;
    enum status status;

    if (!memmem(text.data, text.len, "${{", 3)) {
        set_const(walk, json, ret);
        return;
    }
    ret->kind = ITEM_TEMPLATE;
    ret->place = arena_strdup(walk->arena, buf_cstr(&walk->place));
    status = cel_template_compile(text, walk->arena, &ret->tmpl, &column, &why);
    if (status == STATUS_OK)
        return;
    if (walk->on_fault)
        walk->on_fault(walk->userdata, ret->place, column, why.message);
    if (!walk->failed)
        error_field(walk->err, STATUS_INVALID_ARGUMENT, "EXPRESSION_INVALID", ret->place, "%s",
                    why.message);
    walk->failed = true;
}

static void compile_item(struct walk *walk, const json_t *json, struct item *ret);

static void compile_array(struct walk *walk, const json_t *json, struct item *ret)
{
    uint32_t n = (uint32_t)json_array_size(json);
    struct item *items = ARENA_ARRAY(walk->arena, struct item, n + 1);
    size_t place_len = walk->place.len;

    for (uint32_t i = 0; i < n; i++) {
        place_index(&walk->place, i);
        compile_item(walk, json_array_get(json, i), &items[i]);
        walk->place.len = place_len;
    }
    ret->kind = ITEM_ARRAY;
    ret->items = items;
    ret->items_len = n;
}

static void compile_object(struct walk *walk, const json_t *json, struct item *ret)
{
    struct item *items = ARENA_ARRAY(walk->arena, struct item, json_object_size(json) + 1);
    size_t place_len = walk->place.len;
    uint32_t n = 0;
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)json, key, value)
    {
        place_key(&walk->place, key);
        items[n].key = arena_strdup(walk->arena, key);
        compile_item(walk, value, &items[n++]);
        walk->place.len = place_len;
    }
    ret->kind = ITEM_OBJECT;
    ret->items = items;
    ret->items_len = n;
}

/* Looks before it builds: most parts of most documents hold no template. */
static bool has_template(const json_t *json)
{
    const char *key;
    json_t *value;
    size_t index;

    switch (json_typeof(json)) {
    case JSON_STRING:
        return memmem(json_string_value(json), json_string_length(json), "${{", 3) != NULL;
    case JSON_ARRAY:
        json_array_foreach(json, index, value)
        {
            if (has_template(value))
                return true;
        }
        return false;
    case JSON_OBJECT:
        json_object_foreach((json_t *)json, key, value)
        {
            if (has_template(value))
                return true;
        }
        return false;
    default:
        return false;
    }
}

static void compile_item(struct walk *walk, const json_t *json, struct item *ret)
{
    if (json_is_string(json))
        compile_string(walk, json, ret);
    else if (json_is_array(json) && has_template(json))
        compile_array(walk, json, ret);
    else if (json_is_object(json) && has_template(json))
        compile_object(walk, json, ret);
    else
        set_const(walk, json, ret);
}

enum status cel_document_compile(const json_t *json, struct arena *arena,
                                 const struct cel_document **ret, cel_fault_fn on_fault,
                                 void *userdata, struct error *err)
{
    struct walk walk = {.arena = arena, .on_fault = on_fault, .userdata = userdata, .err = err};
    struct cel_document *document = ARENA_NEW(arena, struct cel_document);

    buf_init(&walk.place, PLACE_BYTES_MAX);
    if (has_template(json)) {
        compile_item(&walk, json, &document->root);
    } else {
        set_const(&walk, json, &document->root);
        document->constant = json_text(json, arena);
    }
    buf_fini(&walk.place);
    if (walk.failed)
        return STATUS_INVALID_ARGUMENT;
    *ret = document;
    return STATUS_OK;
}

const char *cel_document_constant(const struct cel_document *document)
{
    return document->constant;
}

static enum status eval_item(const struct item *item, const struct cel_env *env, json_t **ret,
                             struct error *err);

static enum status eval_members(const struct item *item, const struct cel_env *env, json_t **ret,
                                struct error *err)
{
    AUTO(json_drop) json_t *made = item->kind == ITEM_ARRAY ? json_array() : json_object();
    enum status status;

    for (uint32_t i = 0; i < item->items_len; i++) {
        json_t *value = NULL;

        status = eval_item(&item->items[i], env, &value, err);
        if (status != STATUS_OK)
            return status;
        if (item->kind == ITEM_ARRAY)
            json_array_append_new(made, value);
        else
            json_object_set_new_nocheck(made, item->items[i].key, value);
    }
    *ret = json_incref(made);
    return STATUS_OK;
}

static enum status eval_item(const struct item *item, const struct cel_env *env, json_t **ret,
                             struct error *err)
{
    enum status status;

    switch (item->kind) {
    case ITEM_CONST:
        *ret = json_incref(item->constant);
        return STATUS_OK;
    case ITEM_TEMPLATE:
        status = cel_template_eval(item->tmpl, env, ret, err);
        if (status != STATUS_OK && err)
            snprintf(err->field, sizeof(err->field), "%s", item->place);
        return status;
    default:
        return eval_members(item, env, ret, err);
    }
}

enum status cel_document_eval(const struct cel_document *document, const struct cel_env *env,
                              json_t **ret, struct error *err)
{
    return eval_item(&document->root, env, ret, err);
}

struct path_call {
    cel_document_path_fn fn;
    void *userdata;
    const char *place;
};

static void forward_path(void *userdata, const struct cel_path *path)
{
    const struct path_call *call = userdata;

    call->fn(call->userdata, call->place, path);
}

static void each_path(const struct item *item, cel_document_path_fn fn, void *userdata)
{
    struct path_call call = {fn, userdata, item->place};

    if (item->kind == ITEM_TEMPLATE)
        cel_template_each_path(item->tmpl, forward_path, &call);
    if (item->kind != ITEM_ARRAY && item->kind != ITEM_OBJECT)
        return;
    for (uint32_t i = 0; i < item->items_len; i++)
        each_path(&item->items[i], fn, userdata);
}

void cel_document_each_path(const struct cel_document *document, cel_document_path_fn fn,
                            void *userdata)
{
    each_path(&document->root, fn, userdata);
}
