-- SPDX-License-Identifier: Apache-2.0
-- What the tests of the store do to the database behind its back, and look up in it.

-- name: test_forget_rows
-- No row of an earlier test is left.
truncate task, run, parked, outcome, idempotency, journal, plan_version, plan, api_key;

-- name: test_reset_shards
-- Nobody owns a shard, nothing was ever written.
update shard
set epoch = 0, seq = 0, owner = null, address = null, lease_until = '-infinity', writer_pids = '{}', clock = '-infinity', event_next = 1,
    event_acked = 0, journal_low = 1, unclean = 0, unclean_at = null, suspect = null;

-- name: test_depose
-- Somebody else has taken the shard, and holds it for a minute.
update shard set epoch = epoch + 1, owner = 'somebody else', lease_until = clock_timestamp() + interval '1 minute' where id = $1::smallint;

-- name: test_expire
-- The lease of all shards is over.
update shard set lease_until = clock_timestamp() - interval '1 second';

-- name: test_become_writer
-- This very backend is noted as the one that writes the shard, whose lease is over.
update shard
set owner = 'a stuck one', writer_pids = array[pg_backend_pid()], lease_until = clock_timestamp() - interval '1 second', epoch = epoch + 1
where id = $1::smallint;

-- name: test_hold_shard
-- Holds the lock of the shard's row for a minute: the backend shows `active`, like one that waits for its Sync.
with held as materialized (update shard set clock = clock where id = $1::smallint returning 1) select pg_sleep(60) from held;

-- name: test_held
-- Does somebody hold it?
select count(*)::bigint from pg_stat_activity where query like '%pg_sleep%' and wait_event = 'PgSleep' and pid <> pg_backend_pid();

-- name: test_waiting
-- How many backends of that name wait for a lock.
select count(*)::bigint from pg_stat_activity where application_name = $1::text and wait_event_type = 'Lock';

-- name: test_end_backends
-- Ends the backends of that name, as a broken network would.
select count(pg_terminate_backend(pid))::bigint from pg_stat_activity where application_name = $1::text;

-- name: test_end_holders
-- Ends whoever sleeps.
select count(pg_terminate_backend(pid))::bigint from pg_stat_activity where wait_event = 'PgSleep' and pid <> pg_backend_pid();

-- name: test_seq
-- The shard's last batch.
select seq from shard where id = $1::smallint;

-- name: test_epoch
-- The shard's epoch.
select epoch::bigint from shard where id = $1::smallint;

-- name: test_unclean
-- Takeovers of the shard without a release.
select unclean::bigint from shard where id = $1::smallint;

-- name: test_count_tasks
-- Rows of tasks.
select count(*) from task;

-- name: test_count_journal
-- Rows of the journal.
select count(*) from journal where shard = $1::smallint;

-- name: test_count_outcomes
-- Rows of the outcomes, of tasks and runs.
select count(*) from outcome;

-- name: test_count_parked
-- Parked rows of a reason.
select count(*) from parked where reason = $1::smallint;

-- name: test_count_keys
-- Keys kept, of a kind.
select count(*) from idempotency where kind = $1::smallint;

-- name: test_count_partitions
-- Partitions of `task` that hold ids of the day.
select count(*) from pg_inherits where inhparent = 'task'::regclass and inhrelid::regclass::text = 'task_' || to_char($1::timestamptz at time zone 'UTC', 'YYYYMMDD');

-- name: test_set_clock
-- The shard was last written at this time.
update shard set clock = $2::timestamptz where id = $1::smallint;

-- name: test_delete_task
-- A row goes that the engine believes in.
delete from task where id = $1::uuid;

-- name: test_make_day
-- The partitions of that day are there.
select ensure_partitions(($1::timestamptz at time zone 'UTC')::date, ($1::timestamptz at time zone 'UTC')::date)::bigint;

-- name: test_day_is_gone
-- 1 when that day has no partition of `task`.
select case when to_regclass('task' || to_char($1::timestamptz at time zone 'UTC', '_YYYYMMDD')) is null then 1 else 0 end::bigint;
