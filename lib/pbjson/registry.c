/* SPDX-License-Identifier: Apache-2.0 */
#include <google/protobuf/descriptor.pb-c.h>
#include "internal.h"
#include "json/json.h"

#define NAME_BYTES_MAX 512

struct described {
    struct map_node node;
    const char *name;
    const Google__Protobuf__DescriptorProto *proto;
};

struct known {
    struct map_node node;
    const ProtobufCMessageDescriptor *desc;
};

static void *arena_allocate(void *arena, size_t bytes)
{
    return arena_alloc(arena, bytes);
}

static void arena_ignore(void *arena, void *ptr)
{
}

/* Full name of every message, nested ones and those of maps too. */
static void add_message(struct pbjson_registry *registry, const char *scope,
                        const Google__Protobuf__DescriptorProto *proto)
{
    struct described *entry = ARENA_NEW(&registry->arena, struct described);

    entry->name = *scope ? arena_printf(&registry->arena, "%s.%s", scope, proto->name)
                         : arena_strdup(&registry->arena, proto->name);
    entry->proto = proto;
    map_insert(&registry->messages, &entry->node, hash_text(entry->name));
    for (size_t i = 0; i < proto->n_nested_type; i++)
        add_message(registry, entry->name, proto->nested_type[i]);
}

static const Google__Protobuf__DescriptorProto *find_message(const struct pbjson_registry *registry,
                                                             const char *name)
{
    for (struct map_node *node = map_first(&registry->messages, hash_text(name)); node;
         node = map_next(node)) {
        struct described *entry = CONTAINER_OF(node, struct described, node);

        if (strcmp(entry->name, name) == 0)
            return entry->proto;
    }
    return NULL;
}

enum status pbjson_registry_new(struct slice descriptor_set, struct pbjson_registry **ret,
                                struct error *err)
{
    struct pbjson_registry *registry = mem_zalloc(sizeof(*registry));
    ProtobufCAllocator allocator = {arena_allocate, arena_ignore, &registry->arena};
    Google__Protobuf__FileDescriptorSet *set;

    arena_init(&registry->arena, 0);
    map_init(&registry->types);
    map_init(&registry->messages);
    map_init(&registry->registered);
    set = google__protobuf__file_descriptor_set__unpack(&allocator, descriptor_set.len,
                                                        (const uint8_t *)descriptor_set.data);
    if (!set) {
        pbjson_registry_free(registry);
        return error_set(err, STATUS_INVALID_ARGUMENT, "descriptor set cannot be read");
    }
    for (size_t i = 0; i < set->n_file; i++) {
        for (size_t j = 0; j < set->file[i]->n_message_type; j++)
            add_message(registry, set->file[i]->package ? set->file[i]->package : "",
                        set->file[i]->message_type[j]);
    }
    *ret = registry;
    return STATUS_OK;
}

void pbjson_registry_free(struct pbjson_registry *registry)
{
    if (!registry)
        return;
    map_fini(&registry->types);
    map_fini(&registry->messages);
    map_fini(&registry->registered);
    arena_fini(&registry->arena);
    free_ptr(&registry);
}

void pbjson_register_message(struct pbjson_registry *registry,
                             const ProtobufCMessageDescriptor *desc)
{
    struct known *known;

    if (pbjson_find_message(registry, desc->name))
        return;
    known = ARENA_NEW(&registry->arena, struct known);
    known->desc = desc;
    map_insert(&registry->registered, &known->node, hash_text(desc->name));
}

const ProtobufCMessageDescriptor *pbjson_find_message(const struct pbjson_registry *registry,
                                                      const char *full_name)
{
    for (struct map_node *node = map_first(&registry->registered, hash_text(full_name)); node;
         node = map_next(node)) {
        struct known *known = CONTAINER_OF(node, struct known, node);

        if (strcmp(known->desc->name, full_name) == 0)
            return known->desc;
    }
    return NULL;
}

static enum wellknown wellknown_of(const char *name)
{
    static const struct {
        const char *name;
        enum wellknown wellknown;
    } NAMES[] = {
        {"google.protobuf.Timestamp", WELLKNOWN_TIMESTAMP},
        {"google.protobuf.Duration", WELLKNOWN_DURATION},
        {"google.protobuf.FieldMask", WELLKNOWN_FIELD_MASK},
        {"google.protobuf.Any", WELLKNOWN_ANY},
        {"google.protobuf.Struct", WELLKNOWN_REFUSED},
        {"google.protobuf.Value", WELLKNOWN_REFUSED},
        {"google.protobuf.ListValue", WELLKNOWN_REFUSED},
        {"google.protobuf.DoubleValue", WELLKNOWN_WRAPPER},
        {"google.protobuf.FloatValue", WELLKNOWN_WRAPPER},
        {"google.protobuf.Int64Value", WELLKNOWN_WRAPPER},
        {"google.protobuf.UInt64Value", WELLKNOWN_WRAPPER},
        {"google.protobuf.Int32Value", WELLKNOWN_WRAPPER},
        {"google.protobuf.UInt32Value", WELLKNOWN_WRAPPER},
        {"google.protobuf.BoolValue", WELLKNOWN_WRAPPER},
        {"google.protobuf.StringValue", WELLKNOWN_WRAPPER},
        {"google.protobuf.BytesValue", WELLKNOWN_WRAPPER},
        {"plankton.v1.Json", WELLKNOWN_JSON},
    };

    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        if (strcmp(name, NAMES[i].name) == 0)
            return NAMES[i].wellknown;
    }
    return WELLKNOWN_NONE;
}

/* page_size → pageSize: what protoc does when no json_name is given. */
static const char *camel(struct arena *arena, const char *name)
{
    char *out = arena_strdup(arena, name), *to = out;

    for (const char *at = name; *at; at++) {
        if (*at == '_' && at[1] >= 'a' && at[1] <= 'z')
            *to++ = (char)(*++at - 'a' + 'A');
        else if (*at != '_')
            *to++ = *at;
    }
    *to = '\0';
    return out;
}

static struct slice written_key(struct arena *arena, const char *name)
{
    AUTO(buf_fini) struct buf out = {0};

    buf_init(&out, 6 * strlen(name) + 8);
    buf_putc(&out, ',');
    json_write_string(&out, slice_of(name));
    buf_putc(&out, ':');
    return (struct slice){arena_memdup(arena, out.data, out.len), out.len};
}

static void fill_field(struct pbjson_registry *registry,
                       const Google__Protobuf__DescriptorProto *proto, struct field *field)
{
    const Google__Protobuf__DescriptorProto *entry;

    for (size_t i = 0; proto && i < proto->n_field; i++) {
        if ((uint32_t)proto->field[i]->number == field->f->id && proto->field[i]->json_name)
            field->json_name = proto->field[i]->json_name;
    }
    if (!field->json_name)
        field->json_name = camel(&registry->arena, field->f->name);
    field->json_key = written_key(&registry->arena, field->json_name);
    field->proto_key = written_key(&registry->arena, field->f->name);
    if (field->f->type != PROTOBUF_C_TYPE_MESSAGE || field->f->label != PROTOBUF_C_LABEL_REPEATED)
        return;
    entry =
        find_message(registry, ((const ProtobufCMessageDescriptor *)field->f->descriptor)->name);
    field->is_map = entry && entry->options && entry->options->map_entry;
}

struct type *pbjson__type(struct pbjson_registry *registry, const ProtobufCMessageDescriptor *desc)
{
    uint64_t hash = hash_bytes(&desc, sizeof(desc));
    const Google__Protobuf__DescriptorProto *proto;
    struct type *type;

    for (struct map_node *node = map_first(&registry->types, hash); node; node = map_next(node)) {
        type = CONTAINER_OF(node, struct type, node);
        if (type->desc == desc)
            return type;
    }
    proto = find_message(registry, desc->name);
    type = ARENA_NEW(&registry->arena, struct type);
    type->desc = desc;
    type->wellknown = wellknown_of(desc->name);
    type->fields = ARENA_ARRAY(&registry->arena, struct field, desc->n_fields + 1);
    for (unsigned i = 0; i < desc->n_fields; i++) {
        type->fields[i].f = &desc->fields[i];
        fill_field(registry, proto, &type->fields[i]);
    }
    map_insert(&registry->types, &type->node, hash);
    return type;
}

struct type *pbjson__sub(struct pbjson_registry *registry, struct field *field)
{
    if (!field->sub)
        field->sub = pbjson__type(registry, field->f->descriptor);
    return field->sub;
}

struct field *pbjson__find(struct type *type, const char *name, size_t len)
{
    for (unsigned i = 0; i < type->desc->n_fields; i++) {
        struct field *field = &type->fields[i];

        if ((strncmp(field->json_name, name, len) == 0 && !field->json_name[len]) ||
            (strncmp(field->f->name, name, len) == 0 && !field->f->name[len]))
            return field;
    }
    return NULL;
}

static struct field *field_of(struct pbjson_registry *registry,
                              const ProtobufCMessageDescriptor *desc,
                              const ProtobufCFieldDescriptor *field)
{
    return &pbjson__type(registry, desc)->fields[field - desc->fields];
}

const char *pbjson_json_name(struct pbjson_registry *registry,
                             const ProtobufCMessageDescriptor *desc,
                             const ProtobufCFieldDescriptor *field)
{
    return field_of(registry, desc, field)->json_name;
}

bool pbjson_field_is_map(struct pbjson_registry *registry, const ProtobufCMessageDescriptor *desc,
                         const ProtobufCFieldDescriptor *field)
{
    return field_of(registry, desc, field)->is_map;
}

void *pbjson__member(const ProtobufCMessage *message, const char *name)
{
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);

    return (char *)message + f->offset;
}
