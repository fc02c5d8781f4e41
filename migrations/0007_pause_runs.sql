-- SPDX-License-Identifier: Apache-2.0
-- Runs that are paused: nothing more of them is started.
-- Controllers that were built before this must be stopped: they read a run by the places of its columns.

alter table run add column paused_at timestamptz, add column paused_by text, add column pause_reason text;
comment on column run.paused_at is 'Since when it is paused; NULL = it is not. paused_by, pause_reason: who did it and why.';
