/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>
#include "base/arena.h"
#include "suites.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define HAVE_ASAN 1
#else
#define HAVE_ASAN 0
#endif

START_TEST(allocations_are_aligned_and_do_not_overlap)
{
    struct arena arena;
    unsigned char *blocks[300];

    arena_init(&arena, 0);
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        blocks[i] = arena_alloc(&arena, i * 7 + 1);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i, i * 7 + 1);
    }
    for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
        for (size_t j = 0; j < i * 7 + 1; j++)
            ck_assert_uint_eq(blocks[i][j], (unsigned char)i);
    }
    arena_fini(&arena);
}
END_TEST

START_TEST(large_block_leaves_the_current_chunk_in_use)
{
    struct arena arena;
    char *small, *next;

    arena_init(&arena, 0);
    small = arena_alloc(&arena, 16);
    memset(arena_alloc(&arena, 1 << 20), 1, 1 << 20);
    next = arena_alloc(&arena, 16);
    ck_assert(next >= small);
    ck_assert_int_le(next - small, 64);
    arena_fini(&arena);
}
END_TEST

START_TEST(try_alloc_stops_at_the_bound)
{
    struct arena arena;

    arena_init(&arena, 1000);
    ck_assert_ptr_nonnull(arena_try_alloc(&arena, 512));
    ck_assert_ptr_null(arena_try_alloc(&arena, 512));
    ck_assert_ptr_nonnull(arena_try_alloc(&arena, 400));
    ck_assert_ptr_null(arena_try_alloc(&arena, SIZE_MAX));
    ck_assert_ptr_nonnull(arena_alloc(&arena, 4096)); /* not bound */
    ck_assert_ptr_null(arena_try_alloc(&arena, 1));
    arena_reset(&arena);
    ck_assert_ptr_nonnull(arena_try_alloc(&arena, 1));
    arena_fini(&arena);
}
END_TEST

static char hook_order[8];
static void hook(void *ptr)
{
    strncat(hook_order, ptr, 1);
}

START_TEST(hooks_run_in_reverse_once)
{
    struct arena *arena = arena_new(0);

    hook_order[0] = '\0';
    arena_on_reset(arena, hook, "a");
    arena_on_reset(arena, hook, "b");
    arena_reset(arena);
    ck_assert_str_eq(hook_order, "ba");
    arena_on_reset(arena, hook, "c");
    arena_freep(&arena);
    ck_assert_str_eq(hook_order, "bac");
    ck_assert_ptr_null(arena);
    arena_free(NULL);
}
END_TEST

START_TEST(reset_keeps_one_chunk_and_counts_from_zero)
{
    struct arena arena;
    void *first;

    arena_init(&arena, 0);
    first = arena_alloc(&arena, 100);
    arena_reset(&arena);
    ck_assert_uint_eq(arena.used_bytes, 0);
    ck_assert_ptr_eq(arena_alloc(&arena, 100), first);
    arena_fini(&arena);
    arena_fini(&arena);
}
END_TEST

START_TEST(text_copies)
{
    struct arena arena;

    arena_init(&arena, 0);
    ck_assert_str_eq(arena_strdup(&arena, "plan"), "plan");
    ck_assert_ptr_null(arena_strdup(&arena, NULL));
    ck_assert_str_eq(arena_strndup(&arena, "plankton", 4), "plan");
    ck_assert_str_eq(arena_strndup(&arena, "ab", 10), "ab");
    ck_assert_str_eq(arena_strndup(&arena, NULL, 0), "");
    ck_assert_str_eq(arena_printf(&arena, "%s-%d", "x", 7), "x-7");
    ck_assert_int_eq(memcmp(arena_memdup(&arena, "a\0b", 3), "a\0b", 3), 0);
    arena_fini(&arena);
}
END_TEST

START_TEST(freed_regions_are_poisoned_under_asan)
{
#if HAVE_ASAN
    struct arena arena;
    char *block;

    arena_init(&arena, 0);
    block = arena_alloc(&arena, 20);
    ck_assert(!__asan_address_is_poisoned(block + 19));
    ck_assert(__asan_address_is_poisoned(block + 20 + 16));
    arena_reset(&arena);
    ck_assert(__asan_address_is_poisoned(block));
    ck_assert_ptr_eq(arena_alloc(&arena, 8), block);
    ck_assert(!__asan_address_is_poisoned(block + 7));
    ck_assert(__asan_address_is_poisoned(block + 8));
    arena_fini(&arena);
#endif
}
END_TEST

TCase *arena_case(void)
{
    TCase *tc = tcase_create("arena");

    tcase_add_test(tc, allocations_are_aligned_and_do_not_overlap);
    tcase_add_test(tc, large_block_leaves_the_current_chunk_in_use);
    tcase_add_test(tc, try_alloc_stops_at_the_bound);
    tcase_add_test(tc, hooks_run_in_reverse_once);
    tcase_add_test(tc, reset_keeps_one_chunk_and_counts_from_zero);
    tcase_add_test(tc, text_copies);
    tcase_add_test(tc, freed_regions_are_poisoned_under_asan);
    return tc;
}
