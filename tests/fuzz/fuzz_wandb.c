/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a run-ID.wandb file: read, gone on with, and made into requests. */
#include <stdint.h>
#include <stdlib.h>
#include "sinks/wandb/wandb_body.h"
#include "sinks/wandb/wandb_metric.h"
#include "sinks/wandb/wandb_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice file = {(const char *)data, size};
    struct wandb_reader reader = {.data = file};
    struct wandb_position position = {0};
    struct wandb_run run;
    struct buf body;

    wandb_run_init(&run);
    wandb_run_restore(&run, file);
    if (run.writer.bytes > size)
        abort();
    json_decref(wandb_body_upsert(file));
    json_decref(wandb_metric_line(file, slice_of("step")));
    buf_init(&body, WANDB_BODY_BYTES_MAX);
    while (wandb_body_lines(&reader, &position, &body))
        buf_clear(&body);
    buf_fini(&body);
    wandb_run_fini(&run);
    return 0;
}
