/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LOGGER_API_H
#define LOGGER_API_H
/* The service TaskLogger: each method to its module. */
#include "ingest/ingest.h"
#include "query/query.h"
#include "sinks/sinks.h"
#include "store/store.h"

struct api {
    struct ingest *ingest;
    struct store *store;
    struct query *query;
    struct sinks *sinks;
};
void api_register(struct api *api, struct rpc_server *server);

#endif
