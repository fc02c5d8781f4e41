/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_LOGIN_H
#define CLI_LOGIN_H
/* Asks the controller for a one-time login token with the admin key. */
#include "base/error.h"
#include "loop/loop.h"

struct login;
/* done once: the token, or NULL and why. */
struct login *login_start(struct loop *loop, const char *controller, const char *admin_key,
                          void (*done)(const char *token, const struct error *error,
                                       void *userdata),
                          void *userdata);
void login_free(struct login *login); /* NULL allowed */

#endif
