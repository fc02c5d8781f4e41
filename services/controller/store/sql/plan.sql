-- SPDX-License-Identifier: Apache-2.0
-- Plans: cold. Each write locks its home shard's row at the owner's epoch, so a deposed owner can commit nothing.
-- Columns of a plan: id, namespace_id, name, description, version, document, source, digest, message, steps, created_at, updated_at,
-- archived_at.

-- name: plan_fence
-- Fails with 22012 unless the shard is still at this epoch. Writers of plans of one shard come here one after the other, so that what
-- follows sees what was written before.
with f as (select 1 from shard where id = $1::smallint and epoch = $2::integer for no key update)
select 1 / count(*) from f;

-- name: plan_insert
-- A plan with its first version and its key ('' = none), unless the key stands already or the name is taken. One row: who the key
-- stands for, or the new plan (true); none: the name is taken.
with old as (
    select i.id, i.kind, i.digest
    from idempotency i
    where i.shard = $13::smallint and i.namespace_id = $2::integer and i.key = $12::text and $12::text <> ''
    order by i.day desc
    limit 1
),
p as (
    insert into plan (id, namespace_id, latest_version, created_at, updated_at, name, description)
    select $1::uuid, $2::integer, 1, $3::timestamptz, $3::timestamptz, $4::text, $5::text
    where not exists (select 1 from old)
    on conflict do nothing
    returning id
),
v as (
    insert into plan_version (plan_id, version, steps, created_at, name, digest, message, created_by, document, source)
    select p.id, 1, $6::integer, $3::timestamptz, $4::text, $7::bytea, $8::text, $9::text, $10::text, $11::text from p
),
k as (
    insert into idempotency (id, namespace_id, day, shard, kind, key, digest)
    select p.id, $2::integer, ($3::timestamptz at time zone 'UTC')::date, $13::smallint, 3, $12::text, $14::bytea
    from p
    where $12::text <> ''
)
select id, kind, digest, false from old
union all
select p.id, 3::smallint, $14::bytea, true from p;

-- name: plan_lock
-- The plan as it stands, locked for the update that follows.
select latest_version, archived_at from plan where id = $1::uuid and namespace_id = $2::integer for update;

-- name: plan_add_version
-- A new version, if the newest is the expected one (0 = any) and the plan is not archived.
with p as (
    update plan set latest_version = latest_version + 1, updated_at = $4::timestamptz, name = $5::text, description = $6::text
    where id = $1::uuid and namespace_id = $2::integer and archived_at is null and ($3::integer = 0 or latest_version = $3::integer)
    returning id, latest_version
)
insert into plan_version (plan_id, version, steps, created_at, name, digest, message, created_by, document, source)
select p.id, p.latest_version, $7::integer, $4::timestamptz, $5::text, $8::bytea, $9::text, $10::text, $11::text, $12::text from p
returning version;

-- name: plan_archive
-- The plan takes no new runs; archiving twice changes nothing.
update plan set archived_at = coalesce(archived_at, $3::timestamptz) where id = $1::uuid and namespace_id = $2::integer;

-- name: plan_read
-- By id, or by name among those that are not archived; version 0 = the newest.
select p.id, p.namespace_id, v.name, p.description, v.version, v.document, v.source, v.digest, v.message, v.steps, p.created_at,
    v.created_at, p.archived_at
from plan p
join plan_version v on v.plan_id = p.id and v.version = case when $4::integer = 0 then p.latest_version else $4::integer end
where p.namespace_id = $1::integer
    and ($2::uuid is null or p.id = $2::uuid)
    and ($3::text is null or (p.name = $3::text and p.archived_at is null));

-- name: plan_list
-- Newest first, without document and source.
select p.id, p.namespace_id, p.name, p.description, v.version, null::text, null::text, v.digest, v.message, v.steps, p.created_at,
    p.updated_at, p.archived_at
from plan p
join plan_version v on v.plan_id = p.id and v.version = p.latest_version
where p.namespace_id = $1::integer and p.id < $2::uuid and (p.archived_at is not null) = $4::boolean
    and ($5::text is null or strpos(lower(p.name), lower($5::text)) > 0 or strpos(lower(p.description), lower($5::text)) > 0)
order by p.id desc
limit $3::integer;

-- name: plan_versions
-- Newest first, without document and source.
select p.id, p.namespace_id, v.name, p.description, v.version, null::text, null::text, v.digest, v.message, v.steps, p.created_at,
    v.created_at, p.archived_at
from plan p
join plan_version v on v.plan_id = p.id
where p.id = $1::uuid and p.namespace_id = $2::integer and ($3::integer = 0 or v.version < $3::integer)
order by v.version desc
limit $4::integer;
