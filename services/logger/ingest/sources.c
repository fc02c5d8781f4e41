/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/sources.h"

#include <stdlib.h>

void sources_init(struct sources *sources)
{
    map_init(&sources->map);
    list_init(&sources->refs);
    sources->ref_count = 0;
}

static void ref_free(struct sources *sources, struct event_record_ref *ref)
{
    list_remove(&ref->all);
    sources->ref_count--;
    free(ref);
}

void sources_fini(struct sources *sources)
{
    struct map_cursor cursor = {0};

    LIST_EACH(&sources->refs, node)
    ref_free(sources, LIST_ENTRY(node, struct event_record_ref, all));
    for (struct map_node *node; (node = map_walk(&sources->map, &cursor));) {
        map_remove(&sources->map, node);
        free(CONTAINER_OF(node, struct source, node));
    }
    map_fini(&sources->map);
}

struct source *sources_get(struct sources *sources, uint32_t timeline, uint16_t shard)
{
    uint64_t hash = ((uint64_t)timeline << 16 | shard) * UINT64_C(0x9e3779b97f4a7c15);
    struct source *source;

    for (struct map_node *node = map_first(&sources->map, hash); node; node = map_next(node)) {
        source = CONTAINER_OF(node, struct source, node);
        if (source->timeline == timeline && source->shard == shard)
            return source;
    }
    source = mem_zalloc(sizeof *source);
    source->timeline = timeline;
    source->shard = shard;
    map_insert(&sources->map, &source->node, hash);
    return source;
}

void sources_add_ref(struct sources *sources, const struct events *events, uint32_t payload_bytes)
{
    struct event_record_ref *ref = mem_zalloc(sizeof *ref);

    ref->lsn = events->lsn;
    ref->payload_bytes = payload_bytes;
    ref->min = events->min;
    ref->max = events->max;
    list_push(&sources->refs, &ref->all);
    sources->ref_count++;
}

void sources_stored(struct sources *sources, uint64_t lsn)
{
    LIST_EACH(&sources->refs, node)
    {
        struct event_record_ref *ref = LIST_ENTRY(node, struct event_record_ref, all);
        if (ref->lsn >= lsn)
            break;
        ref_free(sources, ref);
    }
}
