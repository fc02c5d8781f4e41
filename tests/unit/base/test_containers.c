/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "suites.h"

#define ENTRIES 5000

struct entry {
    struct map_node node;
    struct heap_node place;
    struct list link;
    unsigned key;
    bool seen;
};

START_TEST(map_finds_what_was_put_in_and_only_that)
{
    static struct entry entries[ENTRIES];
    struct map map;

    map_init(&map);
    ck_assert_ptr_null(map_first(&map, 7));
    for (unsigned i = 0; i < ENTRIES; i++) {
        entries[i].key = i;
        map_insert(&map, &entries[i].node, hash_bytes(&i, sizeof(i)) % 1000); /* collisions */
    }
    for (unsigned i = 0; i < ENTRIES; i += 2)
        map_remove(&map, &entries[i].node);
    ck_assert_uint_eq(map.used, ENTRIES / 2);
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t hash = hash_bytes(&i, sizeof(i)) % 1000;
        bool found = false;

        for (struct map_node *n = map_first(&map, hash); n; n = map_next(n)) {
            ck_assert_uint_eq(n->hash, hash);
            found |= CONTAINER_OF(n, struct entry, node)->key == i;
        }
        ck_assert_int_eq(found, i % 2 == 1);
    }
    map_fini(&map);
}
END_TEST

START_TEST(map_walk_sees_each_entry_once_and_allows_removal)
{
    static struct entry entries[ENTRIES];
    struct map_cursor cursor = {0};
    struct map_node *node;
    struct map map;
    unsigned n = 0;

    map_init(&map);
    ck_assert_ptr_null(map_walk(&map, &cursor));
    for (unsigned i = 0; i < ENTRIES; i++)
        map_insert(&map, &entries[i].node, hash_bytes(&i, sizeof(i)));
    while ((node = map_walk(&map, &cursor))) {
        struct entry *entry = CONTAINER_OF(node, struct entry, node);

        ck_assert(!entry->seen);
        entry->seen = true;
        map_remove(&map, node);
        n++;
    }
    ck_assert_uint_eq(n, ENTRIES);
    ck_assert_uint_eq(map.used, 0);
    map_fini(&map);
}
END_TEST

/* Computed by an independent SipHash-1-3 over the key 00…0f. */
START_TEST(siphash_gives_known_answers)
{
    const uint64_t k0 = 0x0706050403020100u, k1 = 0x0f0e0d0c0b0a0908u;
    unsigned char data[15];

    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)i;
    ck_assert_uint_eq(hash_keyed(k0, k1, data, 0), 0xabac0158050fc4dcu);
    ck_assert_uint_eq(hash_keyed(k0, k1, data, 8), 0x369095118d299a8eu);
    ck_assert_uint_eq(hash_keyed(k0, k1, data, 15), 0xd320d86d2a519956u);
    ck_assert_uint_ne(hash_keyed(k0, k1, data, 8), hash_keyed(k1, k0, data, 8));
    ck_assert_uint_eq(hash_text("abc"), hash_bytes("abc", 3));
}
END_TEST

START_TEST(seed_changes_the_hash)
{
    uint64_t before = hash_text("plan");

    hash_seed(1, 2);
    ck_assert_uint_ne(hash_text("plan"), before);
    hash_seed(0, 0);
    ck_assert_uint_eq(hash_text("plan"), before);
}
END_TEST

static bool entry_less(const struct heap_node *a, const struct heap_node *b)
{
    return CONTAINER_OF(a, const struct entry, place)->key <
           CONTAINER_OF(b, const struct entry, place)->key;
}

START_TEST(heap_gives_the_smallest_under_random_changes)
{
    static struct entry entries[ENTRIES];
    struct heap heap;
    unsigned seed = 42, last = 0, n = 0;

    heap_init(&heap, entry_less);
    ck_assert_ptr_null(heap_top(&heap));
    for (unsigned i = 0; i < ENTRIES; i++) {
        entries[i].key = (unsigned)rand_r(&seed);
        heap_push(&heap, &entries[i].place);
    }
    for (unsigned i = 0; i < ENTRIES; i += 3) {
        entries[i].key = (unsigned)rand_r(&seed);
        heap_update(&heap, &entries[i].place);
    }
    for (unsigned i = 1; i < ENTRIES; i += 3) {
        heap_remove(&heap, &entries[i].place);
        heap_remove(&heap, &entries[i].place);
    }
    while (heap_top(&heap)) {
        struct entry *entry = CONTAINER_OF(heap_top(&heap), struct entry, place);

        ck_assert_uint_ge(entry->key, last);
        last = entry->key;
        heap_remove(&heap, &entry->place);
        n++;
    }
    ck_assert_uint_eq(n, ENTRIES - (ENTRIES + 1) / 3);
    heap_fini(&heap);
}
END_TEST

START_TEST(list_keeps_order_and_removal_is_idempotent)
{
    struct entry entries[5] = {0};
    struct list head;
    unsigned want = 0;

    list_init(&head);
    ck_assert(list_empty(&head));
    for (unsigned i = 1; i < 5; i++) {
        entries[i].key = i;
        list_push(&head, &entries[i].link);
    }
    list_push_front(&head, &entries[0].link);
    LIST_EACH(&head, node)
    {
        ck_assert_uint_eq(LIST_ENTRY(node, struct entry, link)->key, want++);
        if (want == 3)
            list_remove(node);
    }
    ck_assert_uint_eq(want, 5);
    list_remove(&entries[2].link);
    ck_assert(!list_linked(&entries[2].link));
    ck_assert_ptr_eq(LIST_FIRST(&head, struct entry, link), &entries[0]);
}
END_TEST

TCase *containers_case(void)
{
    TCase *tc = tcase_create("containers");

    tcase_add_test(tc, map_finds_what_was_put_in_and_only_that);
    tcase_add_test(tc, map_walk_sees_each_entry_once_and_allows_removal);
    tcase_add_test(tc, siphash_gives_known_answers);
    tcase_add_test(tc, seed_changes_the_hash);
    tcase_add_test(tc, heap_gives_the_smallest_under_random_changes);
    tcase_add_test(tc, list_keeps_order_and_removal_is_idempotent);
    return tc;
}
