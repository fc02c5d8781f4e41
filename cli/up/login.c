/* SPDX-License-Identifier: Apache-2.0 */
#include "login.h"

#include <stdio.h>
#include <stdlib.h>

#include "plankton/v1/keys.rpc.h"
#include "rpc/rpc.h"

#define LOGIN_TIMEOUT_MS 10000
#define LOGIN_LIFETIME_S 600

struct login {
    struct rpc_channel *channel;
    void (*done)(const char *token, const struct error *error, void *userdata);
    void *userdata;
};

static void created(const ProtobufCMessage *message, const struct error *error, void *userdata)
{
    struct login *login = userdata;

    login->done(message ? ((const Plankton__V1__CreatedKey *)message)->secret : NULL, error,
                login->userdata);
}

struct login *login_start(struct loop *loop, const char *controller, const char *admin_key,
                          void (*done)(const char *token, const struct error *error,
                                       void *userdata),
                          void *userdata)
{
    struct login *login = mem_zalloc(sizeof *login);
    char authorization[160];
    Google__Protobuf__Duration lifetime = GOOGLE__PROTOBUF__DURATION__INIT;
    Plankton__V1__CreateKeyRequest request = PLANKTON__V1__CREATE_KEY_REQUEST__INIT;
    struct rpc_channel_options options;
    struct rpc_call_options call = {.timeout_ms = LOGIN_TIMEOUT_MS, .wait_for_ready = true};

    snprintf(authorization, sizeof authorization, "Bearer %s", admin_key);
    options = rpc_channel_defaults(authorization, NULL);
    login->done = done;
    login->userdata = userdata;
    login->channel = rpc_channel_new(loop, controller, &options);
    lifetime.seconds = LOGIN_LIFETIME_S;
    request.name = "login link";
    request.role = PLANKTON__V1__ROLE__ROLE_ADMIN;
    request.lifetime = &lifetime;
    request.single_use = true;
    rpc_channel_unary(login->channel, &plankton_v1_keys_create_key, &call, &request.base, created,
                      login);
    return login;
}

void login_free(struct login *login)
{
    if (!login)
        return;
    rpc_channel_free(login->channel);
    free(login);
}
