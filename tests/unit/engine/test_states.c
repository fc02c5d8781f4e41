/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

START_TEST(terminal_states_lead_nowhere)
{
    for (unsigned from = 1; from < ENGINE_TASK_STATES; from++) {
        unsigned ways = 0;

        for (unsigned to = 0; to < ENGINE_TASK_STATES; to++)
            ways += engine_task_may_move((enum engine_task_state)from, (enum engine_task_state)to);
        ck_assert_int_eq(ways == 0, engine_task_state_is_terminal((enum engine_task_state)from));
    }
}
END_TEST

START_TEST(every_state_but_none_can_be_reached_and_none_is_never_entered)
{
    for (unsigned to = 0; to < ENGINE_TASK_STATES; to++) {
        unsigned ways = 0;

        for (unsigned from = 0; from < ENGINE_TASK_STATES; from++)
            ways += engine_task_may_move((enum engine_task_state)from, (enum engine_task_state)to);
        ck_assert_int_eq(ways == 0, to == ENGINE_TASK_NONE);
    }
}
END_TEST

START_TEST(the_table_is_the_one_that_the_docs_draw)
{
    static const uint8_t MOVES[][2] = {
        {0, 1}, {0, 2}, {0, 5}, {0, 7}, {0, 9}, {1, 2}, {1, 5}, {1, 6},
        {2, 3}, {2, 5}, {2, 6}, {3, 2}, {3, 4}, {3, 5}, {3, 6}, {3, 8},
        {8, 2}, {8, 5}, {8, 6}, {9, 4}, {9, 5}, {9, 6}, {9, 7},
    };

    for (unsigned from = 0; from < ENGINE_TASK_STATES; from++) {
        for (unsigned to = 0; to < ENGINE_TASK_STATES; to++) {
            bool listed = false;

            for (size_t i = 0; i < ARRAY_LEN(MOVES); i++)
                listed = listed || (MOVES[i][0] == from && MOVES[i][1] == to);
            ck_assert_msg(engine_task_may_move((enum engine_task_state)from,
                                               (enum engine_task_state)to) == listed,
                          "%s -> %s", engine_task_state_name((enum engine_task_state)from),
                          engine_task_state_name((enum engine_task_state)to));
        }
    }
}
END_TEST

START_TEST(names_and_states_match_both_ways)
{
    for (unsigned i = 1; i < ENGINE_TASK_STATES; i++) {
        const char *name = engine_task_state_name((enum engine_task_state)i);

        ck_assert_int_eq(engine_task_state_from_name(name), (int)i);
    }
    for (unsigned i = 1; i <= ENGINE_RUN_WAITING; i++)
        ck_assert_int_eq(
            engine_run_state_from_name(engine_run_state_name((enum engine_run_state)i)), (int)i);
    ck_assert_int_eq(engine_task_state_from_name("nonsense"), ENGINE_TASK_NONE);
}
END_TEST

START_TEST(a_finished_run_never_moves_again)
{
    for (unsigned from = 0; from <= ENGINE_RUN_WAITING; from++) {
        if (!engine_run_state_is_terminal((enum engine_run_state)from))
            continue;
        for (unsigned to = 0; to <= ENGINE_RUN_WAITING; to++)
            ck_assert(!engine_run_may_move((enum engine_run_state)from, (enum engine_run_state)to));
    }
}
END_TEST

Suite *states_suite(void)
{
    Suite *suite = suite_create("states");
    TCase *tcase = tcase_create("states");

    tcase_add_test(tcase, terminal_states_lead_nowhere);
    tcase_add_test(tcase, every_state_but_none_can_be_reached_and_none_is_never_entered);
    tcase_add_test(tcase, the_table_is_the_one_that_the_docs_draw);
    tcase_add_test(tcase, names_and_states_match_both_ways);
    tcase_add_test(tcase, a_finished_run_never_moves_again);
    suite_add_tcase(suite, tcase);
    return suite;
}
