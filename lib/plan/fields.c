/* SPDX-License-Identifier: Apache-2.0 */
/* The language of plans as tables: the checker walks documents by them, and the JSON Schema is made
 * from them. */
#include "internal.h"

#define CORES_MAX 4096.0
#define MULTIPLIER_MAX 100.0
#define PARALLEL_MAX 10000.0
#define NAMES_MAX 1000.0
#define VARIABLES_MAX 1000.0
#define TITLE_BYTES_MAX 256.0
#define PATH_BYTES_MAX 4096.0

#define KEY_HELP "Text; may hold expressions."

static const char *const STRATEGIES[] = {"queue", "cancelRunning", "rejectNew", NULL};
static const char *const STICKINESS[] = {"soft", "hard", NULL};
static const char *const SANDBOXES[] = {"strict", "standard", "none", NULL};
static const char *const ON_TIMEOUT[] = {"approve", "reject", NULL};
static const char *const ON_ITEM_FAILURE[] = {"fail", "continue", NULL};

static const struct field RESOURCES[] = {
    {.name = "cpu", .help = "Cores, e.g. 0.5.", .shape = SHAPE_NUMBER, .max = CORES_MAX},
    {.name = "memory", .help = "Bytes, written like 512Mi.", .shape = SHAPE_BYTES},
    {.name = "gpu", .help = "Devices.", .shape = SHAPE_NUMBER, .max = CORES_MAX},
};
static const struct object RESOURCES_OBJECT = {"resources", "What a task needs of a machine.",
                                               RESOURCES, ARRAY_LEN(RESOURCES)};

static const struct field ENVIRONMENT[] = {
    {.name = "variables",
     .help = "Variables given to the task; values may hold expressions.",
     .shape = SHAPE_TEMPLATES,
     .max = VARIABLES_MAX},
    {.name = "secrets",
     .help = "Names of secrets; each is given to the task as the variable of that name.",
     .shape = SHAPE_NAMES,
     .max = NAMES_MAX},
    {.name = "workingDirectory",
     .help = "Absolute, or relative to the attempt's own directory. Default: that directory.",
     .shape = SHAPE_TEMPLATE,
     .max = PATH_BYTES_MAX},
    {.name = "requires",
     .help = "Labels that a worker must have, all of them.",
     .shape = SHAPE_STRINGS,
     .max = PLAN_LABELS_MAX},
    {.name = "where",
     .help = "More that a worker's labels must meet, all of it: \"zone = eu\", \"zone != eu\", "
             "\"memory > 16\", \"memory < 64\", \"ssd\" (has the label).",
     .shape = SHAPE_SELECTORS,
     .max = PLAN_SELECTORS_MAX},
    {.name = "prefers",
     .help = "Written like where: a free worker that meets all of it goes first.",
     .shape = SHAPE_SELECTORS,
     .max = PLAN_SELECTORS_MAX},
    {.name = "resources",
     .help = "What it needs of the machine.",
     .shape = SHAPE_OBJECT,
     .object = &RESOURCES_OBJECT},
    {.name = "sandbox", .help = "Default standard.", .shape = SHAPE_WORD, .words = SANDBOXES},
    {.name = "containerImage",
     .help = "Image of a container task.",
     .shape = SHAPE_TEMPLATE,
     .max = PATH_BYTES_MAX},
};
static const struct object ENVIRONMENT_OBJECT = {"environment", "What a task runs in.", ENVIRONMENT,
                                                 ARRAY_LEN(ENVIRONMENT)};

static const struct field RETRY[] = {
    {.name = "maxAttempts",
     .help = "Attempts in all; 1 is no retry. Default 3.",
     .shape = SHAPE_INT,
     .min = 1,
     .max = PLAN_ATTEMPTS_MAX},
    {.name = "initialBackoff",
     .help = "Wait before the second attempt. Default 1s.",
     .shape = SHAPE_DURATION},
    {.name = "multiplier",
     .help = "Each wait is so many times the one before. Default 2.",
     .shape = SHAPE_NUMBER,
     .min = 1,
     .max = MULTIPLIER_MAX},
    {.name = "maxBackoff", .help = "Longest wait. Default 60s.", .shape = SHAPE_DURATION},
    {.name = "jitter",
     .help = "Random part of a wait, more or less. Default 0.2.",
     .shape = SHAPE_NUMBER,
     .min = 0,
     .max = 1},
    {.name = "budget",
     .help = "No retry begins later than so long after the task was made. Default: none.",
     .shape = SHAPE_DURATION,
     .min = 1},
    {.name = "nonRetryable",
     .help = "Failure codes that end the task at once.",
     .shape = SHAPE_NAMES,
     .max = NAMES_MAX},
};
static const struct object RETRY_OBJECT = {
    "retry", "When and how often a failed task is tried again.", RETRY, ARRAY_LEN(RETRY)};

static const struct field TIMEOUT[] = {
    {.name = "queue",
     .help = "From ready to the first attempt's start.",
     .shape = SHAPE_DURATION,
     .min = 1},
    {.name = "attempt", .help = "One attempt.", .shape = SHAPE_DURATION, .min = 1},
    {.name = "total", .help = "The whole task.", .shape = SHAPE_DURATION, .min = 1},
    {.name = "heartbeat",
     .help = "Between two reports of progress, from the first of an attempt on.",
     .shape = SHAPE_DURATION,
     .min = 1},
};
static const struct object TIMEOUT_OBJECT = {"timeout", "Limits of time. Absent = none.", TIMEOUT,
                                             ARRAY_LEN(TIMEOUT)};

static const struct field CONCURRENCY[] = {
    {.name = "key",
     .help = KEY_HELP,
     .shape = SHAPE_TEMPLATE,
     .max = PLAN_DESCRIPTION_BYTES_MAX,
     .required = true},
    {.name = "limit",
     .help = "So many tasks of the key at a time.",
     .shape = SHAPE_INT,
     .min = 1,
     .max = PLAN_LIMIT_MAX,
     .required = true},
    {.name = "strategy",
     .help = "What is done with a new task over the limit: it waits (queue, the default), the "
             "oldest ones are cancelled, or it is refused.",
     .shape = SHAPE_WORD,
     .words = STRATEGIES},
};
static const struct object CONCURRENCY_OBJECT = {"concurrency", "So many tasks of a key at a time.",
                                                 CONCURRENCY, ARRAY_LEN(CONCURRENCY)};

static const struct field RATE[] = {
    {.name = "key",
     .help = KEY_HELP,
     .shape = SHAPE_TEMPLATE,
     .max = PLAN_DESCRIPTION_BYTES_MAX,
     .required = true},
    {.name = "limit",
     .help = "So many starts at once, and in each period.",
     .shape = SHAPE_INT,
     .min = 1,
     .max = PLAN_LIMIT_MAX,
     .required = true},
    {.name = "per",
     .help = "The period, at most 31d.",
     .shape = SHAPE_DURATION,
     .min = 1,
     .required = true},
    {.name = "units",
     .help = "That one start takes. Default 1.",
     .shape = SHAPE_INT,
     .min = 1,
     .max = PLAN_LIMIT_MAX},
};
static const struct object RATE_OBJECT = {"rateLimit", "So many starts of a key in a period.", RATE,
                                          ARRAY_LEN(RATE)};

static const struct field FAIRNESS[] = {
    {.name = "key",
     .help = KEY_HELP,
     .shape = SHAPE_TEMPLATE,
     .max = PLAN_DESCRIPTION_BYTES_MAX,
     .required = true},
    {.name = "weight",
     .help = "Its share beside the other keys. Default 1.",
     .shape = SHAPE_INT,
     .min = 1,
     .max = PLAN_WEIGHT_MAX},
};
static const struct object FAIRNESS_OBJECT = {
    "fairness", "Keys of one priority are served in turn, by their weights.", FAIRNESS,
    ARRAY_LEN(FAIRNESS)};

static const struct field APPROVAL[] = {
    {.name = "prompt",
     .help = "What is asked; may hold expressions.",
     .shape = SHAPE_TEMPLATE,
     .max = PLAN_DESCRIPTION_BYTES_MAX,
     .required = true},
    {.name = "timeout",
     .help = "How long it waits for an answer.",
     .shape = SHAPE_DURATION,
     .min = 1},
    {.name = "onTimeout",
     .help = "The answer when none came. Default reject.",
     .shape = SHAPE_WORD,
     .words = ON_TIMEOUT},
};
static const struct object APPROVAL_OBJECT = {"approval", "Waits for a person's yes or no.",
                                              APPROVAL, ARRAY_LEN(APPROVAL)};

static const struct field SIGNAL[] = {
    {.name = "name",
     .help = "Of the signal that is waited for.",
     .shape = SHAPE_NAME,
     .max = PLAN_NAME_BYTES_MAX,
     .required = true},
    {.name = "timeout", .help = "How long it is waited for.", .shape = SHAPE_DURATION, .min = 1},
};
static const struct object SIGNAL_OBJECT = {"signal", "Waits for a signal from outside.", SIGNAL,
                                            ARRAY_LEN(SIGNAL)};

static const struct field CHILD[] = {
    {.name = "name",
     .help = "Of the plan.",
     .shape = SHAPE_NAME,
     .max = PLAN_NAME_BYTES_MAX,
     .required = true},
    {.name = "version",
     .help = "Default: the newest when the run begins.",
     .shape = SHAPE_INT,
     .min = 1,
     .max = INT32_MAX},
    {.name = "input", .help = "Of the child run; may hold expressions.", .shape = SHAPE_FREE},
};
static const struct object CHILD_OBJECT = {"childPlan", "Runs another plan.", CHILD,
                                           ARRAY_LEN(CHILD)};

static const struct field STEP[] = {
    {.name = "id",
     .help = "Unique in the plan. Expressions know its result as steps.ID.output (or "
             "steps[\"ID\"].output).",
     .shape = SHAPE_STEP_ID,
     .max = PLAN_STEP_ID_BYTES_MAX,
     .required = true},
    {.name = "name", .help = "For people.", .shape = SHAPE_TEXT, .max = TITLE_BYTES_MAX},
    {.name = "description",
     .help = "For people.",
     .shape = SHAPE_TEXT,
     .max = PLAN_DESCRIPTION_BYTES_MAX},
    {.name = "task",
     .help = "Task type, e.g. shell.",
     .shape = SHAPE_NAME,
     .max = PLAN_TASK_TYPE_BYTES_MAX},
    {.name = "approval",
     .help = "Instead of a task.",
     .shape = SHAPE_OBJECT,
     .object = &APPROVAL_OBJECT},
    {.name = "sleep",
     .help = "Instead of a task: waits so long.",
     .shape = SHAPE_DURATION,
     .min = 1},
    {.name = "signal",
     .help = "Instead of a task.",
     .shape = SHAPE_OBJECT,
     .object = &SIGNAL_OBJECT},
    {.name = "plan", .help = "Instead of a task.", .shape = SHAPE_OBJECT, .object = &CHILD_OBJECT},
    {.name = "parameters",
     .help = "Of the task; strings may hold expressions.",
     .shape = SHAPE_FREE},
    {.name = "environment",
     .help = "What the task runs in.",
     .shape = SHAPE_OBJECT,
     .object = &ENVIRONMENT_OBJECT},
    {.name = "queue",
     .help = "Default \"default\".",
     .shape = SHAPE_NAME,
     .max = PLAN_NAME_BYTES_MAX},
    {.name = "priority",
     .help = "0 (last) to 9 (first). Default 5. Each minute of waiting makes up for one.",
     .shape = SHAPE_INT,
     .max = PLAN_PRIORITY_MAX},
    {.name = "labels", .help = "Free, for search.", .shape = SHAPE_STRINGS, .max = PLAN_LABELS_MAX},
    {.name = "needs",
     .help = "Ids of the steps that must have succeeded before this one begins.",
     .shape = SHAPE_NAMES,
     .max = PLAN_STEPS_MAX},
    {.name = "when", .help = "The step is skipped when this is false.", .shape = SHAPE_CONDITION},
    {.name = "foreach",
     .help = "One task for each element; expressions know item and index.",
     .shape = SHAPE_ITEMS},
    {.name = "maxParallel",
     .help = "Of foreach: so many at a time.",
     .shape = SHAPE_INT,
     .min = 1,
     .max = PARALLEL_MAX},
    {.name = "onItemFailure",
     .help = "Of foreach: whether the others go on. Default fail.",
     .shape = SHAPE_WORD,
     .words = ON_ITEM_FAILURE},
    {.name = "cost",
     .help = "Slots of a worker that it takes. Default 1.",
     .shape = SHAPE_INT,
     .min = 1,
     .max = PLAN_COST_MAX},
    {.name = "sticky",
     .help =
         "To the worker that an earlier sticky step of the run went to: when it is free (soft), "
         "or it waits for it (hard).",
     .shape = SHAPE_WORD,
     .words = STICKINESS},
    {.name = "delay",
     .help = "It begins so long after its needs are met.",
     .shape = SHAPE_DURATION},
    {.name = "retry",
     .help = "When it is tried again.",
     .shape = SHAPE_OBJECT,
     .object = &RETRY_OBJECT},
    {.name = "timeout",
     .help = "Limits of time.",
     .shape = SHAPE_OBJECT,
     .object = &TIMEOUT_OBJECT},
    {.name = "concurrency",
     .help = "Limits of tasks at a time, by key.",
     .shape = SHAPE_OBJECTS,
     .max = PLAN_LIMITS_MAX,
     .object = &CONCURRENCY_OBJECT},
    {.name = "rateLimits",
     .help = "Limits of starts in a period, by key.",
     .shape = SHAPE_OBJECTS,
     .max = PLAN_LIMITS_MAX,
     .object = &RATE_OBJECT},
    {.name = "fairness",
     .help = "How it shares with other keys of its queue.",
     .shape = SHAPE_OBJECT,
     .object = &FAIRNESS_OBJECT},
};
const struct object PLAN_STEP_OBJECT = {"step", "A node of the plan.", STEP, ARRAY_LEN(STEP)};

static const struct field DEFAULTS[] = {
    {.name = "retry", .help = "Field by field.", .shape = SHAPE_OBJECT, .object = &RETRY_OBJECT},
    {.name = "timeout",
     .help = "Field by field.",
     .shape = SHAPE_OBJECT,
     .object = &TIMEOUT_OBJECT},
    {.name = "environment",
     .help = "Field by field, variables and requires name by name.",
     .shape = SHAPE_OBJECT,
     .object = &ENVIRONMENT_OBJECT},
    {.name = "queue",
     .help = "Of steps that name none.",
     .shape = SHAPE_NAME,
     .max = PLAN_NAME_BYTES_MAX},
    {.name = "priority",
     .help = "Of steps that name none.",
     .shape = SHAPE_INT,
     .max = PLAN_PRIORITY_MAX},
};
static const struct object DEFAULTS_OBJECT = {"defaults",
                                              "What holds for steps that do not say it themselves.",
                                              DEFAULTS, ARRAY_LEN(DEFAULTS)};

static const struct field PLAN[] = {
    {.name = "name",
     .help = "Unique among the plans of a namespace.",
     .shape = SHAPE_NAME,
     .max = PLAN_NAME_BYTES_MAX,
     .required = true},
    {.name = "description",
     .help = "For people.",
     .shape = SHAPE_TEXT,
     .max = PLAN_DESCRIPTION_BYTES_MAX},
    {.name = "labels", .help = "Free, for search.", .shape = SHAPE_STRINGS, .max = PLAN_LABELS_MAX},
    {.name = "input",
     .help = "JSON Schema (a subset) of a run's input. Absent: any object.",
     .shape = SHAPE_SCHEMA},
    {.name = "defaults",
     .help = "For all steps.",
     .shape = SHAPE_OBJECT,
     .object = &DEFAULTS_OBJECT},
    {.name = "steps",
     .help = "The graph.",
     .shape = SHAPE_OBJECTS,
     .min = 1,
     .max = PLAN_STEPS_MAX,
     .object = &PLAN_STEP_OBJECT,
     .required = true},
    {.name = "output", .help = "Of the run; strings may hold expressions.", .shape = SHAPE_FREE},
    {.name = "onFailure",
     .help = "Steps that are run when the run has failed.",
     .shape = SHAPE_OBJECTS,
     .max = PLAN_STEPS_MAX,
     .object = &PLAN_STEP_OBJECT},
};
const struct object PLAN_OBJECT = {"plan", "A plan: a named graph of steps.", PLAN,
                                   ARRAY_LEN(PLAN)};

static const struct unsupported UNSUPPORTED[] = {
    {&PLAN_STEP_OBJECT, "approval", NULL}, {&PLAN_STEP_OBJECT, "sleep", "use the task type sleep"},
    {&PLAN_STEP_OBJECT, "signal", NULL},   {&PLAN_STEP_OBJECT, "plan", NULL},
    {&PLAN_STEP_OBJECT, "foreach", NULL},  {&PLAN_OBJECT, "onFailure", NULL},
};

const char *plan__unsupported(const struct object *object, const char *field, const char **ret_hint)
{
    for (size_t i = 0; i < ARRAY_LEN(UNSUPPORTED); i++) {
        if (UNSUPPORTED[i].object == object && strcmp(UNSUPPORTED[i].field, field) == 0) {
            *ret_hint = UNSUPPORTED[i].hint;
            return UNSUPPORTED[i].field;
        }
    }
    return NULL;
}

const struct field *plan__field(const struct object *object, const char *name)
{
    for (size_t i = 0; i < object->fields_len; i++) {
        if (strcmp(object->fields[i].name, name) == 0)
            return &object->fields[i];
    }
    return NULL;
}
