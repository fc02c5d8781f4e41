/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/slice.h"
#include "token/token.h"

static const struct cluster_key KEY = {.bytes = "0123456789abcdef0123456789abcde", .key_id = 7};
static const struct cluster_key OTHER = {.bytes = "0123456789abcdef0123456789abcdX", .key_id = 7};

static struct lease_token sample(void)
{
    return (struct lease_token){
        .timeline = 0xfedcba98,
        .namespace_id = 3,
        .task = id_make(1700000000000u, 5, 1),
        .run = id_make(1700000000000u, 5, 77),
        .attempt = 2,
        .worker = id_make(1700000000001u, 0, 9),
        .epoch = 41,
        .journal_seq = UINT64_C(0x123456789abcdef0),
    };
}

START_TEST(lease_token_comes_back_whole)
{
    struct lease_token in = sample(), out;
    uint8_t data[LEASE_TOKEN_BYTES];
    size_t len;

    lease_token_sign(&KEY, &in, data, &len);
    ck_assert_uint_le(len, LEASE_TOKEN_BYTES);
    ck_assert_int_eq(lease_token_verify(&KEY, data, len, &out, NULL), STATUS_OK);
    ck_assert_uint_eq(out.timeline, in.timeline);
    ck_assert_uint_eq(out.namespace_id, 3);
    ck_assert(id_eq(&out.task, &in.task) && id_eq(&out.worker, &in.worker));
    ck_assert(id_eq(&out.run, &in.run));
    ck_assert_uint_eq(out.attempt, 2);
    ck_assert_uint_eq(out.epoch, 41);
    ck_assert_uint_eq(out.journal_seq, in.journal_seq);
}
END_TEST

/* Computed by Python's hmac: tokens outlive the program that made them. */
START_TEST(macs_are_those_of_hmac_sha256)
{
    static const uint8_t mac[] = {0xca, 0x04, 0x75, 0xc7, 0x99, 0xc1, 0xd8, 0x1c,
                                  0x90, 0x1d, 0x7b, 0xec, 0xbc, 0x83, 0xb3, 0xec};
    struct lease_token in = {0};
    uint8_t data[LEASE_TOKEN_BYTES];
    char text[API_KEY_TEXT_BYTES];
    size_t len;

    for (int again = 0; again < 2; again++) {
        lease_token_sign(&OTHER, &in, data, &len); /* the key changes to and fro */
        lease_token_sign(&KEY, &in, data, &len);
        ck_assert_mem_eq(data + len - sizeof mac, mac, sizeof mac);
    }
    service_credential_make(&KEY, text);
    ck_assert_str_eq(text, "ps_farPJs-hbIi4wr80vEXurM7viJqQrQjt7jnYsMjcupc");
}
END_TEST

START_TEST(any_changed_bit_or_length_is_refused)
{
    struct lease_token in = sample(), out = {.epoch = 99};
    uint8_t data[LEASE_TOKEN_BYTES + 1] = {0};
    struct error err = {0};
    size_t len;

    lease_token_sign(&KEY, &in, data, &len);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            data[i] ^= (uint8_t)(1 << bit);
            ck_assert_int_eq(lease_token_verify(&KEY, data, len, &out, &err),
                             STATUS_INVALID_ARGUMENT);
            ck_assert_str_eq(err.reason, "TOKEN_INVALID");
            data[i] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t cut = 0; cut < sizeof(data); cut++) {
        if (cut != len)
            ck_assert_int_eq(lease_token_verify(&KEY, data, cut, &out, &err),
                             STATUS_INVALID_ARGUMENT);
    }
    ck_assert_int_eq(lease_token_verify(&OTHER, data, len, &out, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_uint_eq(out.epoch, 99); /* untouched */
    ck_assert_int_eq(lease_token_verify(&KEY, data, len, &out, &err), STATUS_OK);
}
END_TEST

START_TEST(page_token_is_bound_to_its_filter_and_key)
{
    char text[513], cursor[64];
    struct error err = {0};
    size_t len;

    ck_assert_int_eq(
        page_token_make(&KEY, "/plans state=ready", slice_of("after:42"), text, sizeof(text)),
        STATUS_OK);
    ck_assert_uint_eq(
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        strlen(text));
    ck_assert_int_eq(
        page_token_open(&KEY, "/plans state=ready", text, cursor, sizeof(cursor), &len, &err),
        STATUS_OK);
    ck_assert(slice_eq((struct slice){cursor, len}, slice_of("after:42")));
    ck_assert_int_eq(page_token_open(&KEY, "/plans", text, cursor, sizeof(cursor), &len, &err),
                     STATUS_INVALID_ARGUMENT);
    ck_assert_str_eq(err.reason, "PAGE_TOKEN_INVALID");
    ck_assert_int_ne(
        page_token_open(&OTHER, "/plans state=ready", text, cursor, sizeof(cursor), &len, &err),
        STATUS_OK);
    ck_assert_int_ne(page_token_open(&KEY, "/plans state=ready", text, cursor, 7, &len, &err),
                     STATUS_OK);
    for (size_t i = 0; text[i]; i++) {
        char saved = text[i];

        text[i] = saved == 'A' ? 'B' : 'A';
        ck_assert_int_ne(
            page_token_open(&KEY, "/plans state=ready", text, cursor, sizeof(cursor), &len, &err),
            STATUS_OK);
        text[i] = saved;
    }
    ck_assert_int_ne(page_token_open(&KEY, "", "", cursor, sizeof(cursor), &len, &err), STATUS_OK);
    ck_assert_int_ne(page_token_open(&KEY, "", "!!", cursor, sizeof(cursor), &len, &err),
                     STATUS_OK);
}
END_TEST

START_TEST(page_token_has_limits)
{
    char text[513], big[400] = {0}, cursor[400], huge[600];
    size_t len, longest = 0;

    for (size_t n = 0; n <= sizeof(big); n++) {
        if (page_token_make(&KEY, "f", (struct slice){big, n}, text, sizeof(text)) != STATUS_OK)
            break;
        longest = n;
        ck_assert_uint_le(strlen(text), 512);
    }
    ck_assert_uint_ge(longest, 300);
    ck_assert_int_eq(page_token_make(&KEY, "f", (struct slice){big, longest}, text, sizeof(text)),
                     STATUS_OK);
    ck_assert_int_eq(page_token_open(&KEY, "f", text, cursor, sizeof(cursor), &len, NULL),
                     STATUS_OK);
    ck_assert_uint_eq(len, longest);
    ck_assert_int_eq(page_token_make(&KEY, "f", slice_of("abc"), text, 10),
                     STATUS_RESOURCE_EXHAUSTED);
    memset(huge, 'A', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    ck_assert_int_eq(page_token_open(&KEY, "f", huge, cursor, sizeof(cursor), &len, NULL),
                     STATUS_INVALID_ARGUMENT);
}
END_TEST

/* FIPS 180-2 and RFC 4231 give the shapes; the service credential is pinned, since two versions
 * must agree on it. */
START_TEST(keys_and_credentials)
{
    char a[API_KEY_TEXT_BYTES], b[API_KEY_TEXT_BYTES];
    uint8_t digest[32];

    api_key_make(a);
    api_key_make(b);
    ck_assert_int_eq(strncmp(a, "pk_", 3), 0);
    ck_assert_uint_eq(strlen(a), 46);
    ck_assert_str_ne(a, b);
    api_key_digest("abc", digest);
    ck_assert_int_eq(memcmp(digest, "\xba\x78\x16\xbf\x8f\x01\xcf\xea", 8), 0);
    service_credential_make(&KEY, a);
    ck_assert_int_eq(strncmp(a, "ps_", 3), 0);
    ck_assert(service_credential_check(&KEY, a));
    ck_assert(!service_credential_check(&OTHER, a));
    ck_assert(!service_credential_check(&KEY, NULL) && !service_credential_check(&KEY, ""));
    for (size_t i = 0; a[i]; i++) {
        a[i] ^= 1;
        ck_assert(!service_credential_check(&KEY, a));
        a[i] ^= 1;
    }
    memset(b, 'x', sizeof(b)); /* no end within the limit */
    ck_assert(!service_credential_check(&KEY, b));
}
END_TEST

START_TEST(one_context_serves_changing_keys)
{
    char first[API_KEY_TEXT_BYTES], again[API_KEY_TEXT_BYTES], other[API_KEY_TEXT_BYTES];

    service_credential_make(&KEY, first);
    service_credential_make(&OTHER, other);
    service_credential_make(&KEY, again);
    ck_assert_str_eq(first, again);
    ck_assert_str_ne(first, other);
    service_credential_make(&KEY, again);
    ck_assert_str_eq(first, again);
}
END_TEST

static enum status load_file(const char *data, size_t len, mode_t mode, struct cluster_key *ret,
                             struct error *err)
{
    char path[] = "/tmp/plankton-key-XXXXXX";
    int fd = mkstemp(path);
    enum status status;

    ck_assert_int_eq(write(fd, data, len), len);
    fchmod(fd, mode);
    close(fd);
    status = cluster_key_load(path, ret, err);
    unlink(path);
    return status;
}

START_TEST(cluster_key_file_is_checked)
{
    static const char HEX[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    struct cluster_key from_hex, from_bytes;
    struct error err = {0};
    char bytes[32];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (char)i;
    ck_assert_int_eq(load_file(HEX, 65, 0600, &from_hex, &err), STATUS_OK);
    ck_assert_int_eq(load_file(bytes, 32, 0400, &from_bytes, &err), STATUS_OK);
    ck_assert_int_eq(memcmp(&from_hex, &from_bytes, sizeof(from_hex)), 0);
    ck_assert_uint_eq(from_hex.key_id, 0x63); /* sha256 of 00…1f begins 630dcd29 */
    ck_assert_int_eq(load_file(HEX, 64, 0600, &from_hex, &err), STATUS_OK);
    ck_assert_int_eq(load_file(HEX, 64, 0640, &from_hex, &err), STATUS_PERMISSION_DENIED);
    ck_assert_int_eq(load_file(HEX, 64, 0604, &from_hex, &err), STATUS_PERMISSION_DENIED);
    ck_assert_int_eq(load_file(HEX, 63, 0600, &from_hex, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(load_file(bytes, 31, 0600, &from_hex, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(load_file(HEX, 0, 0600, &from_hex, &err), STATUS_INVALID_ARGUMENT);
    ck_assert_int_eq(cluster_key_load("/nonexistent", &from_hex, &err), STATUS_NOT_FOUND);
    ck_assert_int_eq(cluster_key_load("/tmp", &from_hex, &err), STATUS_INVALID_ARGUMENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("token");
    TCase *tc = tcase_create("token");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_test(tc, lease_token_comes_back_whole);
    tcase_add_test(tc, macs_are_those_of_hmac_sha256);
    tcase_add_test(tc, any_changed_bit_or_length_is_refused);
    tcase_add_test(tc, page_token_is_bound_to_its_filter_and_key);
    tcase_add_test(tc, page_token_has_limits);
    tcase_add_test(tc, keys_and_credentials);
    tcase_add_test(tc, one_context_serves_changing_keys);
    tcase_add_test(tc, cluster_key_file_is_checked);
    suite_add_tcase(suite, tc);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
