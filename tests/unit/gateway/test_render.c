/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"
#include "routes/render.h"

static struct fixture f;
static struct buf out;

static void setup(void)
{
    fixture_init(&f);
    buf_init(&out, 1 << 20);
}

static void teardown(void)
{
    buf_fini(&out);
    fixture_fini(&f);
}

START_TEST(events_carry_id_name_and_message)
{
    const struct route *route = fixture_route(&f, "GET", "/api/v1/books/b/events");
    Plankton__Testing__BookUpdate update = PLANKTON__TESTING__BOOK_UPDATE__INIT;
    Plankton__Testing__Reading reading = PLANKTON__TESTING__READING__INIT;

    reading.id = "r\n1";
    reading.book_id = "b";
    update.event_id = "7-9";
    update.update_case = PLANKTON__TESTING__BOOK_UPDATE__UPDATE_NEW_READING;
    update.new_reading = &reading;
    ck_assert_int_eq(render_event(f.registry, route, &update.base, &out, NULL), STATUS_OK);
    ck_assert_str_eq(buf_cstr(&out), "id: 7-9\nevent: newReading\ndata: {\"eventId\":\"7-9\","
                                     "\"newReading\":{\"id\":\"r\\n1\",\"bookId\":\"b\"}}\n\n");
}
END_TEST

START_TEST(a_marker_of_presence_names_no_event)
{
    const struct route *route = fixture_route(&f, "GET", "/api/v1/books/b/events");
    Plankton__Testing__BookUpdate update = PLANKTON__TESTING__BOOK_UPDATE__INIT;

    update._note_case = PLANKTON__TESTING__BOOK_UPDATE___NOTE_NOTE;
    update.note = "n";
    ck_assert_str_eq(render_event_name(route, &update.base), "message");
}
END_TEST

START_TEST(lists_name_their_events)
{
    struct route_match match;
    Plankton__Testing__PageList list = PLANKTON__TESTING__PAGE_LIST__INIT;

    routes_match(f.routes, "GET", slice_of("/api/v1/books/b/pages"), &f.arena, &match);
    ck_assert_str_eq(render_event_name(match.stream, &list.base), "lines");
}
END_TEST

START_TEST(an_id_with_a_line_break_is_left_out)
{
    const struct route *route = fixture_route(&f, "GET", "/api/v1/books/b/events");
    Plankton__Testing__BookUpdate update = PLANKTON__TESTING__BOOK_UPDATE__INIT;

    update.event_id = "1\nevent: evil";
    ck_assert_int_eq(render_event(f.registry, route, &update.base, &out, NULL), STATUS_OK);
    ck_assert_int_eq(strncmp(buf_cstr(&out), "event: message\n", 15), 0);
    ck_assert_ptr_null(strstr(buf_cstr(&out), "\nevent: evil"));
}
END_TEST

START_TEST(lines_are_joined_where_they_go_on)
{
    Plankton__Testing__PageList list = PLANKTON__TESTING__PAGE_LIST__INIT;
    Plankton__Testing__Page pages[3];
    Plankton__Testing__Page *lines[3];

    for (size_t i = 0; i < 3; i++) {
        plankton__testing__page__init(&pages[i]);
        lines[i] = &pages[i];
    }
    pages[0].text = "one ";
    pages[1].text = "line";
    pages[1].continued = true;
    pages[2].text = "";
    list.lines = lines;
    list.n_lines = 3;
    ck_assert_int_eq(render_lines(&list.base, &out), STATUS_OK);
    ck_assert_str_eq(buf_cstr(&out), "one line\n\n");
    ck_assert(render_has_lines(fixture_route(&f, "GET", "/api/v1/books/b/pages")));
    ck_assert(!render_has_lines(fixture_route(&f, "GET", "/api/v1/books/b")));
}
END_TEST

Suite *render_suite(void)
{
    Suite *suite = suite_create("render");
    TCase *tcase = tcase_create("render");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, events_carry_id_name_and_message);
    tcase_add_test(tcase, a_marker_of_presence_names_no_event);
    tcase_add_test(tcase, lists_name_their_events);
    tcase_add_test(tcase, an_id_with_a_line_break_is_left_out);
    tcase_add_test(tcase, lines_are_joined_where_they_go_on);
    suite_add_tcase(suite, tcase);
    return suite;
}
