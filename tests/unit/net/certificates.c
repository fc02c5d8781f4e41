/* SPDX-License-Identifier: Apache-2.0 */
#include "certificates.h"
#include <check.h>
#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_S 86400

static char folder[64];

const char *certificates_folder(void)
{
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/plankton-tls-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
    }
    return folder;
}

void certificates_remove(void)
{
    DIR *dir = folder[0] ? opendir(folder) : NULL;
    struct dirent *entry;
    char path[400];

    while (dir && (entry = readdir(dir))) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
    folder[0] = '\0';
}

static void write_certificate(const char *path, X509 *certificate)
{
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
    fclose(file);
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *certificate_new(EVP_PKEY *key, const char *common_name, X509 *issuer,
                             int64_t begins_in_s, int64_t ends_in_s)
{
    static long serial;
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);

    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial + getpid() * 1000L);
    X509_gmtime_adj(X509_getm_notBefore(certificate), begins_in_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), ends_in_s);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1,
                               -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    return certificate;
}

void authority_init(struct authority *authority, const char *name)
{
    authority->key = EVP_EC_gen("P-256");
    authority->certificate = certificate_new(authority->key, name, NULL, -DAY_S, DAY_S);
    add_extension(authority->certificate, authority->certificate, NID_basic_constraints,
                  "critical,CA:TRUE");
    add_extension(authority->certificate, authority->certificate, NID_key_usage,
                  "critical,keyCertSign,cRLSign");
    ck_assert_int_gt(X509_sign(authority->certificate, authority->key, EVP_sha256()), 0);
    snprintf(authority->file, sizeof authority->file, "%s/%s.pem", certificates_folder(), name);
    write_certificate(authority->file, authority->certificate);
}

void authority_fini(struct authority *authority)
{
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
}

struct certificate certificate_write(const struct authority *issuer, const char *file_name,
                                     const char *common_name, const char *names,
                                     int64_t begins_in_s, int64_t ends_in_s)
{
    struct certificate paths;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate =
        certificate_new(key, common_name, issuer->certificate, begins_in_s, ends_in_s);

    if (names)
        add_extension(certificate, issuer->certificate, NID_subject_alt_name, names);
    ck_assert_int_gt(X509_sign(certificate, issuer->key, EVP_sha256()), 0);
    snprintf(paths.file, sizeof paths.file, "%s/%s.crt", certificates_folder(), file_name);
    snprintf(paths.key_file, sizeof paths.key_file, "%s/%s.key", certificates_folder(), file_name);
    write_certificate(paths.file, certificate);
    FILE *file = fopen(paths.key_file, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return paths;
}
