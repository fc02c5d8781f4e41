/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include "spool/journal.h"

enum record_kind { RECORD_BEGIN = 'B', RECORD_RESULT = 'R', RECORD_SEQ = 'S', RECORD_DONE = 'D' };
/* Head of every record; what follows depends on the kind. Host byte order: the file never leaves
 * its machine. */
struct record_head {
    uint8_t kind, token_len;
    uint16_t step_len; /* BEGIN and RESULT */
    uint32_t shard, attempt;
    struct id task;
    uint64_t last_log_seq; /* SEQ */
};
struct journal {
    struct segments *segments;
    struct map entries; /* by token */
    struct map live;    /* segment number → how many records of open attempts it holds */
    struct buf scratch;
};
struct live_segment {
    struct map_node node;
    uint64_t number;
    size_t records;
};

static struct live_segment *live_find(const struct journal *journal, uint64_t number)
{
    for (struct map_node *n = map_first(&journal->live, number); n; n = map_next(n)) {
        struct live_segment *live = CONTAINER_OF(n, struct live_segment, node);
        if (live->number == number)
            return live;
    }
    return NULL;
}

static void live_add(struct journal *journal, uint64_t number)
{
    struct live_segment *live = live_find(journal, number);

    if (!live) {
        live = mem_zalloc(sizeof *live);
        live->number = number;
        map_insert(&journal->live, &live->node, number);
    }
    live->records++;
}

static void live_drop(struct journal *journal, uint64_t number)
{
    struct live_segment *live = number ? live_find(journal, number) : NULL;

    if (!live || --live->records > 0)
        return;
    map_remove(&journal->live, &live->node);
    free(live);
    if (journal->segments) /* while a predecessor's records are read the sweep comes later */
        segments_remove(journal->segments, number); /* the current one stays */
}

/* Segments that were current when their last record was done. */
static void journal_sweep(struct journal *journal)
{
    uint64_t number = segments_oldest(journal->segments);

    while (number && number != segments_current(journal->segments)) {
        uint64_t next = segments_next(journal->segments, number);
        if (!live_find(journal, number))
            segments_remove(journal->segments, number);
        number = next;
    }
}

struct journal_entry *journal_find(const struct journal *journal, const uint8_t *token, size_t len)
{
    uint64_t hash = hash_bytes(token, len);

    for (struct map_node *n = map_first(&journal->entries, hash); n; n = map_next(n)) {
        struct journal_entry *entry = CONTAINER_OF(n, struct journal_entry, node);
        if (entry->token_len == len && memcmp(entry->token, token, len) == 0)
            return entry;
    }
    return NULL;
}

static struct journal_entry *entry_make(struct journal *journal, const uint8_t *token,
                                        const struct record_head *head, struct slice step)
{
    struct journal_entry *entry = mem_zalloc(sizeof *entry);

    memcpy(entry->token, token, head->token_len);
    entry->token_len = head->token_len;
    entry->task = head->task;
    entry->shard = head->shard;
    entry->attempt = head->attempt;
    memcpy(entry->step, step.data, step.len);
    map_insert(&journal->entries, &entry->node, hash_bytes(token, head->token_len));
    return entry;
}

static void entry_free(struct journal *journal, struct journal_entry *entry)
{
    map_remove(&journal->entries, &entry->node);
    live_drop(journal, entry->lease_segment);
    live_drop(journal, entry->seq_segment);
    live_drop(journal, entry->result.segment);
    free(entry);
}

static void entry_set_place(struct journal *journal, uint64_t *slot, uint64_t number)
{
    uint64_t old = *slot;

    *slot = number;
    live_add(journal, number);
    live_drop(journal, old);
}

/* Applies one record of a predecessor. A place keeps only what the record's position is; results
 * are read when they are sent. */
static void journal_replay(struct segment_place place, struct slice payload, void *userdata)
{
    struct journal *journal = userdata;
    struct record_head head;

    if (payload.len < sizeof head)
        return;
    memcpy(&head, payload.data, sizeof head);
    const uint8_t *token = (const uint8_t *)payload.data + sizeof head;
    if (head.token_len == 0 || head.token_len > TOKEN_BYTES_MAX ||
        head.step_len >= STEP_BYTES_MAX ||
        payload.len < sizeof head + head.token_len + head.step_len)
        return;
    struct slice step = {(const char *)token + head.token_len, head.step_len};
    struct journal_entry *entry = journal_find(journal, token, head.token_len);
    if (!entry && (head.kind == RECORD_BEGIN || head.kind == RECORD_RESULT))
        entry = entry_make(journal, token, &head, step);
    if (!entry)
        return;
    switch ((enum record_kind)head.kind) {
    case RECORD_BEGIN:
        entry_set_place(journal, &entry->lease_segment, place.segment);
        break;
    case RECORD_RESULT:
        entry_set_place(journal, &entry->result.segment, place.segment);
        entry->result = place;
        entry->has_result = true;
        break;
    case RECORD_SEQ:
        entry_set_place(journal, &entry->seq_segment, place.segment);
        entry->last_log_seq = head.last_log_seq;
        break;
    case RECORD_DONE:
        entry_free(journal, entry);
        break;
    }
}

enum status journal_open(const char *dir, struct journal **ret, struct error *err)
{
    struct journal *journal = mem_zalloc(sizeof *journal);

    map_init(&journal->entries);
    map_init(&journal->live);
    buf_init(&journal->scratch, SEGMENT_RECORD_BYTES_MAX);
    enum status st = segments_open(dir, "results", JOURNAL_SEGMENT_BYTES, journal_replay, journal,
                                   &journal->segments, err);
    if (st != STATUS_OK) {
        journal_close(journal);
        return st;
    }
    journal_sweep(journal);
    *ret = journal;
    return STATUS_OK;
}

void journal_close(struct journal *journal)
{
    struct map_node *node;

    if (!journal)
        return;
    struct map_cursor cursor = {0};
    while ((node = map_walk(&journal->entries, &cursor))) {
        map_remove(&journal->entries, node);
        free(CONTAINER_OF(node, struct journal_entry, node));
    }
    cursor = (struct map_cursor){0};
    while ((node = map_walk(&journal->live, &cursor))) {
        map_remove(&journal->live, node);
        free(CONTAINER_OF(node, struct live_segment, node));
    }
    map_fini(&journal->entries);
    map_fini(&journal->live);
    buf_fini(&journal->scratch);
    segments_close(journal->segments);
    free(journal);
}

struct segments *journal_segments(struct journal *journal)
{
    return journal->segments;
}

struct journal_entry *journal_walk(struct journal *journal, struct map_cursor *cursor)
{
    struct map_node *node = map_walk(&journal->entries, cursor);

    return node ? CONTAINER_OF(node, struct journal_entry, node) : NULL;
}

/* Builds a record in the scratch buffer and appends it. */
static enum status journal_append(struct journal *journal, const struct record_head *head,
                                  const uint8_t *token, struct slice step, struct slice rest,
                                  struct segment_place *ret)
{
    buf_clear(&journal->scratch);
    if (sizeof *head + head->token_len + step.len + rest.len > journal->scratch.max)
        return STATUS_RESOURCE_EXHAUSTED;
    buf_put(&journal->scratch, head, sizeof *head);
    buf_put(&journal->scratch, token, head->token_len);
    buf_put(&journal->scratch, step.data, step.len);
    buf_put(&journal->scratch, rest.data, rest.len);
    return segments_append(journal->segments, buf_slice(&journal->scratch), ret);
}

static struct record_head entry_head(const struct journal_entry *entry, enum record_kind kind)
{
    struct record_head head;

    memset(&head, 0, sizeof head); /* its padding goes to the disk too */
    head.kind = (uint8_t)kind;
    head.token_len = entry->token_len;
    head.shard = entry->shard;
    head.attempt = entry->attempt;
    head.task = entry->task;
    return head;
}

enum status journal_begin(struct journal *journal, const uint8_t *token, size_t token_len,
                          uint32_t shard, const struct id *task, uint32_t attempt, const char *step,
                          struct journal_entry **ret, struct error *err)
{
    struct record_head head = {
        .token_len = (uint8_t)token_len, .shard = shard, .attempt = attempt, .task = *task};
    struct slice step_text = slice_of(step ? step : "");
    struct segment_place place;

    step_text.len = MIN_OF(step_text.len, STEP_BYTES_MAX - 1);
    struct journal_entry *entry = entry_make(journal, token, &head, step_text);
    head = entry_head(entry, RECORD_BEGIN);
    head.step_len = (uint16_t)step_text.len;
    enum status st = journal_append(journal, &head, token, step_text, (struct slice){0}, &place);
    if (st != STATUS_OK) {
        entry_free(journal, entry);
        return error_set(err, st, "the result journal takes no more");
    }
    entry_set_place(journal, &entry->lease_segment, place.segment);
    *ret = entry;
    return segments_write(journal->segments, err);
}

enum status journal_result(struct journal *journal, struct journal_entry *entry,
                           struct slice packed)
{
    struct record_head head = entry_head(entry, RECORD_RESULT);
    struct slice step = slice_of(entry->step);
    struct segment_place place;

    head.step_len = (uint16_t)step.len;
    enum status st = journal_append(journal, &head, entry->token, step, packed, &place);
    if (st != STATUS_OK)
        return st;
    entry_set_place(journal, &entry->result.segment, place.segment);
    entry->result = place;
    entry->has_result = true;
    return STATUS_OK;
}

void journal_seq(struct journal *journal, struct journal_entry *entry, uint64_t last_log_seq)
{
    struct record_head head = entry_head(entry, RECORD_SEQ);
    struct segment_place place;

    head.last_log_seq = last_log_seq;
    if (journal_append(journal, &head, entry->token, (struct slice){0}, (struct slice){0},
                       &place) != STATUS_OK)
        return; /* costs only the mark `cut` of a log, should the process die */
    entry->last_log_seq = last_log_seq;
    entry_set_place(journal, &entry->seq_segment, place.segment);
}

void journal_done(struct journal *journal, struct journal_entry *entry)
{
    struct record_head head = entry_head(entry, RECORD_DONE);
    struct segment_place place;

    /* Not written: the result is sent again after a restart and acknowledged again. */
    if (journal_append(journal, &head, entry->token, (struct slice){0}, (struct slice){0},
                       &place) != STATUS_OK)
        place = (struct segment_place){0};
    entry_free(journal, entry);
    if (segments_oldest(journal->segments) != segments_current(journal->segments))
        journal_sweep(journal);
}

enum status journal_read_result(struct journal *journal, const struct journal_entry *entry,
                                struct buf *out, struct error *err)
{
    size_t head_bytes = sizeof(struct record_head) + entry->token_len + strlen(entry->step);
    size_t before = out->len;

    enum status st = segments_read(journal->segments, entry->result, out, err);
    if (st != STATUS_OK)
        return st;
    memmove(out->data + before, out->data + before + head_bytes, out->len - before - head_bytes);
    out->len -= head_bytes;
    return STATUS_OK;
}

size_t journal_open_entries(const struct journal *journal)
{
    return journal->entries.used;
}
