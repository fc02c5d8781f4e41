/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/attempts.h"

#include <stdlib.h>

struct run_group {
    struct map_node node;
    struct id run;
    struct list attempts;
};

struct closed_attempt {
    struct map_node node;
    struct list order;
    struct id task;
    uint32_t attempt;
};

void attempts_init(struct attempts *attempts)
{
    *attempts = (struct attempts){.count = 0};
    map_init(&attempts->by_task);
    map_init(&attempts->runs);
    map_init(&attempts->closed);
    list_init(&attempts->recent);
    list_init(&attempts->wanted);
    list_init(&attempts->refs);
    list_init(&attempts->closed_order);
}

static void attempt_forget(struct attempts *attempts, struct attempt *attempt)
{
    map_remove(&attempts->by_task, &attempt->by_task);
    list_remove(&attempt->of_run);
    if (attempt->group && list_empty(&attempt->group->attempts)) {
        map_remove(&attempts->runs, &attempt->group->node);
        free(attempt->group);
    }
    list_remove(&attempt->recent);
    list_remove(&attempt->wanted);
    attempts->count--;
    free(attempt);
}

/* Held by nothing: may be forgotten when there are too many. */
static void attempt_rest(struct attempts *attempts, struct attempt *attempt)
{
    list_remove(&attempt->recent);
    if (attempt->pins || !attempt->known || attempt->unverified || !list_empty(&attempt->refs))
        return;
    list_push(&attempts->recent, &attempt->recent);
    while (attempts->count > ATTEMPTS_KEPT_MAX && !list_empty(&attempts->recent))
        attempt_forget(attempts, LIST_ENTRY(attempts->recent.next, struct attempt, recent));
}

static void ref_free(struct attempts *attempts, struct line_ref *ref)
{
    list_remove(&ref->of_attempt);
    list_remove(&ref->all);
    attempts->ref_count--;
    free(ref);
}

void attempts_fini(struct attempts *attempts)
{
    struct map_cursor cursor = {0};

    LIST_EACH(&attempts->refs, node)
    ref_free(attempts, LIST_ENTRY(node, struct line_ref, all));
    for (struct map_node *node; (node = map_walk(&attempts->by_task, &cursor));)
        attempt_forget(attempts, CONTAINER_OF(node, struct attempt, by_task));
    LIST_EACH(&attempts->closed_order, node)
    free(LIST_ENTRY(node, struct closed_attempt, order));
    map_fini(&attempts->by_task);
    map_fini(&attempts->runs);
    map_fini(&attempts->closed);
}

/* ---- finding ---- */

static struct attempt *task_match(struct map_node *node, const struct id *task)
{
    for (; node; node = map_next(node)) {
        struct attempt *attempt = CONTAINER_OF(node, struct attempt, by_task);
        if (id_eq(&attempt->task, task))
            return attempt;
    }
    return NULL;
}

static struct run_group *group_find(const struct attempts *attempts, const struct id *run)
{
    for (struct map_node *node = map_first(&attempts->runs, id_hash(run)); node;
         node = map_next(node)) {
        struct run_group *group = CONTAINER_OF(node, struct run_group, node);
        if (id_eq(&group->run, run))
            return group;
    }
    return NULL;
}

static struct run_group *group_get(struct attempts *attempts, const struct id *run)
{
    struct run_group *group = group_find(attempts, run);

    if (group)
        return group;
    group = mem_zalloc(sizeof *group);
    group->run = *run;
    list_init(&group->attempts);
    map_insert(&attempts->runs, &group->node, id_hash(run));
    return group;
}

struct attempt *attempts_of_task(const struct attempts *attempts, const struct id *task)
{
    return task_match(map_first(&attempts->by_task, id_hash(task)), task);
}

struct attempt *attempt_next_of_task(const struct attempt *attempt)
{
    return task_match(map_next(&attempt->by_task), &attempt->task);
}

struct attempt *attempts_of_run(const struct attempts *attempts, const struct id *run)
{
    struct run_group *group = group_find(attempts, run);

    return group ? LIST_FIRST(&group->attempts, struct attempt, of_run) : NULL;
}

struct attempt *attempt_next_of_run(const struct attempt *attempt)
{
    struct list *next = attempt->of_run.next;

    return next == &attempt->group->attempts ? NULL : LIST_ENTRY(next, struct attempt, of_run);
}

struct attempt *attempts_find(struct attempts *attempts, const struct id *task, uint32_t number)
{
    struct attempt *attempt = attempts_of_task(attempts, task);

    while (attempt && attempt->attempt != number)
        attempt = attempt_next_of_task(attempt);
    return attempt;
}

struct attempt *attempts_get(struct attempts *attempts, const struct id *task, const struct id *run,
                             uint32_t number, uint32_t namespace_id)
{
    struct attempt *attempt = attempts_find(attempts, task, number);

    if (attempt)
        return attempt;
    attempt = mem_zalloc(sizeof *attempt);
    attempt->task = *task;
    attempt->run = *run;
    attempt->attempt = number;
    attempt->namespace_id = namespace_id;
    attempt->last_us = INT64_MIN;
    list_init(&attempt->refs);
    map_insert(&attempts->by_task, &attempt->by_task, id_hash(task));
    if (!id_is_nil(run)) {
        attempt->group = group_get(attempts, run);
        list_push(&attempt->group->attempts, &attempt->of_run);
    }
    list_push(&attempts->wanted, &attempt->wanted);
    attempts->count++;
    attempts->wanted_count++;
    return attempt;
}

void attempts_known(struct attempts *attempts, struct attempt *attempt, uint64_t last_seq,
                    int64_t last_us)
{
    if (list_linked(&attempt->wanted)) {
        list_remove(&attempt->wanted);
        attempts->wanted_count--;
    }
    attempt->known = true;
    attempt->unverified = false;
    attempt->last_seq = MAX_OF(attempt->last_seq, last_seq);
    attempt->last_us = MAX_OF(attempt->last_us, last_us);
    attempt_rest(attempts, attempt);
}

void attempt_unverified(struct attempt *attempt, uint64_t last_seq, int64_t last_us)
{
    attempt->known = attempt->unverified = true;
    attempt->last_seq = MAX_OF(attempt->last_seq, last_seq);
    attempt->last_us = MAX_OF(attempt->last_us, last_us);
}

void attempt_pin(struct attempts *attempts, struct attempt *attempt)
{
    attempt->pins++;
    list_remove(&attempt->recent);
}

void attempt_unpin(struct attempts *attempts, struct attempt *attempt)
{
    attempt->pins--;
    attempt_rest(attempts, attempt);
}

/* ---- lines in the spool ---- */

void attempts_add_ref(struct attempts *attempts, struct attempt *attempt, const struct lines *lines,
                      uint32_t payload_bytes)
{
    struct line_ref *ref = mem_zalloc(sizeof *ref);

    *ref = (struct line_ref){.attempt = attempt,
                             .lsn = lines->lsn,
                             .first_seq = lines->first_seq,
                             .first_us = lines->first_us,
                             .last_us = lines->last_us,
                             .payload_bytes = payload_bytes,
                             .count = lines->count};
    list_push(&attempt->refs, &ref->of_attempt);
    list_push(&attempts->refs, &ref->all);
    attempts->ref_count++;
    list_remove(&attempt->recent);
}

void attempts_stored(struct attempts *attempts, uint64_t lsn)
{
    LIST_EACH(&attempts->refs, node)
    {
        struct line_ref *ref = LIST_ENTRY(node, struct line_ref, all);
        struct attempt *attempt = ref->attempt;
        if (ref->lsn >= lsn)
            break;
        ref_free(attempts, ref);
        attempt_rest(attempts, attempt);
    }
}

/* ---- given up ---- */

static uint64_t closed_hash(const struct id *task, uint32_t attempt)
{
    return id_hash(task) + attempt;
}

static struct closed_attempt *closed_find(const struct attempts *attempts, const struct id *task,
                                          uint32_t number)
{
    for (struct map_node *node = map_first(&attempts->closed, closed_hash(task, number)); node;
         node = map_next(node)) {
        struct closed_attempt *closed = CONTAINER_OF(node, struct closed_attempt, node);
        if (closed->attempt == number && id_eq(&closed->task, task))
            return closed;
    }
    return NULL;
}

void attempts_close(struct attempts *attempts, const struct id *task, uint32_t number)
{
    struct closed_attempt *closed;

    if (closed_find(attempts, task, number))
        return;
    if (attempts->closed_count >= ATTEMPTS_CLOSED_MAX) {
        closed = LIST_ENTRY(attempts->closed_order.next, struct closed_attempt, order);
        map_remove(&attempts->closed, &closed->node);
        list_remove(&closed->order);
        attempts->closed_count--;
    } else {
        closed = mem_zalloc(sizeof *closed);
    }
    closed->task = *task;
    closed->attempt = number;
    map_insert(&attempts->closed, &closed->node, closed_hash(task, number));
    list_push(&attempts->closed_order, &closed->order);
    attempts->closed_count++;
}

bool attempts_is_closed(const struct attempts *attempts, const struct id *task, uint32_t number)
{
    return attempts->closed_count && closed_find(attempts, task, number);
}
