/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's binary forms: parameters and arrays out, result columns in. All integers are
 * big-endian. */
#include <assert.h>
#include <endian.h>
#include "base/text.h"
#include "db_internal.h"

#define ARRAY_HEADER_BYTES 20 /* dimensions, has-null, element type, length, lower bound */
#define ARRAY_EMPTY_BYTES 12  /* an empty array has no dimension, so no length and no bound */
#define ARRAY_FIRST_BYTES 256
#define ARRAY_BYTES_MAX (1u << 30) /* what PostgreSQL takes in one value */
#define JSONB_VERSION_BYTES 1

struct db_array {
    struct arena *arena;
    enum db_kind element;
    char *data;
    size_t len, cap;
    uint32_t count;
    bool has_null;
};

static const struct {
    uint32_t element, array;
} kind_oids[] = {
    [DB_BOOL] = {DB_OID_BOOL, 1000},  [DB_I16] = {DB_OID_INT2, 1005},
    [DB_I32] = {DB_OID_INT4, 1007},   [DB_I64] = {DB_OID_INT8, 1016},
    [DB_TEXT] = {DB_OID_TEXT, 1009},  [DB_BYTES] = {DB_OID_BYTEA, 1001},
    [DB_UUID] = {DB_OID_UUID, 2951},  [DB_TIME] = {DB_OID_TIMESTAMPTZ, 1185},
    [DB_F64] = {DB_OID_FLOAT8, 1022},
};

/* Infinite times keep their meaning: they are the ends of the range in both epochs. */
static int64_t time_to_wire(int64_t unix_us)
{
    if (unix_us == INT64_MAX || unix_us <= INT64_MIN + DB_EPOCH_UNIX_US)
        return unix_us == INT64_MAX ? INT64_MAX : INT64_MIN;
    return unix_us - DB_EPOCH_UNIX_US;
}

static int64_t time_from_wire(int64_t wire)
{
    if (wire == INT64_MIN || wire >= INT64_MAX - DB_EPOCH_UNIX_US)
        return wire == INT64_MIN ? INT64_MIN : INT64_MAX;
    return wire + DB_EPOCH_UNIX_US;
}

/* Writes the wire form of an integer kind, returns its length. out has 8 bytes. */
static size_t int_encode(enum db_kind kind, int64_t value, char *out)
{
    uint16_t be16 = htobe16((uint16_t)value);
    uint32_t be32 = htobe32((uint32_t)value);
    uint64_t be64 = htobe64((uint64_t)(kind == DB_TIME ? time_to_wire(value) : value));

    switch (kind) {
    case DB_BOOL:
        *out = value != 0;
        return 1;
    case DB_I16:
        assert(value >= INT16_MIN && value <= INT16_MAX);
        memcpy(out, &be16, sizeof(be16));
        return sizeof(be16);
    case DB_I32:
        assert(value >= INT32_MIN && value <= INT32_MAX);
        memcpy(out, &be32, sizeof(be32));
        return sizeof(be32);
    default:
        assert(kind == DB_I64 || kind == DB_TIME);
        memcpy(out, &be64, sizeof(be64));
        return sizeof(be64);
    }
}

static uint64_t f64_bits(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return htobe64(bits);
}

static void array_put(struct db_array *array, const void *data, size_t len)
{
    if (array->cap - array->len < len) {
        size_t cap = MAX_OF(array->cap * 2, array->len + len);
        char *grown = arena_alloc(array->arena, cap);

        memcpy(grown, array->data, array->len);
        array->data = grown;
        array->cap = cap;
    }
    memcpy(array->data + array->len, data, len);
    array->len += len;
    assert(array->len <= ARRAY_BYTES_MAX);
}

static void array_put_element(struct db_array *array, const void *data, size_t len)
{
    uint32_t be = htobe32((uint32_t)len);

    array_put(array, &be, sizeof(be));
    if (len > 0)
        array_put(array, data, len);
    array->count++;
}

struct db_array *db_array_new(struct arena *arena, enum db_kind element)
{
    struct db_array *array = ARENA_NEW(arena, struct db_array);

    assert(element > DB_NULL && element < DB_ARRAY);
    array->arena = arena;
    array->element = element;
    array->cap = ARRAY_FIRST_BYTES;
    array->data = arena_alloc(arena, array->cap);
    array->len = ARRAY_HEADER_BYTES; /* filled in by db_array_param */
    return array;
}

void db_array_reserve(struct db_array *array, size_t bytes)
{
    if (array->cap - array->len >= bytes)
        return;
    char *grown = arena_alloc(array->arena, array->len + bytes);

    memcpy(grown, array->data, array->len);
    array->data = grown;
    array->cap = array->len + bytes;
}

void db_array_add_null(struct db_array *array)
{
    uint32_t be = htobe32(UINT32_MAX);

    array_put(array, &be, sizeof(be));
    array->count++;
    array->has_null = true;
}

void db_array_add_i64(struct db_array *array, int64_t value)
{
    char wire[sizeof(int64_t)];

    array_put_element(array, wire, int_encode(array->element, value, wire));
}

void db_array_add_f64(struct db_array *array, double value)
{
    uint64_t be = f64_bits(value);

    assert(array->element == DB_F64);
    array_put_element(array, &be, sizeof(be));
}

void db_array_add_slice(struct db_array *array, struct slice value)
{
    assert(array->element == DB_TEXT || array->element == DB_BYTES);
    array_put_element(array, value.data, value.len);
}

void db_array_add_id(struct db_array *array, const struct id *value)
{
    assert(array->element == DB_UUID);
    array_put_element(array, value->bytes, ID_BYTES);
}

size_t db_array_count(const struct db_array *array)
{
    return array->count;
}

struct db_param db_array_param(struct db_array *array)
{
    uint32_t header[ARRAY_HEADER_BYTES / sizeof(uint32_t)] = {
        htobe32(array->count > 0 ? 1 : 0),
        htobe32(array->has_null ? 1 : 0),
        htobe32(kind_oids[array->element].element),
        htobe32(array->count),
        htobe32(1),
    };
    size_t len = array->count > 0 ? array->len : ARRAY_EMPTY_BYTES;

    memcpy(array->data, header, array->count > 0 ? ARRAY_HEADER_BYTES : ARRAY_EMPTY_BYTES);
    return (struct db_param){
        .kind = DB_ARRAY,
        .slice = {array->data, len},
        .array_oid = kind_oids[array->element].array,
        .arena = array->arena,
    };
}

const char *db__param_encode(struct arena *arena, const struct db_param *param, int *ret_length)
{
    char wire[sizeof(int64_t)];
    uint64_t be;

    switch (param->kind) {
    case DB_NULL:
        *ret_length = 0;
        return NULL;
    case DB_F64:
        be = f64_bits(param->f64);
        *ret_length = sizeof(be);
        return arena_memdup(arena, &be, sizeof(be));
    case DB_UUID:
        *ret_length = ID_BYTES;
        return arena_memdup(arena, param->id.bytes, ID_BYTES);
    case DB_TEXT:
    case DB_BYTES:
    case DB_ARRAY:
        assert(param->slice.len <= ARRAY_BYTES_MAX);
        *ret_length = (int)param->slice.len;
        if (param->slice.len == 0)
            return "";
        if (param->kind == DB_ARRAY && param->arena == arena)
            return param->slice
                .data; /* lives as long as the transaction: the big ones are not copied */
        return arena_memdup(arena, param->slice.data, param->slice.len);
    default:
        *ret_length = (int)int_encode(param->kind, param->i64, wire);
        return arena_memdup(arena, wire, (size_t)*ret_length);
    }
}

size_t db_rows(const struct db_result *result)
{
    return (size_t)PQntuples(result->pg);
}

bool db_is_null(const struct db_result *result, size_t row, int column)
{
    return PQgetisnull(result->pg, (int)row, column);
}

static int64_t int_decode(const char *data, size_t len)
{
    uint16_t be16;
    uint32_t be32;
    uint64_t be64;

    switch (len) {
    case 1:
        return *data;
    case sizeof(be16):
        memcpy(&be16, data, len);
        return (int16_t)be16toh(be16);
    case sizeof(be32):
        memcpy(&be32, data, len);
        return (int32_t)be32toh(be32);
    default:
        assert(len == sizeof(be64));
        memcpy(&be64, data, len);
        return (int64_t)be64toh(be64);
    }
}

int64_t db_i64(const struct db_result *result, size_t row, int column)
{
    int64_t value;

    assert(PQfformat(result->pg, column) == 1);
    if (db_is_null(result, row, column))
        return 0;
    value = int_decode(PQgetvalue(result->pg, (int)row, column),
                       (size_t)PQgetlength(result->pg, (int)row, column));
    switch (PQftype(result->pg, column)) {
    case DB_OID_TIMESTAMPTZ:
        return time_from_wire(value);
    case DB_OID_DATE:
        return value + DB_EPOCH_UNIX_DAYS;
    case DB_OID_OID:
        return (uint32_t)value;
    case DB_OID_BOOL:
    case DB_OID_INT2:
    case DB_OID_INT4:
    case DB_OID_INT8:
        return value;
    default:
        assert(!"db_i64 of a column that is no integer: cast it in the SQL");
        return 0;
    }
}

double db_f64(const struct db_result *result, size_t row, int column)
{
    uint64_t bits;
    double value;

    assert(PQftype(result->pg, column) == DB_OID_FLOAT8 && PQfformat(result->pg, column) == 1);
    if (db_is_null(result, row, column))
        return 0;
    memcpy(&bits, PQgetvalue(result->pg, (int)row, column), sizeof(bits));
    bits = be64toh(bits);
    memcpy(&value, &bits, sizeof(value));
    return value;
}

struct slice db_slice(const struct db_result *result, size_t row, int column)
{
    struct slice value = {PQgetvalue(result->pg, (int)row, column),
                          (size_t)PQgetlength(result->pg, (int)row, column)};

    if (db_is_null(result, row, column))
        return (struct slice){NULL, 0};
    if (PQftype(result->pg, column) == DB_OID_JSONB && value.len > 0) {
        value.data += JSONB_VERSION_BYTES;
        value.len -= JSONB_VERSION_BYTES;
    }
    return value;
}

struct id db_id(const struct db_result *result, size_t row, int column)
{
    struct id id = {{0}};

    if (db_is_null(result, row, column))
        return id;
    assert(PQgetlength(result->pg, (int)row, column) == ID_BYTES);
    memcpy(id.bytes, PQgetvalue(result->pg, (int)row, column), ID_BYTES);
    return id;
}

int64_t db_affected(const struct db_result *result)
{
    int64_t rows = 0;

    return text_to_i64(PQcmdTuples(result->pg), &rows) ? rows : 0;
}

bool db_array_read(struct slice wire, struct db_array_reader *ret)
{
    if (wire.len < ARRAY_EMPTY_BYTES)
        return false;
    int64_t dimensions = int_decode(wire.data, sizeof(uint32_t));

    if (dimensions == 0) {
        *ret = (struct db_array_reader){.count = 0};
        return true;
    }
    if (dimensions != 1 || wire.len < ARRAY_HEADER_BYTES)
        return false;
    int64_t count = int_decode(wire.data + ARRAY_EMPTY_BYTES, sizeof(uint32_t));

    if (count < 0)
        return false;
    *ret = (struct db_array_reader){
        .rest = {wire.data + ARRAY_HEADER_BYTES, wire.len - ARRAY_HEADER_BYTES},
        .count = (size_t)count,
    };
    return true;
}

bool db_array_next(struct db_array_reader *reader, struct slice *ret_element)
{
    if (reader->count == 0 || reader->rest.len < sizeof(uint32_t))
        return false;
    int64_t len = int_decode(reader->rest.data, sizeof(uint32_t));
    const char *data = reader->rest.data + sizeof(uint32_t);
    size_t left = reader->rest.len - sizeof(uint32_t);

    if (len < -1 || (len > 0 && (size_t)len > left))
        return false;
    size_t taken = len > 0 ? (size_t)len : 0;

    *ret_element = (struct slice){len < 0 ? NULL : data, taken};
    reader->rest = (struct slice){data + taken, left - taken};
    reader->count--;
    return true;
}

bool db_array_next_i64(struct db_array_reader *reader, int64_t *ret_value)
{
    struct slice element;

    if (!db_array_next(reader, &element) || element.len > sizeof(int64_t) ||
        (element.len & (element.len - 1)) != 0)
        return false;
    *ret_value = element.len > 0 ? int_decode(element.data, element.len) : 0;
    return true;
}
