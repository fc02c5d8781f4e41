-- SPDX-License-Identifier: Apache-2.0
-- What operators have set for queues. A queue that nobody has touched has no row; rows are never deleted.

create table queue (
    shard        smallint not null,
    namespace_id integer not null,
    paused_at    timestamptz,
    name         text not null,
    paused_by    text,
    pause_reason text,
    primary key (shard, namespace_id, name)
);
comment on table queue is
    'Settings of queues, written by the batches of the owner of their namespace''s home shard and read when that shard is loaded. '
    'paused_at: nothing is dispatched from it since then.';
