-- SPDX-License-Identifier: Apache-2.0
-- Statements of the logger's store. Times and places are parameters.

-- name: log_spool_register
-- The instance's row is there; its place.
insert into log_spool (instance, position) values ($1::uuid, $2::bigint)
on conflict (instance) do update set updated_at = now()
returning position;

-- name: log_spool_move
-- Fails with 22012 unless the instance stands at $2.
with moved as (
    update log_spool set position = $3::bigint, updated_at = now() where instance = $1::uuid and position = $2::bigint returning 1
)
select 1 / count(*) from moved;

-- name: log_sources
-- The last event stored of each source.
select timeline, shard, last_number from log_source;

-- name: log_sources_write
-- These sources are stored up to these numbers.
insert into log_source (timeline, shard, last_number)
select u.timeline, u.shard, u.last_number
from unnest($1::bigint[], $2::smallint[], $3::bigint[]) as u (timeline, shard, last_number)
on conflict (timeline, shard) do update set last_number = greatest(log_source.last_number, excluded.last_number);

-- name: log_partitions
-- The partitions of these days are there.
select ensure_log_partitions(array(select (day at time zone 'UTC')::date from unnest($1::timestamptz[]) as day));

-- name: log_retention
-- Partitions of the days before this one are gone.
select drop_log_partitions(($1::timestamptz at time zone 'UTC')::date);

-- name: log_chunks_write
-- One chunk of lines per element.
insert into log_chunk (task_id, attempt, first_seq, last_seq, first_lsn, last_lsn, first_at, last_at, namespace_id, lines, raw_bytes, run_id,
                       step, data, kinds)
select u.task_id, u.attempt, u.first_seq, u.last_seq, u.first_lsn, u.last_lsn, u.first_at, u.last_at, u.namespace_id, u.lines, u.raw_bytes,
       u.run_id, u.step, u.data, u.kinds
from unnest($1::uuid[], $2::integer[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::timestamptz[],
            $9::integer[], $10::integer[], $11::integer[], $12::uuid[], $13::text[], $14::bytea[],
            $15::integer[])
    as u (task_id, attempt, first_seq, last_seq, first_lsn, last_lsn, first_at, last_at, namespace_id, lines, raw_bytes, run_id, step, data,
          kinds);

-- name: log_events_write
-- One chunk of events per element.
insert into event_chunk (min_id, max_id, lsn, part, events, raw_bytes, data)
select u.min_id, u.max_id, u.lsn, u.part, u.events, u.raw_bytes, u.data
from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[], $7::bytea[])
    as u (min_id, max_id, lsn, part, events, raw_bytes, data);

-- name: log_last_lines
-- The last line stored of each of these attempts, in their order; null when none is.
select last.last_seq, last.last_at
from unnest($1::uuid[], $2::integer[]) with ordinality as u (task_id, attempt, place)
left join lateral (
    select c.last_seq, c.last_at
    from log_chunk c
    where c.task_id = u.task_id and c.attempt = u.attempt
    order by c.first_seq desc
    limit 1
) as last on true
order by u.place;

-- name: log_task_page
-- Chunks of a task with lines behind (attempt, seq), first to last; so many that they hold $6 lines, and one more.
select c.task_id, c.run_id, c.attempt, c.namespace_id, c.step, c.first_seq, c.last_seq, c.first_at, c.last_at,
       c.first_lsn, c.lines, c.raw_bytes, c.data
from (
    select k.*, sum(k.lines) over (order by k.attempt, k.first_seq) - k.lines as before
    from (
        select *
        from log_chunk k
        where k.task_id = $1::uuid and k.namespace_id = $2::integer and ($3::integer = 0 or k.attempt = $3::integer)
          and (k.attempt, k.last_seq) > ($4::integer, $5::bigint)
        order by k.attempt, k.first_seq
        limit $6::bigint + 1
    ) as k
) as c
where c.before <= $6::bigint
order by c.attempt, c.first_seq;

-- name: log_task_page_back
-- Chunks of a task with lines before (attempt, seq), last to first; so many that they hold $6 lines, and one more.
select c.task_id, c.run_id, c.attempt, c.namespace_id, c.step, c.first_seq, c.last_seq, c.first_at, c.last_at,
       c.first_lsn, c.lines, c.raw_bytes, c.data
from (
    select k.*, sum(k.lines) over (order by k.attempt desc, k.first_seq desc) - k.lines as before
    from (
        select *
        from log_chunk k
        where k.task_id = $1::uuid and k.namespace_id = $2::integer and ($3::integer = 0 or k.attempt = $3::integer)
          and (k.attempt, k.first_seq) < ($4::integer, $5::bigint)
        order by k.attempt desc, k.first_seq desc
        limit $6::bigint + 1
    ) as k
) as c
where c.before <= $6::bigint
order by c.attempt desc, c.first_seq desc;

-- name: log_task_arrivals
-- Chunks of a task with lines that came at a place or behind it, in the order of arrival; so many that they hold $5 lines, and one more.
select c.task_id, c.run_id, c.attempt, c.namespace_id, c.step, c.first_seq, c.last_seq, c.first_at, c.last_at,
       c.first_lsn, c.lines, c.raw_bytes, c.data
from (
    select k.*, sum(k.lines) over (order by k.first_lsn, k.attempt) - k.lines as before
    from (
        select *
        from log_chunk k
        where k.task_id = $1::uuid and k.namespace_id = $2::integer and ($3::integer = 0 or k.attempt = $3::integer)
          and k.last_lsn >= $4::bigint
        order by k.first_lsn, k.attempt
        limit $5::bigint + 1
    ) as k
) as c
where c.before <= $5::bigint
order by c.first_lsn, c.attempt;

-- name: log_run_page
-- Chunks of a run with lines at a time or behind it, first to last; so many that they hold $6 lines, and one more.
select c.task_id, c.run_id, c.attempt, c.namespace_id, c.step, c.first_seq, c.last_seq, c.first_at, c.last_at,
       c.first_lsn, c.lines, c.raw_bytes, c.data
from (
    select k.*, sum(k.lines) over (order by k.first_at, k.task_id, k.attempt, k.first_seq) - k.lines as before
    from (
        select *
        from log_chunk k
        where k.task_id between $1::uuid and $2::uuid and k.run_id = $3::uuid and k.namespace_id = $4::integer
          and k.last_at >= $5::timestamptz
        order by k.first_at, k.task_id, k.attempt, k.first_seq
        limit $6::bigint + 1
    ) as k
) as c
where c.before <= $6::bigint
order by c.first_at, c.task_id, c.attempt, c.first_seq;

-- name: log_run_page_back
-- Chunks of a run with lines at a time or before it, last to first; so many that they hold $6 lines, and one more.
select c.task_id, c.run_id, c.attempt, c.namespace_id, c.step, c.first_seq, c.last_seq, c.first_at, c.last_at,
       c.first_lsn, c.lines, c.raw_bytes, c.data
from (
    select k.*, sum(k.lines) over (order by k.last_at desc, k.task_id desc, k.attempt desc, k.last_seq desc) - k.lines as before
    from (
        select *
        from log_chunk k
        where k.task_id between $1::uuid and $2::uuid and k.run_id = $3::uuid and k.namespace_id = $4::integer
          and k.first_at <= $5::timestamptz
        order by k.last_at desc, k.task_id desc, k.attempt desc, k.last_seq desc
        limit $6::bigint + 1
    ) as k
) as c
where c.before <= $6::bigint
order by c.last_at desc, c.task_id desc, c.attempt desc, c.last_seq desc;

-- name: log_run_arrivals
-- Chunks of a run with lines that came at a place or behind it, in the order of arrival; so many that they hold $6 lines, and one more.
select c.task_id, c.run_id, c.attempt, c.namespace_id, c.step, c.first_seq, c.last_seq, c.first_at, c.last_at,
       c.first_lsn, c.lines, c.raw_bytes, c.data
from (
    select k.*, sum(k.lines) over (order by k.first_lsn, k.task_id, k.attempt) - k.lines as before
    from (
        select *
        from log_chunk k
        where k.task_id between $1::uuid and $2::uuid and k.run_id = $3::uuid and k.namespace_id = $4::integer
          and k.last_lsn >= $5::bigint
        order by k.first_lsn, k.task_id, k.attempt
        limit $6::bigint + 1
    ) as k
) as c
where c.before <= $6::bigint
order by c.first_lsn, c.task_id, c.attempt;

-- name: log_task_search
-- Chunks of a task that may hold lines at (attempt, seq) or behind it, of these times and kinds; those behind chunk (attempt, first_seq).
select c.task_id, c.attempt, c.first_seq, c.first_at, c.raw_bytes
from log_chunk c
where c.task_id = $1::uuid and c.namespace_id = $2::integer and ($3::integer = 0 or c.attempt = $3::integer)
  and (c.attempt, c.last_seq) >= ($4::integer, $5::bigint) and (c.attempt, c.first_seq) > ($6::integer, $7::bigint)
  and c.last_at >= $8::timestamptz and c.first_at < $9::timestamptz
  and c.kinds & $10::integer <> 0 and c.kinds & $11::integer <> 0
order by c.attempt, c.first_seq
limit $12::bigint;

-- name: log_run_search
-- Chunks of a run, or of a step of it, that may hold lines of these times and kinds; those behind a chunk.
select c.task_id, c.attempt, c.first_seq, c.first_at, c.raw_bytes
from log_chunk c
where c.task_id between $1::uuid and $2::uuid and c.run_id = $3::uuid and c.namespace_id = $4::integer
  and ($5::text is null or c.step = $5::text)
  and (c.first_at, c.task_id, c.attempt, c.first_seq) > ($6::timestamptz, $7::uuid, $8::integer, $9::bigint)
  and c.last_at >= $10::timestamptz and c.first_at < $11::timestamptz
  and c.kinds & $12::integer <> 0 and c.kinds & $13::integer <> 0
order by c.first_at, c.task_id, c.attempt, c.first_seq
limit $14::bigint;

-- name: log_chunks_read
-- These chunks; their tasks lie between $1 and $2.
select c.task_id, c.attempt, c.namespace_id, c.step, c.raw_bytes, c.data
from unnest($3::uuid[], $4::integer[], $5::bigint[]) as u (task_id, attempt, first_seq)
join log_chunk c on c.task_id = u.task_id and c.attempt = u.attempt and c.first_seq = u.first_seq
where c.task_id between $1::uuid and $2::uuid;

-- name: log_task_coverage
-- What is stored of each attempt of a task.
select task_id, attempt, sum(lines)::bigint, max(last_seq), max(last_lsn)
from log_chunk
where task_id = $1::uuid and namespace_id = $2::integer
group by task_id, attempt;

-- name: log_run_coverage
-- What is stored of each attempt of a run's tasks.
select task_id, attempt, sum(lines)::bigint, max(last_seq), max(last_lsn)
from log_chunk
where task_id between $1::uuid and $2::uuid and run_id = $3::uuid and namespace_id = $4::integer
group by task_id, attempt;

-- name: log_events_find
-- Chunks of events that may hold ids from $2 to $3; $1 is the least id of the 4.096 s in which $2 lies.
select raw_bytes, data
from event_chunk
where min_id between $1::uuid and $3::uuid and max_id >= $2::uuid
order by min_id, max_id, lsn, part;
