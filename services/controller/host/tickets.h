/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_TICKETS_H
#define HOST_TICKETS_H
/* Who waits for which reply. A ticket is used once, except that of a watch, which lives until its
 * end or unwatch. */
#include "host/host.h"

/* A number is a place and how often it was used: what comes for an older use finds nobody. */
struct ticket {
    uint32_t use;
    uint32_t next_free;     /* place + 1 */
    host_reply_fn on_reply; /* NULL once replied */
    host_update_fn on_update;
    void *userdata;
    bool taken;
};
struct tickets {
    struct ticket *places;
    uint32_t len, cap;
    uint32_t free; /* place + 1 of the one that was given back last; 0 = none */
};

void tickets_init(struct tickets *tickets);
void tickets_fini(struct tickets *tickets);
uint64_t tickets_add(struct tickets *tickets, host_reply_fn on_reply, host_update_fn on_update,
                     void *userdata);
void tickets_remove(struct tickets *tickets, uint64_t number);
/* Hands the reply over; a ticket without updates is gone before its callback runs. */
void tickets_reply(struct tickets *tickets, const struct engine_reply *reply);
/* Reply UNAVAILABLE (a lost batch). */
void tickets_unavailable(struct tickets *tickets, uint64_t number);
/* Ends a watch whose end was lost. */
void tickets_end(struct tickets *tickets, uint64_t number, enum status status);
void tickets_update(struct tickets *tickets, const struct engine_effect *effect);

#endif
