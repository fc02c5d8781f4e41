/* SPDX-License-Identifier: Apache-2.0 */
/* Plans: saved once, versioned, archived; by the owner of their shard alone. */
#include <stdio.h>
#include "sql/live_store.h"
#include "world.h"

#define SHARD 1

struct plan_answer {
    bool done, found;
    struct error err;
    struct id id;
    uint32_t version, steps;
    char name[32], document[64];
    int64_t archived_us;
    size_t listed;
    uint32_t versions[8];
    struct id ids[8];
};

static void plan_answered(const struct store_plan *plan, const struct error *err, void *userdata)
{
    struct plan_answer *out = userdata;

    if (err)
        out->err = *err;
    if (plan) {
        out->found = true;
        out->id = plan->id;
        out->version = plan->version;
        out->steps = plan->steps;
        out->archived_us = plan->archived_us;
        snprintf(out->name, sizeof out->name, "%s", plan->name);
        snprintf(out->document, sizeof out->document, "%.*s", (int)plan->document.len,
                 plan->document.data);
    }
    out->done = true;
}

static void plans_answered(const struct store_plan *plans, size_t n, const struct error *err,
                           void *userdata)
{
    struct plan_answer *out = userdata;

    ck_assert_ptr_null(err);
    ck_assert_uint_le(n, 8);
    out->listed = n;
    for (size_t i = 0; i < n; i++) {
        out->versions[i] = plans[i].version;
        out->ids[i] = plans[i].id;
        ck_assert_uint_eq(plans[i].document.len, 0);
    }
    out->done = true;
}

static struct store_plan plan_named(const char *name)
{
    return (struct store_plan){.id = world_id(SHARD),
                               .namespace_id = 1,
                               .name = name,
                               .description = "nightly",
                               .version = 1,
                               .document = slice_of("{\"v\":1}"),
                               .source = slice_of("v: 1"),
                               .message = "",
                               .steps = 4,
                               .created_us = world_now_us(),
                               .updated_us = world_now_us()};
}

static struct plan_answer insert(struct node *node, const struct store_plan *plan, const char *key,
                                 uint8_t digest_byte)
{
    struct plan_answer out = {0};
    uint8_t digest[32] = {digest_byte};

    store_plan_insert(node->store, plan, key, digest, plan_answered, &out);
    ck_assert(!out.done);
    world_wait_flag(&out.done, "plan insert");
    return out;
}

static struct plan_answer read_plan(struct node *node, const struct id *id, const char *name,
                                    uint32_t version)
{
    struct plan_answer out = {0};

    store_plan_read(node->store, 1, id, name, version, plan_answered, &out);
    world_wait_flag(&out.done, "plan read");
    ck_assert_int_eq(out.err.status, STATUS_OK);
    return out;
}

static struct plan_answer add_version(struct node *node, const struct id *id, uint32_t expected)
{
    struct store_plan plan = plan_named("p");
    struct plan_answer out = {0};

    plan.id = *id;
    plan.document = slice_of("{\"v\":2}");
    plan.steps = 5;
    store_plan_add_version(node->store, &plan, expected, plan_answered, &out);
    world_wait_flag(&out.done, "new version");
    return out;
}

static struct plan_answer archive(struct node *node, const struct id *id)
{
    struct plan_answer out = {0};

    store_plan_archive(node->store, 1, id, world_now_us() + 5, plan_answered, &out);
    world_wait_flag(&out.done, "archive");
    return out;
}

START_TEST(a_plan_is_saved_and_read_by_id_and_name)
{
    struct node *node = node_owning("first");
    struct store_plan plan = plan_named("p");
    struct plan_answer made = insert(node, &plan, "", 0);

    ck_assert(made.found);
    ck_assert(id_eq(&made.id, &plan.id));
    ck_assert_uint_eq(made.version, 1);
    ck_assert_uint_eq(made.steps, 4);
    ck_assert_str_eq(made.document, "{\"v\":1}");
    ck_assert(read_plan(node, &plan.id, NULL, 0).found);
    ck_assert(read_plan(node, NULL, "p", 1).found);
    ck_assert(!read_plan(node, NULL, "p", 2).found);
    ck_assert(!read_plan(node, NULL, "q", 0).found);
    node_stop(node);
}
END_TEST

START_TEST(a_name_is_taken_until_its_plan_is_archived)
{
    struct node *node = node_owning("first");
    struct store_plan plan = plan_named("p"), other = plan_named("p");

    ck_assert(insert(node, &plan, "", 0).found);
    struct plan_answer refused = insert(node, &other, "key", 1);
    ck_assert_int_eq(refused.err.status, STATUS_ALREADY_EXISTS);
    ck_assert_str_eq(refused.err.reason, "PLAN_NAME_TAKEN");
    ck_assert_int_eq(world_of_shard(&SQL_test_count_keys, 3), 0); /* nor does its key stay */
    struct plan_answer gone = archive(node, &plan.id);
    ck_assert_int_eq(gone.archived_us, world_now_us() + 5);
    ck_assert_int_eq(archive(node, &plan.id).archived_us, world_now_us() + 5);
    ck_assert(insert(node, &other, "key", 1).found);
    struct plan_answer named = read_plan(node, NULL, "p", 0);
    ck_assert(id_eq(&named.id, &other.id));
    struct id nobody = world_id(SHARD);
    struct plan_answer none = archive(node, &nobody);
    ck_assert(!none.found && none.err.status == STATUS_OK);
    node_stop(node);
}
END_TEST

START_TEST(a_key_gives_the_first_plan_again)
{
    struct node *node = node_owning("first");
    struct store_plan plan = plan_named("p"), again = plan_named("p"), other = plan_named("other");

    ck_assert(insert(node, &plan, "key", 7).found);
    struct plan_answer replayed = insert(node, &again, "key", 7);
    ck_assert(replayed.found);
    ck_assert(id_eq(&replayed.id, &plan.id));
    struct plan_answer conflict = insert(node, &other, "key", 8);
    ck_assert_int_eq(conflict.err.status, STATUS_ALREADY_EXISTS);
    ck_assert_str_eq(conflict.err.reason, "REQUEST_ID_CONFLICT");
    ck_assert(!read_plan(node, NULL, "other", 0).found);
    node_stop(node);
}
END_TEST

START_TEST(the_same_key_at_the_same_time_makes_one_plan)
{
    struct node *node = node_owning("first");
    struct store_plan plans[] = {plan_named("p"), plan_named("p")};
    struct plan_answer out[2] = {{0}, {0}};
    uint8_t digest[32] = {1};

    for (int i = 0; i < 2; i++) /* on two connections */
        store_plan_insert(node->store, &plans[i], "key", digest, plan_answered, &out[i]);
    world_wait_flag(&out[0].done, "one");
    world_wait_flag(&out[1].done, "two");
    ck_assert(out[0].found && out[1].found);
    ck_assert(id_eq(&out[0].id, &out[1].id));
    node_stop(node);
}
END_TEST

START_TEST(a_task_may_have_the_key_of_a_plan)
{
    struct node *node = node_owning("first");
    struct store_plan plan = plan_named("p");
    struct engine_shard_batch batch = node_batch(node, SHARD);
    struct engine_key_row key = {.namespace_id = 1, .key = "key", .id = world_id(SHARD)};

    ck_assert(insert(node, &plan, "key", 7).found);
    batch.keys_insert = &key;
    batch.keys_insert_len = 1;
    struct written *written = node_write(node, &batch, 1);
    written_wait(written);
    ck_assert(written->durable);
    node_stop(node);
}
END_TEST

START_TEST(versions_are_added_to_the_expected_one)
{
    struct node *node = node_owning("first");
    struct store_plan plan = plan_named("p");

    ck_assert(insert(node, &plan, "", 0).found);
    struct plan_answer added = add_version(node, &plan.id, 1);
    ck_assert_uint_eq(added.version, 2);
    ck_assert_str_eq(added.document, "{\"v\":2}");
    struct plan_answer late = add_version(node, &plan.id, 1);
    ck_assert_int_eq(late.err.status, STATUS_ABORTED);
    ck_assert_str_eq(late.err.reason, "ETAG_MISMATCH");
    ck_assert_uint_eq(add_version(node, &plan.id, 0).version, 3); /* whatever is the newest */
    ck_assert_str_eq(read_plan(node, &plan.id, NULL, 1).document, "{\"v\":1}"); /* stays */

    struct plan_answer list = {0};
    store_plan_versions(node->store, 1, &plan.id, 0, 2, plans_answered, &list);
    world_wait_flag(&list.done, "versions");
    ck_assert_uint_eq(list.listed, 2);
    ck_assert_uint_eq(list.versions[0], 3);
    ck_assert_uint_eq(list.versions[1], 2);

    archive(node, &plan.id);
    struct plan_answer closed = add_version(node, &plan.id, 0);
    ck_assert_int_eq(closed.err.status, STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(closed.err.reason, "PLAN_ARCHIVED");
    struct id nobody = world_id(SHARD);
    struct plan_answer none = add_version(node, &nobody, 0);
    ck_assert(!none.found && none.err.status == STATUS_OK);
    node_stop(node);
}
END_TEST

START_TEST(lists_are_newest_first_and_filtered)
{
    struct node *node = node_owning("first");
    struct store_plan plans[] = {plan_named("alpha"), plan_named("beta"), plan_named("gamma")};
    struct store_plan_filter filter = {.namespace_id = 1, .limit = 2};
    struct plan_answer list = {0};

    for (int i = 0; i < 3; i++)
        insert(node, &plans[i], "", 0);
    store_plan_list(node->store, &filter, plans_answered, &list);
    world_wait_flag(&list.done, "list");
    ck_assert_uint_eq(list.listed, 2);
    ck_assert(id_eq(&list.ids[0], &plans[2].id));
    ck_assert(id_eq(&list.ids[1], &plans[1].id));
    filter.before = list.ids[1];
    list = (struct plan_answer){0};
    store_plan_list(node->store, &filter, plans_answered, &list);
    world_wait_flag(&list.done, "second page");
    ck_assert_uint_eq(list.listed, 1);
    filter = (struct store_plan_filter){.namespace_id = 1, .limit = 8, .q = "BET"};
    list = (struct plan_answer){0};
    store_plan_list(node->store, &filter, plans_answered, &list);
    world_wait_flag(&list.done, "search");
    ck_assert_uint_eq(list.listed, 1);
    filter.namespace_id = 2;
    list = (struct plan_answer){0};
    store_plan_list(node->store, &filter, plans_answered, &list);
    world_wait_flag(&list.done, "another namespace");
    ck_assert_uint_eq(list.listed, 0);
    node_stop(node);
}
END_TEST

START_TEST(a_deposed_owner_saves_no_plan)
{
    struct node *node = node_owning("first");
    struct store_plan plan = plan_named("p");

    world_of_shard(&SQL_test_depose, SHARD);
    struct plan_answer out = insert(node, &plan, "", 0);
    ck_assert(!out.found);
    ck_assert_int_eq(out.err.status, STATUS_UNAVAILABLE);
    ck_assert(!read_plan(node, &plan.id, NULL, 0).found);
    node_stop(node);
}
END_TEST

TCase *plans_tcase(void)
{
    TCase *tcase = tcase_create("plans");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_plan_is_saved_and_read_by_id_and_name);
    tcase_add_test(tcase, a_name_is_taken_until_its_plan_is_archived);
    tcase_add_test(tcase, a_key_gives_the_first_plan_again);
    tcase_add_test(tcase, the_same_key_at_the_same_time_makes_one_plan);
    tcase_add_test(tcase, a_task_may_have_the_key_of_a_plan);
    tcase_add_test(tcase, versions_are_added_to_the_expected_one);
    tcase_add_test(tcase, lists_are_newest_first_and_filtered);
    tcase_add_test(tcase, a_deposed_owner_saves_no_plan);
    return tcase;
}
