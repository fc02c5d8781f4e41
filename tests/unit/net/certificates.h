/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H
/* Authorities and certificates made while a test runs, as PEM files in a folder of its own. */
#include <openssl/x509.h>
#include <stdint.h>

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    char file[128];
};
struct certificate {
    char file[128], key_file[128];
};

const char *certificates_folder(void); /* made at the first call */
void certificates_remove(void);
void authority_init(struct authority *authority, const char *name);
void authority_fini(struct authority *authority);
/* names: subject alternative names as OpenSSL's configuration writes them ("DNS:a,IP:127.0.0.1"),
 * or NULL. Writes over what a former call with the same file name left. */
struct certificate certificate_write(const struct authority *issuer, const char *file_name,
                                     const char *common_name, const char *names,
                                     int64_t begins_in_s, int64_t ends_in_s);

#endif
