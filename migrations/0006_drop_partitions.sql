-- SPDX-License-Identifier: Apache-2.0
-- Retention: what is past it goes by dropping the tables of its days.

create function drop_partitions(runs_before date, keys_before date)
    returns table (day date, held_by uuid)
    language plpgsql
    -- A day is read as a whole, once: nothing says which of its rows have not ended.
    set enable_seqscan = on
    as $$
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
$$;
comment on function drop_partitions is
    'Drops tasks, runs and outcomes of the days (UTC) before the first date that are free of unfinished rows, and keys of the days '
    'before the second. One row a day that was past: held_by is an unfinished task or run that keeps it, NULL when it was dropped.';
