/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

void bench_init(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    engine_config_default(&bench->config);
    bench->now_us = BENCH_START_US;
    bench->next_ticket = 1;
    bench->engine = engine_new(&bench->config);
}

void bench_fini(struct bench *bench)
{
    engine_free(bench->engine);
    for (uint32_t i = 0; i < bench->arenas_len; i++)
        arena_free(bench->arenas[i]);
}

static struct arena *next_arena(struct bench *bench)
{
    struct arena *arena = arena_new(0);

    ck_assert_uint_lt(bench->arenas_len, BENCH_ARENAS_MAX);
    bench->arenas[bench->arenas_len++] = arena;
    return arena;
}

void bench_apply(struct bench *bench, struct engine_command *command)
{
    command->now_us = bench->now_us;
    engine_apply(bench->engine, command);
}

void bench_begin(struct bench *bench, struct engine_load_begin *begin)
{
    if (!begin->event_next)
        begin->event_next = 1;
    if (!begin->due_next_us)
        begin->due_next_us = ENGINE_FOREVER;
    bench_apply(bench, &(struct engine_command){.kind = ENGINE_LOAD_BEGIN, .load_begin = *begin});
}

void bench_end(struct bench *bench, uint16_t shard)
{
    bench_apply(bench, &(struct engine_command){.kind = ENGINE_LOAD_END, .shard.shard = shard});
}

void bench_load(struct bench *bench, uint16_t shard, uint32_t epoch)
{
    bench_begin(bench,
                &(struct engine_load_begin){.shard = shard, .epoch = epoch, .keys_complete = true});
    bench_end(bench, shard);
}

void bench_pass(struct bench *bench, int64_t ms)
{
    int64_t end_us = bench->now_us + ms * 1000;

    /* As a host does: never later than the engine asks for, else it would look like a stall. */
    do {
        int64_t due_us = engine_next_due_us(bench->engine);

        if (due_us <= bench->now_us)
            due_us = bench->now_us + 1;
        bench->now_us = MIN_OF(due_us, end_us);
        bench_apply(bench, &(struct engine_command){.kind = ENGINE_TICK});
    } while (bench->now_us < end_us);
}

void bench_durable(struct bench *bench, uint16_t shard, uint32_t epoch, uint64_t seq)
{
    bench_apply(bench,
                &(struct engine_command){.kind = ENGINE_DURABLE, .durable = {shard, epoch, seq}});
}

const struct engine_batch *bench_cut(struct bench *bench)
{
    engine_cut(bench->engine, next_arena(bench), &bench->batch);
    for (uint32_t i = 0; !bench->keep_undurable && i < bench->batch.shards_len; i++) {
        const struct engine_shard_batch *shard = &bench->batch.shards[i];

        bench_durable(bench, shard->shard, shard->epoch, shard->seq);
    }
    return &bench->batch;
}

const struct engine_shard_batch *bench_rows(struct bench *bench)
{
    bench_cut(bench);
    ck_assert_uint_le(bench->batch.shards_len, 1);
    return bench->batch.shards_len ? &bench->batch.shards[0] : NULL;
}

struct engine_effect *bench_immediate(struct bench *bench)
{
    struct engine_effect *effects;

    engine_take_immediate(bench->engine, next_arena(bench), &effects);
    return effects;
}

struct id bench_id(struct bench *bench, uint16_t shard)
{
    return id_make((uint64_t)(bench->now_us / 1000), shard, ++bench->next_random);
}

struct id bench_worker_id(uint32_t n)
{
    return id_make(1, 0, 1000 + n);
}

struct engine_spec bench_spec(const char *type)
{
    return (struct engine_spec){.type = type,
                                .queue = "default",
                                .retry = ENGINE_RETRY_DEFAULT,
                                .parameters = slice_of("{\"n\":1}")};
}

struct id bench_submit(struct bench *bench, uint16_t shard, const struct engine_spec *spec)
{
    struct id id = bench_id(bench, shard);

    bench_apply(
        bench,
        &(struct engine_command){
            .kind = ENGINE_SUBMIT,
            .ticket = bench->next_ticket++,
            .submit = {.id = id, .namespace_id = 1, .actor = "admin", .spec = *spec, .key = ""}});
    return id;
}

struct id bench_submit_key(struct bench *bench, const char *key, uint8_t digest)
{
    struct id id = bench_id(bench, 0);
    struct engine_command command = {
        .kind = ENGINE_SUBMIT,
        .ticket = bench->next_ticket++,
        .submit = {
            .id = id, .namespace_id = 1, .actor = "admin", .spec = bench_spec("noop"), .key = key}};

    command.submit.digest[0] = digest;
    bench_apply(bench, &command);
    return id;
}

void bench_open(struct bench *bench, uint64_t stream, uint32_t worker, const char *type)
{
    bench_apply(bench, &(struct engine_command){.kind = ENGINE_STREAM_OPEN,
                                                .stream_open = {.stream = stream,
                                                                .worker = bench_worker_id(worker),
                                                                .name = "w",
                                                                .version = "1",
                                                                .address = "unix",
                                                                .types = &type,
                                                                .types_len = 1,
                                                                .slots = 10}});
}

void bench_held(struct bench *bench, uint64_t stream, uint16_t shard, uint32_t epoch,
                uint64_t nonce, const struct engine_held_entry *entries, uint32_t len)
{
    bench_apply(bench, &(struct engine_command){.kind = ENGINE_HELD,
                                                .held = {.stream = stream,
                                                         .shard = shard,
                                                         .epoch = epoch,
                                                         .nonce = nonce,
                                                         .entries = entries,
                                                         .entries_len = len,
                                                         .end = true}});
}

void bench_credit(struct bench *bench, uint64_t stream, uint32_t add)
{
    bench_apply(bench, &(struct engine_command){.kind = ENGINE_CREDIT, .credit = {stream, add}});
}

void bench_beat(struct bench *bench, uint64_t stream)
{
    bench_apply(bench, &(struct engine_command){.kind = ENGINE_HEARTBEAT, .stream = {stream}});
}

void bench_worker(struct bench *bench, uint64_t stream, uint32_t worker, const char *type,
                  uint32_t credit)
{
    bench_open(bench, stream, worker, type);
    for (struct engine_effect *e = bench_immediate(bench); e; e = e->next) {
        if (e->kind == ENGINE_TAKE && e->take.stream == stream)
            bench_held(bench, stream, e->take.shard, e->take.epoch, 70 + stream, NULL, 0);
    }
    if (credit)
        bench_credit(bench, stream, credit);
}

void bench_result(struct bench *bench, uint64_t stream, const struct id *task, uint32_t attempt,
                  const char *output)
{
    bench_apply(bench, &(struct engine_command){.kind = ENGINE_RESULT,
                                                .result = {.stream = stream,
                                                           .task = *task,
                                                           .attempt = attempt,
                                                           .token = slice_of("token"),
                                                           .kind = ENGINE_RESULT_SUCCESS,
                                                           .output = slice_of(output)}});
}

void bench_fail(struct bench *bench, uint64_t stream, const struct id *task, uint32_t attempt,
                const char *code)
{
    bench_apply(bench, &(struct engine_command){
                           .kind = ENGINE_RESULT,
                           .result = {.stream = stream,
                                      .task = *task,
                                      .attempt = attempt,
                                      .token = slice_of("token"),
                                      .kind = ENGINE_RESULT_FAILURE,
                                      .failure = {.code = code, .message = "no", .step = ""}}});
}

void bench_cancel(struct bench *bench, const struct id *task)
{
    bench_apply(bench, &(struct engine_command){
                           .kind = ENGINE_CANCEL_TASK,
                           .ticket = bench->next_ticket++,
                           .cancel_task = {.id = *task, .actor = "admin", .reason = "enough"}});
}

void bench_read(struct bench *bench, const struct id *task)
{
    bench_apply(bench, &(struct engine_command){.kind = ENGINE_READ_TASK,
                                                .ticket = bench->next_ticket++,
                                                .by_id = {.id = *task}});
}

const struct engine_effect *bench_effect(const struct bench *bench, enum engine_effect_kind kind,
                                         uint32_t n)
{
    for (const struct engine_effect *e = bench->batch.effects; e; e = e->next) {
        if (e->kind == kind && n-- == 0)
            return e;
    }
    return NULL;
}

uint32_t bench_effects(const struct bench *bench, enum engine_effect_kind kind)
{
    uint32_t n = 0;

    for (const struct engine_effect *e = bench->batch.effects; e; e = e->next)
        n += e->kind == kind;
    return n;
}

const struct engine_reply *bench_reply(const struct bench *bench, uint64_t ticket)
{
    for (const struct engine_effect *e = bench->batch.effects; e; e = e->next) {
        if (e->kind == ENGINE_REPLY && e->reply.ticket == ticket)
            return &e->reply;
    }
    return NULL;
}

const struct engine_event *bench_event(const struct bench *bench, enum engine_event_kind kind)
{
    for (uint32_t i = 0; i < bench->batch.shards_len; i++) {
        const struct engine_shard_batch *shard = &bench->batch.shards[i];

        for (uint32_t k = 0; k < shard->events_len; k++) {
            if (shard->events[k].kind == kind)
                return &shard->events[k];
        }
    }
    return NULL;
}

enum engine_task_state bench_state(struct bench *bench, const struct id *task)
{
    const struct engine_reply *reply;

    bench_read(bench, task);
    bench_cut(bench);
    reply = bench_reply(bench, bench->next_ticket - 1);
    ck_assert_ptr_nonnull(reply);
    return reply->task ? reply->task->state : ENGINE_TASK_NONE;
}

const struct engine_effect *effect_of(const struct engine_effect *list,
                                      enum engine_effect_kind kind)
{
    while (list && list->kind != kind)
        list = list->next;
    return list;
}
