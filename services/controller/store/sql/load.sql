-- SPDX-License-Identifier: Apache-2.0
-- What a rebuild reads, for all shards that were acquired together. Read after the new epochs are committed.

-- name: load_journal
-- Open and closed leases since journal_low, in order.
select j.shard, j.seq, j.first_event, j.event_count, j.leases
from journal j join shard s on s.id = j.shard
where j.shard = any($1::smallint[]) and j.seq >= s.journal_low
order by j.shard, j.seq;

-- name: load_runs
-- Unfinished runs: all that are parked, and the young ones. With the plan's document, and whether the run is parked.
with wanted as (
    select q.id from parked_run q where q.shard = any($1::smallint[])
    union
    select k.id from run k where k.id >= $2::uuid and id_shard(k.id) = any($1::smallint[])
)
select r.*, v.document, p.id is not null
from wanted w
cross join lateral (select * from run k where k.id = w.id and k.state not between 3 and 5 limit 1) r
join plan_version v on v.plan_id = r.plan_id and v.version = r.plan_version
left join parked_run p on p.shard = id_shard(r.id) and p.id = r.id
order by r.id;

-- name: load_run_tasks
-- All tasks of these runs. $2 and $3: the least and the greatest id with the run's time and shard. Steps are never parked.
select t.*, null::smallint, null::timestamptz
from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as u (run_id, low, high)
cross join lateral (select * from task k where k.id between u.low and u.high and k.run_id = u.run_id offset 0) t;

-- name: load_young_tasks
-- Unfinished lone tasks that are young, and as what they are parked.
select t.*, p.reason, p.due_at
from task t
left join lateral (
    select r.reason, r.due_at
    from parked_ready r
    where r.shard = id_shard(t.id) and r.namespace_id = t.namespace_id
        and r.queue = t.queue || '/' || t.type || coalesce('/' || t.limit_group, '')
        and r.rank = parked_rank(t.priority, t.id) and r.id = t.id
    union all
    select d.reason, d.due_at from parked_due d where d.shard = id_shard(t.id) and d.due_at = t.due_at and d.id = t.id
    limit 1
) p on true
where t.id >= $2::uuid and id_shard(t.id) = any($1::smallint[]) and t.run_id is null and t.state not between 4 and 7;

-- name: load_queues
-- Queues that have parked tasks, and how many.
select shard, namespace_id, queue, count(*) from parked_ready where shard = any($1::smallint[]) group by 1, 2, 3;

-- name: load_due_queues
-- Queues of which tasks wait for their time, and how many.
select shard, namespace_id, queue, count(*) from parked_due where shard = any($1::smallint[]) group by 1, 2, 3;

-- name: load_queue_settings
-- What was set for queues.
select shard, namespace_id, name, paused_at, paused_by, pause_reason, concurrency, rate_limit, rate_per_ms
from queue
where shard = any($1::smallint[]);

-- name: load_due
-- The earliest parked time of each shard.
select s.id, (select min(d.due_at) from parked_due d where d.shard = s.id) from unnest($1::smallint[]) as s (id);

-- name: load_keys
-- The keys that are kept, at most so many.
select shard, namespace_id, key from idempotency where shard = any($1::smallint[]) limit $2::integer;
