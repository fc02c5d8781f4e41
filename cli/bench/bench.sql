-- SPDX-License-Identifier: Apache-2.0
-- What a measurement reads back, so that "finished" is the database's word and not the program's.

-- name: bench_count_tasks
-- How many of these tasks are recorded as succeeded.
select count(*) from task where id = any($1::uuid[]) and state = 4;

-- name: bench_count_runs
-- How many of these runs are recorded as succeeded, and how many of their steps; $2 and $3 bound the ids of steps, which have their
-- run's time.
select (select count(*) from run where id = any($1::uuid[]) and state = 3),
       (select count(*) from task where id >= $2::uuid and id <= $3::uuid and run_id = any($1::uuid[]) and state = 4);
