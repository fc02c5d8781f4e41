/* SPDX-License-Identifier: Apache-2.0 */
/* Time, chance and the order of events. */
#include <stdarg.h>
#include "sim.h"

struct sim_event {
    struct heap_node node;
    int64_t at;
    uint64_t order;
    struct node *machine;
    uint32_t life;
    sim_fn fn;
    void *data;
};

bool sim_event_less(const struct heap_node *a, const struct heap_node *b)
{
    const struct sim_event *x = CONTAINER_OF(a, struct sim_event, node);
    const struct sim_event *y = CONTAINER_OF(b, struct sim_event, node);

    return x->at != y->at ? x->at < y->at : x->order < y->order;
}

/* splitmix64 */
uint64_t sim_random(struct world *world)
{
    uint64_t z = world->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

int64_t sim_below(struct world *world, int64_t n)
{
    return n > 0 ? (int64_t)(sim_random(world) % (uint64_t)n) : 0;
}

bool sim_chance(struct world *world, int64_t percent)
{
    return sim_below(world, 100) < percent;
}

void sim_at(struct world *world, int64_t delay_us, struct node *machine, sim_fn fn, void *data)
{
    struct sim_event *event = ARENA_NEW(&world->arena, struct sim_event);

    event->at = world->now + MAX_OF(delay_us, INT64_C(0));
    event->order = ++world->order;
    event->machine = machine;
    event->life = machine ? machine->life : 0;
    event->fn = fn;
    event->data = data;
    heap_push(&world->events, &event->node);
}

bool world_step(struct world *world)
{
    struct heap_node *top = heap_top(&world->events);
    struct sim_event *event;

    if (!top)
        return false;
    event = CONTAINER_OF(top, struct sim_event, node);
    heap_remove(&world->events, top);
    world->now = MAX_OF(world->now, event->at);
    if (event->machine && event->machine->life != event->life)
        return true;
    if (event->machine && event->machine->paused_until > world->now) {
        event->at = event->machine->paused_until; /* waits, in its order */
        heap_push(&world->events, &event->node);
        return true;
    }
    event->fn(world, event->data);
    return true;
}

int64_t net_delay(struct world *world)
{
    /* Mostly quick, sometimes slow. */
    return sim_chance(world, world->profile.slow) ? sim_below(world, 800 * MS)
                                                  : 100 + sim_below(world, 3 * MS);
}

void sim_fail(struct world *world, const char *fmt, ...)
{
    va_list args;

    if (world->failure[0])
        return; /* the first is the one to look at */
    va_start(args, fmt);
    vsnprintf(world->failure, sizeof(world->failure), fmt, args);
    va_end(args);
}

void sim_log(struct world *world, const char *fmt, ...)
{
    va_list args;

    if (!world->verbose)
        return;
    printf("%10.6f ", (double)(world->now - START_US) / (double)SECOND);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

const char *sim_id(const struct id *id)
{
    static char texts[8][ID_TEXT_BYTES];
    static unsigned next;
    char *text = texts[next++ % 8];

    id_format(id, text);
    return text + ID_TEXT_BYTES - 7;
}
