-- SPDX-License-Identifier: Apache-2.0
-- What an operator does to a cluster that is at rest.

-- name: admin_new_timeline
-- Another timeline, and epochs that no worker has seen in the future that is lost; nobody owns a shard. Nothing while controllers are
-- connected. How many of them there are, the new timeline (null when refused), how many shards.
with busy as materialized (
    select count(*) as n
    from pg_stat_activity
    where datname = current_database() and application_name like 'plankton-controller%' and pid <> pg_backend_pid()
), renewed as (
    update cluster
    set timeline = greatest(1, ('x' || left(gen_random_uuid()::text, 8))::bit(32)::bigint & 4294967295)
    from busy
    where busy.n = 0
    returning timeline
), freed as (
    update shard
    set epoch = epoch + 1000000, owner = null, address = null, lease_until = '-infinity', writer_pids = '{}', unclean = 0,
        unclean_at = null, suspect = null
    from renewed
    returning shard.id
)
select busy.n, (select timeline from renewed), (select count(*) from freed)
from busy;
