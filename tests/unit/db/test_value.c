/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <float.h>
#include "db_internal.h"
#include "db_suites.h"

#define WIRE_BYTES_MAX 64

static void assert_wire(const struct db_param *param, const char *wire, int len)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    int encoded = -1;
    const char *data = db__param_encode(arena, param, &encoded);

    ck_assert_int_eq(encoded, len);
    ck_assert_mem_eq(data, wire, (size_t)len);
}

START_TEST(integers_are_big_endian_in_their_own_width)
{
    assert_wire(&DB_I64_PARAM(-2), "\xff\xff\xff\xff\xff\xff\xff\xfe", 8);
    assert_wire(&DB_I32_PARAM(258), "\0\0\1\2", 4);
    assert_wire(&DB_I16_PARAM(-1), "\xff\xff", 2);
    assert_wire(&DB_BOOL_PARAM(true), "\1", 1);
    assert_wire(&(struct db_param){.kind = DB_F64, .f64 = 1.0}, "\x3f\xf0\0\0\0\0\0\0", 8);
}
END_TEST

START_TEST(times_count_from_2000_and_infinity_stays_infinity)
{
    assert_wire(&DB_TIME_PARAM(DB_EPOCH_UNIX_US + 1), "\0\0\0\0\0\0\0\1", 8);
    assert_wire(&DB_TIME_PARAM(INT64_MAX), "\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
    assert_wire(&DB_TIME_PARAM(INT64_MIN), "\x80\0\0\0\0\0\0\0", 8);
}
END_TEST

START_TEST(null_text_is_null_and_empty_text_is_not)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct db_param null = DB_TEXT_PARAM((const char *)NULL), empty = DB_TEXT_PARAM("");
    int len = -1;

    ck_assert_ptr_null(db__param_encode(arena, &null, &len));
    ck_assert_ptr_nonnull(db__param_encode(arena, &empty, &len));
    ck_assert_int_eq(len, 0);
}
END_TEST

START_TEST(an_array_has_a_header_and_lengths)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct db_array *array = db_array_new(arena, DB_I32);

    db_array_add_i64(array, 7);
    db_array_add_null(array);
    struct db_param param = db_array_param(array);

    ck_assert_uint_eq(param.array_oid, 1007);
    assert_wire(&param,
                "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\7\xff\xff\xff\xff", 32);
}
END_TEST

START_TEST(an_empty_array_has_no_dimension)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct db_param param = db_array_param(db_array_new(arena, DB_UUID));
    struct db_array_reader reader;
    struct slice element;

    assert_wire(&param, "\0\0\0\0\0\0\0\0\0\0\x0b\x86", 12);
    ck_assert(db_array_read(param.slice, &reader));
    ck_assert(!db_array_next(&reader, &element));
}
END_TEST

START_TEST(what_an_array_holds_is_read_back)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct db_array *array = db_array_new(arena, DB_TEXT);
    struct db_array_reader reader;
    struct slice element;

    for (int i = 0; i < 1000; i++)
        db_array_add_slice(array, slice_of(i % 2 ? "" : "some text"));
    db_array_add_null(array);
    ck_assert_uint_eq(db_array_count(array), 1001);
    ck_assert(db_array_read(db_array_param(array).slice, &reader));
    for (int i = 0; i < 1000; i++) {
        ck_assert(db_array_next(&reader, &element));
        ck_assert(slice_is(element, i % 2 ? "" : "some text"));
        ck_assert_ptr_nonnull(element.data);
    }
    ck_assert(db_array_next(&reader, &element));
    ck_assert_ptr_null(element.data);
    ck_assert(!db_array_next(&reader, &element));
}
END_TEST

START_TEST(a_cut_array_ends_early_and_is_never_read_past)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    struct db_array *array = db_array_new(arena, DB_I64);
    struct db_array_reader reader;
    int64_t value;

    db_array_add_i64(array, 1);
    db_array_add_i64(array, 2);
    struct slice wire = db_array_param(array).slice;

    for (size_t len = 0; len < wire.len; len++) {
        AUTO(free_ptr) char *cut = mem_alloc(len + 1);
        int read = 0;

        memcpy(cut, wire.data, len);
        if (!db_array_read((struct slice){cut, len}, &reader))
            continue;
        while (db_array_next_i64(&reader, &value))
            ck_assert_int_eq(value, ++read);
        ck_assert_int_lt(read, 2);
    }
}
END_TEST

START_TEST(arrays_of_the_transactions_arena_are_not_copied)
{
    AUTO(arena_freep) struct arena *arena = arena_new(0);
    AUTO(arena_freep) struct arena *other = arena_new(0);
    struct db_array *array = db_array_new(arena, DB_I64);
    int len = 0;

    db_array_add_i64(array, 1);
    struct db_param param = db_array_param(array);

    ck_assert_ptr_eq(db__param_encode(arena, &param, &len), param.slice.data);
    ck_assert_ptr_ne(db__param_encode(other, &param, &len), param.slice.data);
}
END_TEST

static void result_set(PGresult *pg, int column, const char *data, int len)
{
    char copy[WIRE_BYTES_MAX];

    memcpy(copy, data, (size_t)len);
    ck_assert_int_eq(PQsetvalue(pg, 0, column, copy, len), 1);
}

START_TEST(columns_are_decoded_by_their_type)
{
    static PGresAttDesc columns[] = {
        {"i2", 0, 0, 1, DB_OID_INT2, 2, -1},         {"i4", 0, 0, 1, DB_OID_INT4, 4, -1},
        {"t", 0, 0, 1, DB_OID_TIMESTAMPTZ, 8, -1},   {"d", 0, 0, 1, DB_OID_DATE, 4, -1},
        {"j", 0, 0, 1, DB_OID_JSONB, -1, -1},        {"u", 0, 0, 1, DB_OID_UUID, 16, -1},
        {"f", 0, 0, 1, DB_OID_FLOAT8, 8, -1},        {"null", 0, 0, 1, DB_OID_INT8, 8, -1},
        {"inf", 0, 0, 1, DB_OID_TIMESTAMPTZ, 8, -1}, {"b", 0, 0, 1, DB_OID_BOOL, 1, -1},
    };
    PGresult *pg = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    struct db_result result = {pg};

    ck_assert_int_eq(PQsetResultAttrs(pg, ARRAY_LEN(columns), columns), 1);
    result_set(pg, 0, "\xff\xfe", 2);
    result_set(pg, 1, "\x80\0\0\0", 4);
    result_set(pg, 2, "\0\0\0\0\0\0\0\2", 8);
    result_set(pg, 3, "\0\0\0\1", 4);
    result_set(pg, 4, "\1{}", 3);
    result_set(pg, 5, "0123456789abcdef", 16);
    result_set(pg, 6, "\x3f\xf0\0\0\0\0\0\0", 8);
    ck_assert_int_eq(PQsetvalue(pg, 0, 7, NULL, -1), 1);
    result_set(pg, 8, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
    result_set(pg, 9, "\1", 1);
    ck_assert_uint_eq(db_rows(&result), 1);
    ck_assert_int_eq(db_i64(&result, 0, 0), -2);
    ck_assert_int_eq(db_i64(&result, 0, 1), INT32_MIN);
    ck_assert_int_eq(db_i64(&result, 0, 2), DB_EPOCH_UNIX_US + 2);
    ck_assert_int_eq(db_i64(&result, 0, 3), DB_EPOCH_UNIX_DAYS + 1);
    ck_assert(slice_is(db_slice(&result, 0, 4), "{}"));
    struct id id = db_id(&result, 0, 5);

    ck_assert_mem_eq(id.bytes, "0123456789abcdef", ID_BYTES);
    ck_assert_double_eq(db_f64(&result, 0, 6), 1.0);
    ck_assert(db_is_null(&result, 0, 7));
    ck_assert_int_eq(db_i64(&result, 0, 7), 0);
    ck_assert_int_eq(db_i64(&result, 0, 8), INT64_MAX);
    ck_assert_int_eq(db_i64(&result, 0, 9), 1);
    PQclear(pg);
}
END_TEST

TCase *value_tcase(void)
{
    TCase *tcase = tcase_create("value");

    tcase_add_test(tcase, integers_are_big_endian_in_their_own_width);
    tcase_add_test(tcase, times_count_from_2000_and_infinity_stays_infinity);
    tcase_add_test(tcase, null_text_is_null_and_empty_text_is_not);
    tcase_add_test(tcase, an_array_has_a_header_and_lengths);
    tcase_add_test(tcase, an_empty_array_has_no_dimension);
    tcase_add_test(tcase, what_an_array_holds_is_read_back);
    tcase_add_test(tcase, a_cut_array_ends_early_and_is_never_read_past);
    tcase_add_test(tcase, arrays_of_the_transactions_arena_are_not_copied);
    tcase_add_test(tcase, columns_are_decoded_by_their_type);
    return tcase;
}
