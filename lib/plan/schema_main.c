/* SPDX-License-Identifier: Apache-2.0 */
/* Prints the schema, to renew plan.schema.json: build/…/bin/plan_schema | python3 -m json.tool
 * --indent 2 > plan.schema.json */
#include <stdio.h>
#include <stdlib.h>
#include "plan/plan.h"

int main(void)
{
    return fputs(plan_schema_text(), stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
