/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_PORTS_H
#define CLI_PORTS_H
/*
 * Ports of one installation, all on 127.0.0.1: gateway N, controller N+1, logger N+2, each one's
 * ops port 1,000 above, workers' ops ports from N+1003 on.
 */
#include "base/error.h"

#define PORT_DEFAULT 8080
#define PORT_STEP 3
#define PORT_OPS_OFFSET 1000
#define PORT_TRIES 1000

/* wanted 0: the first free group from the default on; else that group or ALREADY_EXISTS naming the
 * taken port. */
MUST_USE enum status ports_find(int wanted, int workers, int *ret_port, struct error *err);

#endif
