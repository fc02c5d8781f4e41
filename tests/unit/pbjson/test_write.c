/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "kinds.h"
#include "suites.h"

static struct buf out;

static void setup(void)
{
    buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    buf_fini(&out);
}

static const char *text_of(const ProtobufCMessage *message, const struct pbjson_options *options)
{
    struct error err = {0};

    buf_clear(&out);
    ck_assert_msg(pbjson_to_text(kinds_registry(), message, options, &out, &err) == STATUS_OK, "%s",
                  err.message);
    return buf_cstr(&out);
}

START_TEST(defaults_are_printed_when_wanted)
{
    static const struct pbjson_options OPTIONS = {.defaults = true};
    Kinds__Inner inner = KINDS__INNER__INIT;

    ck_assert_str_eq(text_of(&inner.base, NULL), "{}");
    ck_assert_str_eq(text_of(&inner.base, &OPTIONS), "{\"name\":\"\",\"pageSize\":0,\"tags\":[]}");
}
END_TEST

START_TEST(defaults_leave_out_messages_and_oneofs)
{
    static const struct pbjson_options OPTIONS = {.defaults = true};
    Kinds__All all = KINDS__ALL__INIT;
    const char *text = text_of(&all.base, &OPTIONS);

    ck_assert_ptr_nonnull(strstr(text, "\"state\":\"TASK_STATE_UNSPECIFIED\""));
    ck_assert_ptr_nonnull(strstr(text, "\"aInt64\":\"0\""));
    ck_assert_ptr_nonnull(strstr(text, "\"mapString\":{}"));
    ck_assert_ptr_null(strstr(text, "inner\""));
    ck_assert_ptr_null(strstr(text, "choice"));
    ck_assert_ptr_null(strstr(text, "maybe"));
    ck_assert_ptr_null(strstr(text, "time\""));
}
END_TEST

START_TEST(proto_names_are_printed_when_wanted)
{
    static const struct pbjson_options OPTIONS = {.proto_names = true};
    Kinds__Inner inner = KINDS__INNER__INIT;

    inner.page_size = 4;
    ck_assert_str_eq(text_of(&inner.base, &OPTIONS), "{\"page_size\":4}");
}
END_TEST

START_TEST(last_of_doubled_map_entries_wins)
{
    Kinds__All__MapStringEntry entries[3] = {KINDS__ALL__MAP_STRING_ENTRY__INIT,
                                             KINDS__ALL__MAP_STRING_ENTRY__INIT,
                                             KINDS__ALL__MAP_STRING_ENTRY__INIT};
    Kinds__All__MapStringEntry *list[3] = {&entries[0], &entries[1], &entries[2]};
    Kinds__All all = KINDS__ALL__INIT;

    entries[0].key = entries[2].key = (char *)"a";
    entries[1].key = (char *)"b";
    entries[0].value = (char *)"old";
    entries[1].value = (char *)"x";
    entries[2].value = (char *)"new";
    all.map_string = list;
    all.n_map_string = 3;
    ck_assert_str_eq(text_of(&all.base, NULL), "{\"mapString\":{\"b\":\"x\",\"a\":\"new\"}}");
}
END_TEST

START_TEST(broken_contents_are_refused)
{
    Kinds__All all = KINDS__ALL__INIT;
    Plankton__V1__Json json = PLANKTON__V1__JSON__INIT;
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    struct error err = {0};

    json.text = (char *)"{\"a\":";
    all.json = &json;
    ck_assert_int_eq(pbjson_to_text(kinds_registry(), &all.base, NULL, &out, &err),
                     STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(err.message, "what is not JSON"));
    all.json = NULL;
    all.time = &time;
    time.nanos = 1000000000;
    ck_assert_int_eq(pbjson_to_text(kinds_registry(), &all.base, NULL, &out, &err),
                     STATUS_INTERNAL);
    time.nanos = 0;
    time.seconds = 253402300800;
    ck_assert_int_eq(pbjson_to_text(kinds_registry(), &all.base, NULL, &out, &err),
                     STATUS_INTERNAL);
}
END_TEST

static const char *const MASKS[] = {"a\"b", "\xFF", "a,b", "A", "a_", "a_1", "a__b", "_\xC3"};

START_TEST(mask_without_json_form_is_refused)
{
    Kinds__All all = KINDS__ALL__INIT;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    char *path = (char *)MASKS[_i];
    struct error err = {0};

    mask.n_paths = 1;
    mask.paths = &path;
    all.mask = &mask;
    ck_assert_int_eq(pbjson_to_text(kinds_registry(), &all.base, NULL, &out, &err),
                     STATUS_INTERNAL);
}
END_TEST

START_TEST(depth_and_room_are_bounded)
{
    Kinds__All *chain = calloc(200, sizeof(*chain));
    struct error err = {0};
    struct buf small;

    for (int i = 0; i < 200; i++) {
        kinds__all__init(&chain[i]);
        chain[i].self = i < 199 ? &chain[i + 1] : NULL;
    }
    ck_assert_int_eq(pbjson_to_text(kinds_registry(), &chain[0].base, NULL, &out, &err),
                     STATUS_INTERNAL);
    ck_assert_int_eq(pbjson_to_text(kinds_registry(), &chain[150].base, NULL, &out, &err),
                     STATUS_OK);
    buf_init(&small, 10);
    ck_assert_int_eq(pbjson_to_text(kinds_registry(), &chain[150].base, NULL, &small, &err),
                     STATUS_RESOURCE_EXHAUSTED);
    buf_fini(&small);
    free(chain);
}
END_TEST

START_TEST(invalid_utf8_is_replaced)
{
    Kinds__Inner inner = KINDS__INNER__INIT;

    inner.name = (char *)"a\xFF";
    ck_assert_str_eq(text_of(&inner.base, NULL), "{\"name\":\"a\xEF\xBF\xBD\"}");
}
END_TEST

START_TEST(unknown_any_shows_its_bytes)
{
    Kinds__All all = KINDS__ALL__INIT;
    Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;

    any.type_url = (char *)"t/other.Type";
    any.value = (ProtobufCBinaryData){2, (uint8_t *)"\x08\x01"};
    all.any = &any;
    ck_assert_str_eq(text_of(&all.base, NULL),
                     "{\"any\":{\"@type\":\"t/other.Type\",\"value\":\"CAE=\"}}");
}
END_TEST

Suite *suite_write(void)
{
    Suite *suite = suite_create("write");
    TCase *tests = tcase_create("write");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, defaults_are_printed_when_wanted);
    tcase_add_test(tests, defaults_leave_out_messages_and_oneofs);
    tcase_add_test(tests, proto_names_are_printed_when_wanted);
    tcase_add_test(tests, last_of_doubled_map_entries_wins);
    tcase_add_test(tests, broken_contents_are_refused);
    tcase_add_loop_test(tests, mask_without_json_form_is_refused, 0, (int)ARRAY_LEN(MASKS));
    tcase_add_test(tests, depth_and_room_are_bounded);
    tcase_add_test(tests, invalid_utf8_is_replaced);
    tcase_add_test(tests, unknown_any_shows_its_bytes);
    suite_add_tcase(suite, tests);
    return suite;
}
