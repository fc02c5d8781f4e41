/* SPDX-License-Identifier: Apache-2.0 */
#include "internal.h"

int64_t plan_backoff_ms(const struct plan_retry *retry, uint32_t attempt, double random)
{
    double most = (double)retry->max_backoff_ms;
    double wait = (double)retry->initial_backoff_ms;

    /* Multiplied step by step: no power that overflows, and the end is known once the longest wait
     * is reached. */
    for (uint32_t i = 1; i < attempt && wait < most && retry->multiplier > 1; i++)
        wait *= retry->multiplier;
    wait = MIN_OF(wait, most);
    wait += wait * retry->jitter * (2 * random - 1);
    return wait < 0 ? 0 : (int64_t)wait;
}
