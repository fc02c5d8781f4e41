/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_TICKETS_H
#define HOST_TICKETS_H
/* Who waits for which reply. A ticket is used once, except that of a watch, which lives until its
 * end or unwatch. */
#include "base/map.h"
#include "host/host.h"

struct tickets {
    struct map map;
    uint64_t last;
};
struct ticket {
    struct map_node node;
    uint64_t number;
    host_reply_fn on_reply; /* NULL once replied */
    host_update_fn on_update;
    void *userdata;
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
