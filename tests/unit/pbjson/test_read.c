/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include "kinds.h"
#include "suites.h"

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, 0);
}

static void teardown(void)
{
    arena_fini(&arena);
}

static Kinds__All *read_all(const char *text)
{
    ProtobufCMessage *message = NULL;
    struct error err = {0};

    ck_assert_msg(pbjson_from_text(kinds_registry(), &kinds__all__descriptor, slice_of(text),
                                   &arena, NULL, &message, &err) == STATUS_OK,
                  "%s: %s", text, err.message);
    return (Kinds__All *)message;
}

struct pair {
    const char *in;
    const char *out; /* NULL: the same */
};

/* In, to a message, over the wire, and out again. */
static const struct pair SAME[] = {
    {"{}", NULL},
    {"", "{}"},
    {" {\"aInt32\" : 5 } ", "{\"aInt32\":5}"},
    {"{\"aInt32\":-2147483648,\"aInt64\":\"-9223372036854775808\"}", NULL},
    {"{\"a_int32\":1,\"a_int64\":2}", "{\"aInt32\":1,\"aInt64\":\"2\"}"},
    {"{\"aInt32\":\"7\",\"aUint64\":\"18446744073709551615\",\"aUint32\":4294967295}",
     "{\"aInt32\":7,\"aUint32\":4294967295,\"aUint64\":\"18446744073709551615\"}"},
    {"{\"aInt32\":1e3,\"aInt64\":1.0,\"aUint64\":1e18}",
     "{\"aInt32\":1000,\"aInt64\":\"1\",\"aUint64\":\"1000000000000000000\"}"},
    {"{\"aSint32\":-1,\"aSint64\":\"-1\",\"aFixed32\":1,\"aFixed64\":\"1\",\"aSfixed32\":-1,"
     "\"aSfixed64\":\"-1\"}",
     NULL},
    {"{\"aFloat\":0.1,\"aDouble\":0.1}", NULL},
    {"{\"aFloat\":3.4028235e38,\"aDouble\":1.7976931348623157e308}",
     "{\"aFloat\":3.4028235e+38,\"aDouble\":1.7976931348623157e+308}"},
    {"{\"aFloat\":\"NaN\",\"aDouble\":\"-Infinity\"}", NULL},
    {"{\"aDouble\":\"1.5\"}", "{\"aDouble\":1.5}"},
    {"{\"aBool\":true,\"aString\":\"h\xC3\xA9\\n\\u0001\"}", NULL},
    {"{\"aString\":\"\\u00e9\\ud83d\\ude00\"}", "{\"aString\":\"\xC3\xA9\xF0\x9F\x98\x80\"}"},
    {"{\"aBytes\":\"AQIDBA==\"}", NULL},
    {"{\"aBytes\":\"-_8\"}", "{\"aBytes\":\"+/8=\"}"},
    {"{\"state\":\"TASK_STATE_SUCCEEDED\"}", NULL},
    {"{\"state\":\"succeeded\"}", "{\"state\":\"TASK_STATE_SUCCEEDED\"}"},
    {"{\"state\":1}", "{\"state\":\"TASK_STATE_RUNNING\"}"},
    {"{\"state\":-1}", "{\"state\":\"TASK_STATE_NEGATIVE\"}"},
    {"{\"state\":77}", NULL},
    {"{\"inner\":{}}", NULL},
    {"{\"inner\":{\"name\":\"x\",\"pageSize\":3,\"tags\":[\"a\",\"\"],\"deeper\":{\"name\":\"y\"}}"
     "}",
     NULL},
    {"{\"otherName\":5}", NULL},
    {"{\"renamed\":5}", "{\"otherName\":5}"},
    {"{\"inner\":null,\"aInt32\":null,\"listInt32\":null,\"mapString\":null,\"choiceInt\":null,"
     "\"json\":null}",
     "{}"},
    {"{\"listInt32\":[1,2,3],\"listInt64\":[\"1\"],\"listString\":[\"a\"],\"listInner\":[{},{"
     "\"name\":\"q\"}],\"listState\":["
     "\"TASK_STATE_RUNNING\"],\"listBytes\":[\"AQ==\"],\"listBool\":[true,false]}",
     NULL},
    {"{\"mapString\":{\"a\":\"1\",\"\":\"2\"},\"mapInt32\":{\"-5\":{\"name\":\"x\"}},\"mapInt64\":{"
     "\"9007199254740993\":1.5},"
     "\"mapBool\":{\"true\":\"TASK_STATE_RUNNING\"}}",
     NULL},
    {"{\"choiceInt\":0}", NULL},
    {"{\"choiceText\":\"\"}", NULL},
    {"{\"choiceInner\":{}}", NULL},
    {"{\"choiceInt\":1,\"choiceText\":null}", "{\"choiceInt\":1}"},
    {"{\"maybe\":0}", NULL},
    {"{\"time\":\"2024-02-29T23:59:59.123456789Z\"}", NULL},
    {"{\"time\":\"2024-01-31T12:00:00.500+05:30\"}", "{\"time\":\"2024-01-31T06:30:00.500Z\"}"},
    {"{\"time\":\"0001-01-01T00:00:00Z\",\"listTime\":[\"9999-12-31T23:59:59.999999999Z\",\"1969-"
     "12-31T23:59:59.100Z\"]}",
     NULL},
    {"{\"time\":\"1970-01-01T00:00:00Z\"}", NULL},
    {"{\"duration\":\"1.000340012s\"}", NULL},
    {"{\"duration\":\"-0.5s\"}", "{\"duration\":\"-0.500s\"}"},
    {"{\"duration\":\"315576000000s\"}", NULL},
    {"{\"duration\":\"0s\"}", NULL},
    {"{\"mask\":\"fooBar,baz.quxQuux\"}", NULL},
    {"{\"mask\":\"\"}", NULL},
    {"{\"empty\":{}}", NULL},
    {"{\"any\":{}}", NULL},
    {"{\"any\":{\"@type\":\"type.googleapis.com/kinds.Inner\",\"name\":\"x\",\"pageSize\":2}}",
     NULL},
    {"{\"any\":{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1s\"}}",
     NULL},
    {"{\"wrapped\":\"5\",\"wrappedText\":\"\"}", NULL},
    {"{\"wrapped\":5}", "{\"wrapped\":\"5\"}"},
    {"{\"json\":{\"z\":1,\"a\":[1.5,null,\"x\"],\"big\":9007199254740993}}", NULL},
    {"{\"json\":\"text\"}", NULL},
    {"{\"json\":false}", NULL},
    {"{\"listJson\":[1,null,{}],\"mapJson\":{\"k\":null}}", NULL},
    {"{\"self\":{\"self\":{\"self\":{\"aInt32\":1}}}}", NULL},
};

START_TEST(text_and_wire_round_trip)
{
    const struct pair *pair = &SAME[_i];
    Kinds__All *message = read_all(pair->in);
    size_t len = kinds__all__get_packed_size(message);
    uint8_t *wire = arena_alloc(&arena, len + 1);
    struct error err = {0};
    Kinds__All *again;
    struct buf out;

    kinds__all__pack(message, wire);
    again = kinds__all__unpack(NULL, len, wire);
    ck_assert_ptr_nonnull(again);
    buf_init(&out, 1 << 20);
    ck_assert_msg(pbjson_to_text(kinds_registry(), &again->base, NULL, &out, &err) == STATUS_OK,
                  "%s: %s", pair->in, err.message);
    ck_assert_str_eq(buf_cstr(&out), pair->out ? pair->out : pair->in);
    buf_fini(&out);
    kinds__all__free_unpacked(again, NULL);
}
END_TEST

struct bad {
    const char *text;
    const char *field;
    const char *message; /* part of it */
};

static const struct bad BAD[] = {
    {"{", "", "expected a key"},
    {"[]", "", "must be an object"},
    {"null", "", "must be an object"},
    {"{\"aInt33\":1}", "aInt33", "unknown field; did you mean 'aInt32'?"},
    {"{\"inner\":{\"pageSizes\":1}}", "inner.pageSizes", "did you mean 'pageSize'?"},
    {"{\"listInner\":[{},{\"x\":1}]}", "listInner[1].x", "unknown field"},
    {"{\"mapInt32\":{\"1\":{\"x\":1}}}", "mapInt32.1.x", "unknown field"},
    {"{\"aInt32\":1,\"aInt32\":2}", "", "duplicate key"},
    {"{\"aInt32\":1,\"a_int32\":2}", "a_int32", "given twice"},
    {"{\"aInt32\":2147483648}", "aInt32", "out of range"},
    {"{\"aInt32\":1.5}", "aInt32", "whole number"},
    {"{\"aInt32\":true}", "aInt32", "must be a whole number"},
    {"{\"aInt32\":\"\"}", "aInt32", "whole number"},
    {"{\"aInt32\":\" 1\"}", "aInt32", "whole number"},
    {"{\"aInt32\":\"+1\"}", "aInt32", "whole number"},
    {"{\"aInt32\":\"01\"}", "aInt32", "whole number"},
    {"{\"aInt32\":\"0x1\"}", "aInt32", "whole number"},
    {"{\"aUint32\":-1}", "aUint32", "must not be negative"},
    {"{\"aUint32\":4294967296}", "aUint32", "out of range"},
    {"{\"aUint64\":\"18446744073709551616\"}", "aUint64", "whole number in range"},
    {"{\"aUint64\":\"-1\"}", "aUint64", "whole number in range"},
    {"{\"aInt64\":1e19}", "aInt64", "out of range"},
    {"{\"aFloat\":3.5e38}", "aFloat", "out of range"},
    {"{\"aDouble\":1e309}", "", "too large for a double"},
    {"{\"aDouble\":\"1e309\"}", "aDouble", "number in range"},
    {"{\"aDouble\":\"nan\"}", "aDouble", "is not a number"},
    {"{\"aDouble\":\"1.5x\"}", "aDouble", "is not a number"},
    {"{\"aDouble\":NaN}", "", "expected a value"},
    {"{\"aBool\":\"true\"}", "aBool", "must be true or false"},
    {"{\"aBool\":1}", "aBool", "must be true or false"},
    {"{\"aString\":1}", "aString", "must be a string"},
    {"{\"aString\":\"a\\u0000b\"}", "", "\\u0000 is not allowed"},
    {"{\"aString\":\"\\ud800\"}", "", "lone high surrogate"},
    {"{\"aString\":\"\xFF\"}", "", "invalid UTF-8"},
    {"{\"aBytes\":\"a*\"}", "aBytes", "is not base64"},
    {"{\"state\":\"TASK_STATE_SUCCEDED\"}", "state", "did you mean 'TASK_STATE_SUCCEEDED'?"},
    {"{\"state\":\"Succeeded\"}", "state", "is not one of TaskState"},
    {"{\"state\":1.5}", "state", "whole number"},
    {"{\"listInt32\":{}}", "listInt32", "must be a list"},
    {"{\"listInt32\":[1,null]}", "listInt32[1]", "must not be null"},
    {"{\"listInt32\":[1,\"x\"]}", "listInt32[1]", "whole number"},
    {"{\"mapString\":[]}", "mapString", "must be an object"},
    {"{\"mapString\":{\"a\":null}}", "mapString.a", "must not be null"},
    {"{\"mapInt32\":{\"x\":{}}}", "mapInt32.x", "whole number"},
    {"{\"mapInt32\":{\"01\":{}}}", "mapInt32.01", "whole number"},
    {"{\"mapBool\":{\"yes\":1}}", "mapBool.yes", "must be true or false"},
    {"{\"choiceInt\":1,\"choiceText\":\"x\"}", "choiceText", "excludes another field"},
    {"{\"time\":\"2024-13-01T00:00:00Z\"}", "time", "is not a time"},
    {"{\"time\":\"2023-02-29T00:00:00Z\"}", "time", "is not a time"},
    {"{\"time\":\"2024-01-01t00:00:00Z\"}", "time", "is not a time"},
    {"{\"time\":\"2024-01-01T00:00:00z\"}", "time", "is not a time"},
    {"{\"time\":\"2024-01-01T00:00:00\"}", "time", "is not a time"},
    {"{\"time\":\"2024-01-01T24:00:00Z\"}", "time", "is not a time"},
    {"{\"time\":\"0001-01-01T00:00:00+01:00\"}", "time", "is not a time"},
    {"{\"time\":\"2024-01-01T00:00:00.1234567890Z\"}", "time", "is not a time"},
    {"{\"time\":5}", "time", "must be a string"},
    {"{\"duration\":\"1m\"}", "duration", "is not a duration"},
    {"{\"duration\":\"1\"}", "duration", "is not a duration"},
    {"{\"duration\":\"315576000001s\"}", "duration", "is not a duration"},
    {"{\"duration\":\".5s\"}", "duration", "is not a duration"},
    {"{\"mask\":\"foo_bar\"}", "mask", "is not a list of field names"},
    {"{\"empty\":{\"a\":1}}", "empty.a", "unknown field"},
    {"{\"any\":{\"name\":\"x\"}}", "any", "must be an object with @type"},
    {"{\"any\":{\"@type\":\"t/kinds.Nope\"}}", "any.@type", "is not known"},
    {"{\"any\":{\"@type\":\"t/kinds.Inner\",\"nam\":1}}", "any.nam", "unknown field"},
    {"{\"wrapped\":\"x\"}", "wrapped", "whole number"},
    {"{\"refused\":{}}", "refused", "google.protobuf.Struct are not supported"},
    {"{\"json\":{\"a\":1,\"a\":2}}", "", "duplicate key"},
};

START_TEST(wrong_text_is_refused_with_its_field)
{
    ProtobufCMessage *message = NULL;
    struct error err = {0};

    ck_assert_msg(pbjson_from_text(kinds_registry(), &kinds__all__descriptor,
                                   slice_of(BAD[_i].text), &arena, NULL, &message,
                                   &err) == STATUS_INVALID_ARGUMENT,
                  "%s", BAD[_i].text);
    ck_assert_msg(strcmp(err.field, BAD[_i].field) == 0, "%s: field %s", BAD[_i].text, err.field);
    ck_assert_msg(strstr(err.message, BAD[_i].message) != NULL, "%s: %s", BAD[_i].text,
                  err.message);
    ck_assert_ptr_null(message);
}
END_TEST

START_TEST(depth_is_bounded)
{
    ProtobufCMessage *message = NULL;
    struct error err = {0};
    struct buf text;

    buf_init(&text, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buf_puts(&text, "{\"self\":");
    buf_puts(&text, "{}");
    for (int i = 0; i < 10000; i++)
        buf_puts(&text, "}");
    ck_assert_int_eq(pbjson_from_text(kinds_registry(), &kinds__all__descriptor, buf_slice(&text),
                                      &arena, NULL, &message, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "nested deeper than 64 levels"));
    buf_fini(&text);
}
END_TEST

START_TEST(size_is_bounded)
{
    ProtobufCMessage *message = NULL;
    struct error err = {0};
    struct buf text;

    buf_init(&text, PBJSON_TEXT_BYTES_MAX + 16);
    buf_puts(&text, "{}");
    memset(buf_reserve(&text, PBJSON_TEXT_BYTES_MAX), ' ', PBJSON_TEXT_BYTES_MAX);
    text.len += PBJSON_TEXT_BYTES_MAX;
    ck_assert_int_eq(pbjson_from_text(kinds_registry(), &kinds__all__descriptor, buf_slice(&text),
                                      &arena, NULL, &message, &err),
                     STATUS_RESOURCE_EXHAUSTED);
    ck_assert_str_eq(err.reason, "PAYLOAD_TOO_LARGE");
    buf_fini(&text);
}
END_TEST

START_TEST(unknown_may_be_ignored)
{
    static const struct pbjson_options OPTIONS = {.ignore_unknown = true};
    ProtobufCMessage *message = NULL;
    struct error err = {0};

    ck_assert_int_eq(
        pbjson_from_text(kinds_registry(), &kinds__all__descriptor,
                         slice_of("{\"nope\":{\"a\":[1]},\"state\":\"NEW_STATE\",\"aInt32\":3}"),
                         &arena, &OPTIONS, &message, &err),
        STATUS_OK);
    ck_assert_int_eq(((Kinds__All *)message)->a_int32, 3);
    ck_assert_int_eq(((Kinds__All *)message)->state, 0);
}
END_TEST

START_TEST(special_numbers_are_read)
{
    Kinds__All *message = read_all("{\"aFloat\":\"Infinity\",\"aDouble\":\"NaN\"}");

    ck_assert(isinf(message->a_float) && message->a_float > 0);
    ck_assert(isnan(message->a_double));
}
END_TEST

START_TEST(json_fields_keep_their_text)
{
    Kinds__All *message = read_all("{\"json\": {\"b\" : 1, \"a\": [ 1.0, 2 ]}}");

    ck_assert_str_eq(message->json->text, "{\"b\":1,\"a\":[1.0,2]}");
}
END_TEST

Suite *suite_read(void)
{
    Suite *suite = suite_create("read");
    TCase *tests = tcase_create("read");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, text_and_wire_round_trip, 0, (int)ARRAY_LEN(SAME));
    tcase_add_loop_test(tests, wrong_text_is_refused_with_its_field, 0, (int)ARRAY_LEN(BAD));
    tcase_add_test(tests, depth_is_bounded);
    tcase_add_test(tests, size_is_bounded);
    tcase_add_test(tests, unknown_may_be_ignored);
    tcase_add_test(tests, special_numbers_are_read);
    tcase_add_test(tests, json_fields_keep_their_text);
    suite_add_tcase(suite, tests);
    return suite;
}
