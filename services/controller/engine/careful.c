/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controller killers (P8). After several takeovers in a row from owners that died, the tasks that
 * were being handled at the end are handled one at a time: first a batch names the task as suspect,
 * and only when that is durable its result is recorded or it is put up for dispatch. An owner that
 * dies over it leaves the name behind, and the next one ends the task instead of dying too.
 */
#include "internal.h"

#define CAREFUL_JOURNALS 2 /* the last rows of the journal, whose leases are handled so */

static void mark(struct task *task)
{
    struct task_more *more = task_more(task);

    if (!more->careful) {
        more->careful = mem_zalloc(sizeof(*more->careful));
        more->careful->task = task;
    }
}

void careful_begin(struct shard *shard)
{
    struct list *at = shard->journals.prev;

    if (shard->unclean < shard->engine->config.unclean_max)
        return;
    for (int n = 0; n < CAREFUL_JOURNALS && at != &shard->journals; n++, at = at->prev) {
        struct journal *journal = LIST_ENTRY(at, struct journal, link);

        LIST_EACH(&journal->leases, node)
        mark(LIST_ENTRY(node, struct lease, of_journal)->task);
    }
}

void careful_free(struct task *task)
{
    struct careful *careful = task->more ? task->more->careful : NULL;

    if (!careful)
        return;
    if (task->shard->careful_current == careful)
        task->shard->careful_current = NULL;
    list_remove(&careful->link);
    free(careful->text);
    free(careful);
    task->more->careful = NULL;
}

/* Names the next one, or nobody when there is none. */
static void next(struct shard *shard)
{
    struct careful *careful = LIST_FIRST(&shard->careful, struct careful, link);

    if (shard->careful_step != CAREFUL_NONE || (!careful && id_is_nil(&shard->suspect)))
        return;
    shard->suspect = (struct id){{0}};
    if (careful) {
        list_remove(&careful->link);
        shard->careful_current = careful;
        shard->careful_step = CAREFUL_NAMED;
        shard->careful_seq = shard->seq + 1;
        shard->suspect = careful->task->id;
    }
    shard_dirty(shard);
}

static void enqueue(struct careful *careful)
{
    struct shard *shard = careful->task->shard;

    if (shard->careful_current != careful && !list_linked(&careful->link))
        list_push(&shard->careful, &careful->link);
    next(shard);
}

bool careful_holds_place(struct task *task)
{
    if (!task->more || !task->more->careful)
        return false;
    enqueue(task->more->careful);
    return true;
}

static struct slice put(char **at, struct slice text)
{
    char *start = *at;

    if (text.len)
        memcpy(start, text.data, text.len);
    *at = start + text.len;
    return (struct slice){start, text.len};
}

static const char *put_string(char **at, const char *text)
{
    return put(at, (struct slice){text ? text : "", text ? strlen(text) + 1 : 1}).data;
}

bool careful_holds_result(struct task *task, const struct engine_result *result)
{
    struct careful *careful = task->more ? task->more->careful : NULL;
    const struct engine_failure *failure = &result->failure;
    char *at;

    if (!careful)
        return false;
    free(careful->text); /* a repeat replaces it */
    careful->text = at = mem_alloc(result->token.len + result->output.len + failure->details.len +
                                   (failure->code ? strlen(failure->code) : 0) +
                                   (failure->message ? strlen(failure->message) : 0) + 3);
    careful->result = *result;
    careful->result.token = put(&at, result->token);
    careful->result.output = put(&at, result->output);
    careful->result.failure.details = put(&at, failure->details);
    careful->result.failure.code = put_string(&at, failure->code);
    careful->result.failure.message = put_string(&at, failure->message);
    careful->result.failure.step = "";
    enqueue(careful);
    return true;
}

/* Its name is on disk: now it is handled like any other. */
static void handle(struct shard *shard)
{
    struct careful *careful = shard->careful_current;
    struct engine_command command = {.kind = ENGINE_RESULT};
    struct task *task;
    char *text;

    shard->careful_step = CAREFUL_HANDLED;
    shard->careful_seq = shard->seq + 1;
    shard_dirty(shard);
    if (!careful)
        return; /* it has ended meanwhile */
    task = careful->task;
    text = careful->text;
    command.result = careful->result;
    careful->text = NULL;
    careful_free(task);
    if (text)
        attempt_result(shard->engine, &command);
    else if (task->state == ENGINE_TASK_READY && !task->ready.place && !task->away)
        task_place(task);
    free(text);
}

void careful_durable(struct shard *shard)
{
    if (shard->careful_step == CAREFUL_NONE || shard->durable_seq < shard->careful_seq)
        return;
    if (shard->careful_step == CAREFUL_NAMED) {
        handle(shard);
        return;
    }
    shard->careful_step = CAREFUL_NONE;
    next(shard);
}
