/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_WANDB_BOOK_H
#define SINKS_WANDB_BOOK_H
/*
 * The open runs of Weights & Biases on the disk: their directories in the form that `wandb sync`
 * takes, and one file, state.json, that says how far the spool was read, how long each file was
 * then, and which plan runs are known. It is replaced as a whole at each commit; what files have
 * beyond it is cut off when the book is opened, so that a crash neither repeats nor loses a record.
 * For one thread at a time; blocks.
 */
#include "base/error.h"
#include "base/id.h"
#include "base/list.h"
#include "base/map.h"
#include "sinks/wandb/wandb_run.h"

#define WANDB_RUNS_OPEN_MAX ((size_t)1000)    /* beyond it the longest silent one is ended */
#define WANDB_PLANS_KNOWN_MAX ((size_t)10000) /* plan runs whose names are remembered */
#define WANDB_KEY_TEXT_MAX 160
#define WANDB_ID_TEXT_MAX 64

struct wandb_book_run {
    struct map_node by_key;
    struct list link; /* the longest silent first */
    char key[WANDB_KEY_TEXT_MAX], id[WANDB_ID_TEXT_MAX];
    char *dir; /* whole path */
    struct wandb_run run;
    uint64_t committed; /* bytes on the disk */
    int64_t end_us;     /* when its end was heard of; 0 = it goes on */
    int64_t day;        /* of a run that stands for a day, since 1970; 0 = other runs */
    int exit_code;
};
/* A plan run that has begun. */
struct wandb_plan_run {
    struct map_node by_id;
    struct list link; /* oldest first */
    struct id run;
    char plan[128];
    bool folded; /* too many began at once: it goes into the run of its plan and day */
};
struct wandb_book {
    char *dir;
    bool online; /* directories are named run-…, else offline-run-… */
    struct map by_key, plans;
    struct list runs, plan_runs;
    size_t run_count, plan_count;
    uint64_t lsn; /* of the state on the disk; 0 = none */
};

void wandb_book_init(struct wandb_book *book, const char *dir, bool online);
void wandb_book_fini(struct wandb_book *book);
/* Forgets what is in memory and reads what is on the disk. *lsn stays when there is nothing. */
MUST_USE enum status wandb_book_open(struct wandb_book *book, uint64_t *lsn, struct error *err);
/* Writes what the runs have gathered, then the state. Runs that have ended are gone from the book
 * afterwards. */
MUST_USE enum status wandb_book_commit(struct wandb_book *book, uint64_t lsn, struct error *err);

struct wandb_book_run *wandb_book_find(struct wandb_book *book, const char *key);
/* A new one, with its directory; its records are not begun. NULL: the disk says no. */
struct wandb_book_run *wandb_book_add(struct wandb_book *book, const char *key, const char *id,
                                      int64_t unix_us, struct error *err);
void wandb_book_touch(struct wandb_book *book, struct wandb_book_run *run);
struct wandb_plan_run *wandb_book_plan(struct wandb_book *book, const struct id *run);
struct wandb_plan_run *wandb_book_add_plan(struct wandb_book *book, const struct id *run,
                                           const char *plan);

#endif
