-- SPDX-License-Identifier: Apache-2.0
-- Which levels and streams a chunk of lines holds, so that a search passes over those that cannot hold what it looks for.

alter table log_chunk add column kinds integer not null default -1;
comment on column log_chunk.kinds is 'Levels (bits 0 to 4) and streams (bits 8 to 10) of its lines; -1 = not known, may be any.';
