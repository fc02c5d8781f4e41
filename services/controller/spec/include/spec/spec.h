/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPEC_SPEC_H
#define SPEC_SPEC_H
/*
 * What a task is, between its three forms: the TaskSpec message of a request, the engine's struct,
 * and the `spec_text` that is stored (proto3 JSON of the TaskSpec without what has a column of its
 * own; empty for a task with nothing special).
 */
#include "engine/engine_types.h"
#include "pbjson/pbjson.h"
#include "plankton/v1/task.pb-c.h"

#define SPEC_PRIORITY_MAX 9
#define SPEC_PRIORITY_DEFAULT 5
#define SPEC_LABELS_MAX 32
#define SPEC_LABEL_BYTES_MAX 256

/* Checks and converts; err->field is a path below prefix ("" or "items[3].task."). Texts stay the
 * message's or go to the arena. */
MUST_USE enum status spec_from_message(struct pbjson_registry *registry, struct arena *arena,
                                       const Plankton__V1__TaskSpec *message, const char *prefix,
                                       struct engine_spec *ret, struct error *err);
/* Completes a stored row: spec_text -> requires, retry, timeouts, limits, environment, labels. */
void spec_complete(struct pbjson_registry *registry, struct arena *arena, struct engine_spec *spec);
/* spec_text as a message, NULL when empty. */
const Plankton__V1__TaskSpec *spec_message(struct pbjson_registry *registry, struct arena *arena,
                                           struct slice spec_text);
/* Labels of a run as JSON, and back as the labels of a TaskSpec (NULL when empty). */
MUST_USE enum status spec_labels_text(struct arena *arena, size_t n, char *const *keys,
                                      char *const *values, const char *field, struct slice *ret,
                                      struct error *err);

#endif
