/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about one task or one key. What is asked in one turn of the loop is one statement, and
 * while two of a kind are on their way the next gathers: who watches ten thousand tasks that have
 * left memory, or submits with as many keys that nobody remembers, costs a few dozen reads and not
 * ten thousand. A question is answered by its place in the statement.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sql/read.h"
#include "store_internal.h"

#define GATHER_FLUSH_ORDER 18  /* after the batches' order, before the connections are written */
#define GATHER_MAX 256         /* questions of one statement: bodies are 512 KiB at most */
#define GATHER_IN_FLIGHT_MAX 2 /* statements of a kind: a connection for each at the default */

/* Columns behind those of a whole task, and those of a key. */
#define TASK_PLACE (TASK_COLUMNS + TASK_PARKED_COLUMNS)
enum key_column { KEY_ID, KEY_KIND, KEY_DIGEST, KEY_PLACE };
#define KEY_KIND_RUN 2

struct question {
    struct question *next;
    enum gather_kind kind;
    struct id id;
    uint16_t shard;
    uint32_t namespace_id;
    uint64_t number; /* of the engine's question */
    union {
        store_task_fn task;
        store_answer_fn answer;
    } fn;
    void *userdata;
    char key[ENGINE_KEY_BYTES_MAX + 1];
};

/* One statement on its way. */
struct asked {
    struct store *store;
    struct arena arena, row; /* row: of one answer */
    enum gather_kind kind;
    struct question *questions; /* in the order of their places */
    uint32_t *rows;             /* row + 1 of each place; 0 = none */
};

static void ask_more(struct store *store, enum gather_kind kind);

/* ---- answering ---- */

static void answer_task(struct asked *asked, const struct question *question,
                        const struct db_result *result, size_t row, const struct error *err)
{
    struct engine_task_row task;

    if (!result) {
        question->fn.task(NULL, err, question->userdata);
        return;
    }
    if (row > 0)
        row_task(asked->store, &asked->row, result, row - 1, false, &task);
    question->fn.task(row > 0 ? &task : NULL, NULL, question->userdata);
}

static void answer_lookup(struct asked *asked, const struct question *question,
                          const struct db_result *result, size_t row)
{
    struct engine_command command = {.kind = ENGINE_TASK_ROW,
                                     .task_row = {.read = question->number}};
    struct engine_task_row task;

    if (result && row > 0) {
        row_task(asked->store, &asked->row, result, row - 1, true, &task);
        command.task_row.row = &task;
    }
    question->fn.answer(result ? &command : NULL, question->userdata);
}

static void answer_key(const struct question *question, const struct db_result *result, size_t row)
{
    struct engine_command command = {.kind = ENGINE_KEY_ROW, .key_row = {.read = question->number}};
    struct engine_key_answer *out = &command.key_row;

    if (result && row > 0) {
        struct slice digest = db_slice(result, row - 1, KEY_DIGEST);
        out->found = true;
        out->id = db_id(result, row - 1, KEY_ID);
        out->is_run = db_i64(result, row - 1, KEY_KIND) == KEY_KIND_RUN;
        memcpy(out->digest, digest.data, MIN_OF(digest.len, sizeof out->digest));
    }
    question->fn.answer(result ? &command : NULL, question->userdata);
}

/* The next statement goes out before the answers are given: what they ask is in a later one. */
static void answered(enum db_outcome outcome, struct db_result *const *results, size_t n,
                     const struct error *err, void *userdata)
{
    struct asked *asked = userdata;
    const struct db_result *result = outcome == DB_COMMITTED ? results[0] : NULL;
    int place_column = asked->kind == GATHER_KEY ? KEY_PLACE : TASK_PLACE;
    size_t place = 0;

    asked->store->gathered[asked->kind].in_flight--;
    ask_more(asked->store, asked->kind);
    for (size_t i = 0; result && i < db_rows(result); i++)
        asked->rows[db_i64(result, i, place_column) - 1] = (uint32_t)i + 1;
    while (asked->questions) {
        struct question *question = asked->questions;
        size_t row = asked->rows[place++];

        asked->questions = question->next;
        if (question->kind == GATHER_TASK)
            answer_task(asked, question, result, row, err);
        else if (question->kind == GATHER_LOOKUP)
            answer_lookup(asked, question, result, row);
        else
            answer_key(question, result, row);
        free(question);
        arena_reset(&asked->row);
    }
    arena_fini(&asked->row);
    arena_fini(&asked->arena);
    free(asked);
}

/* ---- asking ---- */

static void ask_tasks(struct asked *asked)
{
    struct db_array *ids = db_array_new(&asked->arena, DB_UUID);

    for (const struct question *q = asked->questions; q; q = q->next)
        db_array_add_id(ids, &q->id);
    struct db_param params[] = {db_array_param(ids)};
    db_query(store_reader(asked->store), &SQL_read_tasks, params, ARRAY_LEN(params), answered,
             asked);
}

static void ask_keys(struct asked *asked)
{
    struct db_array *shards = db_array_new(&asked->arena, DB_I16),
                    *namespaces = db_array_new(&asked->arena, DB_I32),
                    *keys = db_array_new(&asked->arena, DB_TEXT);

    for (const struct question *q = asked->questions; q; q = q->next) {
        db_array_add_i64(shards, q->shard);
        db_array_add_i64(namespaces, q->namespace_id);
        db_array_add_slice(keys, slice_of(q->key));
    }
    struct db_param params[] = {db_array_param(shards), db_array_param(namespaces),
                                db_array_param(keys)};
    db_query(store_reader(asked->store), &SQL_key_lookup, params, ARRAY_LEN(params), answered,
             asked);
}

/* Takes the first questions off the list. */
static void ask_some(struct store *store, struct gather *gather, enum gather_kind kind)
{
    struct asked *asked = mem_zalloc(sizeof *asked);
    struct question *last = gather->first;
    size_t n = 1;

    for (; last->next && n < GATHER_MAX; n++)
        last = last->next;
    asked->store = store;
    asked->kind = kind;
    asked->questions = gather->first;
    arena_init(&asked->arena, 0);
    arena_init(&asked->row, 0);
    asked->rows = ARENA_ARRAY(&asked->arena, uint32_t, n);
    gather->first = last->next;
    if (!gather->first)
        gather->last = NULL;
    last->next = NULL;
    if (kind == GATHER_KEY)
        ask_keys(asked);
    else
        ask_tasks(asked);
}

static void ask_more(struct store *store, enum gather_kind kind)
{
    struct gather *gather = &store->gathered[kind];

    while (gather->first && !store->freeing && gather->in_flight < GATHER_IN_FLIGHT_MAX) {
        gather->in_flight++;
        ask_some(store, gather, kind);
    }
}

static void gather_flush(void *userdata)
{
    for (enum gather_kind kind = 0; kind < GATHER_KINDS; kind++)
        ask_more(userdata, kind);
}

void gather_start(struct store *store)
{
    store->gather_flush = loop_flush_new(store->loop, GATHER_FLUSH_ORDER, gather_flush, store);
}

void gather_free(struct store *store)
{
    for (enum gather_kind kind = 0; kind < GATHER_KINDS; kind++)
        for (struct question *question; (question = store->gathered[kind].first);) {
            store->gathered[kind].first = question->next;
            free(question);
        }
    loop_flush_free(store->gather_flush);
}

static struct question *question_new(struct store *store, enum gather_kind kind, void *userdata)
{
    struct gather *gather = &store->gathered[kind];
    struct question *question = mem_zalloc(sizeof *question);

    question->kind = kind;
    question->userdata = userdata;
    if (gather->last)
        gather->last->next = question;
    else
        gather->first = question;
    gather->last = question;
    loop_flush_mark(store->gather_flush);
    return question;
}

void store_read_task(struct store *store, const struct id *id, store_task_fn done, void *userdata)
{
    struct question *question = question_new(store, GATHER_TASK, userdata);

    question->id = *id;
    question->fn.task = done;
}

void store_task_lookup(struct store *store, const struct engine_task_lookup *lookup,
                       store_answer_fn done, void *userdata)
{
    struct question *question = question_new(store, GATHER_LOOKUP, userdata);

    question->id = lookup->id;
    question->number = lookup->read;
    question->fn.answer = done;
}

void store_key_lookup(struct store *store, const struct engine_key_lookup *lookup,
                      store_answer_fn done, void *userdata)
{
    struct question *question = question_new(store, GATHER_KEY, userdata);

    question->shard = lookup->shard;
    question->namespace_id = lookup->namespace_id;
    question->number = lookup->read;
    question->fn.answer = done;
    snprintf(question->key, sizeof question->key, "%s", lookup->key);
}
