/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INTEROP_SERVICE_H
#define INTEROP_SERVICE_H
/* grpc.testing.TestService as the public interoperability tests describe it. */
#include "grpc/testing/test.rpc.h"

/* Payloads are zeros; no case asks for as many as a message may have. */
#define INTEROP_PAYLOAD_BYTES_MAX (4 << 20)

struct interop_service {
    struct loop *loop;
};
extern const struct grpc_testing_test_service_ops interop_service_ops;

#endif
