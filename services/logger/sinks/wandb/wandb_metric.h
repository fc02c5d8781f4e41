/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SINKS_WANDB_METRIC_H
#define SINKS_WANDB_METRIC_H
/* Numbers that tasks give, as flat keys of a history row. Pure. */
#include "base/slice.h"
#include "json/json.h"

/* The row of a line such as {"metric": {"loss": 0.1, "eval": {"acc": 0.9}}}: keys `loss` and
 * `eval/acc`, behind the step's name. NULL: it is no such line. */
json_t *wandb_metric_line(struct slice text, struct slice step);
/* Adds the numbers of a result; prefix: a step's name or "". A number that stands alone is called
 * `result`. */
void wandb_metric_result(json_t *row, const char *prefix, struct slice result);

#endif
