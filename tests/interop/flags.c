/* SPDX-License-Identifier: Apache-2.0 */
#include "flags.h"
#include <stdio.h>
#include "base/slice.h"
#include "base/text.h"

static bool set_bool(bool *ret, const char *value)
{
    *ret = !value || str_eq(value, "true");
    return *ret || str_eq(value, "false");
}

static bool set(const struct flag *flag, const char *value)
{
    if (flag->yes)
        return set_bool(flag->yes, value);
    if (!value)
        return false;
    if (flag->number)
        return text_to_i64(value, flag->number) && *flag->number >= 0;
    *flag->text = value;
    return true;
}

static const struct flag *find(const struct flag *flags, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_is(name, flags[i].name))
            return &flags[i];
    }
    return NULL;
}

bool flags_read(const struct flag *flags, size_t count, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *equals = strchr(argv[i], '=');
        const struct flag *flag = NULL;

        if (strncmp(name, "--", 2) == 0) {
            name += 2;
            flag = find(flags, count,
                        (struct slice){name, equals ? (size_t)(equals - name) : strlen(name)});
        }
        if (!flag || !set(flag, equals ? equals + 1 : NULL)) {
            fprintf(stderr, "%s: %s %s; the flags are\n", argv[0], argv[i],
                    flag ? "has no such value" : "is unknown");
            for (size_t j = 0; j < count; j++)
                fprintf(stderr, "  --%s=%s\n", flags[j].name,
                        flags[j].yes      ? "true|false"
                        : flags[j].number ? "N"
                                          : "TEXT");
            return false;
        }
    }
    return true;
}
