/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "client/client.h"
#include "suites.h"

#define ENDPOINTS "{\"controller\":\"dir:1\",\"logger\":\"dir:2\",\"controllerOps\":\"dir:3\"}"

static struct arena arena;
static char dir[64];
static struct client client;
static struct error err;

static void put(const char *name, const char *text)
{
    FILE *file = fopen(arena_printf(&arena, "%s/%s", dir, name), "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void setup(void)
{
    arena_init(&arena, 0);
    snprintf(dir, sizeof dir, "/tmp/plankton-discover-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(chdir(dir), 0);
    unsetenv("PLANKTON_CONTROLLER");
    unsetenv("PLANKTON_LOGGER");
    unsetenv("PLANKTON_KEY");
    unsetenv("PLANKTON_TLS");
    unsetenv("PLANKTON_TLS_CA");
    unsetenv("PLANKTON_TLS_CERTIFICATE");
}

static void teardown(void)
{
    unlink(arena_printf(&arena, "%s/endpoints.json", dir));
    unlink(arena_printf(&arena, "%s/admin.key", dir));
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(dir);
    arena_fini(&arena);
}

static enum status find(struct connection_settings settings)
{
    client = (struct client){0};
    err = (struct error){0};
    return client_discover(&settings, &arena, &client, &err);
}

START_TEST(a_data_directory_is_enough)
{
    put("endpoints.json", ENDPOINTS);
    put("admin.key", "pk_dir\n");
    ck_assert_int_eq(find((struct connection_settings){.data_dir = dir}), STATUS_OK);
    ck_assert_str_eq(client.controller, "dir:1");
    ck_assert_str_eq(client.logger, "dir:2");
    ck_assert_str_eq(client.controller_ops, "dir:3");
    ck_assert_str_eq(client.authorization, "Bearer pk_dir");
}
END_TEST

START_TEST(flags_win_over_everything)
{
    put("endpoints.json", ENDPOINTS);
    put("admin.key", "pk_dir\n");
    setenv("PLANKTON_CONTROLLER", "env:1", 1);
    setenv("PLANKTON_KEY", "pk_env", 1);
    ck_assert_int_eq(find((struct connection_settings){
                         .controller = "flag:1", .key = "pk_flag", .data_dir = dir}),
                     STATUS_OK);
    ck_assert_str_eq(client.controller, "flag:1");
    ck_assert_str_eq(client.authorization, "Bearer pk_flag");
    ck_assert_ptr_null(client.controller_ops);
}
END_TEST

START_TEST(variables_win_over_the_default_directory_only)
{
    setenv("PLANKTON_CONTROLLER", "env:1", 1);
    setenv("PLANKTON_LOGGER", "env:2", 1);
    setenv("PLANKTON_KEY", "pk_env", 1);
    ck_assert_int_eq(find((struct connection_settings){0}), STATUS_OK);
    ck_assert_str_eq(client.controller, "env:1");
    ck_assert_str_eq(client.logger, "env:2");
    ck_assert_str_eq(client.authorization, "Bearer pk_env");
    put("endpoints.json", ENDPOINTS);
    put("admin.key", "pk_dir");
    ck_assert_int_eq(find((struct connection_settings){.data_dir = dir}), STATUS_OK);
    ck_assert_str_eq(client.controller, "dir:1");
    ck_assert_str_eq(client.authorization, "Bearer pk_dir");
}
END_TEST

START_TEST(a_key_file_is_read_without_its_newline)
{
    put("admin.key", "  pk_file \n");
    const char *path = arena_printf(&arena, "%s/admin.key", dir);
    ck_assert_int_eq(find((struct connection_settings){.controller = "c:1", .key_file = path}),
                     STATUS_OK);
    ck_assert_str_eq(client.authorization, "Bearer pk_file");
    ck_assert_ptr_null(client.logger);
    ck_assert_int_eq(
        find((struct connection_settings){.controller = "c:1", .key_file = "/nowhere"}),
        STATUS_NOT_FOUND);
}
END_TEST

START_TEST(what_is_missing_is_said)
{
    ck_assert_int_eq(find((struct connection_settings){0}), STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(err.reason, "NO_ADDRESS");
    ck_assert_int_eq(find((struct connection_settings){.data_dir = dir}),
                     STATUS_FAILED_PRECONDITION);
    ck_assert_str_eq(err.reason, "NOT_RUNNING");
    ck_assert_ptr_nonnull(strstr(err.message, dir));
    ck_assert_int_eq(find((struct connection_settings){.controller = "c:1"}),
                     STATUS_UNAUTHENTICATED);
    ck_assert_str_eq(err.reason, "NO_KEY");
    put("endpoints.json", "{");
    ck_assert_int_eq(find((struct connection_settings){.data_dir = dir}), STATUS_INVALID_ARGUMENT);
}
END_TEST

START_TEST(tls_is_of_the_flags_and_else_of_the_variables_but_not_of_a_data_directory)
{
    struct connection_settings flags = {.controller = "c:1", .key = "k", .tls_ca = "flag.pem"};

    setenv("PLANKTON_TLS_CA", "variable.pem", 1);
    setenv("PLANKTON_TLS_CERTIFICATE", "variable.crt", 1);
    ck_assert_int_eq(find(flags), STATUS_OK);
    ck_assert(client.uses_tls);
    ck_assert_str_eq(client.tls_options.ca_file, "flag.pem");
    ck_assert_str_eq(client.tls_options.certificate_file, "variable.crt");
    put("endpoints.json", ENDPOINTS);
    put("admin.key", "pk_dir\n");
    ck_assert_int_eq(find((struct connection_settings){.data_dir = dir}), STATUS_OK);
    ck_assert(!client.uses_tls);
    unsetenv("PLANKTON_TLS_CA");
    unsetenv("PLANKTON_TLS_CERTIFICATE");
    flags = (struct connection_settings){.controller = "c:1", .key = "k", .tls_key = "k.pem"};
    ck_assert_int_eq(find(flags), STATUS_INVALID_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(err.message, "--tls-ca"));
}
END_TEST

Suite *discover_suite(void)
{
    Suite *suite = suite_create("discover");
    TCase *tc = tcase_create("all");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_data_directory_is_enough);
    tcase_add_test(tc, flags_win_over_everything);
    tcase_add_test(tc, variables_win_over_the_default_directory_only);
    tcase_add_test(tc, a_key_file_is_read_without_its_newline);
    tcase_add_test(tc, what_is_missing_is_said);
    tcase_add_test(tc, tls_is_of_the_flags_and_else_of_the_variables_but_not_of_a_data_directory);
    suite_add_tcase(suite, tc);
    return suite;
}
