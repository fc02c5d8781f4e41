-- SPDX-License-Identifier: Apache-2.0
-- Ownership of shards. Lease times are judged by the database's clock alone.

-- name: cluster_read
-- The cluster's row, and what time it is.
select timeline, shard_count, clock_timestamp() from cluster;

-- name: shard_acquire
-- Takes those of the shards that are free, expired, or were this instance's; a new epoch each. $5: those that
-- this very process had before, so that taking them back is no sign of a crash.
with free as materialized (
    select id, owner, clock_timestamp() as at
    from shard
    where id = any($1::smallint[]) and (owner is null or owner = $2::text or lease_until < clock_timestamp())
    order by id
    for update
)
update shard s
set epoch = s.epoch + 1, owner = $2::text, address = $3::text, writer_pids = array[pg_backend_pid()],
    lease_until = clock_timestamp() + $4::bigint * interval '1 millisecond',
    unclean = case
        when f.owner is null then 0
        when f.owner = $2::text and s.id = any($5::smallint[]) then s.unclean
        when s.unclean_at < f.at - interval '10 minutes' then 1
        else s.unclean + 1
    end,
    unclean_at = case
        when f.owner is null or (f.owner = $2::text and s.id = any($5::smallint[])) then s.unclean_at
        else f.at
    end
from free f
where s.id = f.id
returning s.id, s.epoch, s.seq, s.clock, s.event_next, s.event_acked, s.journal_low, s.unclean, s.suspect, clock_timestamp();

-- name: shard_renew
-- Keeps what is still owned; a shard that is not returned is lost. The sequence is left alone.
update shard s
set lease_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
from unnest($1::smallint[], $2::integer[]) as u (id, epoch)
where s.id = u.id and s.epoch = u.epoch
returning s.id, clock_timestamp();

-- name: shard_release
-- Gives shards up: the next owner need not wait.
update shard s
set owner = null, lease_until = '-infinity', unclean = 0
from unnest($1::smallint[], $2::integer[]) as u (id, epoch)
where s.id = u.id and s.epoch = u.epoch;

-- name: shard_end_writers
-- Ends the backends of former owners that hold the rows' locks and will never send their Sync. A living owner's is left alone.
select pg_terminate_backend(a.pid)
from pg_stat_activity a
where a.application_name like 'plankton-controller%' and a.pid <> pg_backend_pid()
    and a.pid = any(select unnest(writer_pids)
                    from shard
                    where id = any($1::smallint[])
                        and (owner is null or owner = $2::text or lease_until < clock_timestamp()));

-- name: partitions_drop
-- Days of tasks and runs that end before $1, and of keys before $2, are gone; those that stay, and what keeps them.
select day::text, held_by
from drop_partitions((($1::timestamptz) at time zone 'UTC')::date, (($2::timestamptz) at time zone 'UTC')::date);

-- name: partitions_ensure
-- The partitions of these days are there.
select ensure_partitions((($1::timestamptz) at time zone 'UTC')::date - 1, (($1::timestamptz) at time zone 'UTC')::date + 3);
