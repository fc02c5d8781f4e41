/* SPDX-License-Identifier: Apache-2.0 */
/* API keys. */
#include <stdio.h>
#include "world.h"

struct found {
    bool done, found;
    struct id id;
    char name[32], namespace_name[32];
    enum store_role role;
    int64_t revoked_us, last_used_us;
    size_t listed;
};

static void key_answered(const struct store_key *key, const struct error *err, void *userdata)
{
    struct found *out = userdata;

    ck_assert_ptr_null(err);
    if (key) {
        out->found = true;
        out->id = key->id;
        out->role = key->role;
        out->revoked_us = key->revoked_us;
        out->last_used_us = key->last_used_us;
        snprintf(out->name, sizeof out->name, "%s", key->name);
        snprintf(out->namespace_name, sizeof out->namespace_name, "%s", key->namespace_name);
    }
    out->done = true;
}

static void keys_answered(const struct store_key *keys, size_t n, const struct error *err,
                          void *userdata)
{
    struct found *out = userdata;

    ck_assert_ptr_null(err);
    out->listed = n;
    if (n > 0)
        out->id = keys[0].id;
    out->done = true;
}

static struct found insert(struct node *node, const struct store_key *key)
{
    struct found out = {0};

    store_key_insert(node->store, key, key_answered, &out);
    world_wait_flag(&out.done, "key insert");
    return out;
}

static struct found find(struct node *node, uint8_t digest_byte, int64_t now_us)
{
    struct found out = {0};
    uint8_t digest[32] = {digest_byte};

    store_key_find(node->store, digest, now_us, key_answered, &out);
    world_wait_flag(&out.done, "key find");
    return out;
}

static struct found redeem(struct node *node, uint8_t digest_byte, int64_t now_us)
{
    struct found out = {0};
    uint8_t digest[32] = {digest_byte};

    store_key_redeem(node->store, digest, now_us, key_answered, &out);
    world_wait_flag(&out.done, "key redeem");
    return out;
}

static struct store_key key_of(uint8_t digest_byte, enum store_role role)
{
    return (struct store_key){.id = world_id(0),
                              .namespace_id = 1,
                              .name = "ci",
                              .role = role,
                              .digest = {digest_byte},
                              .created_us = world_now_us()};
}

START_TEST(a_key_is_found_until_it_expires_or_is_revoked)
{
    struct node *node = node_owning("first");
    struct store_key key = key_of(1, STORE_ROLE_WORKER), brief = key_of(2, STORE_ROLE_ADMIN);
    struct found out = {0};

    brief.expires_us = world_now_us() + 10;
    ck_assert(insert(node, &key).found);
    ck_assert(insert(node, &brief).found);
    struct found found = find(node, 1, world_now_us());
    ck_assert(found.found);
    ck_assert_str_eq(found.name, "ci");
    ck_assert_str_eq(found.namespace_name, "default");
    ck_assert_int_eq(found.role, STORE_ROLE_WORKER);
    ck_assert_int_eq(found.last_used_us, world_now_us());
    /* noted once a minute */
    ck_assert_int_eq(find(node, 1, world_now_us() + 1000).last_used_us, world_now_us());
    ck_assert_int_eq(find(node, 1, world_now_us() + 61000000).last_used_us,
                     world_now_us() + 61000000);
    ck_assert_int_eq(find(node, 2, world_now_us()).role, STORE_ROLE_ADMIN);
    ck_assert(!find(node, 2, world_now_us() + 10).found);
    ck_assert(!find(node, 3, world_now_us()).found);
    store_key_revoke(node->store, 1, &key.id, world_now_us() + 7, key_answered, &out);
    world_wait_flag(&out.done, "revoke");
    ck_assert_int_eq(out.revoked_us, world_now_us() + 7);
    ck_assert(!find(node, 1, world_now_us()).found);
    node_stop(node);
}
END_TEST

START_TEST(a_digest_stands_for_its_first_key)
{
    struct node *node = node_owning("first");
    struct store_key first = key_of(1, STORE_ROLE_ADMIN), again = key_of(1, STORE_ROLE_WORKER);

    insert(node, &first);
    struct found found = insert(node, &again);
    ck_assert(id_eq(&found.id, &first.id));
    ck_assert_int_eq(found.role, STORE_ROLE_ADMIN);
    node_stop(node);
}
END_TEST

START_TEST(a_single_use_key_is_used_once)
{
    struct node *node = node_owning("first");
    struct store_key once = key_of(1, STORE_ROLE_ADMIN), admin = key_of(2, STORE_ROLE_ADMIN),
                     worker = key_of(3, STORE_ROLE_WORKER);

    once.single_use = true;
    insert(node, &once);
    insert(node, &admin);
    insert(node, &worker);
    ck_assert(!find(node, 1, world_now_us()).found); /* only to be redeemed */
    ck_assert(redeem(node, 1, world_now_us()).found);
    ck_assert(!redeem(node, 1, world_now_us()).found);
    ck_assert(redeem(node, 2, world_now_us()).found);
    ck_assert(redeem(node, 2, world_now_us()).found); /* an admin's is not used up */
    ck_assert(!redeem(node, 3, world_now_us()).found);
    node_stop(node);
}
END_TEST

START_TEST(keys_are_listed_newest_first)
{
    struct node *node = node_owning("first");
    struct store_key keys[] = {key_of(1, STORE_ROLE_ADMIN), key_of(2, STORE_ROLE_WORKER)};
    struct found out = {0};
    struct id nil = {{0}};

    insert(node, &keys[0]);
    insert(node, &keys[1]);
    store_key_list(node->store, 1, &nil, 10, keys_answered, &out);
    world_wait_flag(&out.done, "list");
    ck_assert_uint_eq(out.listed, 2);
    ck_assert(id_eq(&out.id, &keys[1].id));
    out = (struct found){0};
    store_key_list(node->store, 1, &keys[1].id, 10, keys_answered, &out);
    world_wait_flag(&out.done, "second page");
    ck_assert_uint_eq(out.listed, 1);
    ck_assert(id_eq(&out.id, &keys[0].id));
    node_stop(node);
}
END_TEST

TCase *keys_tcase(void)
{
    TCase *tcase = tcase_create("keys");

    tcase_add_checked_fixture(tcase, world_setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_key_is_found_until_it_expires_or_is_revoked);
    tcase_add_test(tcase, a_digest_stands_for_its_first_key);
    tcase_add_test(tcase, a_single_use_key_is_used_once);
    tcase_add_test(tcase, keys_are_listed_newest_first);
    return tcase;
}
