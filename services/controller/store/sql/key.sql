-- SPDX-License-Identifier: Apache-2.0
-- API keys. Columns: id, namespace_id, namespace's name, name, role, digest, single_use, created_at, expires_at, revoked_at, last_used_at.

-- name: key_insert
-- A new key; one with the same digest is left as it is.
insert into api_key (id, namespace_id, created_at, expires_at, single_use, role, name, digest)
values ($1::uuid, $2::integer, $3::timestamptz, $4::timestamptz, $5::boolean, $6::text, $7::text, $8::bytea)
on conflict (digest) do nothing;

-- name: key_by_digest
-- Whatever has this digest.
select k.id, k.namespace_id, n.name, k.name, k.role, k.digest, k.single_use, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
from api_key k join namespace n on n.id = k.namespace_id
where k.digest = $1::bytea;

-- name: key_find
-- A key that may be used now.
select k.id, k.namespace_id, n.name, k.name, k.role, k.digest, k.single_use, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
from api_key k join namespace n on n.id = k.namespace_id
where k.digest = $1::bytea and not k.single_use and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2::timestamptz);

-- name: key_touch
-- Notes the use of a key, at most once a minute.
update api_key set last_used_at = $2::timestamptz
where digest = $1::bytea and (last_used_at is null or last_used_at < $2::timestamptz - interval '1 minute');

-- name: key_redeem
-- Uses up a single-use key, or finds a key of an admin: one row when it was valid.
with spent as (
    update api_key set revoked_at = $2::timestamptz, last_used_at = $2::timestamptz
    where digest = $1::bytea and single_use and revoked_at is null and (expires_at is null or expires_at > $2::timestamptz)
    returning id
)
select k.id, k.namespace_id, n.name, k.name, k.role, k.digest, k.single_use, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
from api_key k join namespace n on n.id = k.namespace_id
where k.digest = $1::bytea
    and (k.id in (select id from spent)
         or (not k.single_use and k.role = 'admin' and k.revoked_at is null and (k.expires_at is null or k.expires_at > $2::timestamptz)));

-- name: key_revoke
-- The key is of no use any more; revoking twice changes nothing.
update api_key set revoked_at = coalesce(revoked_at, $3::timestamptz) where id = $1::uuid and namespace_id = $2::integer;

-- name: key_by_id
-- One key.
select k.id, k.namespace_id, n.name, k.name, k.role, k.digest, k.single_use, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
from api_key k join namespace n on n.id = k.namespace_id
where k.id = $1::uuid and k.namespace_id = $2::integer;

-- name: key_list
-- Newest first.
select k.id, k.namespace_id, n.name, k.name, k.role, k.digest, k.single_use, k.created_at, k.expires_at, k.revoked_at, k.last_used_at
from api_key k join namespace n on n.id = k.namespace_id
where k.namespace_id = $1::integer and ($2::uuid is null or k.id < $2::uuid)
order by k.id desc
limit $3::integer;
