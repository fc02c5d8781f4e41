/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include "db_internal.h"
#include "db_suites.h"

START_TEST(hosts_of_a_uri_get_their_ports)
{
    struct db_hosts hosts;

    ck_assert_int_eq(
        db__hosts_parse("postgresql://me@10.0.0.1:5433,db.example:5434/plankton", &hosts, NULL), 0);
    ck_assert_uint_eq(hosts.n, 2);
    ck_assert_str_eq(hosts.list[0].host, "10.0.0.1");
    ck_assert_str_eq(hosts.list[0].port, "5433");
    ck_assert_str_eq(hosts.list[1].host, "db.example");
    ck_assert_str_eq(hosts.list[1].port, "5434");
    ck_assert(db__hosts_need_names(&hosts));
    db__hosts_fini(&hosts);
}
END_TEST

START_TEST(one_port_serves_all_hosts)
{
    struct db_hosts hosts;

    ck_assert_int_eq(db__hosts_parse("host=10.0.0.1,10.0.0.2 port=6000", &hosts, NULL), 0);
    ck_assert_uint_eq(hosts.n, 2);
    ck_assert_str_eq(hosts.list[1].port, "6000");
    ck_assert(!db__hosts_need_names(&hosts));
    db__hosts_fini(&hosts);
}
END_TEST

START_TEST(sockets_and_addresses_need_no_name)
{
    static const char *const urls[] = {"host=/run/postgresql", "host=@abstract", "host=::1",
                                       "host=fe80::1%eth0", "host=db.example hostaddr=10.0.0.1"};

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct db_hosts hosts;

        ck_assert_int_eq(db__hosts_parse(urls[i], &hosts, NULL), STATUS_OK);
        ck_assert(!db__hosts_need_names(&hosts));
        db__hosts_fini(&hosts);
    }
}
END_TEST

START_TEST(names_are_resolved_and_the_rest_is_kept)
{
    struct db_hosts hosts;

    ck_assert_int_eq(db__hosts_parse("host=/tmp,localhost port=1,2", &hosts, NULL), STATUS_OK);
    ck_assert_int_eq(db__hosts_resolve(&hosts, NULL), STATUS_OK);
    ck_assert_uint_ge(hosts.n, 2);
    ck_assert_ptr_null(hosts.list[0].address);
    ck_assert_str_eq(hosts.list[1].host, "localhost");
    ck_assert_str_eq(hosts.list[1].port, "2");
    ck_assert_ptr_nonnull(hosts.list[1].address);
    ck_assert(!db__hosts_need_names(&hosts));
    db__hosts_fini(&hosts);
}
END_TEST

START_TEST(a_malformed_url_is_refused_with_a_message)
{
    struct db_hosts hosts;
    struct error err = {0};

    ck_assert_int_eq(db__hosts_parse("host=a colour=blue", &hosts, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.reason, "DATABASE_URL_INVALID");
    ck_assert_ptr_nonnull(strstr(err.message, "colour"));
    ck_assert_ptr_null(strchr(err.message, '\n'));
}
END_TEST

START_TEST(too_many_hosts_are_refused)
{
    char url[1024] = "host=10.0.0.1";
    struct db_hosts hosts;

    for (int i = 0; i < DB_HOSTS_MAX; i++)
        strncat(url, ",10.0.0.1", sizeof(url) - strlen(url) - 1);
    ck_assert_int_eq(db__hosts_parse(url, &hosts, NULL), STATUS_INVALID_ARGUMENT);
}
END_TEST

TCase *hosts_tcase(void)
{
    TCase *tcase = tcase_create("hosts");

    tcase_add_test(tcase, hosts_of_a_uri_get_their_ports);
    tcase_add_test(tcase, one_port_serves_all_hosts);
    tcase_add_test(tcase, sockets_and_addresses_need_no_name);
    tcase_add_test(tcase, names_are_resolved_and_the_rest_is_kept);
    tcase_add_test(tcase, a_malformed_url_is_refused_with_a_message);
    tcase_add_test(tcase, too_many_hosts_are_refused);
    return tcase;
}
