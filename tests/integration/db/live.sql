-- SPDX-License-Identifier: Apache-2.0
-- Statements of the tests of lib/db against a real server.

-- name: live_drop_tables
-- No table of an earlier test is left.
drop table if exists live;

-- name: live_create_table
-- The table that the other statements use; n is checked at the end of the transaction only.
create table live (id bigint primary key, at timestamptz, body text, blob bytea, key uuid, n integer unique deferrable initially deferred);

-- name: live_echo
-- Gives its parameters back.
select $1::bigint, $2::integer, $3::smallint, $4::boolean, $5::text, $6::bytea, $7::uuid, $8::timestamptz, $9::float8;

-- name: live_insert
-- Inserts one row per element.
insert into live (id, at, body, blob, key, n)
select * from unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bytea[], $5::uuid[], $6::integer[]);

-- name: live_insert_id
-- Inserts one row; n is nobody else's business.
insert into live (id, n) values ($1::bigint, $2::integer);

-- name: live_bodies
-- Inserts big bodies and gives them back.
insert into live (id, body) select * from unnest($1::bigint[], $2::text[]) returning body;

-- name: live_all
-- Every row in order.
select id, at, body, blob, key, n from live order by id;

-- name: live_count
-- How many rows there are.
select count(*) from live;

-- name: live_fence
-- Fails with 22012 when no row has this id.
with f as (update live set body = 'fenced' where id = $1::bigint returning 1) select 1 / count(*) from f;

-- name: live_array
-- An array of what was asked for.
select array_agg(i::integer) from generate_series(1, $1::integer) i;

-- name: live_widen
-- Changes the type of a column under a prepared plan.
alter table live alter column n type bigint;

-- name: live_n
-- A column whose type changes.
select n from live order by id;

-- name: live_sleep
-- Takes so many seconds.
select pg_sleep($1::float8);

-- name: live_terminate
-- Ends another session.
select pg_terminate_backend($1::integer);

-- name: live_lock
-- Holds a lock until the end of the transaction.
select pg_advisory_xact_lock(42);

-- name: live_settings
-- What the connection was opened with.
select current_setting('application_name'), current_setting('statement_timeout'), current_setting('lock_timeout');

-- name: live_prepared
-- Whether a statement of this name prefix is prepared in this session.
select count(*) from pg_prepared_statements where name like $1::text || '%';

-- name: live_broken
-- Cannot be prepared.
select no_such_column from live where id = $1::bigint;
