-- SPDX-License-Identifier: Apache-2.0
-- Limits of tasks and queues, and the place of a waiting task as one number in which priority and age are weighed together.
-- Controllers that were built before this must be stopped: they write and look for other places.

alter table queue add column concurrency integer, add column rate_limit integer, add column rate_per_ms bigint;
comment on column queue.concurrency is 'Leases at a time; NULL = no limit. rate_limit, rate_per_ms: a bucket of starts.';

alter table task add column limit_group text;
comment on column task.limit_group is
    'Hash of what limits the task (keys of concurrency, rates, fairness); NULL = nothing. It stands behind queue and type in the row by '
    'which the task is parked, so that tasks that are held back take no place from others.';

create function parked_rank(priority integer, id uuid) returns bigint
    language sql immutable strict parallel safe
    return ('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint - priority::bigint * 60000;
comment on function parked_rank is 'Milliseconds of the id, a minute less for each step of priority: smaller goes first. As in engine_types.h.';

alter table parked alter column rank drop default;
alter table parked alter column rank type bigint using parked_rank(- rank, id);
alter table parked alter column rank set default 0;
comment on column parked.rank is 'By parked_rank: (rank, id) ascending is the order of a queue.';
