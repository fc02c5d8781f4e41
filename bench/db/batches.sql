-- SPDX-License-Identifier: Apache-2.0
-- The two hot statements of the controller's store, in the shape in which it sends them.

-- name: batches_partitions
-- The partitions of today and of so many days before it are there.
select ensure_partitions(current_date - $1::integer, current_date + 1);

-- name: batches_fence
-- Fails with 22012 unless the shard is at this sequence.
with f as (
    update shard set seq = $2::bigint, clock = clock_timestamp() where id = $1::smallint and seq = $2::bigint - 1 returning 1
)
select 1 / count(*) from f;

-- name: batches_shard
-- Where the shard stands.
select seq from shard where id = $1::smallint;

-- name: batches_insert
-- One task per element.
insert into task (id, created_at, namespace_id, state, priority, type, queue, parameters)
select unnest($1::uuid[]), unnest($2::timestamptz[]), 1, 1, 5, unnest($3::text[]), unnest($4::text[]), unnest($5::text[]);

-- name: batches_succeed
-- Every one of these tasks ends.
with met as (
    update task t
    set state = 4, attempt = 1, recorded_by = 1, closed_by_report = true, worker_id = u.worker_id, started_at = u.started_at,
        finished_at = u.finished_at, result = u.result
    from (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as worker_id, unnest($3::timestamptz[]) as started_at,
              unnest($4::timestamptz[]) as finished_at, unnest($5::text[]) as result) u
    where t.id = u.id and t.state not between 4 and 7
    returning 1
)
select case when count(*) = cardinality($1::uuid[]) then 1 else (count(*) || ' of ' || cardinality($1::uuid[]) || ' rows were met')::integer end
from met;

-- name: batches_journal
-- One journal row.
insert into journal (shard, seq, first_event, epoch, event_count, written_at, leases, events)
values ($1::smallint, $2::bigint, $2::bigint, 1, 1, now(), $3::bytea, $4::bytea);

-- name: batches_wal
-- Bytes of WAL written so far.
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint;

-- name: batches_hot
-- Updates of tasks, and those of them that were HOT, as far as the statistics have got.
select coalesce(sum(n_tup_upd), 0)::bigint, coalesce(sum(n_tup_hot_upd), 0)::bigint from pg_stat_user_tables where relname like 'task\_%';
