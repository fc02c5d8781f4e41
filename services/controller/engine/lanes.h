/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LANES_H
#define ENGINE_LANES_H
/*
 * Ready tasks stand in lanes: one for each queue, type and set of demands and limits, so that a
 * whole lane may be dispatched from or not. The lanes that ask for the same of a worker form a
 * pool, and a worker looks at pools. A lane that a limit holds back stands at that limit's gate
 * instead, and is looked at again when the gate opens.
 */
#include "internal.h"

struct line { /* lanes that have ready tasks, in their order */
    struct heap by_age;
    struct heap *levels; /* ENGINE_PRIORITIES of them, by fair share; NULL until one is needed */
    uint32_t len;
};

struct pool {
    struct map_node by_key; /* engine->pools */
    struct list of_type;    /* type->pools while it has tasks that may be dispatched */
    struct list of_queue;   /* queue->pools while its line is not empty */
    struct list woken;      /* engine->woken: lanes came back to its line */
    struct queue *queue;
    struct task_type *type;
    struct line line;
    uint32_t lanes;
    uint32_t requires_len;
    struct engine_label *requires;
    char *requires_text; /* packed key NUL value NUL …, sorted as given; then the demands */
    size_t requires_bytes;
    struct engine_demands demands; /* selectors point into one allocation */
    struct plan_selector *selectors;
    bool demanding; /* it has demands */
    struct id
        reserved; /* the worker that takes nothing else until it can take the first of these */
};

/* What a lane needs of a gate for each start. */
struct need {
    struct list of_gate; /* gate->needs */
    struct gate *gate;
    struct lane *lane;
    uint32_t amount; /* leases of the key must be fewer than this; units of a rate */
    uint8_t strategy;
};

struct lane {
    struct map_node by_key; /* engine->lanes */
    struct list of_queue;   /* queue->lanes while it has ready tasks */
    struct list of_window;  /* window->lanes while it has ready tasks */
    struct queue *queue;
    struct task_type *type;
    struct pool *pool;
    struct window *window;
    struct heap ready;
    struct heap_node node; /* in a heap of the line in which it stands */
    struct line *line;
    struct wait *wait; /* whose line it is; NULL: its pool's */
    struct fair *fair;
    uint64_t pass; /* as the line knows it: never more than the fair's own */
    uint32_t weight;
    uint32_t needs_len;
    struct need *needs;
    uint32_t tasks; /* that refer to it */
    uint8_t level;  /* priority of its tasks, when they have a fairness key */
    char *text;     /* packed limits */
    size_t text_bytes;
    uint64_t cut; /* number of the cut that the copies below belong to */
    const char *cut_type, *cut_queue, *cut_window;
};

/* The lanes of one pool that wait for the same at a gate: only the first of them need wake. */
struct wait {
    struct list of_gate; /* gate->waits */
    struct gate *gate;
    struct pool *pool;
    uint32_t amount;
    struct line line;
};

enum gate_kind {
    GATE_OPEN = 1, /* counts open leases */
    GATE_RATE,     /* a token bucket */
};
/* A limit by key. One of a rate is remembered until its bucket is full again. */
struct gate {
    struct map_node by_key; /* shard->gates */
    struct list dirty;      /* engine->gates: it may have opened */
    struct list needs, waits;
    struct list holders;    /* struct hold.of_gate, oldest first */
    struct heap_node timer; /* engine->gate_timers */
    int64_t timer_us;
    struct shard *shard;
    struct queue *queue; /* the bucket of a queue, which is in no map */
    enum gate_kind kind;
    uint32_t namespace_id;
    uint32_t open;  /* leases */
    uint32_t limit; /* of a rate */
    int64_t per_us;
    int64_t full_us; /* of a rate: when its bucket is full, as things are */
    char key[];
};
/* An open lease at a gate; as many as its lane has needs, one allocation a lease. */
struct hold {
    struct list of_gate;
    struct lease *lease;
    struct gate *gate;
};

/* A fairness key of a queue: how much of the workers' time it had, in units of its weight. */
struct fair {
    struct map_node by_key; /* shard->fairs */
    struct queue *queue;
    uint64_t pass;
    uint32_t lanes, active; /* that refer to it; that have ready tasks */
    char key[];
};

/* lane.c: lanes and pools */
struct lane *lane_get(struct shard *shard, uint32_t namespace_id, const struct engine_spec *spec);
void lane_release(struct lane *lane);
void lane_push(struct task *task);
void lane_remove(struct task *task);

/* line.c: the order of lanes, and fair shares */
void line_push(struct line *line, struct lane *lane);
void line_remove(struct lane *lane);
void line_touch(struct lane *lane); /* its first task is another */
struct lane *line_best(struct line *line);
void line_fini(struct line *line);
bool lane_before(const struct lane *a, const struct lane *b);
struct fair *fair_get(struct queue *queue, const char *key);
void fair_release(struct fair *fair);
void fair_wake(struct lane *lane); /* it gets its first ready task */
void fair_sleep(struct lane *lane);
void fair_charge(struct lane *lane); /* one of its tasks is started */

/* gate.c: limits by key */
struct gate *gate_get(struct shard *shard, uint32_t namespace_id, enum gate_kind kind,
                      const char *key, uint32_t limit, int64_t per_us);
struct gate *gate_of_queue(struct queue *queue, const struct engine_rate *rate);
void gate_of_queue_free(struct gate *gate);
bool gate_is_open(const struct gate *gate, uint32_t amount);
void gate_release_unused(struct gate *gate);
void gate_take(struct gate *gate, uint32_t units); /* of a rate: a start */
int64_t gate_opens_us(const struct gate *gate, uint32_t units);
void gate_arm(struct gate *gate, uint32_t units);     /* its timer: when so many may be taken */
void gate_wake(struct gate *gate, struct pool *pool); /* the first that waits; NULL: of all pools */
void gates_due(struct engine *engine);                /* those whose time has come */
void gates_settle(struct engine *engine);             /* what has opened is matched */
struct need *lane_closed(const struct lane *lane);    /* the first need that is not met, or NULL */
void lane_wait(struct lane *lane, const struct need *need);
void lane_leave_wait(struct lane *lane); /* into no line */
void lane_wake_rest(struct lane *lane);  /* it does not use its gates: others may */
void lane_charge(struct lane *lane);     /* one of its tasks is started */
void lease_hold(struct lease *lease);
void lease_unhold(struct lease *lease);
const char *gate_bad_limits(const struct engine_limits *limits); /* NULL: they are well formed */
/* Why a task may not come now, with a reason for programs; NULL: it may. */
const char *gate_refuses(struct shard *shard, uint32_t namespace_id,
                         const struct engine_limits *limits, struct arena *arena,
                         const char **ret_reason);
void gate_supersede(struct task *task); /* strategy CANCEL_RUNNING */
void gates_free(struct shard *shard);

/* match.c: ready tasks meet workers */
void pool_shown(struct pool *pool);
void queue_shown(struct queue *queue); /* its tasks may be dispatched, or not any more */
void queue_match(struct queue *queue);
void pool_match(struct pool *pool); /* tasks came: is there a worker */
void lane_match(struct lane *lane);
void worker_match(struct worker *worker); /* credit came: are there tasks */
void worker_set_idle(struct worker *worker);
bool pool_fits(const struct pool *pool, const struct worker *worker);     /* it could run them */
bool pool_fits_now(const struct pool *pool, const struct worker *worker); /* with what is free */
bool worker_meets(const struct worker *worker, const struct plan_selector *selectors, uint32_t len);
void worker_occupy(struct worker *worker, const struct pool *pool);
void worker_vacate(struct worker *worker, const struct pool *pool);
bool queue_is_shut(const struct queue *queue); /* paused, or at a limit of its own */
void queue_opens(struct queue *queue);         /* a lease of it has ended */

static inline struct task *lane_top(const struct lane *lane) /* of one that is not empty */
{
    return CONTAINER_OF(lane->ready.nodes[0], struct task, ready);
}

bool rank_before(const struct task *a, const struct task *b);

/* Smaller places first: age, in which a step of priority counts for a minute. */
static inline bool ready_before(const struct task *a, const struct task *b)
{
    if (a->priority != b->priority)
        return rank_before(a, b);
    return id_cmp(&a->id, &b->id) < 0; /* time is its head */
}

/* Most lanes have neither limits nor a share. */
static inline bool lane_is_plain(const struct lane *lane)
{
    return !lane->needs_len && !lane->fair;
}

#endif
