/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "site/site.h"

static struct site_answer ask(const char *path, const char *coding, const char *etag)
{
    struct site_request request = {.path = slice_of(path),
                                   .accept_encoding = slice_of(coding),
                                   .if_none_match = slice_of(etag)};
    struct site_answer answer;

    site_answer(&request, &answer);
    return answer;
}

START_TEST(files_are_found_by_name)
{
    for (size_t i = 0; i < site_file_count; i++)
        ck_assert_ptr_eq(site_find(slice_of(site_files[i].path)), &site_files[i]);
    ck_assert_ptr_null(site_find(slice_of("/")));
    ck_assert_ptr_null(site_find(slice_of("/zzz")));
    ck_assert_ptr_null(site_find(slice_of("/index.htm")));
    ck_assert_ptr_null(site_find(slice_of("/index.html2")));
}
END_TEST

START_TEST(hashed_names_are_kept_for_ever)
{
    struct site_answer answer = ask("/assets/app-1a2b.js", NULL, NULL);

    ck_assert_uint_eq(answer.http_status, 200);
    ck_assert(slice_is(answer.body, "script"));
    ck_assert_ptr_nonnull(strstr(answer.cache_control, "immutable"));
    ck_assert(answer.varies);
}
END_TEST

START_TEST(the_best_accepted_coding_is_sent)
{
    ck_assert_str_eq(ask("/assets/app-1a2b.js", "gzip, br", NULL).coding, "br");
    ck_assert_str_eq(ask("/assets/app-1a2b.js", "gzip", NULL).coding, "gzip");
    ck_assert_ptr_null(ask("/assets/app-1a2b.js", "br;q=0", NULL).coding);
    ck_assert_str_eq(ask("/index.html", "br, gzip", NULL).coding, "gzip");
    ck_assert_ptr_null(ask("/favicon.svg", "br, gzip", NULL).coding);
}
END_TEST

static const char *const pages[] = {"/", "/plans", "/runs/0190-abc", "/login", "/a/b/c"};

START_TEST(pages_are_the_index)
{
    struct site_answer answer = ask(pages[_i], NULL, NULL);

    ck_assert_uint_eq(answer.http_status, 200);
    ck_assert(slice_is(answer.body, "index"));
    ck_assert_str_eq(answer.cache_control, "no-cache");
}
END_TEST

static const char *const missing[] = {
    "/assets/app-old.js",
    "/assets/x",
    "/nothing.js",
    "/../etc/passwd.txt",
    "/%2e%2e/x",
    "/api/nothing",
    "/api",
    "/api/docs",
    "/a%00b",
    "/..%5cwin.ini",
};

START_TEST(missing_files_are_not_the_index)
{
    ck_assert_uint_eq(ask(missing[_i], NULL, NULL).http_status, 404);
}
END_TEST

START_TEST(what_the_browser_has_is_not_sent_again)
{
    struct site_answer answer = ask("/index.html", "gzip", "\"/index.html\"");

    ck_assert_uint_eq(answer.http_status, 304);
    ck_assert_uint_eq(answer.body.len, 0);
    ck_assert_uint_eq(ask("/index.html", "gzip", "\"other\"").http_status, 200);
}
END_TEST

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

START_TEST(a_folder_is_served_but_not_left)
{
    char folder[] = "/tmp/plankton-site-XXXXXX", path[256];
    struct site_request request = {.path = slice_of("/app.js")};
    struct site_answer answer;
    struct arena arena;

    arena_init(&arena, 0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    write_file(folder, "index.html", "dev index");
    write_file(folder, "app.js", "dev script");
    snprintf(path, sizeof path, "%s/out.js", folder);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    site_answer_from_folder(folder, &request, &arena, &answer);
    ck_assert_uint_eq(answer.http_status, 200);
    ck_assert(slice_is(answer.body, "dev script"));
    ck_assert_ptr_nonnull(strstr(answer.type, "javascript"));
    request.path = slice_of("/plans");
    site_answer_from_folder(folder, &request, &arena, &answer);
    ck_assert(slice_is(answer.body, "dev index"));
    request.path = slice_of("/out.js");
    site_answer_from_folder(folder, &request, &arena, &answer);
    ck_assert_uint_eq(answer.http_status, 404);
    request.path = slice_of("/../etc/passwd.x");
    site_answer_from_folder(folder, &request, &arena, &answer);
    ck_assert_uint_eq(answer.http_status, 404);
    unlink(path);
    snprintf(path, sizeof path, "%s/index.html", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/app.js", folder);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    arena_fini(&arena);
}
END_TEST

Suite *site_suite(void)
{
    Suite *suite = suite_create("site");
    TCase *tcase = tcase_create("site");

    tcase_add_test(tcase, files_are_found_by_name);
    tcase_add_test(tcase, hashed_names_are_kept_for_ever);
    tcase_add_test(tcase, the_best_accepted_coding_is_sent);
    tcase_add_loop_test(tcase, pages_are_the_index, 0, (int)ARRAY_LEN(pages));
    tcase_add_loop_test(tcase, missing_files_are_not_the_index, 0, (int)ARRAY_LEN(missing));
    tcase_add_test(tcase, what_the_browser_has_is_not_sent_again);
    tcase_add_test(tcase, a_folder_is_served_but_not_left);
    suite_add_tcase(suite, tcase);
    return suite;
}
