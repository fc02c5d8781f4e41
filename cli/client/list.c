/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a list put together, for any list method: places of the fields come from the
 * descriptors. */
#include "client.h"

#include <assert.h>
#include <string.h>

#define PAGE_MAX 500 /* of every list method */

struct pages {
    const ProtobufCFieldDescriptor *size, *token; /* of the request */
    const ProtobufCFieldDescriptor *items, *next; /* of the response */
};

static void *member(const ProtobufCMessage *message, size_t offset)
{
    return (char *)message + offset;
}

static struct pages find_fields(const struct rpc_method *method)
{
    struct pages pages = {
        .size = protobuf_c_message_descriptor_get_field_by_name(method->input, "page_size"),
        .token = protobuf_c_message_descriptor_get_field_by_name(method->input, "page_token"),
        .next = protobuf_c_message_descriptor_get_field_by_name(method->output, "next_page_token"),
    };

    for (unsigned i = 0; i < method->output->n_fields && !pages.items; i++)
        if (method->output->fields[i].label == PROTOBUF_C_LABEL_REPEATED)
            pages.items = &method->output->fields[i];
    assert(pages.size && pages.token && pages.next && pages.items);
    return pages;
}

static void join(struct arena *arena, const struct pages *pages, ProtobufCMessage *all,
                 const ProtobufCMessage *page)
{
    size_t *n = member(all, pages->items->quantifier_offset);
    size_t more = *(size_t *)member(page, pages->items->quantifier_offset);
    void ***list = member(all, pages->items->offset);
    void **from = *(void ***)member(page, pages->items->offset);
    void **joined = ARENA_ARRAY(arena, void *, *n + more + 1);

    memcpy(joined, *list, *n * sizeof *joined);
    memcpy(joined + *n, from, more * sizeof *joined);
    *list = joined;
    *n += more;
    *(char **)member(all, pages->next->offset) = *(char **)member(page, pages->next->offset);
}

enum status client_list(struct client *client, const struct rpc_method *method,
                        ProtobufCMessage *request, int64_t limit, ProtobufCMessage **ret,
                        struct error *err)
{
    const struct pages pages = find_fields(method);
    ProtobufCMessage *all = NULL, *page;

    for (;;) {
        size_t have = all ? *(size_t *)member(all, pages.items->quantifier_offset) : 0;
        *(int32_t *)member(request, pages.size->offset) =
            (int32_t)MIN_OF(limit - (int64_t)have, PAGE_MAX);
        enum status st = client_call(client, method, request, &page, err);
        if (st != STATUS_OK)
            return st;
        if (all)
            join(client->arena, &pages, all, page);
        else
            all = page;
        const char *next = *(char **)member(all, pages.next->offset);
        have = *(size_t *)member(all, pages.items->quantifier_offset);
        if (!next || !*next || (int64_t)have >= limit)
            break;
        *(const char **)member(request, pages.token->offset) = next;
    }
    *ret = all;
    return STATUS_OK;
}
