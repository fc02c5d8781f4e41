--
-- PostgreSQL database dump
--

--
-- Name: drop_log_partitions(date); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.drop_log_partitions(before date) RETURNS integer
    LANGUAGE plpgsql
    AS $_$
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
$_$;

--
-- Name: FUNCTION drop_log_partitions(before date); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.drop_log_partitions(before date) IS 'Drops the partitions of the days before this one and says how many.';

--
-- Name: drop_partitions(date, date); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.drop_partitions(runs_before date, keys_before date) RETURNS TABLE(day date, held_by uuid)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'on'
    AS $_$
declare
    suffix text;
    past text[] := '{}';
begin
    -- One controller at a time, and nobody waits for it. Not the lock of ensure_partitions: that is waited for.
    if not pg_try_advisory_xact_lock(x'706c616e6b64726f'::bigint) then
        return;
    end if;
    for day, suffix in
        select distinct to_date(right(c.relname, 8), 'YYYYMMDD'), right(c.relname, 9)
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        where i.inhparent in ('task'::regclass, 'run'::regclass) and c.relname ~ '_[0-9]{8}$'
            and to_date(right(c.relname, 8), 'YYYYMMDD') < runs_before
        order by 1
    loop
        execute format('select id from %I where state not between 3 and 5 limit 1', 'run' || suffix) into held_by;
        if held_by is null then
            execute format('select id from %I where state not between 4 and 7 limit 1', 'task' || suffix) into held_by;
        end if;
        if held_by is null then
            past := past || array['run' || suffix, 'task' || suffix, 'outcome' || suffix];
        end if;
        return next;
    end loop;
    for suffix in
        select c.relname
        from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'idempotency'::regclass and c.relname ~ '_[0-9]{8}$'
            and to_date(right(c.relname, 8), 'YYYYMMDD') < keys_before
    loop
        past := past || suffix;
    end loop;
    -- Only now: from the first drop on the parents are locked.
    foreach suffix in array past loop
        execute format('drop table if exists %I', suffix);
    end loop;
end
$_$;

--
-- Name: FUNCTION drop_partitions(runs_before date, keys_before date); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.drop_partitions(runs_before date, keys_before date) IS 'Drops tasks, runs and outcomes of the days (UTC) before the first date that are free of unfinished rows, and keys of the days before the second. One row a day that was past: held_by is an unfinished task or run that keeps it, NULL when it was dropped.';

--
-- Name: ensure_log_partitions(date[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.ensure_log_partitions(days date[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
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

--
-- Name: FUNCTION ensure_log_partitions(days date[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.ensure_log_partitions(days date[]) IS 'Creates the missing partitions of these days (UTC) and says how many; there is no default partition.';

--
-- Name: ensure_partitions(date, date); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.ensure_partitions(from_day date, to_day date) RETURNS integer
    LANGUAGE plpgsql
    AS $$
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
                           child, parent, case when parent in ('task', 'run') then 42 else 100 end);
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

--
-- Name: FUNCTION ensure_partitions(from_day date, to_day date); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.ensure_partitions(from_day date, to_day date) IS 'Creates the missing partitions of these days (UTC, both included) and says how many. Called at each takeover and once a day for some days ahead; there is no default partition.';

--
-- Name: id_floor(date); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.id_floor(day date) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN ((lpad(to_hex(((EXTRACT(epoch FROM day))::bigint * 1000)), 12, '0'::text) || repeat('0'::text, 20)))::uuid;

--
-- Name: FUNCTION id_floor(day date); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.id_floor(day date) IS 'No id of this day (UTC) or later is smaller: the first 48 bits are Unix milliseconds.';

--
-- Name: id_shard(uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.id_shard(id uuid) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (((get_byte(uuid_send(id), 6) & 15) << 8) | get_byte(uuid_send(id), 7));

--
-- Name: FUNCTION id_shard(id uuid); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.id_shard(id uuid) IS 'The shard of a task or run: the 12 bits behind the version.';

--
-- Name: parked_rank(integer, uuid); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.parked_rank(priority integer, id uuid) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (((('x'::text || translate("left"((id)::text, 13), '-'::text, ''::text)))::bit(48))::bigint - ((priority)::bigint * 60000));

--
-- Name: FUNCTION parked_rank(priority integer, id uuid); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.parked_rank(priority integer, id uuid) IS 'Milliseconds of the id, a minute less for each step of priority: smaller goes first. As in engine_types.h.';

--
-- Name: api_key; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.api_key (
    id uuid NOT NULL,
    namespace_id integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone,
    last_used_at timestamp with time zone,
    single_use boolean DEFAULT false NOT NULL,
    role text NOT NULL,
    name text NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT api_key_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT api_key_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'worker'::text])))
);

--
-- Name: COLUMN api_key.digest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.api_key.digest IS 'SHA-256 of the key; the key itself is shown once and stored nowhere.';

--
-- Name: cluster; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.cluster (
    only_row boolean DEFAULT true NOT NULL,
    timeline bigint NOT NULL,
    shard_count integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT cluster_only_row_check CHECK (only_row),
    CONSTRAINT cluster_shard_count_check CHECK ((((shard_count >= 1) AND (shard_count <= 4096)) AND ((shard_count & (shard_count - 1)) = 0))),
    CONSTRAINT cluster_timeline_check CHECK (((timeline >= 1) AND (timeline <= '4294967295'::bigint)))
);

--
-- Name: TABLE cluster; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.cluster IS 'One row. timeline is random, part of tokens and cursors, and changed after a restore from backup. shard_count is fixed for ever: it is in every id.';

--
-- Name: event_chunk; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.event_chunk (
    min_id uuid NOT NULL,
    max_id uuid NOT NULL,
    lsn bigint NOT NULL,
    part integer NOT NULL,
    events integer NOT NULL,
    raw_bytes integer NOT NULL,
    data bytea NOT NULL
)
PARTITION BY RANGE (min_id);
ALTER TABLE ONLY public.event_chunk ALTER COLUMN data SET STORAGE EXTERNAL;

--
-- Name: TABLE event_chunk; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.event_chunk IS 'Events of tasks and runs, sorted by id (of the task, or of the run for its own events). The ids of a chunk lie within the same 4.096 s, so those that can hold an id are a short stretch of the primary key.';

--
-- Name: idempotency; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.idempotency (
    id uuid NOT NULL,
    namespace_id integer NOT NULL,
    day date NOT NULL,
    shard smallint NOT NULL,
    kind smallint NOT NULL,
    key text NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT idempotency_kind_check CHECK (((kind >= 1) AND (kind <= 3)))
)
PARTITION BY RANGE (day);

--
-- Name: TABLE idempotency; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.idempotency IS 'Who was made under a key: task (1), run (2) or plan (3), with the digest of the request. Written in its batch. Keys are unique by the engine; the primary key is a backstop within the day (partitions cannot give more, and deleting rows one by one would cost more than it is worth).';

--
-- Name: journal; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.journal (
    shard smallint NOT NULL,
    seq bigint NOT NULL,
    first_event bigint NOT NULL,
    epoch integer NOT NULL,
    event_count integer NOT NULL,
    written_at timestamp with time zone NOT NULL,
    leases bytea NOT NULL,
    events bytea NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_insert_scale_factor='0', autovacuum_vacuum_insert_threshold='50000');
ALTER TABLE ONLY public.journal ALTER COLUMN leases SET STORAGE EXTERNAL;
ALTER TABLE ONLY public.journal ALTER COLUMN events SET STORAGE EXTERNAL;

--
-- Name: TABLE journal; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.journal IS 'The row of batch (shard, seq): leases granted or carried forward in it (packed), its events (packed EventBatch, numbers first_event and up). Deleted below shard.journal_low: leases closed or carried, events acknowledged by the logger.';

--
-- Name: log_chunk; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.log_chunk (
    task_id uuid NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    first_lsn bigint NOT NULL,
    last_lsn bigint NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    attempt integer NOT NULL,
    namespace_id integer NOT NULL,
    lines integer NOT NULL,
    raw_bytes integer NOT NULL,
    run_id uuid,
    step text,
    data bytea NOT NULL,
    kinds integer DEFAULT '-1'::integer NOT NULL
)
PARTITION BY RANGE (task_id);
ALTER TABLE ONLY public.log_chunk ALTER COLUMN data SET STORAGE EXTERNAL;

--
-- Name: TABLE log_chunk; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.log_chunk IS 'Lines of one attempt, in order. lines is smaller than last_seq - first_seq + 1 where the sender left a gap.';

--
-- Name: COLUMN log_chunk.kinds; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.log_chunk.kinds IS 'Levels (bits 0 to 4) and streams (bits 8 to 10) of its lines; -1 = not known, may be any.';

--
-- Name: log_source; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.log_source (
    timeline bigint NOT NULL,
    shard smallint NOT NULL,
    last_number bigint NOT NULL
)
WITH (fillfactor='20');

--
-- Name: TABLE log_source; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.log_source IS 'Last event stored of each source; what comes again is dropped by it.';

--
-- Name: log_spool; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.log_spool (
    instance uuid NOT NULL,
    "position" bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='20');

--
-- Name: TABLE log_spool; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.log_spool IS 'One row per logger (its state directory).';

--
-- Name: namespace; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.namespace (
    id integer NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT namespace_name_check CHECK ((name ~ '^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$'::text))
);

--
-- Name: namespace_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.namespace ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.namespace_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

--
-- Name: outcome; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.outcome (
    id uuid NOT NULL,
    namespace_id integer NOT NULL,
    state smallint NOT NULL,
    is_run boolean NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    run_id uuid,
    type text NOT NULL
)
PARTITION BY RANGE (id);

--
-- Name: TABLE outcome; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.outcome IS 'Failed and cancelled tasks and runs, append-only: what makes lists by these states cheap although state is in no index of task or run. type is the task type or the plan name.';

--
-- Name: parked; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.parked (
    shard smallint NOT NULL,
    reason smallint NOT NULL,
    namespace_id integer NOT NULL,
    rank bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    id uuid NOT NULL,
    queue text DEFAULT ''::text NOT NULL
)
PARTITION BY LIST (reason);

--
-- Name: TABLE parked; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.parked IS 'Every unfinished task or run that is neither young nor leased. Each reason is a table of its own, with the one index that its readers follow.';

--
-- Name: COLUMN parked.rank; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.parked.rank IS 'By parked_rank: (rank, id) ascending is the order of a queue.';

--
-- Name: parked_due; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.parked_due (
    shard smallint NOT NULL,
    reason smallint NOT NULL,
    namespace_id integer NOT NULL,
    rank bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    id uuid NOT NULL,
    queue text DEFAULT ''::text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='5000');

--
-- Name: parked_ready; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.parked_ready (
    shard smallint NOT NULL,
    reason smallint NOT NULL,
    namespace_id integer NOT NULL,
    rank bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    id uuid NOT NULL,
    queue text DEFAULT ''::text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='5000');

--
-- Name: parked_run; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.parked_run (
    shard smallint NOT NULL,
    reason smallint NOT NULL,
    namespace_id integer NOT NULL,
    rank bigint DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    id uuid NOT NULL,
    queue text DEFAULT ''::text NOT NULL
)
WITH (autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='5000');

--
-- Name: plan; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.plan (
    id uuid NOT NULL,
    namespace_id integer NOT NULL,
    latest_version integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    archived_at timestamp with time zone,
    name text NOT NULL,
    description text DEFAULT ''::text NOT NULL,
    CONSTRAINT plan_latest_version_check CHECK ((latest_version > 0))
);

--
-- Name: plan_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.plan_version (
    plan_id uuid NOT NULL,
    version integer NOT NULL,
    steps integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    name text NOT NULL,
    digest bytea NOT NULL,
    message text DEFAULT ''::text NOT NULL,
    created_by text DEFAULT ''::text NOT NULL,
    document text NOT NULL,
    source text NOT NULL,
    CONSTRAINT plan_version_version_check CHECK ((version > 0))
);

--
-- Name: TABLE plan_version; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.plan_version IS 'Immutable: runs are pinned to a version. digest is SHA-256 of document.';

--
-- Name: queue; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.queue (
    shard smallint NOT NULL,
    namespace_id integer NOT NULL,
    paused_at timestamp with time zone,
    name text NOT NULL,
    paused_by text,
    pause_reason text,
    concurrency integer,
    rate_limit integer,
    rate_per_ms bigint
);

--
-- Name: TABLE queue; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.queue IS 'Settings of queues, written by the batches of the owner of their namespace''s home shard and read when that shard is loaded. paused_at: nothing is dispatched from it since then.';

--
-- Name: COLUMN queue.concurrency; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.queue.concurrency IS 'Leases at a time; NULL = no limit. rate_limit, rate_per_ms: a bucket of starts.';

--
-- Name: run; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.run (
    id uuid NOT NULL,
    plan_id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    namespace_id integer NOT NULL,
    plan_version integer NOT NULL,
    state smallint NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    cancel_at timestamp with time zone,
    rerun_of uuid,
    plan_name text NOT NULL,
    input text,
    labels text,
    output text,
    counts bytea,
    failure_code text,
    failure_message text,
    failure_details text,
    failure_step text,
    cancel_actor text,
    cancel_reason text,
    paused_at timestamp with time zone,
    paused_by text,
    pause_reason text,
    CONSTRAINT run_state_check CHECK (((state >= 1) AND (state <= 7)))
)
PARTITION BY RANGE (id);

--
-- Name: COLUMN run.counts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.run.counts IS 'Steps in all and by state, packed by the store.';

--
-- Name: COLUMN run.paused_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.run.paused_at IS 'Since when it is paused; NULL = it is not. paused_by, pause_reason: who did it and why.';

--
-- Name: shard; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.shard (
    id smallint NOT NULL,
    epoch integer DEFAULT 0 NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    owner text,
    address text,
    lease_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    writer_pids integer[] DEFAULT '{}'::integer[] NOT NULL,
    clock timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    event_next bigint DEFAULT 1 NOT NULL,
    event_acked bigint DEFAULT 0 NOT NULL,
    journal_low bigint DEFAULT 1 NOT NULL,
    unclean integer DEFAULT 0 NOT NULL,
    unclean_at timestamp with time zone,
    suspect uuid
)
WITH (fillfactor='10', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='1000');

--
-- Name: TABLE shard; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.shard IS 'One row per shard, updated by every batch: pages are left nearly empty so that the versions of a row stay in its page and are pruned there.';

--
-- Name: task; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.task (
    id uuid NOT NULL,
    created_at timestamp with time zone NOT NULL,
    namespace_id integer NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    state smallint NOT NULL,
    priority smallint NOT NULL,
    failures smallint DEFAULT 0 NOT NULL,
    lost smallint DEFAULT 0 NOT NULL,
    closed_by_report boolean DEFAULT false NOT NULL,
    failure_non_retryable boolean DEFAULT false NOT NULL,
    recorded_by integer,
    due_at timestamp with time zone,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    cancel_at timestamp with time zone,
    worker_id uuid,
    run_id uuid,
    retry_of uuid,
    step text,
    type text NOT NULL,
    queue text NOT NULL,
    parameters text,
    spec text,
    result text,
    failure_code text,
    failure_message text,
    failure_details text,
    cancel_actor text,
    cancel_reason text,
    limit_group text,
    CONSTRAINT task_state_check CHECK (((state >= 1) AND (state <= 9)))
)
PARTITION BY RANGE (id);

--
-- Name: TABLE task; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.task IS 'Lone tasks and steps of runs. The steps of a run are found by the 64 bits of id (time, shard) that they share with it.';

--
-- Name: COLUMN task.limit_group; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.task.limit_group IS 'Hash of what limits the task (keys of concurrency, rates, fairness); NULL = nothing. It stands behind queue and type in the row by which the task is parked, so that tasks that are held back take no place from others.';

--
-- Name: parked_due; Type: TABLE ATTACH; Schema: public; Owner: -
--

ALTER TABLE ONLY public.parked ATTACH PARTITION public.parked_due FOR VALUES IN ('2');

--
-- Name: parked_ready; Type: TABLE ATTACH; Schema: public; Owner: -
--

ALTER TABLE ONLY public.parked ATTACH PARTITION public.parked_ready FOR VALUES IN ('1');

--
-- Name: parked_run; Type: TABLE ATTACH; Schema: public; Owner: -
--

ALTER TABLE ONLY public.parked ATTACH PARTITION public.parked_run FOR VALUES IN ('3');

--
-- Name: api_key api_key_digest_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_digest_key UNIQUE (digest);

--
-- Name: api_key api_key_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_pkey PRIMARY KEY (id);

--
-- Name: cluster cluster_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.cluster
    ADD CONSTRAINT cluster_pkey PRIMARY KEY (only_row);

--
-- Name: event_chunk event_chunk_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.event_chunk
    ADD CONSTRAINT event_chunk_pkey PRIMARY KEY (min_id, max_id, lsn, part);

--
-- Name: idempotency idempotency_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (shard, namespace_id, key, day);

--
-- Name: journal journal_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.journal
    ADD CONSTRAINT journal_pkey PRIMARY KEY (shard, seq);

--
-- Name: log_chunk log_chunk_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.log_chunk
    ADD CONSTRAINT log_chunk_pkey PRIMARY KEY (task_id, attempt, first_seq);

--
-- Name: log_source log_source_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.log_source
    ADD CONSTRAINT log_source_pkey PRIMARY KEY (timeline, shard);

--
-- Name: log_spool log_spool_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.log_spool
    ADD CONSTRAINT log_spool_pkey PRIMARY KEY (instance);

--
-- Name: namespace namespace_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.namespace
    ADD CONSTRAINT namespace_name_key UNIQUE (name);

--
-- Name: namespace namespace_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.namespace
    ADD CONSTRAINT namespace_pkey PRIMARY KEY (id);

--
-- Name: outcome outcome_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.outcome
    ADD CONSTRAINT outcome_pkey PRIMARY KEY (namespace_id, is_run, state, id);

--
-- Name: plan plan_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan
    ADD CONSTRAINT plan_pkey PRIMARY KEY (id);

--
-- Name: plan_version plan_version_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan_version
    ADD CONSTRAINT plan_version_pkey PRIMARY KEY (plan_id, version);

--
-- Name: queue queue_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.queue
    ADD CONSTRAINT queue_pkey PRIMARY KEY (shard, namespace_id, name);

--
-- Name: run run_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);

--
-- Name: shard shard_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.shard
    ADD CONSTRAINT shard_pkey PRIMARY KEY (id);

--
-- Name: task task_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.task
    ADD CONSTRAINT task_pkey PRIMARY KEY (id);

--
-- Name: api_key_of_namespace; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX api_key_of_namespace ON public.api_key USING btree (namespace_id, id);

--
-- Name: parked_due_order; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX parked_due_order ON public.parked_due USING btree (shard, due_at, id);

--
-- Name: parked_ready_order; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX parked_ready_order ON public.parked_ready USING btree (shard, namespace_id, queue, rank, id);

--
-- Name: parked_run_order; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX parked_run_order ON public.parked_run USING btree (shard, id);

--
-- Name: plan_name; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX plan_name ON public.plan USING btree (namespace_id, name) WHERE (archived_at IS NULL);

--
-- Name: plan_of_namespace; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX plan_of_namespace ON public.plan USING btree (namespace_id, id);

--
-- Name: run_of_plan; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX run_of_plan ON ONLY public.run USING btree (plan_id, id);

--
-- Name: api_key api_key_namespace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.api_key
    ADD CONSTRAINT api_key_namespace_id_fkey FOREIGN KEY (namespace_id) REFERENCES public.namespace(id);

--
-- Name: plan plan_namespace_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan
    ADD CONSTRAINT plan_namespace_id_fkey FOREIGN KEY (namespace_id) REFERENCES public.namespace(id);

--
-- Name: plan_version plan_version_plan_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.plan_version
    ADD CONSTRAINT plan_version_plan_id_fkey FOREIGN KEY (plan_id) REFERENCES public.plan(id);

--
-- PostgreSQL database dump complete
--

