/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: each is answered once. Plans: compiled once, kept while somebody holds them. */
#include <check.h>
#include <stdlib.h>
#include "plan/plan.h"
#include "plans.h"
#include "tickets.h"

struct heard {
    unsigned replies, updates;
    enum status status;
    enum engine_effect_kind kind;
};

static void on_reply(const struct engine_reply *reply, void *userdata)
{
    struct heard *heard = userdata;

    heard->replies++;
    heard->status = reply->status;
}

static void on_update(const struct engine_effect *effect, void *userdata)
{
    struct heard *heard = userdata;

    heard->updates++;
    heard->kind = effect->kind;
    heard->status = effect->watch.status;
}

static void reply(struct tickets *tickets, uint64_t number, enum status status)
{
    struct engine_reply out = {.ticket = number, .status = status};

    tickets_reply(tickets, &out);
}

static void update(struct tickets *tickets, uint64_t number)
{
    struct engine_effect out = {.kind = ENGINE_WATCH_UPDATE, .watch = {.ticket = number}};

    tickets_update(tickets, &out);
}

START_TEST(a_ticket_is_answered_once)
{
    struct heard heard = {0};
    struct tickets tickets;

    tickets_init(&tickets);
    uint64_t number = tickets_add(&tickets, on_reply, NULL, &heard);
    ck_assert_uint_ne(number, 0);
    reply(&tickets, number, STATUS_OK);
    reply(&tickets, number, STATUS_OK);
    tickets_unavailable(&tickets, number);
    ck_assert_uint_eq(heard.replies, 1);
    ck_assert_int_eq(heard.status, STATUS_OK);
    reply(&tickets, 0, STATUS_OK); /* no answer was wanted */
    reply(&tickets, UINT64_MAX, STATUS_OK);
    tickets_fini(&tickets);
}
END_TEST

START_TEST(a_place_that_is_used_again_has_another_number)
{
    struct heard first = {0}, second = {0};
    struct tickets tickets;

    tickets_init(&tickets);
    uint64_t old = tickets_add(&tickets, on_reply, NULL, &first);
    tickets_remove(&tickets, old);
    uint64_t fresh = tickets_add(&tickets, on_reply, NULL, &second);
    ck_assert_uint_ne(old, fresh);
    reply(&tickets, old, STATUS_OK);
    ck_assert_uint_eq(first.replies + second.replies, 0);
    reply(&tickets, fresh, STATUS_OK);
    ck_assert_uint_eq(second.replies, 1);
    tickets_fini(&tickets);
}
END_TEST

START_TEST(many_tickets_are_kept_apart)
{
    enum { MANY = 1000 };
    static struct heard heard[MANY];
    static uint64_t numbers[MANY];
    struct tickets tickets;

    tickets_init(&tickets);
    for (int i = 0; i < MANY; i++)
        numbers[i] = tickets_add(&tickets, on_reply, NULL, &heard[i]);
    for (int i = 0; i < MANY; i += 2)
        reply(&tickets, numbers[i], STATUS_OK);
    for (int i = 0; i < MANY; i += 2)
        numbers[i] = tickets_add(&tickets, on_reply, NULL, &heard[i]);
    for (int i = MANY - 1; i >= 0; i--)
        reply(&tickets, numbers[i], STATUS_OK);
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(heard[i].replies, i % 2 ? 1 : 2);
    tickets_fini(&tickets);
}
END_TEST

START_TEST(a_watch_lives_until_its_end)
{
    struct heard heard = {0};
    struct tickets tickets;

    tickets_init(&tickets);
    uint64_t number = tickets_add(&tickets, on_reply, on_update, &heard);
    reply(&tickets, number, STATUS_OK);
    update(&tickets, number);
    update(&tickets, number);
    ck_assert_uint_eq(heard.updates, 2);
    tickets_end(&tickets, number, STATUS_UNAVAILABLE);
    ck_assert_int_eq(heard.kind, ENGINE_WATCH_END);
    ck_assert_int_eq(heard.status, STATUS_UNAVAILABLE);
    update(&tickets, number);
    ck_assert_uint_eq(heard.updates, 3);
    tickets_fini(&tickets);
}
END_TEST

START_TEST(a_watch_that_was_refused_has_no_updates)
{
    struct heard heard = {0};
    struct tickets tickets;

    tickets_init(&tickets);
    uint64_t number = tickets_add(&tickets, on_reply, on_update, &heard);
    tickets_unavailable(&tickets, number);
    ck_assert_int_eq(heard.status, STATUS_UNAVAILABLE);
    update(&tickets, number);
    ck_assert_uint_eq(heard.updates, 0);
    tickets_fini(&tickets);
}
END_TEST

static const char PLAN[] = "{\"name\":\"p\",\"steps\":[{\"id\":\"a\",\"task\":\"noop\"}]}";

static struct engine_plan get(struct plans *plans, uint64_t random, uint32_t version)
{
    struct id id = id_make(1700000000000, 0, random);
    struct engine_plan plan;
    struct error error = {0};

    ck_assert_msg(plans_get(plans, &id, version, slice_of(PLAN), &plan, &error) == STATUS_OK, "%s",
                  error.message);
    return plan;
}

START_TEST(a_version_is_compiled_once)
{
    struct plans plans;

    plans_init(&plans);
    struct engine_plan one = get(&plans, 1, 1), same = get(&plans, 1, 1), other = get(&plans, 1, 2);
    ck_assert_ptr_eq(one.plan, same.plan);
    ck_assert_ptr_ne(one.plan, other.plan);
    one.release(one.owner);
    same.release(same.owner);
    other.release(other.owner);
    struct engine_plan again = get(&plans, 1, 1); /* idle ones stay compiled */
    ck_assert_ptr_eq(again.plan, one.plan);
    again.release(again.owner);
    plans_fini(&plans);
}
END_TEST

START_TEST(only_the_last_idle_plans_are_kept)
{
    struct plans plans;

    plans_init(&plans);
    struct engine_plan held = get(&plans, 1, 1);
    for (uint64_t i = 2; i < 2 * PLANS_IDLE_MAX; i++) {
        struct engine_plan plan = get(&plans, i, 1);
        plan.release(plan.owner);
    }
    ck_assert_uint_eq(plans.idle_count, PLANS_IDLE_MAX);
    struct engine_plan same = get(&plans, 1, 1); /* whoever is held is not dropped */
    ck_assert_ptr_eq(same.plan, held.plan);
    same.release(same.owner);
    held.release(held.owner);
    plans_fini(&plans);
}
END_TEST

START_TEST(a_document_that_does_not_compile_is_refused)
{
    struct plans plans;
    struct id id = id_make(1700000000000, 0, 1);
    struct engine_plan plan;
    struct error error = {0};

    plans_init(&plans);
    ck_assert_int_ne(plans_get(&plans, &id, 1, slice_of("{}"), &plan, &error), STATUS_OK);
    plans_fini(&plans);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host");
    TCase *tickets = tcase_create("tickets"), *plans = tcase_create("plans");
    SRunner *runner;
    int failed;

    tcase_add_test(tickets, a_ticket_is_answered_once);
    tcase_add_test(tickets, a_place_that_is_used_again_has_another_number);
    tcase_add_test(tickets, many_tickets_are_kept_apart);
    tcase_add_test(tickets, a_watch_lives_until_its_end);
    tcase_add_test(tickets, a_watch_that_was_refused_has_no_updates);
    tcase_add_test(plans, a_version_is_compiled_once);
    tcase_add_test(plans, only_the_last_idle_plans_are_kept);
    tcase_add_test(plans, a_document_that_does_not_compile_is_refused);
    suite_add_tcase(suite, tickets);
    suite_add_tcase(suite, plans);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
