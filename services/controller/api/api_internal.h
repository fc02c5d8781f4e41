/* SPDX-License-Identifier: Apache-2.0 */
#ifndef API_INTERNAL_H
#define API_INTERNAL_H
/* What the files of api/ share: the service's state, conversions, paging, reads that fall back from
 * memory to the database. */
#include "api/api.h"
#include "base/map.h"
#include "plankton/v1/bulk.rpc.h"
#include "plankton/v1/doctor.rpc.h"
#include "plankton/v1/keys.rpc.h"
#include "plankton/v1/plan_api.rpc.h"
#include "plankton/v1/queues.rpc.h"
#include "plankton/v1/task_controller.rpc.h"
#include "spec/spec.h"

struct api {
    struct loop *loop;
    struct host *host;
    const struct cluster_key *cluster_key;
    const char *admin_key, *worker_key;
    struct pbjson_registry *registry;
    struct map auth_cache; /* by digest of the key */
    size_t auth_cached;
    struct bulk *bulk;
    int bootstrapping; /* bootstrap keys on their way to the database */
};

/* ---- auth.c ---- */
void auth_init(struct api *api);
void auth_fini(struct api *api);
void auth_forget(struct api *api); /* a key was revoked: look all up again */
void auth_authorize(struct rpc_call *call, void *userdata);
static inline const struct api_principal *api_principal_of(const struct rpc_call *call)
{
    return rpc_call_principal(call);
}

/* ---- convert.c: engine <-> messages; memory from the arena ---- */
Plankton__V1__Json *convert_json(struct arena *arena, struct slice text);   /* NULL when empty */
Google__Protobuf__Timestamp *convert_time(struct arena *arena, int64_t us); /* NULL when 0 */
char *convert_id(struct arena *arena, const struct id *id);                 /* "" when nil */
Plankton__V1__Failure *convert_failure(struct arena *arena, const struct engine_failure *failure);
Plankton__V1__CancelRequest *convert_cancel(struct arena *arena,
                                            const struct engine_cancel *cancel);
Plankton__V1__Task *convert_task(struct api *api, struct arena *arena,
                                 const struct engine_task_view *view, bool bodies);
Plankton__V1__Run *convert_run(struct api *api, struct arena *arena,
                               const struct engine_run_view *view, bool bodies);
/* A committed row as a view. */
struct engine_task_view convert_task_row(const struct engine_task_row *row);
struct engine_run_view convert_run_row(const struct engine_run_row *row);

/* ---- requests ---- */
/* SHA-256 of the packed message: set request_id to "" before. */
void api_digest(const ProtobufCMessage *message, uint8_t out[32]);
MUST_USE enum status api_check_text(const char *text, size_t bytes_max, const char *field,
                                    struct error *err);
/* An id of this cluster, else NOT_FOUND naming `what`. */
MUST_USE enum status api_parse_id(struct api *api, const char *text, const char *what,
                                  struct id *ret, struct error *err);
MUST_USE enum status api_page(struct api *api, int32_t page_size, uint32_t size_default,
                              const char *page_token, const char *filter, uint32_t *ret_limit,
                              void *cursor, size_t cursor_bytes, bool *ret_has_cursor,
                              struct error *err);
char *api_next_page(struct api *api, struct arena *arena, const char *filter, const void *cursor,
                    size_t cursor_bytes);
/* Fails the call with what the engine said. */
void api_fail_reply(struct rpc_call *call, const struct engine_reply *reply);
void api_fail(struct rpc_call *call, enum status status, const char *reason, const char *field,
              const char *fmt, ...) PRINTF_LIKE(5, 6);

/* ---- reads: from memory, or committed rows when it is not held there ---- */
/* Exactly once; view NULL: NOT_FOUND or the error. The view lives until fn returns. */
typedef void (*api_task_fn)(struct rpc_call *call, const struct engine_task_view *view,
                            const struct error *err, void *userdata);
typedef void (*api_run_fn)(struct rpc_call *call, const struct engine_run_view *view,
                           const struct error *err, void *userdata);
void api_read_task(struct api *api, struct rpc_call *call, const struct id *id, api_task_fn fn,
                   void *userdata);
void api_read_run(struct api *api, struct rpc_call *call, const struct id *id, api_run_fn fn,
                  void *userdata);
/* All steps in the plan's order. */
struct api_run_tasks {
    const struct engine_run_view *run;
    const struct engine_task_view *tasks;
    size_t tasks_len;
    const struct plan *plan; /* only when with_plan was asked for, or the run is not in memory */
};
typedef void (*api_run_tasks_fn)(struct rpc_call *call, const struct api_run_tasks *tasks,
                                 const struct error *err, void *userdata);
void api_read_run_tasks(struct api *api, struct rpc_call *call, const struct id *id, bool with_plan,
                        api_run_tasks_fn fn, void *userdata);
/* By id or name. */
typedef void (*api_plan_fn)(struct rpc_call *call, const struct store_plan *plan,
                            const struct error *err, void *userdata);
void api_read_plan(struct api *api, struct rpc_call *call, const char *id_or_name, uint32_t version,
                   api_plan_fn fn, void *userdata);

/* ---- bulk.c ---- */
struct bulk *bulk_new(struct api *api);
void bulk_free(struct bulk *bulk);

extern const struct plankton_v1_bulk_ops api_bulk_ops;
extern const struct plankton_v1_doctor_ops api_doctor_ops;
extern const struct plankton_v1_task_controller_ops api_task_ops;
extern const struct plankton_v1_plan_api_ops api_plan_ops;
extern const struct plankton_v1_keys_ops api_keys_ops;
extern const struct plankton_v1_queues_ops api_queues_ops;
/* Handlers of TaskController in files of their own (tasks_list.c, tasks_watch.c). */
void tasks_list(struct rpc_call *call, const Plankton__V1__ListTasksRequest *request);
/* Fills what the filter says; texts stay the message's. err->field is a path below prefix. */
MUST_USE enum status api_task_filter(const Plankton__V1__TaskFilter *in, const char *prefix,
                                     struct arena *arena, struct store_task_filter *ret,
                                     struct error *err);
void tasks_watch(struct rpc_call *call, const Plankton__V1__WatchTasksRequest *request);
/* Handlers of PlanAPI about runs (runs.c), put into api_plan_ops by plans.c. */
void runs_start(struct rpc_call *call, const Plankton__V1__StartRunRequest *request);
void runs_get(struct rpc_call *call, const Plankton__V1__GetRunRequest *request);
void runs_list(struct rpc_call *call, const Plankton__V1__ListRunsRequest *request);
void runs_list_tasks(struct rpc_call *call, const Plankton__V1__ListRunTasksRequest *request);
void runs_graph(struct rpc_call *call, const Plankton__V1__GetRunGraphRequest *request);
void runs_watch(struct rpc_call *call, const Plankton__V1__WatchRunRequest *request);
void runs_cancel(struct rpc_call *call, const Plankton__V1__CancelRunRequest *request);
void runs_pause(struct rpc_call *call, const Plankton__V1__PauseRunRequest *request);
void runs_resume(struct rpc_call *call, const Plankton__V1__ResumeRunRequest *request);
void runs_rerun(struct rpc_call *call, const Plankton__V1__RerunRunRequest *request);

#endif
