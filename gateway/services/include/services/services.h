/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICES_SERVICES_H
#define SERVICES_SERVICES_H
/* The services that stand behind the gateway. A new service is one line in services.c. */
#include "rpc/rpc.h"

enum services_backend { SERVICES_CONTROLLER, SERVICES_LOGGER, SERVICES_BACKENDS };

extern const struct rpc_service_desc *const services_all[];
extern const size_t services_all_count;
/* Who answers for a service, by its full name; the controller unless the table says otherwise. */
enum services_backend services_backend_of(const char *service);
const char *services_backend_name(enum services_backend backend);

#endif
