-- SPDX-License-Identifier: Apache-2.0
-- The controller's tables. Nobody else reads or writes them.
--
-- What shapes them:
-- * The engine holds what is live in memory; these tables are its log and its archive. Every write is one batch of one controller,
--   fenced by the epochs of the shards it touches, so no statement here needs a lock but the one on `shard`.
-- * A task is written twice, at its insertion and at its end. State stands in no index and in no predicate, and half of each page is
--   left free, so that the second write is a HOT update: no index entry, little WAL.
-- * Ids are UUIDv7 with the shard in rand_a: the id gives day, shard and order of creation. The tables that grow are partitioned by
--   day on the id; a step's id has its run's time, so a run lies in one partition. What is past retention goes by dropping tables.
-- * A time is timestamptz, NULL where there is none; times of the engine come as parameters, never from now().
-- * Numbers of states, kinds and reasons are those of the programs (task.proto, plan.proto, engine_types.h) and never change meaning.

-- ---------------------------------------------------------------- ids

create function id_floor(day date) returns uuid
    language sql immutable strict parallel safe
    return (lpad(to_hex(extract(epoch from day)::bigint * 1000), 12, '0') || repeat('0', 20))::uuid;
comment on function id_floor is 'No id of this day (UTC) or later is smaller: the first 48 bits are Unix milliseconds.';

create function id_shard(id uuid) returns integer
    language sql immutable strict parallel safe
    return ((get_byte(uuid_send(id), 6) & 15) << 8) | get_byte(uuid_send(id), 7);
comment on function id_shard is 'The shard of a task or run: the 12 bits behind the version.';

-- ---------------------------------------------------------------- cluster and shards

create table cluster (
    only_row    boolean primary key default true check (only_row),
    timeline    bigint not null check (timeline between 1 and 4294967295),
    shard_count integer not null check (shard_count between 1 and 4096 and shard_count & (shard_count - 1) = 0),
    created_at  timestamptz not null default now()
);
comment on table cluster is
    'One row. timeline is random, part of tokens and cursors, and changed after a restore from backup. shard_count is fixed for ever: '
    'it is in every id.';

create table shard (
    id          smallint primary key,
    -- Fence: a batch commits only if it finds its own epoch and the sequence before its own.
    epoch       integer not null default 0,
    seq         bigint not null default 0,
    -- NULL = released. Liveness only: what protects results is the epoch.
    owner       text,
    address     text,
    lease_until timestamptz not null default '-infinity',
    -- Backends of the owner's write connections: a taker ends them when one holds the row lock and will never send its Sync.
    writer_pids integer[] not null default '{}',
    clock       timestamptz not null default '-infinity',
    event_next  bigint not null default 1,
    event_acked bigint not null default 0,
    journal_low bigint not null default 1,
    -- Takeovers in a row from an owner that had not released, the time of the last one, and the task that was being handled alone then.
    unclean     integer not null default 0,
    unclean_at  timestamptz,
    suspect     uuid
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
comment on table shard is
    'One row per shard, updated by every batch: pages are left nearly empty so that the versions of a row stay in its page and are '
    'pruned there.';

create table journal (
    shard       smallint not null,
    seq         bigint not null,
    first_event bigint not null,
    epoch       integer not null,
    event_count integer not null,
    written_at  timestamptz not null,
    leases      bytea not null,
    events      bytea not null,
    primary key (shard, seq)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_insert_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = 50000);
comment on table journal is
    'The row of batch (shard, seq): leases granted or carried forward in it (packed), its events (packed EventBatch, numbers '
    'first_event and up). Deleted below shard.journal_low: leases closed or carried, events acknowledged by the logger.';
-- Written once, read seldom, gone soon: compressing costs more than the bytes.
alter table journal alter column leases set storage external;
alter table journal alter column events set storage external;

-- ---------------------------------------------------------------- tasks

create table task (
    id                    uuid not null,
    created_at            timestamptz not null,
    namespace_id          integer not null,
    -- Highest closed attempt. The open one, if any, stands in the journal.
    attempt               integer not null default 0,
    -- 4 to 7 are final. Of the others only "not final" counts: ready and running are not written.
    state                 smallint not null check (state between 1 and 9),
    priority              smallint not null,
    failures              smallint not null default 0,
    lost                  smallint not null default 0,
    -- The attempt was closed by its worker's own report, so a repeat of that report is acknowledged again.
    closed_by_report      boolean not null default false,
    failure_non_retryable boolean not null default false,
    -- The attempt whose report gave the final state.
    recorded_by           integer,
    due_at                timestamptz,
    started_at            timestamptz,
    finished_at           timestamptz,
    cancel_at             timestamptz,
    worker_id             uuid,
    run_id                uuid,
    retry_of              uuid,
    step                  text,
    type                  text not null,
    queue                 text not null,
    -- JSON texts, as they were checked at the door. spec: TaskSpec without type, queue, priority, parameters; NULL = all default.
    parameters            text,
    spec                  text,
    result                text,
    failure_code          text,
    failure_message       text,
    failure_details       text,
    cancel_actor          text,
    cancel_reason         text,
    primary key (id)
) partition by range (id);
comment on table task is
    'Lone tasks and steps of runs. The steps of a run are found by the 64 bits of id (time, shard) that they share with it.';

create table run (
    id              uuid not null,
    plan_id         uuid not null,
    created_at      timestamptz not null,
    namespace_id    integer not null,
    plan_version    integer not null,
    state           smallint not null check (state between 1 and 7),
    started_at      timestamptz,
    finished_at     timestamptz,
    cancel_at       timestamptz,
    rerun_of        uuid,
    plan_name       text not null,
    input           text,
    labels          text,
    output          text,
    counts          bytea,
    failure_code    text,
    failure_message text,
    failure_details text,
    failure_step    text,
    cancel_actor    text,
    cancel_reason   text,
    primary key (id)
) partition by range (id);
-- Runs of a plan, newest first. Neither column changes, so updates stay HOT.
create index run_of_plan on run (plan_id, id);
comment on column run.counts is 'Steps in all and by state, packed by the store.';

create table outcome (
    id           uuid not null,
    namespace_id integer not null,
    state        smallint not null,
    is_run       boolean not null,
    finished_at  timestamptz not null,
    run_id       uuid,
    type         text not null,
    primary key (namespace_id, is_run, state, id)
) partition by range (id);
comment on table outcome is
    'Failed and cancelled tasks and runs, append-only: what makes lists by these states cheap although state is in no index of task '
    'or run. type is the task type or the plan name.';

-- ---------------------------------------------------------------- what a rebuild must find

create table parked (
    shard        smallint not null,
    reason       smallint not null,
    namespace_id integer not null,
    rank         smallint not null default 0,
    due_at       timestamptz,
    id           uuid not null,
    queue        text not null default ''
) partition by list (reason);
comment on table parked is
    'Every unfinished task or run that is neither young nor leased. Each reason is a table of its own, with the one index that its '
    'readers follow.';
comment on column parked.rank is 'Minus the priority, so that (rank, id) ascending is the order of a queue.';

-- The heads of these indexes are deleted from all day: dead entries there slow the next read down until they are vacuumed.
create table parked_ready partition of parked for values in (1)
    with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
create unique index parked_ready_order on parked_ready (shard, namespace_id, queue, rank, id);
create table parked_due partition of parked for values in (2)
    with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
create unique index parked_due_order on parked_due (shard, due_at, id);
create table parked_run partition of parked for values in (3)
    with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
create unique index parked_run_order on parked_run (shard, id);

create table idempotency (
    id           uuid not null,
    namespace_id integer not null,
    day          date not null,
    shard        smallint not null,
    kind         smallint not null check (kind between 1 and 3),
    key          text not null,
    digest       bytea not null,
    primary key (shard, namespace_id, key, day)
) partition by range (day);
comment on table idempotency is
    'Who was made under a key: task (1), run (2) or plan (3), with the digest of the request. Written in its batch. Keys are unique by '
    'the engine; the primary key is a backstop within the day (partitions cannot give more, and deleting rows one by one would cost '
    'more than it is worth).';

-- ---------------------------------------------------------------- partitions

create function ensure_partitions(from_day date, to_day date) returns integer
    language plpgsql
    as $$
declare
    parent text;
    day date;
    child text;
    created integer := 0;
begin
    if to_day < from_day or to_day - from_day > 366 then
        raise exception 'ensure_partitions: % to % is no range of days', from_day, to_day;
    end if;
    -- Controllers come here together, at midnight and at start.
    perform pg_advisory_xact_lock(x'706c616e6b746f6f'::bigint);
    foreach parent in array array['task', 'run', 'outcome', 'idempotency'] loop
        for day in select generate_series(from_day, to_day, '1 day')::date loop
            child := parent || to_char(day, '_YYYYMMDD');
            continue when to_regclass(child) is not null;
            -- Made alone and then attached: CREATE … PARTITION OF would stop every batch while it waits for a slow reader.
            execute format('create table %I (like %I including defaults including constraints including storage) with (fillfactor = %s)',
                           child, parent, case when parent in ('task', 'run') then 50 else 100 end);
            if parent = 'idempotency' then
                execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child, day, day + 1);
            else
                execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, child, id_floor(day), id_floor(day + 1));
            end if;
            created := created + 1;
        end loop;
    end loop;
    return created;
end
$$;
comment on function ensure_partitions is
    'Creates the missing partitions of these days (UTC, both included) and says how many. Called at each takeover and once a day for '
    'some days ahead; there is no default partition.';

-- ---------------------------------------------------------------- plans

create table namespace (
    id         integer generated always as identity primary key,
    name       text not null unique check (name ~ '^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$'),
    created_at timestamptz not null default now()
);
insert into namespace (name) values ('default');

create table plan (
    id             uuid primary key,
    namespace_id   integer not null references namespace (id),
    latest_version integer not null check (latest_version > 0),
    created_at     timestamptz not null,
    updated_at     timestamptz not null,
    archived_at    timestamptz,
    name           text not null,
    description    text not null default ''
);
-- A name is free again when its plan is archived.
create unique index plan_name on plan (namespace_id, name) where archived_at is null;
create index plan_of_namespace on plan (namespace_id, id);

create table plan_version (
    plan_id    uuid not null references plan (id),
    version    integer not null check (version > 0),
    steps      integer not null,
    created_at timestamptz not null,
    name       text not null,
    digest     bytea not null,
    message    text not null default '',
    created_by text not null default '',
    -- The canonical JSON, and the author's own text with its comments.
    document   text not null,
    source     text not null,
    primary key (plan_id, version)
);
comment on table plan_version is 'Immutable: runs are pinned to a version. digest is SHA-256 of document.';

-- ---------------------------------------------------------------- keys

create table api_key (
    id           uuid primary key,
    namespace_id integer not null references namespace (id),
    created_at   timestamptz not null,
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    single_use   boolean not null default false,
    role         text not null check (role in ('admin', 'worker')),
    name         text not null,
    digest       bytea not null unique check (octet_length(digest) = 32)
);
create index api_key_of_namespace on api_key (namespace_id, id);
comment on column api_key.digest is 'SHA-256 of the key; the key itself is shown once and stored nowhere.';

-- ---------------------------------------------------------------- the cluster itself

-- The number of shards can be chosen once, here: PGOPTIONS='-c plankton.shards=64'.
insert into cluster (timeline, shard_count)
select greatest(1, ('x' || left(gen_random_uuid()::text, 8))::bit(32)::bigint & 4294967295),
       coalesce(nullif(current_setting('plankton.shards', true), '')::integer, 16);
insert into shard (id) select generate_series(0, (select shard_count from cluster) - 1);
