/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"
#include "plankton/v1/bulk.rpc.h"
#include "plankton/v1/doctor.rpc.h"
#include "plankton/v1/keys.rpc.h"
#include "plankton/v1/plan_api.rpc.h"
#include "plankton/v1/queues.rpc.h"
#include "plankton/v1/task_controller.rpc.h"
#include "plankton/v1/task_logger.rpc.h"
#include "plankton/v1/task_worker.rpc.h"
#include "services/services.h"

const struct rpc_service_desc *const services_all[] = {
    &plankton_v1_plan_api_desc,    &plankton_v1_task_controller_desc,
    &plankton_v1_task_logger_desc, &plankton_v1_task_worker_desc,
    &plankton_v1_keys_desc,        &plankton_v1_queues_desc,
    &plankton_v1_bulk_desc,        &plankton_v1_doctor_desc,
};
const size_t services_all_count = ARRAY_LEN(services_all);

/* All others are the controller's. */
static const struct {
    const char *service;
    enum services_backend backend;
} elsewhere[] = {
    {"plankton.v1.TaskLogger", SERVICES_LOGGER},
};

enum services_backend services_backend_of(const char *service)
{
    for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
        if (str_eq(elsewhere[i].service, service))
            return elsewhere[i].backend;
    return SERVICES_CONTROLLER;
}

const char *services_backend_name(enum services_backend backend)
{
    return backend == SERVICES_LOGGER ? "logger" : "controller";
}
