/* SPDX-License-Identifier: Apache-2.0 */
/* Host tool: openapi API.json API.html PLAN.json writes the reference of all services, and the JSON
 * Schema of a plan. */
#include <stdio.h>
#include <stdlib.h>

#include "descriptors/descriptors.h"
#include "openapi/openapi.h"
#include "plan/plan.h"
#include "services/services.h"

static const struct openapi_info info = {
    .title = "Plankton API",
    .version = PLANKTON_VERSION,
    .description =
        "Plans, runs, tasks, workers and logs. Bodies are JSON with camelCase names; 64-bit "
        "integers are strings, times RFC 3339, enums their names. Lists have pageSize and "
        "pageToken. Errors are application/problem+json. Routes with server-sent events resume by "
        "Last-Event-ID.",
};

static int write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(path);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    AUTO(schema_freep) struct schema *schema = NULL;
    AUTO(routes_freep) struct routes *routes = NULL;
    struct slice set = {plankton_descriptor_set_commented, plankton_descriptor_set_commented_bytes};
    struct error err = {0};

    if (argc != 4) {
        fprintf(stderr, "usage: openapi API.json API.html PLAN.json\n");
        return EXIT_FAILURE;
    }
    if (schema_new(set, &schema, &err) != STATUS_OK ||
        routes_new(schema, services_all, services_all_count, &routes, &err) != STATUS_OK) {
        fprintf(stderr, "openapi: %s\n", err.message);
        return EXIT_FAILURE;
    }
    if (write_file(argv[1], openapi_document(schema, routes, &info, arena)) != EXIT_SUCCESS)
        return EXIT_FAILURE;
    if (write_file(argv[3], plan_schema_text()) != EXIT_SUCCESS)
        return EXIT_FAILURE;
    return write_file(argv[2], openapi_page(schema, routes, &info, arena));
}
