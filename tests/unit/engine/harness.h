/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TEST_HARNESS_H
#define ENGINE_TEST_HARNESS_H
/* An engine on a bench: time by hand, batches made durable at once unless a test holds them back,
 * workers that answer TAKE with nothing held. What was cut stays until the bench is freed. */
#include <check.h>
#include <stdlib.h>
#include "engine/engine.h"

#define BENCH_START_US INT64_C(1700000000000000)
#define BENCH_ARENAS_MAX 4096

struct bench {
    struct engine *engine;
    struct engine_config config;
    int64_t now_us;
    uint64_t next_ticket, next_random;
    struct arena *arenas[BENCH_ARENAS_MAX];
    uint32_t arenas_len;
    struct engine_batch batch; /* the last cut */
    bool keep_undurable;       /* bench_cut does not apply DURABLE */
};

void bench_init(struct bench *bench);
void bench_fini(struct bench *bench);
void bench_load(struct bench *bench, uint16_t shard, uint32_t epoch);
void bench_begin(struct bench *bench, struct engine_load_begin *begin); /* fills what is 0 */
void bench_end(struct bench *bench, uint16_t shard);
void bench_apply(struct bench *bench, struct engine_command *command);
void bench_pass(struct bench *bench, int64_t ms); /* time passes, with its TICKs */
const struct engine_batch *bench_cut(struct bench *bench);
const struct engine_shard_batch *bench_rows(struct bench *bench); /* of the only shard; or NULL */
struct engine_effect *bench_immediate(struct bench *bench);
void bench_durable(struct bench *bench, uint16_t shard, uint32_t epoch, uint64_t seq);

struct id bench_id(struct bench *bench, uint16_t shard);
struct id bench_worker_id(uint32_t n);
struct engine_spec bench_spec(const char *type);
/* Submits and returns the id; the ticket is bench->next_ticket - 1. */
struct id bench_submit(struct bench *bench, uint16_t shard, const struct engine_spec *spec);
struct id bench_submit_key(struct bench *bench, const char *key, uint8_t digest);
/* Opens a stream, answers the TAKEs with an empty list, gives credit. */
void bench_worker(struct bench *bench, uint64_t stream, uint32_t worker, const char *type,
                  uint32_t credit);
void bench_open(struct bench *bench, uint64_t stream, uint32_t worker, const char *type);
void bench_held(struct bench *bench, uint64_t stream, uint16_t shard, uint32_t epoch,
                uint64_t nonce, const struct engine_held_entry *entries, uint32_t len);
void bench_credit(struct bench *bench, uint64_t stream, uint32_t add);
void bench_beat(struct bench *bench, uint64_t stream);
void bench_result(struct bench *bench, uint64_t stream, const struct id *task, uint32_t attempt,
                  const char *output);
void bench_fail(struct bench *bench, uint64_t stream, const struct id *task, uint32_t attempt,
                const char *code);
void bench_cancel(struct bench *bench, const struct id *task);
void bench_read(struct bench *bench, const struct id *task);

/* The n-th effect of a kind in the last cut; NULL when there are fewer. */
const struct engine_effect *bench_effect(const struct bench *bench, enum engine_effect_kind kind,
                                         uint32_t n);
uint32_t bench_effects(const struct bench *bench, enum engine_effect_kind kind);
const struct engine_reply *bench_reply(const struct bench *bench, uint64_t ticket);
const struct engine_event *bench_event(const struct bench *bench, enum engine_event_kind kind);
/* State as a read tells it (cuts). */
enum engine_task_state bench_state(struct bench *bench, const struct id *task);
const struct engine_effect *effect_of(const struct engine_effect *list,
                                      enum engine_effect_kind kind);

Suite *states_suite(void);
Suite *task_suite(void);
Suite *session_suite(void);
Suite *load_suite(void);
Suite *key_suite(void);
Suite *queue_suite(void);
Suite *queue_setting_suite(void);
Suite *limit_suite(void);
Suite *demand_suite(void);
Suite *window_suite(void);
Suite *run_suite(void);

#endif
