/* SPDX-License-Identifier: Apache-2.0 */
#ifndef HOST_PLANS_H
#define HOST_PLANS_H
/*
 * Compiled plan versions, shared by the runs that are pinned to them. One reference for each
 * holder; the PLANS_IDLE_MAX that were released last stay compiled.
 */
#include "base/list.h"
#include "base/map.h"
#include "engine/engine.h"

#define PLANS_IDLE_MAX 64

struct plans {
    struct map map;
    struct list idle; /* oldest first */
    size_t idle_count;
};

void plans_init(struct plans *plans);
void plans_fini(struct plans *plans); /* holders must have released */
MUST_USE enum status plans_get(struct plans *plans, const struct id *plan_id, uint32_t version,
                               struct slice document, struct engine_plan *ret, struct error *err);

#endif
