/* SPDX-License-Identifier: Apache-2.0 */
/* `plankton keys` and `plankton whoami`. */
#include "../cli.h"
#include "client/output.h"
#include "client/values.h"
#include "plankton/v1/access.pb-c.h"
#include "plankton/v1/keys.rpc.h"
#include "verbs.h"

struct create_settings {
    const char *name, *role;
    int64_t lifetime_ms;
    bool single_use;
};

static const struct option create_options[] = {
    {"name", 'n', OPTION_TEXT, offsetof(struct create_settings, name), "NAME", "for people", 0, 0,
     0},
    {"role", 'r', OPTION_TEXT, offsetof(struct create_settings, role), "ROLE",
     "admin or worker (admin)", 0, 0, 0},
    {"lifetime", 0, OPTION_DURATION, offsetof(struct create_settings, lifetime_ms), "TIME",
     "until it expires, e.g. 30d (never)", 1000, INT64_MAX, 0},
    {"single-use", 0, OPTION_FLAG, offsetof(struct create_settings, single_use), NULL,
     "a login token for the web page", 0, 0, 0},
};

static const char *role_word(Plankton__V1__Role role, struct arena *arena)
{
    return enum_word(&plankton__v1__role__descriptor, (int)role, arena);
}

static int keys_create(struct invocation *in)
{
    const struct create_settings *settings = in->settings;
    Plankton__V1__CreateKeyRequest request = PLANKTON__V1__CREATE_KEY_REQUEST__INIT;
    Google__Protobuf__Duration lifetime = GOOGLE__PROTOBUF__DURATION__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__CreatedKey *created;
    struct error error = {0};
    int role = PLANKTON__V1__ROLE__ROLE_ADMIN;

    if (settings->role && enum_parse(&plankton__v1__role__descriptor, "--role", settings->role,
                                     in->arena, &role, &error) != STATUS_OK)
        return command_misused(in, &error);
    request.name = (char *)(settings->name      ? settings->name
                            : in->operand_count ? in->operands[0]
                                                : "");
    request.role = (Plankton__V1__Role)role;
    request.single_use = settings->single_use;
    if (settings->lifetime_ms) {
        lifetime.seconds = settings->lifetime_ms / 1000;
        lifetime.nanos = (int32_t)(settings->lifetime_ms % 1000) * 1000000;
        request.lifetime = &lifetime;
    }
    enum status st = client_open(in, &client, &error);
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, keys_create_key, &request, &created, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&created->base);
    fprintf(stderr, "key %s, %s; the secret is shown only now\n", created->key->id,
            role_word(created->key->role, in->arena));
    printf("%s\n", created->secret);
    return 0;
}

static const char *key_state(const Plankton__V1__Key *key, int64_t now)
{
    if (key->revoked_at)
        return "revoked";
    return key->expires_at && timestamp_us(key->expires_at) < now ? "expired" : "valid";
}

static int keys_list(struct invocation *in)
{
    static const char *const HEADINGS[] = {"ID",      "NAME",    "ROLE",     "STATE",
                                           "CREATED", "EXPIRES", "LAST USED"};
    Plankton__V1__ListKeysRequest request = PLANKTON__V1__LIST_KEYS_REQUEST__INIT;
    Plankton__V1__ListKeysResponse *response;
    AUTO(client_close) struct client client = {0};
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    if (st == STATUS_OK)
        st = CLIENT_LIST(&client, keys_list_keys, &request, LIST_MAX, &response, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&response->base);
    struct table *table = table_new(HEADINGS, ARRAY_LEN(HEADINGS));
    int64_t now = clock_unix_us();
    for (size_t i = 0; i < response->n_keys; i++) {
        const Plankton__V1__Key *key = response->keys[i];
        const char *cells[] = {key->id,
                               key->name,
                               role_word(key->role, in->arena),
                               key_state(key, now),
                               time_relative(key->created_at, now, in->arena),
                               key->expires_at ? time_relative(key->expires_at, now, in->arena)
                                               : "never",
                               time_relative(key->last_used_at, now, in->arena)};
        table_row(table, cells);
    }
    table_print(table, "no keys");
    return 0;
}

static int keys_revoke(struct invocation *in)
{
    Plankton__V1__RevokeKeyRequest request = PLANKTON__V1__REVOKE_KEY_REQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Key *key;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    request.id = (char *)in->operands[0];
    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, keys_revoke_key, &request, &key, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&key->base);
    printf("key %s (%s) is revoked\n", key->id, key->name);
    return 0;
}

int verb_keys(int argc, char **argv)
{
    static const struct command commands[] = {
        {.name = "create",
         .operands = "[NAME]",
         .summary = "make a key; prints its secret, once",
         .options = create_options,
         .option_count = ARRAY_LEN(create_options),
         .settings_bytes = sizeof(struct create_settings),
         .operands_max = 1,
         .run = keys_create},
        {.name = "list", .summary = "list keys", .run = keys_list},
        {.name = "revoke",
         .operands = "ID",
         .summary = "end a key",
         .operands_min = 1,
         .operands_max = 1,
         .run = keys_revoke},
    };
    static const struct noun noun = {
        .name = "keys", .commands = commands, .command_count = ARRAY_LEN(commands)};

    return noun_run(&noun, argc, argv);
}

static int whoami_run(struct invocation *in)
{
    Plankton__V1__WhoAmIRequest request = PLANKTON__V1__WHO_AM_IREQUEST__INIT;
    AUTO(client_close) struct client client = {0};
    Plankton__V1__Identity *identity;
    struct error error = {0};
    enum status st = client_open(in, &client, &error);

    if (st == STATUS_OK)
        st = CLIENT_CALL(&client, keys_who_am_i, &request, &identity, &error);
    if (st != STATUS_OK)
        return cli_fail(&error);
    if (in->json)
        return output_message(&identity->base);
    field_print("name", identity->name);
    field_print("role", role_word(identity->role, in->arena));
    field_print("namespace", identity->namespace_);
    field_print("key", identity->key_id);
    field_print("controller", client.controller);
    return 0;
}

int verb_whoami(int argc, char **argv)
{
    static const struct command command = {.summary = "say who the key belongs to",
                                           .run = whoami_run};
    static const struct noun noun = {.name = "whoami", .commands = &command, .command_count = 1};

    return noun_run(&noun, argc, argv);
}
