/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "types/parameters.h"

bool parameters_parse(struct attempt *attempt, const char *const *known, size_t known_count,
                      json_t **ret)
{
    const Plankton__V1__Json *parameters = attempt->lease->parameters;
    const char *text = parameters && *parameters->text ? parameters->text : "{}";
    struct error err = {0};
    const char *key;
    json_t *value;

    if (json_parse(slice_of(text), PARAMETERS_BYTES_MAX, ret, &err) != STATUS_OK) {
        attempt_bad_input(attempt, "parameters", "%s", err.message);
        return false;
    }
    if (!json_is_object(*ret)) {
        attempt_bad_input(attempt, "parameters", "must be an object");
        return false;
    }
    json_object_foreach(*ret, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < known_count; i++)
            found |= strcmp(known[i], key) == 0;
        if (found)
            continue;
        const char *near = text_nearest(key, known, known_count);
        char field[96];
        snprintf(field, sizeof field, "parameters.%.64s", key);
        for (char *c = field; *c; c++) /* it stands inside a JSON string and a message */
            *c = *c < ' ' || *c == '"' || *c == '\\' || (unsigned char)*c >= 0x7f ? '?' : *c;
        attempt_bad_input(attempt, field, "is not a parameter of this type%s%s%s",
                          near ? ", did you mean " : "", near ? near : "", near ? "?" : "");
        return false;
    }
    return true;
}

bool parameters_refuse_environment(struct attempt *attempt)
{
    const Plankton__V1__Environment *environment = attempt->lease->environment;

    if (!environment)
        return true;
    if (environment->n_secrets)
        attempt_bad_input(attempt, "environment.secrets",
                          "this worker cannot give secrets to tasks");
    else if (*environment->container_image)
        attempt_bad_input(attempt, "environment.containerImage",
                          "this type does not run in a container");
    else
        return true;
    return false;
}
