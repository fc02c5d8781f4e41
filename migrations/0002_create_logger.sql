-- SPDX-License-Identifier: Apache-2.0
-- The logger's tables. Nobody else reads or writes them.
--
-- What shapes them:
-- * No row per line and none per event: a row is a chunk of at most some 64 KiB of text or of events, compressed by zstd.
-- * Everything is found by id alone. Ids begin with their time, and a run shares the first 64 bits with its tasks, so the tables are
--   partitioned by day on the id, a run lies in one partition, and what is past retention goes by dropping tables.
-- * Rows are written once. A logger's transaction moves its row in log_spool from the place that it read up to the next: what is in
--   the tables and what still stands in the spool never overlap and leave nothing out, whatever crashes.

create table log_spool (
    instance   uuid primary key,
    -- Everything before this place in the instance's spool is stored.
    position   bigint not null,
    updated_at timestamptz not null default now()
) with (fillfactor = 20);
comment on table log_spool is 'One row per logger (its state directory).';

create table log_source (
    timeline    bigint not null,
    shard       smallint not null,
    last_number bigint not null,
    primary key (timeline, shard)
) with (fillfactor = 20);
comment on table log_source is 'Last event stored of each source; what comes again is dropped by it.';

create table log_chunk (
    task_id      uuid not null,
    first_seq    bigint not null,
    last_seq     bigint not null,
    -- Places in the spool: the order of arrival.
    first_lsn    bigint not null,
    last_lsn     bigint not null,
    -- Times of lines never go back within an attempt.
    first_at     timestamptz not null,
    last_at      timestamptz not null,
    attempt      integer not null,
    namespace_id integer not null,
    lines        integer not null,
    raw_bytes    integer not null,
    run_id       uuid,
    step         text,
    data         bytea not null,
    primary key (task_id, attempt, first_seq)
) partition by range (task_id);
comment on table log_chunk is
    'Lines of one attempt, in order. lines is smaller than last_seq - first_seq + 1 where the sender left a gap.';
alter table log_chunk alter column data set storage external;

create table event_chunk (
    min_id    uuid not null,
    max_id    uuid not null,
    lsn       bigint not null,
    part      integer not null,
    events    integer not null,
    raw_bytes integer not null,
    data      bytea not null,
    primary key (min_id, max_id, lsn, part)
) partition by range (min_id);
comment on table event_chunk is
    'Events of tasks and runs, sorted by id (of the task, or of the run for its own events). The ids of a chunk lie within the same '
    '4.096 s, so those that can hold an id are a short stretch of the primary key.';
alter table event_chunk alter column data set storage external;

create function ensure_log_partitions(days date[]) returns integer
    language plpgsql
    as $$
declare
    parent text;
    day date;
    child text;
    created integer := 0;
begin
    -- Loggers come here together, at midnight and at start.
    perform pg_advisory_xact_lock(x'706c616e6b6c6f67'::bigint);
    foreach parent in array array['log_chunk', 'event_chunk'] loop
        foreach day in array days loop
            child := parent || to_char(day, '_YYYYMMDD');
            continue when to_regclass(child) is not null;
            -- Made alone and then attached: CREATE … PARTITION OF would wait for slow readers with the parent locked.
            execute format('create table %I (like %I including defaults including constraints including storage)', child, parent);
            execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child, id_floor(day), id_floor(day + 1));
            created := created + 1;
        end loop;
    end loop;
    return created;
end
$$;
comment on function ensure_log_partitions is 'Creates the missing partitions of these days (UTC) and says how many; there is no default partition.';

create function drop_log_partitions(before date) returns integer
    language plpgsql
    as $$
declare
    child record;
    dropped integer := 0;
begin
    perform pg_advisory_xact_lock(x'706c616e6b6c6f67'::bigint);
    for child in
        select c.oid::regclass as name
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('log_chunk'::regclass, 'event_chunk'::regclass)
          and right(c.relname, 8) ~ '^[0-9]{8}$'
          and to_date(right(c.relname, 8), 'YYYYMMDD') < before
    loop
        execute format('drop table %s', child.name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
comment on function drop_log_partitions is 'Drops the partitions of the days before this one and says how many.';
