/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "base/text.h"
#include "token_internal.h"

#define HEX_BYTES (2 * CLUSTER_KEY_BYTES)
#define FILE_BYTES_MAX (HEX_BYTES + 1) /* a line end behind the digits */

static enum status refuse(struct error *err, enum status status, const char *path, const char *why)
{
    return error_field(err, status, "BAD_CLUSTER_KEY", NULL, "cluster key %s %s", path, why);
}

static enum status read_file(const char *path, uint8_t *data, size_t room, size_t *ret_len,
                             struct error *err)
{
    AUTO(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;
    size_t len = 0;
    ssize_t n;

    if (fd < 0 || fstat(fd, &info) != 0)
        return refuse(err, status_from_errno(errno), path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return refuse(err, STATUS_INVALID_ARGUMENT, path, "is not a regular file");
    if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return refuse(err, STATUS_PERMISSION_DENIED, path,
                      "may be read by others than its owner (chmod 600 it)");
    while (len < room && (n = read(fd, data + len, room - len)) != 0) {
        if (n < 0)
            return refuse(err, status_from_errno(errno), path, strerror(errno));
        len += (size_t)n;
    }
    *ret_len = len;
    return STATUS_OK;
}

enum status cluster_key_load(const char *path, struct cluster_key *ret, struct error *err)
{
    uint8_t data[FILE_BYTES_MAX + 1], digest[SHA256_DIGEST_LENGTH];
    struct cluster_key key = {0};
    size_t len = 0;
    enum status status = read_file(path, data, sizeof(data), &len, err);

    if (status != STATUS_OK)
        return status;
    if (len == HEX_BYTES + 1 && data[HEX_BYTES] == '\n')
        len--;
    if (len == CLUSTER_KEY_BYTES)
        memcpy(key.bytes, data, CLUSTER_KEY_BYTES);
    else if (len != HEX_BYTES || !text_from_hex((const char *)data, len, key.bytes))
        status =
            refuse(err, STATUS_INVALID_ARGUMENT, path, "is neither 32 bytes nor 64 hex digits");
    OPENSSL_cleanse(data, sizeof(data));
    if (status == STATUS_OK) {
        SHA256(key.bytes, sizeof(key.bytes), digest);
        key.key_id = digest[0];
        *ret = key;
    }
    OPENSSL_cleanse(&key, sizeof(key));
    return status;
}
