/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Idempotency keys (P15). A key known in memory answers at once (behind what was decided before);
 * one that is not is looked up, and all submits under it wait for the answer behind the first.
 * When all keys of the shard were told at the load, a set of their hashes spares most lookups.
 */
#include "internal.h"

#define KEY_SET_MAX (4u * 1024 * 1024) /* hashes; beyond it every unknown key is looked up */

uint64_t engine_key_hash(uint32_t namespace_id, const char *key)
{
    /* A fixed key: the host fills the set from rows, perhaps in another process. 0 means free. */
    return hash_keyed(namespace_id, UINT64_C(0x706c616e6b746f6e), key, strlen(key)) | 1;
}

bool key_set_has(const struct shard *shard, uint64_t hash)
{
    size_t mask = shard->key_set_cap - 1;

    for (size_t i = hash >> 1 & mask; shard->key_set_cap && shard->key_set[i]; i = (i + 1) & mask) {
        if (shard->key_set[i] == hash)
            return true;
    }
    return false;
}

static void key_set_put(uint64_t *set, size_t cap, uint64_t hash)
{
    size_t i = hash >> 1 & (cap - 1);

    while (set[i])
        i = (i + 1) & (cap - 1);
    set[i] = hash;
}

void key_set_add(struct shard *shard, uint64_t hash)
{
    if (!shard->keys_complete || key_set_has(shard, hash))
        return;
    if (shard->key_set_len >= KEY_SET_MAX) {
        shard->keys_complete = false;
        free(shard->key_set);
        shard->key_set = NULL;
        shard->key_set_cap = shard->key_set_len = 0;
        return;
    }
    if ((shard->key_set_len + 1) * 2 > shard->key_set_cap) {
        size_t cap = MAX_OF(shard->key_set_cap * 2, (size_t)64);
        uint64_t *set = mem_zalloc(cap * sizeof(*set));

        for (size_t i = 0; i < shard->key_set_cap; i++) {
            if (shard->key_set[i])
                key_set_put(set, cap, shard->key_set[i]);
        }
        free(shard->key_set);
        shard->key_set = set;
        shard->key_set_cap = cap;
    }
    key_set_put(shard->key_set, shard->key_set_cap, hash);
    shard->key_set_len++;
}

static struct key *key_find(struct shard *shard, uint32_t namespace_id, const char *text)
{
    uint64_t hash = engine_key_hash(namespace_id, text);

    for (struct map_node *n = map_first(&shard->keys, hash); n; n = map_next(n)) {
        struct key *key = CONTAINER_OF(n, struct key, by_key);

        if (key->namespace_id == namespace_id && str_eq(key->text, text))
            return key;
    }
    return NULL;
}

static struct key *key_new(struct shard *shard, uint32_t namespace_id, const char *text)
{
    struct key *key = mem_zalloc(sizeof(*key) + strlen(text) + 1);

    memcpy(key->text, text, strlen(text) + 1);
    key->namespace_id = namespace_id;
    list_init(&key->waiters);
    map_insert(&shard->keys, &key->by_key, engine_key_hash(namespace_id, text));
    shard->engine->keys_len++;
    return key;
}

static void key_free(struct shard *shard, struct key *key)
{
    map_remove(&shard->keys, &key->by_key);
    list_remove(&key->link);
    shard->engine->keys_len--;
    free(key);
}

/* The key is this submission's: its row goes into the same batch. */
static void key_take(struct shard *shard, struct key *key, struct submission *submission)
{
    key->looking = false;
    key->fresh = true;
    key->is_run = submission->run != NULL;
    key->id = key->is_run ? submission->run->id : submission->task->id;
    memcpy(key->digest, submission->digest, ENGINE_DIGEST_BYTES);
    list_push(&shard->fresh_keys, &key->link);
    key_set_add(shard, key->by_key.hash);
    submission_accept(shard, submission);
}

static void answer_known(struct shard *shard, const struct key *key, struct submission *submission)
{
    struct engine *engine = shard->engine;
    struct engine_reply *reply;
    struct task *task;
    struct run *run;

    if (memcmp(key->digest, submission->digest, ENGINE_DIGEST_BYTES) != 0) {
        reply_error(engine, shard->number, submission->ticket, STATUS_ALREADY_EXISTS,
                    "REQUEST_ID_CONFLICT", "the request id was used before with another body");
        submission_free(submission);
        return;
    }
    engine->stats.duplicates++;
    reply = reply_new(engine, shard->number, submission->ticket, &key->id);
    reply->duplicate = true;
    reply->is_run = key->is_run;
    task = key->is_run ? NULL : task_find(shard, &key->id);
    run = key->is_run ? run_find(shard, &key->id) : NULL;
    if (task && !task->is_closed && !submission->brief)
        reply->task = task_view(task, &engine->gather);
    else if (run)
        reply->run = run_view(run, &engine->gather);
    else
        reply->not_in_memory = !submission->brief;
    submission_free(submission);
}

static void look_up(struct shard *shard, struct key *key)
{
    struct read *read = read_new(shard, READ_KEY_ROW);
    struct engine_key_lookup *lookup;

    list_remove(&read->link); /* it says nothing of tasks: their eviction need not wait for it */
    read->key = key;
    key->looking = true;
    key->read = read->number;
    lookup = &effect_now(shard->engine, ENGINE_KEY_LOOKUP, shard->number)->key_lookup;
    lookup->read = read->number;
    lookup->shard = shard->number;
    lookup->namespace_id = key->namespace_id;
    lookup->key = arena_strdup(&shard->engine->urgent, key->text);
}

void key_submit(struct shard *shard, struct submission *submission, uint32_t namespace_id,
                const char *text)
{
    struct key *key = key_find(shard, namespace_id, text);

    if (key && !key->looking) {
        answer_known(shard, key, submission);
        return;
    }
    if (!key) {
        key = key_new(shard, namespace_id, text);
        if (shard->keys_complete && !key_set_has(shard, key->by_key.hash)) {
            key_take(shard, key, submission);
            return;
        }
        look_up(shard, key);
    }
    list_push(&key->waiters, &submission->link);
}

void key_answer(struct engine *engine, const struct engine_key_answer *answer)
{
    struct read *read = read_find(engine, answer->read);
    struct shard *shard;
    struct key *key;

    if (!read || read->kind != READ_KEY_ROW)
        return;
    key = read->key;
    shard = read->shard;
    read_free(read);
    key->read = 0;
    if (answer->found) {
        key->looking = false;
        key->id = answer->id;
        key->is_run = answer->is_run;
        memcpy(key->digest, answer->digest, ENGINE_DIGEST_BYTES);
        list_push(&shard->known_keys, &key->link);
    }
    while (!list_empty(&key->waiters)) {
        struct submission *first = LIST_FIRST(&key->waiters, struct submission, link);

        list_remove(&first->link);
        if (key->looking)
            key_take(shard, key, first);
        else
            answer_known(shard, key, first);
    }
}

void keys_evict(struct shard *shard)
{
    LIST_EACH(&shard->known_keys, node)
    {
        struct key *key = LIST_ENTRY(node, struct key, link);

        if (shard->engine->keys_len <= KEYS_MAX || key->seq > shard->durable_seq)
            return;
        key_free(shard, key);
    }
}

void keys_free(struct shard *shard)
{
    struct map_cursor cursor = {0};
    struct map_node *node;

    while ((node = map_walk(&shard->keys, &cursor))) {
        struct key *key = CONTAINER_OF(node, struct key, by_key);

        LIST_EACH(&key->waiters, waiting)
        {
            struct submission *submission = LIST_ENTRY(waiting, struct submission, link);

            list_remove(&submission->link);
            reply_now(shard->engine, submission->ticket, STATUS_UNAVAILABLE, "SHARD_DROPPED",
                      "the shard changed hands before the outcome was known");
            submission_free(submission);
        }
        if (key->read)
            read_free(read_find(shard->engine, key->read));
        key_free(shard, key);
    }
    free(shard->key_set);
}
