-- SPDX-License-Identifier: Apache-2.0
-- The runner's own statements. It speaks the simple protocol where it has no parameters.

-- name: migrate_lock
-- Whether this session is now the one that migrates; it stays so while it lives. Asked again and again, not waited for: a waiting
-- statement holds a snapshot, for which the other's CREATE INDEX CONCURRENTLY would wait in turn. The number is 'plankton' in ASCII.
select pg_try_advisory_lock(x'706c616e6b746f6e'::bigint);

-- name: migrate_create_table
-- The table of what was applied is there afterwards; nothing changes when it was before.
create table if not exists schema_migration (
    number     integer primary key,
    name       text not null,
    sha256     text not null,
    applied_at timestamptz not null default now()
);

-- name: migrate_applied
-- All that was applied, oldest first.
select number, name, sha256 from schema_migration order by number;

-- name: migrate_begin
-- The file and its row become visible together or not at all.
begin;

-- name: migrate_commit
-- The end of migrate_begin's transaction.
commit;

-- name: migrate_rollback
-- Nothing of a failed file stays.
rollback;

-- name: migrate_record
-- The file counts as applied.
insert into schema_migration (number, name, sha256) values ($1::integer, $2::text, $3::text);

-- name: migrate_version
-- The newest applied number, 0 when there is none. Fails with 42P01 when nothing was ever applied.
select coalesce(max(number), 0)::bigint from schema_migration;
