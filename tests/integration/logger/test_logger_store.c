/* SPDX-License-Identifier: Apache-2.0 */
/* The logger's store against a real server: its statements, and that everything in a spool is
 * stored once, whatever is done to it. */
#include <check.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "db/migrate.h"
#include "log/log.h"
#include "migrations.h"
#include "sql/logger.h"
#include "store/chunk.h"
#include "store/store.h"

#define NOW_MS UINT64_C(1790000000000)
#define WAIT_MS 30000
#define POLL_MS 1
#define RECORDS 2000
#define MUCH_BYTES (1u << 21)

static PGconn *pg;
static struct loop *loop;
static struct spool *spool;
static struct store *store;
static struct id instance;
static int64_t pace_ms;
static char dir[64];
static struct buf batch;
static uint64_t next_number;

/* ---- the server ---- */

static const char *url(void)
{
    const char *text = getenv("PLANKTON_TEST_DATABASE_URL");

    ck_assert_msg(text != NULL, "run under tests/integration/with-postgres");
    return text;
}

static const char *sql(const char *text)
{
    static char value[64 * 1024];
    PGresult *result = PQexec(pg, text);
    size_t len = 0;

    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK ||
                      PQresultStatus(result) == PGRES_COMMAND_OK,
                  "%s: %s", text, PQerrorMessage(pg));
    value[0] = 0;
    for (int i = 0; i < PQntuples(result); i++)
        len += (size_t)snprintf(value + len, sizeof value - len, "%s%s", i ? "\n" : "",
                                PQgetvalue(result, i, 0));
    PQclear(result);
    return value;
}

/* ---- the world ---- */

static void nothing(struct slice frames, uint64_t lsn, void *userdata)
{
    if (store)
        store_kick(store);
}

static void trouble(const char *why, bool fatal, void *userdata)
{
    ck_abort_msg("%s", why ? why : "");
}

static void on_source(uint32_t timeline, uint16_t shard, uint64_t last, void *userdata)
{
}

static void on_ready(void *userdata)
{
}

static void on_stored(uint64_t lsn, void *userdata)
{
}

static void on_health(const char *why, void *userdata)
{
}

static void open_store(void)
{
    static const struct store_callbacks callbacks = {on_source, on_ready, on_stored, on_health};
    struct store_options options = {.database = url(),
                                    .instance = instance,
                                    .spool = spool,
                                    .statement_timeout_ms = 10000,
                                    .pace_ms = pace_ms,
                                    .read_connections = 1};

    store = store_new(loop, &options, &callbacks, NULL);
}

static void setup(void)
{
    static const struct spool_callbacks callbacks = {nothing, trouble};
    size_t applied;

    pg = PQconnectdb(url());
    ck_assert_int_eq(PQstatus(pg), CONNECTION_OK);
    ck_assert_int_eq(db_migrate(url(), plankton_migrations, PLANKTON_MIGRATIONS_COUNT, NULL, NULL,
                                &applied, NULL),
                     STATUS_OK);
    sql("truncate log_chunk, event_chunk, log_spool, log_source");
    snprintf(dir, sizeof dir, "/tmp/plankton-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    loop = loop_new();
    instance = id_make(NOW_MS, 0, random_u64());
    next_number = 1;
    buf_init(&batch, SIZE_MAX / 2);
    struct spool_options options = {
        .dir = dir, .segment_bytes = 1 << 20, .bytes_max = 1 << 30, .first_lsn = 1000};
    ck_assert_int_eq(spool_open(loop, &options, &callbacks, NULL, &spool, NULL), STATUS_OK);
    open_store();
}

static void teardown(void)
{
    char command[128];

    store_free(store);
    store = NULL;
    spool_close(spool);
    loop_free(loop);
    buf_fini(&batch);
    PQfinish(pg);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void look(void *userdata)
{
    if (store_position(store) == spool_end(spool))
        loop_stop(loop);
}

static void look_durable(void *userdata)
{
    if (spool_durable(spool) == spool_end(spool))
        loop_stop(loop);
}

static void timed_out(void *userdata)
{
    ck_abort_msg("not stored within %d ms: %s", WAIT_MS,
                 store_trouble(store) ? store_trouble(store) : "");
}

static void wait_for(void (*look_at)(void *userdata))
{
    struct loop_timer *guard = loop_timer_new(loop, timed_out, NULL),
                      *poll = loop_timer_new(loop, look_at, NULL);

    loop_timer_start(guard, WAIT_MS, 0);
    loop_timer_start(poll, POLL_MS, POLL_MS);
    loop_run(loop);
    loop_timer_free(poll);
    loop_timer_free(guard);
}

static void wait_stored(void)
{
    wait_for(look);
}

/* ---- records ---- */

static struct id task_id(uint64_t n)
{
    return id_make(NOW_MS + n, (uint16_t)(n % 16), n);
}

static void put_lines(uint64_t task, uint64_t first_seq, uint8_t flags)
{
    static uint32_t length[] = {5, 6}, dt_us[] = {1, 2};
    static uint8_t levels[2];
    Plankton__V1__LogBlock block = PLANKTON__V1__LOG_BLOCK__INIT;
    struct lines_origin origin = {.task = task_id(task),
                                  .namespace_id = 1,
                                  .attempt = 1,
                                  .not_before_us = INT64_MIN,
                                  .received_us = NOW_MS * 1000,
                                  .flags = flags};
    struct lines lines;

    block.first_seq = first_seq;
    block.base_unix_us = NOW_MS * 1000;
    block.n_length = block.n_dt_us = block.stream_level.len = 2;
    block.length = length;
    block.dt_us = dt_us;
    block.stream_level.data = levels;
    block.text = (ProtobufCBinaryData){11, (uint8_t *)"firstsecond"};
    lines_put_record(spool_begin(spool), &block, &origin, &lines);
    spool_commit(spool);
}

/* One event by hand: number, kind, namespace, task. */
static void put_event(uint64_t task)
{
    struct id id = task_id(task);
    uint8_t bytes[64], *at = bytes;
    struct events events = {
        .timeline = 3, .shard = 4, .first = next_number, .count = 1, .min = id, .max = id};

    *at++ = 0x0a;
    *at++ = 0;
    *at++ = 0x08;
    for (uint64_t n = next_number; (*at++ = (uint8_t)(n >= 128 ? n | 128 : n)) & 128;)
        n >>= 7;
    memcpy(at, "\x18\x01\x20\x01\x2a\x10", 6);
    at += 6;
    memcpy(at, id.bytes, ID_BYTES);
    at += ID_BYTES;
    bytes[1] = (uint8_t)(at - bytes - 2);
    events.batch = (struct slice){(char *)bytes, (size_t)(at - bytes)};
    events_put_record(spool_begin(spool), &events);
    spool_commit(spool);
    next_number++;
}

static void put_some(uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        put_lines(i % 50, 1 + i / 50 * 2, 0);
        put_event(i);
    }
}

static void check_once(uint64_t records)
{
    char expected[64];

    snprintf(expected, sizeof expected, "%llu", (unsigned long long)records * 2);
    ck_assert_str_eq(sql("select coalesce(sum(lines), 0) from log_chunk"), expected);
    ck_assert_str_eq(sql("select count(*) from (select lag(last_seq) over (partition by task_id "
                         "order by first_seq) as before, first_seq "
                         "from log_chunk) as x where before + 1 <> first_seq"),
                     "0");
    snprintf(expected, sizeof expected, "%llu", (unsigned long long)records);
    ck_assert_str_eq(sql("select coalesce(sum(events), 0) from event_chunk"), expected);
    ck_assert_str_eq(sql("select last_number from log_source where timeline = 3 and shard = 4"),
                     expected);
    snprintf(expected, sizeof expected, "%llu", (unsigned long long)spool_end(spool));
    ck_assert_str_eq(sql("select position from log_spool"), expected);
}

/* ---- tests ---- */

START_TEST(every_statement_prepares)
{
    for (size_t i = 0; i < SQL_FILE_logger_COUNT; i++) {
        const struct db_sql *statement = SQL_FILE_logger[i];
        PGresult *result = PQprepare(pg, statement->name, statement->text, 0, NULL);
        PGresult *described = PQdescribePrepared(pg, statement->name);
        ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s: %s", statement->name,
                      PQerrorMessage(pg));
        ck_assert_int_eq(PQnparams(described), statement->param_count);
        PQclear(described);
        PQclear(result);
    }
}
END_TEST

START_TEST(a_spool_is_stored_as_a_few_rows)
{
    put_some(0, RECORDS);
    wait_stored();
    check_once(RECORDS);
    ck_assert_int_lt(strtol(sql("select count(*) from event_chunk"), NULL, 10), RECORDS / 50);
    ck_assert_int_lt(strtol(sql("select count(*) from log_chunk"), NULL, 10), RECORDS / 5);
}
END_TEST

START_TEST(little_waits_for_the_pace_and_much_does_not)
{
    store_free(store);
    pace_ms = WAIT_MS * 10;
    open_store();
    put_event(0);
    wait_stored();
    /* each is durable, and kicks the store, before the next is put */
    for (uint64_t i = 1; i <= 20; i++) {
        put_event(i);
        wait_for(look_durable);
    }
    ck_assert_str_eq(sql("select last_number from log_source"), "1");
    for (uint64_t seq = 1; spool_end(spool) - spool_durable(spool) < MUCH_BYTES; seq += 2)
        put_lines(0, seq, 0);
    wait_stored();
    ck_assert_str_eq(sql("select last_number from log_source"), "21");
    ck_assert_str_eq(sql("select count(*) from event_chunk"), "2");
}
END_TEST

START_TEST(lost_connections_cost_and_double_nothing)
{
    for (uint64_t i = 0; i < 20; i++) {
        put_some(i * 100, (i + 1) * 100);
        /* somewhere between the flush, the batch and its answer */
        if (i % 2)
            wait_stored();
        else
            sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = "
                "'plankton-logger'");
    }
    wait_stored();
    check_once(2000);
}
END_TEST

START_TEST(a_commit_whose_answer_is_lost_is_not_repeated)
{
    put_some(0, 100);
    wait_stored();
    /* The commit waits for the lock and is answered to nobody: the connection is reset before. */
    sql("begin");
    sql("lock table log_chunk in access exclusive mode");
    put_some(100, 200);
    for (int waited = 0; !strtol(sql("select count(*) from pg_locks where not granted"), NULL, 10);
         waited++) {
        struct loop_timer *pause = loop_timer_new(loop, (void (*)(void *))loop_stop, loop);
        ck_assert_int_lt(waited, WAIT_MS / 10);
        loop_timer_start(pause, 10, 0);
        loop_run(loop);
        loop_timer_free(pause);
    }
    store_free(store);
    sql("commit");
    open_store();
    wait_stored();
    check_once(200);
}
END_TEST

START_TEST(a_place_that_was_moved_behind_its_back_is_taken_as_it_is)
{
    put_some(0, 50);
    wait_stored();
    char move[128];
    uint64_t before = spool_end(spool);
    put_some(50, 60);
    snprintf(move, sizeof move, "update log_spool set position = %llu",
             (unsigned long long)before + 1);
    sql(move);
    /* Whatever was at that place: the store does not write what does not go on there. */
    wait_stored();
    ck_assert_str_eq(sql("select count(*) from log_spool"), "1");
}
END_TEST

START_TEST(lines_in_doubt_are_checked_before_they_are_written)
{
    put_lines(7, 1, 0);
    put_lines(7, 3, 0);
    wait_stored();
    put_lines(7, 1, LINES_UNVERIFIED);
    put_lines(7, 4, LINES_UNVERIFIED);
    put_lines(8, 1, LINES_UNVERIFIED);
    wait_stored();
    ck_assert_str_eq(sql("select string_agg(first_seq || '-' || last_seq, ' ' order by task_id, "
                         "first_seq) from log_chunk"),
                     "1-4 5-5 1-2");
}
END_TEST

START_TEST(a_dropped_partition_is_made_again)
{
    put_some(0, 10);
    wait_stored();
    ck_assert_str_eq(sql("select drop_log_partitions('2100-01-01') > 0"), "t");
    put_some(10, 20);
    wait_stored();
    ck_assert_str_eq(sql("select sum(lines) from log_chunk"), "20");
}
END_TEST

static void check_plan(const char *name, const char *arguments)
{
    char text[1024];
    const struct db_sql *statement = NULL;

    for (size_t i = 0; i < SQL_FILE_logger_COUNT; i++)
        if (strncmp(SQL_FILE_logger[i]->name, name, strlen(name)) == 0 &&
            SQL_FILE_logger[i]->name[strlen(name)] == '_')
            statement = SQL_FILE_logger[i];
    ck_assert_msg(statement != NULL, "%s", name);
    PGresult *result = PQprepare(pg, statement->name, statement->text, 0, NULL);
    ck_assert_int_eq(PQresultStatus(result), PGRES_COMMAND_OK);
    PQclear(result);
    snprintf(text, sizeof text, "explain (analyze, costs off, timing off) execute %s(%s)",
             statement->name, arguments);
    const char *plan = sql(text);
    ck_assert_msg(!strstr(plan, "Seq Scan on log_chunk") &&
                      !strstr(plan, "Seq Scan on event_chunk"),
                  "%s", plan);
    ck_assert_msg(strstr(plan, "Index") != NULL, "%s", plan);
}

START_TEST(what_is_read_is_found_by_index)
{
    char task[ID_TEXT_BYTES], low[ID_TEXT_BYTES], high[ID_TEXT_BYTES], floor[ID_TEXT_BYTES],
        arguments[400];
    struct id id = task_id(7), from, to;

    put_some(0, RECORDS);
    wait_stored();
    sql("select ensure_log_partitions(array(select d::date from "
        "generate_series('2026-09-01'::date, '2026-10-10'::date, '1 day') d))");
    sql("set plan_cache_mode = force_generic_plan");
    sql("set enable_seqscan = off");
    id_format(&id, task);
    chunk_run_range(&id, &from, &to);
    id_format(&from, low);
    id_format(&to, high);
    from = chunk_span_floor(&from);
    id_format(&from, floor);
    snprintf(arguments, sizeof arguments, "array['%s']::uuid[], array[1]", task);
    check_plan("log_last_lines", arguments);
    snprintf(arguments, sizeof arguments, "'%s', 1, 0, 0, 0, 1000", task);
    check_plan("log_task_page", arguments);
    snprintf(arguments, sizeof arguments, "'%s', 1, 0, 0, 1000", task);
    check_plan("log_task_arrivals", arguments);
    snprintf(arguments, sizeof arguments, "'%s', '%s', '%s', 1, now(), 1000", low, high, task);
    check_plan("log_run_page", arguments);
    snprintf(arguments, sizeof arguments, "'%s', '%s', '%s'", floor, low, high);
    check_plan("log_events_find", arguments);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("logger_store");
    TCase *tcase = tcase_create("store");
    SRunner *runner = srunner_create(suite);
    int failed;

    log_init("test", LOG_ERROR + 1, "logfmt");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_statement_prepares);
    tcase_add_test(tcase, a_spool_is_stored_as_a_few_rows);
    tcase_add_test(tcase, little_waits_for_the_pace_and_much_does_not);
    tcase_add_test(tcase, lost_connections_cost_and_double_nothing);
    tcase_add_test(tcase, a_commit_whose_answer_is_lost_is_not_repeated);
    tcase_add_test(tcase, a_place_that_was_moved_behind_its_back_is_taken_as_it_is);
    tcase_add_test(tcase, lines_in_doubt_are_checked_before_they_are_written);
    tcase_add_test(tcase, a_dropped_partition_is_made_again);
    tcase_add_test(tcase, what_is_read_is_found_by_index);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
