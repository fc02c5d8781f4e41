/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GATEWAY_FIXTURE_H
#define GATEWAY_FIXTURE_H
/* The descriptor set of the tests' own .proto files, and the tables made from it. */
#include <check.h>

#include "pbjson/pbjson.h"
#include "routes/routes.h"
#include "shelf.rpc.h"

struct fixture {
    struct arena arena;
    struct slice set; /* bytes of the descriptor set, in the arena */
    struct schema *schema;
    struct schema only; /* of one service */
    const struct schema_service *service;
    struct routes *routes;
    struct pbjson_registry *registry;
};
/* Routes of plankton.testing.Shelf. */
void fixture_init(struct fixture *fixture);
void fixture_fini(struct fixture *fixture);
/* Reduces the schema to one service. */
const struct schema *fixture_only(struct fixture *fixture, const char *service);
const struct route *fixture_route(const struct fixture *fixture, const char *verb,
                                  const char *path);

Suite *schema_suite(void);
Suite *routes_suite(void);
Suite *bind_suite(void);
Suite *render_suite(void);
Suite *problem_suite(void);
Suite *openapi_suite(void);
Suite *edge_suite(void);
Suite *site_suite(void);

#endif
