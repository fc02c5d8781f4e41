/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONTROLLER_METRICS_H
#define CONTROLLER_METRICS_H
/* The controller's Prometheus metrics, collected from the engine and the relay when they are asked
 * for. */
#include "host/host.h"
#include "relay/relay.h"

void controller_metrics_start(struct host *host, struct relay *relay); /* relay may be NULL */

#endif
