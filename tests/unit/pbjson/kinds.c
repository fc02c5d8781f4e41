/* SPDX-License-Identifier: Apache-2.0 */
#include "kinds.h"
#include <stdio.h>
#include <stdlib.h>

#define DESCRIPTORS_BYTES_MAX (1 << 20)

struct pbjson_registry *kinds_registry(void)
{
    static struct pbjson_registry *registry;
    static char set[DESCRIPTORS_BYTES_MAX];
    struct error err = {0};
    FILE *file;
    size_t len;

    if (registry)
        return registry;
    file = fopen(KINDS_DESCRIPTORS, "rb");
    if (!file)
        abort();
    len = fread(set, 1, sizeof(set), file);
    fclose(file);
    if (pbjson_registry_new((struct slice){set, len}, &registry, &err) != STATUS_OK)
        abort();
    pbjson_register_message(registry, &kinds__inner__descriptor);
    pbjson_register_message(registry, &google__protobuf__duration__descriptor);
    return registry;
}
