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
select r.*, v.document, p.id is not null
from run r
join plan_version v on v.plan_id = r.plan_id and v.version = r.plan_version
left join parked_run p on p.shard = id_shard(r.id) and p.id = r.id
where r.state not between 3 and 5
    and (r.id = any(select q.id from parked_run q where q.shard = any($1::smallint[]))
         or (r.id >= $2::uuid and id_shard(r.id) = any($1::smallint[])));

-- name: load_run_tasks
-- All tasks of these runs. $2 and $3: the least and the greatest id with the run's time and shard.
select t.*, false
from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as u (run_id, low, high)
cross join lateral (select * from task k where k.id between u.low and u.high and k.run_id = u.run_id) t;

-- name: load_young_tasks
-- Unfinished lone tasks that are young.
select t.*, (exists (select 1 from parked_ready p where p.shard = id_shard(t.id) and p.namespace_id = t.namespace_id and p.queue = t.queue
                     and p.rank = - t.priority and p.id = t.id)
             or exists (select 1 from parked_due d where d.shard = id_shard(t.id) and d.due_at = t.due_at and d.id = t.id))
from task t
where t.id >= $2::uuid and id_shard(t.id) = any($1::smallint[]) and t.run_id is null and t.state not between 4 and 7;

-- name: load_tasks_by_id
-- These tasks (of open leases).
select t.*, (exists (select 1 from parked_ready p where p.shard = id_shard(t.id) and p.namespace_id = t.namespace_id and p.queue = t.queue
                     and p.rank = - t.priority and p.id = t.id)
             or exists (select 1 from parked_due d where d.shard = id_shard(t.id) and d.due_at = t.due_at and d.id = t.id))
from task t
where t.id = any($1::uuid[]);

-- name: load_queues
-- Queues that have parked tasks.
select distinct shard, namespace_id, queue from parked_ready where shard = any($1::smallint[]);

-- name: load_due
-- The earliest parked time of each shard.
select s.id, (select min(d.due_at) from parked_due d where d.shard = s.id) from unnest($1::smallint[]) as s (id);
