/* SPDX-License-Identifier: Apache-2.0 */
#include "tickets.h"

#include <stdlib.h>

static uint64_t ticket_hash(uint64_t number)
{
    return number *
           UINT64_C(0x9e3779b97f4a7c15); /* numbers are our own: no need for a keyed hash */
}

static struct ticket *ticket_find(const struct tickets *tickets, uint64_t number)
{
    for (struct map_node *node = map_first(&tickets->map, ticket_hash(number)); node;
         node = map_next(node)) {
        struct ticket *ticket = CONTAINER_OF(node, struct ticket, node);
        if (ticket->number == number)
            return ticket;
    }
    return NULL;
}

void tickets_init(struct tickets *tickets)
{
    map_init(&tickets->map);
    tickets->last = 0;
}

void tickets_fini(struct tickets *tickets)
{
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&tickets->map, &cursor));) {
        map_remove(&tickets->map, node);
        free(CONTAINER_OF(node, struct ticket, node));
    }
    map_fini(&tickets->map);
}

uint64_t tickets_add(struct tickets *tickets, host_reply_fn on_reply, host_update_fn on_update,
                     void *userdata)
{
    struct ticket *ticket = mem_zalloc(sizeof *ticket);

    ticket->number = ++tickets->last;
    ticket->on_reply = on_reply;
    ticket->on_update = on_update;
    ticket->userdata = userdata;
    map_insert(&tickets->map, &ticket->node, ticket_hash(ticket->number));
    return ticket->number;
}

static void ticket_drop(struct tickets *tickets, struct ticket *ticket)
{
    map_remove(&tickets->map, &ticket->node);
    free(ticket);
}

void tickets_remove(struct tickets *tickets, uint64_t number)
{
    struct ticket *ticket = ticket_find(tickets, number);

    if (ticket)
        ticket_drop(tickets, ticket);
}

void tickets_reply(struct tickets *tickets, const struct engine_reply *reply)
{
    struct ticket *ticket = ticket_find(tickets, reply->ticket);

    if (!ticket || !ticket->on_reply)
        return; /* unwatched meanwhile */
    host_reply_fn on_reply = ticket->on_reply;
    void *userdata = ticket->userdata;
    ticket->on_reply = NULL;
    /* a watch that was refused, or whose run is not in memory, has no updates */
    if (!ticket->on_update || reply->status != STATUS_OK || reply->not_in_memory)
        ticket_drop(tickets, ticket);
    on_reply(reply, userdata);
}

void tickets_unavailable(struct tickets *tickets, uint64_t number)
{
    struct engine_reply reply = {
        .ticket = number,
        .status = STATUS_UNAVAILABLE,
        .reason = "SHARD_LOST",
        .message = "the outcome is not known; repeat the call with the same request id"};

    tickets_reply(tickets, &reply);
}

void tickets_update(struct tickets *tickets, const struct engine_effect *effect)
{
    struct ticket *ticket = ticket_find(tickets, effect->watch.ticket);

    if (!ticket || !ticket->on_update)
        return;
    host_update_fn on_update = ticket->on_update;
    void *userdata = ticket->userdata;
    if (effect->kind == ENGINE_WATCH_END)
        ticket_drop(tickets, ticket);
    on_update(effect, userdata);
}

void tickets_end(struct tickets *tickets, uint64_t number, enum status status)
{
    struct engine_effect effect = {.kind = ENGINE_WATCH_END,
                                   .watch = {.ticket = number, .status = status}};

    tickets_update(tickets, &effect);
}
