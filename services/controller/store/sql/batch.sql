-- SPDX-License-Identifier: Apache-2.0
-- What a batch writes. All statements of a batch are one transaction; arrays run in parallel, one element a row.

-- name: batch_fence
-- Fails with 22012 unless every shard has the epoch and the sequence that the batch continues; renews their leases.
with f as (
    update shard s
    set seq = u.seq, clock = greatest(s.clock, u.clock), event_next = u.event_next, event_acked = u.event_acked,
        journal_low = u.journal_low, unclean = u.unclean, suspect = u.suspect,
        lease_until = clock_timestamp() + $10::bigint * interval '1 millisecond'
    from unnest($1::smallint[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::bigint[], $6::bigint[], $7::bigint[], $8::integer[],
                $9::uuid[]) as u (id, epoch, seq, clock, event_next, event_acked, journal_low, unclean, suspect)
    where s.id = u.id and s.epoch = u.epoch and s.seq = u.seq - 1
    returning 1
)
select 1 / (case when count(*) = cardinality($1::smallint[]) then 1 else 0 end) from f;

-- name: batch_task_insert
-- New tasks, some of them already final.
insert into task (id, created_at, namespace_id, attempt, state, priority, failures, lost, closed_by_report, failure_non_retryable,
                  recorded_by, due_at, started_at, finished_at, cancel_at, worker_id, run_id, retry_of, step, type, queue, parameters,
                  spec, result, failure_code, failure_message, failure_details, cancel_actor, cancel_reason, limit_group)
select * from unnest($1::uuid[], $2::timestamptz[], $3::integer[], $4::integer[], $5::smallint[], $6::smallint[], $7::smallint[],
                     $8::smallint[], $9::boolean[], $10::boolean[], $11::integer[], $12::timestamptz[], $13::timestamptz[],
                     $14::timestamptz[], $15::timestamptz[], $16::uuid[], $17::uuid[], $18::uuid[], $19::text[], $20::text[], $21::text[],
                     $22::text[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[],
                     $30::text[]);

-- name: batch_task_insert_plain
-- New lone tasks with nothing special: the hot form. In the select list arrays are read as they come; in FROM they would be put down
-- and read again (a fifth of the time).
insert into task (id, created_at, namespace_id, state, priority, type, queue, parameters)
select unnest($1::uuid[]), unnest($2::timestamptz[]), unnest($3::integer[]), unnest($4::smallint[]), unnest($5::smallint[]),
    unnest($6::text[]), unnest($7::text[]), unnest($8::text[]);

-- name: batch_task_succeed
-- Tasks that ended well; each must meet one row that is not final, or the batch fails (22P02): the engine has seen each of them.
with met as (
    update task t
    set state = 4, attempt = u.attempt, recorded_by = u.attempt, closed_by_report = true, worker_id = u.worker_id,
        started_at = u.started_at, finished_at = u.finished_at, result = u.result
    from (select unnest($1::uuid[]) as id, unnest($2::integer[]) as attempt, unnest($3::uuid[]) as worker_id,
              unnest($4::timestamptz[]) as started_at, unnest($5::timestamptz[]) as finished_at, unnest($6::text[]) as result) u
    where t.id = u.id and t.state not between 4 and 7
    returning 1
)
select case when count(*) = cardinality($1::uuid[]) then 1 else (count(*) || ' of ' || cardinality($1::uuid[]) || ' rows were met')::integer end
from met;

-- name: batch_task_update
-- The mutable part of tasks; each must meet one row that is not final, or the batch fails.
with met as (
    update task t
    set state = u.state, attempt = u.attempt, failures = u.failures, lost = u.lost, closed_by_report = u.closed_by_report,
        failure_non_retryable = u.failure_non_retryable, recorded_by = u.recorded_by, due_at = u.due_at, started_at = u.started_at,
        finished_at = u.finished_at, cancel_at = u.cancel_at, worker_id = u.worker_id, result = u.result, failure_code = u.failure_code,
        failure_message = u.failure_message, failure_details = u.failure_details, cancel_actor = u.cancel_actor,
        cancel_reason = u.cancel_reason
    from unnest($1::uuid[], $2::smallint[], $3::integer[], $4::smallint[], $5::smallint[], $6::boolean[], $7::boolean[], $8::integer[],
                $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[], $13::uuid[], $14::text[], $15::text[],
                $16::text[], $17::text[], $18::text[], $19::text[])
        as u (id, state, attempt, failures, lost, closed_by_report, failure_non_retryable, recorded_by, due_at, started_at, finished_at,
              cancel_at, worker_id, result, failure_code, failure_message, failure_details, cancel_actor, cancel_reason)
    where t.id = u.id and t.state not between 4 and 7
    returning 1
)
select case when count(*) = cardinality($1::uuid[]) then 1 else (count(*) || ' of ' || cardinality($1::uuid[]) || ' rows were met')::integer end
from met;

-- name: batch_run_insert
-- New runs.
insert into run (id, plan_id, created_at, namespace_id, plan_version, state, started_at, finished_at, cancel_at, rerun_of, plan_name,
                 input, labels, output, counts, failure_code, failure_message, failure_details, failure_step, cancel_actor,
                 cancel_reason, paused_at, paused_by, pause_reason)
select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::integer[], $5::integer[], $6::smallint[], $7::timestamptz[],
                     $8::timestamptz[], $9::timestamptz[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bytea[],
                     $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::timestamptz[], $23::text[],
                     $24::text[]);

-- name: batch_run_update
-- The mutable part of runs; each must meet one row that is not final, or the batch fails.
with met as (
    update run r
    set state = u.state, started_at = u.started_at, finished_at = u.finished_at, cancel_at = u.cancel_at, output = u.output,
        counts = u.counts, failure_code = u.failure_code, failure_message = u.failure_message, failure_details = u.failure_details,
        failure_step = u.failure_step, cancel_actor = u.cancel_actor, cancel_reason = u.cancel_reason, paused_at = u.paused_at,
        paused_by = u.paused_by, pause_reason = u.pause_reason
    from unnest($1::uuid[], $2::smallint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::bytea[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::timestamptz[], $15::text[], $16::text[])
        as u (id, state, started_at, finished_at, cancel_at, output, counts, failure_code, failure_message, failure_details, failure_step,
              cancel_actor, cancel_reason, paused_at, paused_by, pause_reason)
    where r.id = u.id and r.state not between 3 and 5
    returning 1
)
select case when count(*) = cardinality($1::uuid[]) then 1 else (count(*) || ' of ' || cardinality($1::uuid[]) || ' rows were met')::integer end
from met;

-- name: batch_parked_ready_remove
-- Rows that wait no more in their queue.
delete from parked_ready p
using unnest($1::smallint[], $2::integer[], $3::text[], $4::bigint[], $5::uuid[]) as u (shard, namespace_id, queue, rank, id)
where p.shard = u.shard and p.namespace_id = u.namespace_id and p.queue = u.queue and p.rank = u.rank and p.id = u.id;

-- name: batch_parked_due_remove
-- Rows whose time has come or that have ended.
delete from parked_due p
using unnest($1::smallint[], $2::timestamptz[], $3::uuid[]) as u (shard, due_at, id)
where p.shard = u.shard and p.due_at = u.due_at and p.id = u.id;

-- name: batch_parked_run_remove
-- Runs that have ended.
delete from parked_run p
using unnest($1::smallint[], $2::uuid[]) as u (shard, id)
where p.shard = u.shard and p.id = u.id;

-- name: batch_parked_add
-- What a rebuild must find although it is neither young nor leased.
insert into parked (shard, reason, namespace_id, rank, due_at, id, queue)
select * from unnest($1::smallint[], $2::smallint[], $3::integer[], $4::bigint[], $5::timestamptz[], $6::uuid[], $7::text[]);

-- name: batch_key_insert
-- Who was made under which key. A key that stands already is a violation: the engine must have known.
insert into idempotency (id, namespace_id, day, shard, kind, key, digest)
select u.id, u.namespace_id, (u.at at time zone 'UTC')::date, u.shard, u.kind, u.key, u.digest
from unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::smallint[], $5::smallint[], $6::text[], $7::bytea[])
    as u (id, namespace_id, at, shard, kind, key, digest);

-- name: batch_queue_write
-- What was set for queues: new rows, or new values of old ones.
insert into queue (shard, namespace_id, name, paused_at, paused_by, pause_reason, concurrency, rate_limit, rate_per_ms)
select * from unnest($1::smallint[], $2::integer[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::integer[], $8::integer[],
                     $9::bigint[])
on conflict (shard, namespace_id, name) do update
set paused_at = excluded.paused_at, paused_by = excluded.paused_by, pause_reason = excluded.pause_reason,
    concurrency = excluded.concurrency, rate_limit = excluded.rate_limit, rate_per_ms = excluded.rate_per_ms;

-- name: batch_outcome_insert
-- Failed and cancelled tasks and runs.
insert into outcome (id, namespace_id, state, is_run, finished_at, run_id, type)
select * from unnest($1::uuid[], $2::integer[], $3::smallint[], $4::boolean[], $5::timestamptz[], $6::uuid[], $7::text[]);

-- name: batch_journal_insert
-- One row a shard: leases and events of this batch.
insert into journal (shard, seq, first_event, epoch, event_count, written_at, leases, events)
select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::integer[], $5::integer[], $6::timestamptz[], $7::bytea[],
                     $8::bytea[]);

-- name: batch_journal_trim
-- Rows that nobody needs any more.
delete from journal j
using unnest($1::smallint[], $2::bigint[]) as u (shard, low)
where j.shard = u.shard and j.seq < u.low;
