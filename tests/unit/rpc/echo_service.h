/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ECHO_SERVICE_H
#define ECHO_SERVICE_H
/* The Echo service of the tests, and what it saw. */
#include "plankton/test/echo.rpc.h"

struct echo_service {
    struct loop *loop;
    size_t calls, closed, cancelled, expired;
    size_t bytes_in, compressed_in; /* messages that came compressed */
    bool pause_input;               /* streaming calls read nothing until echo_service_resume */
    struct rpc_call *paused;
    char identity[128]; /* of the last unary call's peer */
};
extern const struct plankton_test_echo_ops echo_service_ops;
void echo_service_resume(struct echo_service *service);

#endif
