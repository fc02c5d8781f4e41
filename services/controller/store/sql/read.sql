-- SPDX-License-Identifier: Apache-2.0
-- Reads of committed state.

-- name: read_tasks
-- These tasks, as what each is parked, and its place in the question.
select t.*, p.reason, p.due_at, u.place
from unnest($1::uuid[]) with ordinality as u (id, place)
cross join lateral (select * from task k where k.id = u.id limit 1) t
left join lateral (
    select r.reason, r.due_at
    from parked_ready r
    where r.shard = id_shard(t.id) and r.namespace_id = t.namespace_id
        and r.queue = t.queue || '/' || t.type || coalesce('/' || t.limit_group, '')
        and r.rank = parked_rank(t.priority, t.id) and r.id = t.id
    union all
    select d.reason, d.due_at from parked_due d where d.shard = id_shard(t.id) and d.due_at = t.due_at and d.id = t.id
    limit 1
) p on true;

-- name: read_run_tasks
-- The tasks of a run. $2 and $3: the least and the greatest id with the run's time and shard.
select t.*, null::smallint, null::timestamptz from task t where t.id between $2::uuid and $3::uuid and t.run_id = $1::uuid;

-- name: list_tasks
-- Newest first, without bodies. NULL = any.
select t.id, t.created_at, t.namespace_id, t.attempt, t.state, t.priority, t.failures, t.lost, t.closed_by_report,
    t.failure_non_retryable, t.recorded_by, t.due_at, t.started_at, t.finished_at, t.cancel_at, t.worker_id, t.run_id, t.retry_of,
    t.step, t.type, t.queue, null::text, null::text, null::text, t.failure_code, t.failure_message, null::text, t.cancel_actor,
    t.cancel_reason, null::text, null::smallint, null::timestamptz
from task t
where t.id < $2::uuid and t.namespace_id = $1::integer
    and ($4::smallint is null or t.state = $4::smallint)
    and (not $5::boolean or t.state not between 4 and 7)
    and ($6::text is null or t.type = $6::text)
    and ($7::text is null or t.queue = $7::text)
    and ($8::boolean or t.run_id is null)
    and ($9::text is null or t.failure_code = $9::text)
    and ($10::uuid is null or t.id >= $10::uuid)
order by t.id desc
limit $3::integer;

-- name: list_bad_tasks
-- The same for failed and cancelled tasks alone, which a table of their own lists: others are not walked over.
select t.id, t.created_at, t.namespace_id, t.attempt, t.state, t.priority, t.failures, t.lost, t.closed_by_report,
    t.failure_non_retryable, t.recorded_by, t.due_at, t.started_at, t.finished_at, t.cancel_at, t.worker_id, t.run_id, t.retry_of,
    t.step, t.type, t.queue, null::text, null::text, null::text, t.failure_code, t.failure_message, null::text, t.cancel_actor,
    t.cancel_reason, null::text, null::smallint, null::timestamptz
from outcome o
cross join lateral (select * from task k where k.id = o.id limit 1) t
where o.namespace_id = $1::integer and o.is_run = false and o.state = $4::smallint and o.id < $2::uuid
    and not $5::boolean
    and ($6::text is null or o.type = $6::text)
    and ($7::text is null or t.queue = $7::text)
    and ($8::boolean or o.run_id is null)
    and ($9::text is null or t.failure_code = $9::text)
    and o.id >= coalesce($10::uuid, '00000000-0000-0000-0000-000000000000')
order by o.id desc
limit $3::integer;

-- name: read_run
-- One run.
select r.* from run r where r.id = $1::uuid;

-- name: list_runs
-- Newest first, without bodies. NULL = any.
select r.id, r.plan_id, r.created_at, r.namespace_id, r.plan_version, r.state, r.started_at, r.finished_at, r.cancel_at, r.rerun_of,
    r.plan_name, null::text, r.labels, null::text, r.counts, r.failure_code, r.failure_message, null::text, r.failure_step,
    r.cancel_actor, r.cancel_reason, r.paused_at, r.paused_by, r.pause_reason
from run r
where r.id < $2::uuid and r.namespace_id = $1::integer
    and ($4::smallint is null or r.state = $4::smallint)
    and (not $5::boolean or r.state not between 3 and 5)
    and ($6::uuid is null or r.plan_id = $6::uuid)
order by r.id desc
limit $3::integer;

-- name: recent_runs
-- The newest runs of each plan.
select r.id, r.plan_id, r.created_at, r.namespace_id, r.plan_version, r.state, r.started_at, r.finished_at, r.cancel_at, r.rerun_of,
    r.plan_name, null::text, r.labels, null::text, r.counts, r.failure_code, r.failure_message, null::text, r.failure_step,
    r.cancel_actor, r.cancel_reason, r.paused_at, r.paused_by, r.pause_reason
from unnest($1::uuid[]) as p (id)
cross join lateral (select * from run k where k.plan_id = p.id order by k.id desc limit $2::integer) r
order by p.id, r.id desc;

-- name: key_lookup
-- Who was made under these keys, as far as they are still kept, and the place of each in the question.
select i.id, i.kind, i.digest, u.place
from unnest($1::smallint[], $2::integer[], $3::text[]) with ordinality as u (shard, namespace_id, key, place)
cross join lateral (
    select k.id, k.kind, k.digest
    from idempotency k
    where k.shard = u.shard and k.namespace_id = u.namespace_id and k.key = u.key
    order by k.day desc
    limit 1
) i;

-- name: refill_ready
-- Tasks parked in a queue behind (rank, id), in the queue's order, with the shard's sequence of the same snapshot. One row with nulls
-- when there is none.
select t.*, 1::smallint, null::timestamptz, s.seq, p.id is not null
from shard s
left join lateral (
    select r.id, r.rank
    from parked_ready r
    where r.shard = s.id and r.namespace_id = $2::integer and r.queue = $3::text and (r.rank, r.id) > ($4::bigint, $5::uuid)
    order by r.rank, r.id
    limit $6::integer
) p on true
left join lateral (select * from task k where k.id = p.id limit 1) t on true
where s.id = $1::smallint
order by p.rank, p.id;

-- name: refill_due
-- Tasks parked for a time behind (due, id) and not after $4, in that order, with the shard's sequence of the same snapshot. One row
-- with nulls when there is none.
select t.*, 2::smallint, p.due_at, s.seq, p.id is not null
from shard s
left join lateral (
    select d.id, d.due_at
    from parked_due d
    where d.shard = s.id and (d.due_at, d.id) > ($2::timestamptz, $3::uuid) and d.due_at <= $4::timestamptz
    order by d.due_at, d.id
    limit $5::integer
) p on true
left join lateral (select * from task k where k.id = p.id limit 1) t on true
where s.id = $1::smallint
order by p.due_at, p.id;

-- name: refill_due_next
-- The earliest time behind that, when a refill came to its end.
select min(due_at) from parked_due where shard = $1::smallint and due_at > $2::timestamptz;

-- name: read_events
-- Packed events from a number on, of journal rows from $3 on, as long as those before are below $4 bytes.
select first_event, event_count, events, seq
from (
    select *, coalesce(sum(octet_length(events)) over (order by seq rows between unbounded preceding and 1 preceding), 0) as bytes_before
    from (
        select seq, first_event, event_count, events
        from journal
        where shard = $1::smallint and seq >= $3::bigint and event_count > 0 and first_event + event_count > $2::bigint
        order by seq
        limit 256
    ) read
) j
where bytes_before < $4::bigint
order by seq;

-- name: shard_health
-- Each shard: whether somebody owns it, how many rows its journal has and since when, and since when events wait for the logger.
select s.id, s.owner is not null and s.lease_until > clock_timestamp(), j.len, j.oldest, greatest(s.event_next - 1 - s.event_acked, 0),
    j.unsaved, clock_timestamp()
from shard s
cross join lateral (
    select count(*) as len, min(k.written_at) as oldest,
        min(k.written_at) filter (where k.event_count > 0 and k.first_event + k.event_count - 1 > s.event_acked) as unsaved
    from journal k
    where k.shard = s.id
) j
order by s.id;
