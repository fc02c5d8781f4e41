/* SPDX-License-Identifier: Apache-2.0 */
#include "tickets.h"

#include <stdlib.h>

#define PLACES_FIRST 64

static uint64_t number_of(const struct tickets *tickets, const struct ticket *ticket)
{
    return (uint64_t)ticket->use << 32 | (uint32_t)(ticket - tickets->places);
}

static struct ticket *ticket_find(const struct tickets *tickets, uint64_t number)
{
    uint32_t place = (uint32_t)number;
    struct ticket *ticket = place < tickets->len ? &tickets->places[place] : NULL;

    return ticket && ticket->taken && ticket->use == number >> 32 ? ticket : NULL;
}

void tickets_init(struct tickets *tickets)
{
    *tickets = (struct tickets){0};
}

void tickets_fini(struct tickets *tickets)
{
    free(tickets->places);
}

static struct ticket *place_take(struct tickets *tickets)
{
    struct ticket *ticket;

    if (tickets->free) {
        ticket = &tickets->places[tickets->free - 1];
        tickets->free = ticket->next_free;
        return ticket;
    }
    if (tickets->len == tickets->cap) {
        tickets->cap = tickets->cap ? tickets->cap * 2 : PLACES_FIRST;
        tickets->places = mem_realloc(tickets->places, tickets->cap * sizeof *tickets->places);
    }
    ticket = &tickets->places[tickets->len++];
    ticket->use = 0;
    return ticket;
}

uint64_t tickets_add(struct tickets *tickets, host_reply_fn on_reply, host_update_fn on_update,
                     void *userdata)
{
    struct ticket *ticket = place_take(tickets);

    *ticket = (struct ticket){.use = MAX_OF(ticket->use + 1, 1u), /* no number is 0 */
                              .on_reply = on_reply,
                              .on_update = on_update,
                              .userdata = userdata,
                              .taken = true};
    return number_of(tickets, ticket);
}

static void ticket_drop(struct tickets *tickets, struct ticket *ticket)
{
    ticket->taken = false;
    ticket->next_free = tickets->free;
    tickets->free = (uint32_t)(ticket - tickets->places) + 1;
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
