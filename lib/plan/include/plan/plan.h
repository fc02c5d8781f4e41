/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H
/*
 * Plans: a document (JSON or YAML) is checked as a whole and compiled into an immutable struct
 * plan: steps with their needs as indexes, compiled templates, durations in milliseconds. A plan
 * belongs to the arena it was compiled with and dies with it; it has no reference count of its own
 * and may be read from one thread at a time. Whatever is wrong is reported as violations of the
 * error with path, line and column (at most PLAN_PROBLEMS_MAX), reason PLAN_INVALID; nothing that
 * is not understood is ignored.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/slice.h"
#include "cel/cel.h"
#include "json/json.h"

#define PLAN_BYTES_MAX ((size_t)1024 * 1024)
#define PLAN_STEPS_MAX 10000
#define PLAN_PROBLEMS_MAX 100
#define PLAN_NAME_BYTES_MAX 64
#define PLAN_STEP_ID_BYTES_MAX 64
#define PLAN_TASK_TYPE_BYTES_MAX 64
#define PLAN_DESCRIPTION_BYTES_MAX 4096
#define PLAN_PARAMETERS_BYTES_MAX ((size_t)256 * 1024)
#define PLAN_INPUT_BYTES_MAX ((size_t)256 * 1024)
#define PLAN_DURATION_MS_MAX ((int64_t)366 * 24 * 3600 * 1000)
#define PLAN_ATTEMPTS_MAX 1000
#define PLAN_PRIORITY_MAX 9 /* from 0 (last) */
#define PLAN_PRIORITY_DEFAULT 5
#define PLAN_LIMITS_MAX 8 /* of a step, of each kind */
#define PLAN_LIMIT_KEY_BYTES_MAX 128
#define PLAN_LIMIT_MAX 1000000
#define PLAN_PERIOD_MS_MAX ((int64_t)31 * 24 * 3600 * 1000)
#define PLAN_WEIGHT_MAX 1000
#define PLAN_COST_MAX 10000 /* slots */
#define PLAN_SELECTORS_MAX 32
#define PLAN_LABELS_MAX 32
#define PLAN_LABEL_BYTES_MAX 256

enum plan_step_kind {
    PLAN_STEP_TASK = 0,
    PLAN_STEP_APPROVAL,
    PLAN_STEP_SLEEP,
    PLAN_STEP_SIGNAL,
    PLAN_STEP_PLAN,
};

/* What is not said in the step or in the plan's defaults has the value named here. */
struct plan_retry {
    uint32_t max_attempts;            /* 3; 1: no retry */
    int64_t initial_backoff_ms;       /* 1000 */
    double multiplier;                /* 2 */
    int64_t max_backoff_ms;           /* 60000 */
    double jitter;                    /* 0.2: ± this share of the backoff; 0 … 1 */
    int64_t budget_ms;                /* no retry later than so long after its creation; 0: none */
    const char *const *non_retryable; /* error codes */
    uint32_t non_retryable_len;
};

/* 0 = no limit of the plan's own. */
struct plan_timeout {
    int64_t queue_ms, attempt_ms, total_ms, heartbeat_ms;
};

/* Limits by key; keys may hold expressions: plan_step_key. */
enum plan_strategy {
    PLAN_STRATEGY_QUEUE = 0,
    PLAN_STRATEGY_CANCEL_RUNNING = 1,
    PLAN_STRATEGY_REJECT_NEW = 2,
};
struct plan_concurrency {
    const struct cel_template *key;
    uint32_t limit;
    enum plan_strategy strategy;
};
struct plan_rate {
    const struct cel_template *key;
    uint32_t limit;
    int64_t per_ms;
    uint32_t units;
};

/* What is asked of a label of a worker: "zone = eu", "zone != eu", "memory > 16", "ssd" (it has
 * it). < and > compare decimal numbers; a label that is absent or no number is neither. */
enum plan_operator {
    PLAN_LABEL_MALFORMED = 0,
    PLAN_LABEL_EXISTS,
    PLAN_LABEL_EQUALS,
    PLAN_LABEL_DIFFERS, /* or is absent */
    PLAN_LABEL_LESS,
    PLAN_LABEL_GREATER,
};
struct plan_selector {
    const char *key;
    enum plan_operator op;
    const char *value; /* "" with EXISTS */
};
/* False when it is malformed. Texts go to the arena. */
MUST_USE bool plan_selector_parse(const char *text, struct arena *arena, struct plan_selector *ret);
bool plan_label_number(const char *text, double *ret);

/* Whether a step goes to the worker that an earlier sticky step of its run went to. */
enum plan_sticky {
    PLAN_STICKY_NOT = 0,
    PLAN_STICKY_SOFT, /* when that worker is free */
    PLAN_STICKY_HARD, /* it waits for that worker */
};

struct plan_step {
    const char *id;
    const char *name;        /* for people; the id when the document has none */
    const char *description; /* "" when none */
    enum plan_step_kind kind;
    const char *task_type;                  /* kind TASK */
    const struct cel_document *parameters;  /* never NULL; {} when none */
    const struct cel_document *environment; /* NULL when none */
    const char *queue;                      /* "default" when none */
    int32_t priority;                       /* PLAN_PRIORITY_DEFAULT when none */
    uint32_t cost;                          /* slots of a worker that it takes; 1 when none */
    enum plan_sticky sticky;
    int64_t delay_ms;   /* from its needs being met; 0: none */
    const char *labels; /* JSON text of an object of strings, "{}" when none */
    struct plan_retry retry;
    struct plan_timeout timeout;
    const struct plan_concurrency *concurrency;
    uint32_t concurrency_len;
    const struct plan_rate *rates;
    uint32_t rates_len;
    const struct cel_template *fairness_key; /* NULL: none */
    uint32_t fairness_weight;
    const uint32_t *needs; /* indexes of steps, in the document's order */
    uint32_t needs_len;
    const uint32_t *dependents; /* steps that need this one */
    uint32_t dependents_len;
    const struct cel_template *when; /* NULL: always */
};

struct plan {
    const char *name;
    const char *description; /* "" when none */
    const char *labels;      /* JSON text, "{}" when none */
    const struct plan_step *steps;
    uint32_t steps_len;    /* ≥ 1 */
    const uint32_t *order; /* the steps' indexes with every need before its dependents */
    const char *document;  /* compact JSON text of the whole document, keys in the author's order */
    const char *canonical; /* the same with sorted keys: equal documents have equal text (for
                              digests, ETag) */
    const char *input_schema; /* JSON text, or NULL when the plan takes any object */
    const struct plan_schema *input;
    const struct cel_document *output; /* NULL: the run's output is {} */
};

/* YAML or JSON (text that begins with { is JSON). */
MUST_USE enum status plan_compile(struct slice text, struct arena *arena, const struct plan **ret,
                                  struct error *err);

/*
 * A document as a request carries it: a bare plan document (JSON or YAML text), or a JSON envelope
 * {"document": {…}} or
 * {"source": "text"}, or both (then they must mean the same). Also checks it like plan_compile.
 */
struct plan_request {
    const struct plan *plan;
    struct slice source; /* as the author wrote it; in the arena */
};
MUST_USE enum status plan_document_from_request(struct slice text, struct arena *arena,
                                                struct plan_request *ret, struct error *err);

/* Index of a step by id, or -1. O(log n). */
int32_t plan_step_index(const struct plan *plan, const char *id);

/* Checks a run's input ("" and {} are the same) against the plan's schema, fills in defaults, and
 * gives the effective input as JSON text from the arena. Violations have paths such as input.url.
 */
MUST_USE enum status plan_check_input(const struct plan *plan, struct slice input,
                                      struct arena *arena, const char **ret_input,
                                      struct error *err);

/* What expressions can see. Texts are borrowed until the call returns and parsed only when read. */
struct plan_step_result {
    const char *state;   /* "succeeded", "failed", "skipped", …: steps.X.state */
    struct slice output; /* JSON text: steps.X.output; empty = absent */
};
struct plan_context {
    struct slice input; /* effective input, JSON text */
    struct slice
        run; /* JSON text of an object: run.id, run.plan (name), run.version; empty = absent */
    /* Result of a finished step; false when it has none. Asked only for steps in the transitive
     * needs. */
    bool (*step_result)(void *userdata, uint32_t step, struct plan_step_result *ret);
    void *userdata;
};

/* The step's condition; true when it has none. */
MUST_USE enum status plan_step_when(const struct plan *plan, uint32_t step,
                                    const struct plan_context *context, bool *ret,
                                    struct error *err);
/* Parameters (an object) as JSON text from the arena, ≤ PLAN_PARAMETERS_BYTES_MAX; err->field names
 * the place at fault. */
MUST_USE enum status plan_step_parameters(const struct plan *plan, uint32_t step,
                                          const struct plan_context *context, struct arena *arena,
                                          struct slice *ret, struct error *err);
/* The environment the same way; an empty slice when the step has none. */
MUST_USE enum status plan_step_environment(const struct plan *plan, uint32_t step,
                                           const struct plan_context *context, struct arena *arena,
                                           struct slice *ret, struct error *err);
/* The key of a limit, 1 … PLAN_LIMIT_KEY_BYTES_MAX bytes, from the arena. `what` names it in err.
 */
MUST_USE enum status plan_step_key(const struct plan *plan, const struct cel_template *key,
                                   const char *what, const struct plan_context *context,
                                   struct arena *arena, const char **ret, struct error *err);
/* The run's output once all steps have finished. */
MUST_USE enum status plan_output(const struct plan *plan, const struct plan_context *context,
                                 struct arena *arena, struct slice *ret, struct error *err);

/* Backoff before attempt `attempt` + 1 in ms: random in [0, 1) is the caller's. */
int64_t plan_backoff_ms(const struct plan_retry *retry, uint32_t attempt, double random);

/* The JSON Schema (draft 2020-12) of a plan document, made from the tables the parser itself works
 * by. */
const char *plan_schema_text(void);

#endif
