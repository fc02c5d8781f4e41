/* SPDX-License-Identifier: Apache-2.0 */
/* TaskWorker.Connect: what a worker says, as engine commands. */
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "json/json.h"
#include "log/log.h"
#include "workers_internal.h"

#define RETRY_AFTER_S_MAX 86400
#define RESOURCE_MAX 4096.0 /* cores, devices */

static uint64_t stream_hash(uint64_t number)
{
    return number * UINT64_C(0x9e3779b97f4a7c15);
}

struct stream *stream_find(const struct workers *workers, uint64_t number)
{
    for (struct map_node *node = map_first(&workers->streams, stream_hash(number)); node;
         node = map_next(node)) {
        struct stream *stream = CONTAINER_OF(node, struct stream, node);
        if (stream->number == number)
            return stream;
    }
    return NULL;
}

void stream_send(struct stream *stream, const Plankton__V1__ControllerMessage *message)
{
    /* a worker that does not read loses its stream, not its leases: it comes back and says what it
     * holds */
    if (plankton_v1_task_worker_connect_send(stream->call, message) == STATUS_RESOURCE_EXHAUSTED) {
        struct error error = {0};
        error_set(&error, STATUS_RESOURCE_EXHAUSTED, "the worker does not read");
        rpc_call_fail(stream->call, &error);
    }
}

static void refuse(struct stream *stream, enum status status, const char *reason, const char *what)
{
    struct error error = {0};

    error_field(&error, status, reason, NULL, "%s", what);
    rpc_call_fail(stream->call, &error);
}

/* ---- hello ---- */

static void send_welcome(struct stream *stream)
{
    const struct workers_options *options = &stream->workers->options;
    Plankton__V1__ControllerMessage message = PLANKTON__V1__CONTROLLER_MESSAGE__INIT;
    Plankton__V1__Welcome welcome = PLANKTON__V1__WELCOME__INIT;
    char id[ID_TEXT_BYTES];

    id_format(&stream->worker, id);
    welcome.protocol = WORKER_PROTOCOL;
    welcome.worker_id = id;
    welcome.heartbeat_ms = options->heartbeat_ms;
    welcome.lease_ms = options->lease_ms;
    welcome.logger_address = (char *)options->logger_address;
    message.body_case = PLANKTON__V1__CONTROLLER_MESSAGE__BODY_WELCOME;
    message.welcome = &welcome;
    stream_send(stream, &message);
}

static bool hello_valid(struct stream *stream, const Plankton__V1__Hello *hello)
{
    if (hello->protocol != WORKER_PROTOCOL) {
        refuse(stream, STATUS_FAILED_PRECONDITION, "PROTOCOL_UNSUPPORTED",
               "this controller speaks protocol 1");
        return false;
    }
    if (hello->slots == 0 || hello->slots > ENGINE_SLOTS_MAX) {
        refuse(stream, STATUS_INVALID_ARGUMENT, "INVALID_FIELD",
               "hello.slots must be between 1 and 10000");
        return false;
    }
    if (strlen(hello->name) > WORKER_NAME_BYTES_MAX ||
        strlen(hello->version) > WORKER_NAME_BYTES_MAX) {
        refuse(stream, STATUS_INVALID_ARGUMENT, "INVALID_FIELD",
               "hello.name and hello.version must be at most 128 bytes");
        return false;
    }
    if (hello->n_task_types == 0 || hello->n_task_types > ENGINE_WORKER_TYPES_MAX ||
        hello->n_labels > ENGINE_LABELS_MAX) {
        refuse(stream, STATUS_INVALID_ARGUMENT, "INVALID_FIELD",
               "hello needs 1 to 256 task types and at most 32 labels");
        return false;
    }
    for (size_t i = 0; i < hello->n_task_types; i++)
        if (!text_is_name(hello->task_types[i], ENGINE_TYPE_BYTES_MAX)) {
            refuse(stream, STATUS_INVALID_ARGUMENT, "INVALID_FIELD",
                   "hello.task_types has a malformed type");
            return false;
        }
    if (*hello->worker_id && !id_parse(hello->worker_id, &stream->worker)) {
        refuse(stream, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "hello.worker_id is not an id");
        return false;
    }
    return true;
}

/* Nonsense counts as not said. */
static struct engine_resources resources_of(const Plankton__V1__Resources *resources)
{
    struct engine_resources out = {0};
    int64_t bytes;

    if (!resources)
        return out;
    if (resources->cpu > 0 && resources->cpu <= RESOURCE_MAX)
        out.cpu_milli = (uint32_t)(resources->cpu * 1000 + 0.5);
    if (resources->gpu > 0 && resources->gpu <= RESOURCE_MAX)
        out.gpu_milli = (uint32_t)(resources->gpu * 1000 + 0.5);
    if (*resources->memory && text_to_bytes(resources->memory, &bytes) && bytes > 0)
        out.memory_bytes = (uint64_t)bytes;
    return out;
}

static void on_hello(struct stream *stream, const Plankton__V1__Hello *hello)
{
    struct workers *workers = stream->workers;
    struct engine_label labels[ENGINE_LABELS_MAX];

    if (stream->open) {
        refuse(stream, STATUS_INVALID_ARGUMENT, "PROTOCOL_ERROR", "hello was said already");
        return;
    }
    if (!hello_valid(stream, hello))
        return;
    if (!*hello->worker_id)
        stream->worker = host_new_id(workers->host, 0);
    for (size_t i = 0; i < hello->n_labels; i++)
        labels[i] = (struct engine_label){hello->labels[i]->key, hello->labels[i]->value};
    send_welcome(stream);
    stream->open = true;
    struct engine_command command = {
        .kind = ENGINE_STREAM_OPEN,
        .stream_open = {.stream = stream->number,
                        .worker = stream->worker,
                        .name = hello->name,
                        .version = hello->version,
                        .address = rpc_call_peer(stream->call),
                        .types = (const char *const *)hello->task_types,
                        .types_len = (uint32_t)hello->n_task_types,
                        .labels = labels,
                        .labels_len = (uint32_t)hello->n_labels,
                        .slots = hello->slots,
                        .resources = resources_of(hello->resources)}};
    log_info("worker.connected", LOG_ID("worker", &stream->worker), LOG_STR("name", hello->name),
             LOG_U64("slots", hello->slots));
    host_apply(workers->host, &command);
}

/* ---- tokens ---- */

/* A token of another cluster, of another worker or of a lost future is nobody's here: stale, and no
 * reason to end the stream. */
static bool token_read(struct stream *stream, const ProtobufCBinaryData *data,
                       struct lease_token *ret)
{
    return lease_token_verify(stream->workers->options.cluster_key, data->data, data->len, ret,
                              NULL) == STATUS_OK &&
           ret->timeline == host_timeline(stream->workers->host) &&
           id_eq(&ret->worker, &stream->worker);
}

static struct slice token_slice(const ProtobufCBinaryData *data)
{
    return (struct slice){(const char *)data->data, data->len};
}

/* Refused without the engine: it would not know the worker. */
static void answer_stale(struct stream *stream, const ProtobufCBinaryData *data)
{
    struct engine_effect effect = {
        .kind = ENGINE_STALE, .answer = {.stream = stream->number, .token = token_slice(data)}};

    workers_effect(stream->workers, &effect);
    workers_flush(stream->workers);
}

static uint32_t read_entries(struct stream *stream, const ProtobufCBinaryData *tokens, size_t n,
                             bool gone, struct engine_held_entry *out)
{
    uint32_t len = 0;

    for (size_t i = 0; i < n; i++) {
        struct lease_token token;
        if (!token_read(stream, &tokens[i], &token)) {
            answer_stale(stream, &tokens[i]);
            continue;
        }
        out[len++] = (struct engine_held_entry){.task = token.task,
                                                .attempt = token.attempt,
                                                .gone = gone,
                                                .token = token_slice(&tokens[i])};
    }
    return len;
}

static void on_held(struct stream *stream, const Plankton__V1__Held *held)
{
    size_t n = held->n_tokens + held->n_gone;

    if (n > ENGINE_HELD_PAGE_MAX) {
        refuse(stream, STATUS_INVALID_ARGUMENT, "INVALID_FIELD", "held has more than 10000 tokens");
        return;
    }
    struct engine_held_entry *entries = mem_alloc((n + 1) * sizeof *entries);
    uint32_t kept = read_entries(stream, held->tokens, held->n_tokens, false, entries);
    uint32_t gone = read_entries(stream, held->gone, held->n_gone, true, entries + kept);
    struct engine_command command = {
        .kind = ENGINE_HELD,
        .held = {.stream = stream->number,
                 .shard = (uint16_t)MIN_OF(held->shard, (uint32_t)SHARDS_MAX),
                 .epoch = held->epoch,
                 .nonce = held->nonce,
                 .entries = entries,
                 .entries_len = kept + gone,
                 .end = held->end,
                 .floor = held->floor}};
    host_apply(stream->workers->host, &command);
    free(entries);
}

/* ---- results ---- */

/* A worker's word is taken up to a day; nonsense counts as nothing. */
static int64_t retry_after_ms(const Google__Protobuf__Duration *after)
{
    if (!after || after->seconds < 0 || after->nanos < 0)
        return 0;
    return MIN_OF(after->seconds, (int64_t)RETRY_AFTER_S_MAX) * 1000 + after->nanos / 1000000;
}

static bool result_convert(const Plankton__V1__Result *result, struct engine_result *ret)
{
    struct error error = {0};

    ret->last_log_seq = result->last_log_seq;
    ret->failure.code = ret->failure.message = ret->failure.step = "";
    switch (result->outcome_case) {
    case PLANKTON__V1__RESULT__OUTCOME_CANCELLED:
        ret->kind = ENGINE_RESULT_CANCELLED;
        return true;
    case PLANKTON__V1__RESULT__OUTCOME_FAILURE:
        ret->kind = ENGINE_RESULT_FAILURE;
        ret->failure.code = *result->failure->code ? result->failure->code : "FAILED";
        ret->failure.message = result->failure->message;
        ret->failure.non_retryable = result->failure->non_retryable;
        ret->retry_after_ms = retry_after_ms(result->failure->retry_after);
        if (result->failure->details && json_check(slice_of(result->failure->details->text),
                                                   ENGINE_RESULT_BYTES_MAX, NULL) == STATUS_OK)
            ret->failure.details = slice_of(result->failure->details->text);
        return true;
    case PLANKTON__V1__RESULT__OUTCOME_OUTPUT:
        ret->kind = ENGINE_RESULT_SUCCESS;
        ret->output = slice_of(result->output->text);
        if (!ret->output.len ||
            json_check(ret->output, ENGINE_RESULT_BYTES_MAX, &error) == STATUS_OK)
            return true;
        break;
    default:
        ret->kind = ENGINE_RESULT_SUCCESS;
        return true;
    }
    /* the work is done but its result cannot be kept: doing it again would give the same */
    ret->kind = ENGINE_RESULT_FAILURE;
    ret->output = (struct slice){0};
    ret->failure.code = "BAD_RESULT";
    ret->failure.message = "the result is not JSON of at most 256 KiB";
    ret->failure.non_retryable = true;
    return true;
}

static void on_results(struct stream *stream, const Plankton__V1__Results *results)
{
    for (size_t i = 0; i < results->n_results && rpc_call_is_open(stream->call); i++) {
        const Plankton__V1__Result *result = results->results[i];
        struct lease_token token;
        if (!token_read(stream, &result->token, &token)) {
            answer_stale(stream, &result->token);
            continue;
        }
        struct engine_command command = {.kind = ENGINE_RESULT,
                                         .result = {.stream = stream->number,
                                                    .task = token.task,
                                                    .attempt = token.attempt,
                                                    .token = token_slice(&result->token)}};
        if (result_convert(result, &command.result))
            host_apply(stream->workers->host, &command);
    }
}

static void on_declined(struct stream *stream, const Plankton__V1__Declined *declined)
{
    if (declined->n_tokens > ENGINE_HELD_PAGE_MAX) {
        refuse(stream, STATUS_INVALID_ARGUMENT, "INVALID_FIELD",
               "declined has more than 10000 tokens");
        return;
    }
    struct engine_held_entry *entries = mem_alloc((declined->n_tokens + 1) * sizeof *entries);
    uint32_t n = read_entries(stream, declined->tokens, declined->n_tokens, false, entries);
    struct engine_command command = {.kind = ENGINE_DECLINED,
                                     .declined = {.stream = stream->number,
                                                  .entries = entries,
                                                  .entries_len = n,
                                                  .reason = declined->reason}};
    host_apply(stream->workers->host, &command);
    free(entries);
}

static void on_heartbeat(struct stream *stream, const Plankton__V1__Heartbeat *heartbeat)
{
    struct engine_command command = {.kind = ENGINE_HEARTBEAT,
                                     .stream = {.stream = stream->number}};

    host_apply(stream->workers->host, &command);
    for (size_t i = 0; i < heartbeat->n_progress; i++) {
        const Plankton__V1__Progress *progress = heartbeat->progress[i];
        struct lease_token token;
        if (!token_read(stream, &progress->token, &token))
            continue;
        struct engine_command step = {.kind = ENGINE_PROGRESS,
                                      .progress = {.stream = stream->number,
                                                   .task = token.task,
                                                   .attempt = token.attempt,
                                                   .progress = progress->progress,
                                                   .message = progress->message}};
        host_apply(stream->workers->host, &step);
    }
}

/* ---- the stream ---- */

static void on_message(struct rpc_call *call, const ProtobufCMessage *bytes, void *userdata)
{
    struct stream *stream = userdata;
    const Plankton__V1__WorkerMessage *message = plankton_v1_task_worker_connect_request_of(bytes);

    if (message->body_case != PLANKTON__V1__WORKER_MESSAGE__BODY_HELLO && !stream->open) {
        refuse(stream, STATUS_INVALID_ARGUMENT, "PROTOCOL_ERROR",
               "the first message must be hello");
        return;
    }
    switch (message->body_case) {
    case PLANKTON__V1__WORKER_MESSAGE__BODY_HELLO:
        on_hello(stream, message->hello);
        break;
    case PLANKTON__V1__WORKER_MESSAGE__BODY_HELD:
        on_held(stream, message->held);
        break;
    case PLANKTON__V1__WORKER_MESSAGE__BODY_CREDIT: {
        struct engine_command command = {
            .kind = ENGINE_CREDIT,
            .credit = {.stream = stream->number, .add = message->credit->add}};
        host_apply(stream->workers->host, &command);
        break;
    }
    case PLANKTON__V1__WORKER_MESSAGE__BODY_RESULTS:
        on_results(stream, message->results);
        break;
    case PLANKTON__V1__WORKER_MESSAGE__BODY_HEARTBEAT:
        on_heartbeat(stream, message->heartbeat);
        break;
    case PLANKTON__V1__WORKER_MESSAGE__BODY_DECLINED:
        on_declined(stream, message->declined);
        break;
    default:
        break; /* a newer worker's message: protocol 1 has no use for it */
    }
}

/* The worker leaves: it has nothing more to say, and the answer is the end of the stream. */
static void on_end(struct rpc_call *call, void *userdata)
{
    rpc_call_finish(call);
}

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    struct stream *stream = userdata;
    struct workers *workers = stream->workers;

    if (stream->open) {
        struct engine_command command = {.kind = ENGINE_STREAM_CLOSED,
                                         .stream = {.stream = stream->number}};
        log_info("worker.disconnected", LOG_ID("worker", &stream->worker),
                 LOG_STR("why", status_name(status)));
        host_apply(workers->host, &command);
    }
    map_remove(&workers->streams, &stream->node);
    list_remove(&stream->dirty);
    outbox_fini(&stream->outbox);
    rpc_call_unref(stream->call);
    free(stream);
}

static void workers_connect(struct rpc_call *call)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = on_message, .on_end = on_end, .on_close = on_close};
    struct workers *workers = rpc_call_service(call);
    struct stream *stream = mem_zalloc(sizeof *stream);

    stream->workers = workers;
    stream->call = rpc_call_ref(call);
    stream->number = ++workers->last_stream;
    outbox_init(&stream->outbox);
    map_insert(&workers->streams, &stream->node, stream_hash(stream->number));
    rpc_call_set_callbacks(call, &callbacks, stream);
}

/* ---- the service ---- */

struct workers *workers_new(struct loop *loop, const struct workers_options *options)
{
    struct workers *workers = mem_zalloc(sizeof *workers);

    workers->loop = loop;
    workers->options = *options;
    map_init(&workers->streams);
    list_init(&workers->dirty);
    return workers;
}

void workers_set_host(struct workers *workers, struct host *host)
{
    workers->host = host;
}

void workers_register(struct workers *workers, struct rpc_server *server)
{
    static const struct plankton_v1_task_worker_ops ops = {.connect = workers_connect,
                                                           .list_workers = workers_list,
                                                           .get_worker = workers_get,
                                                           .drain_worker = workers_drain_one};

    rpc_server_add(server, &plankton_v1_task_worker_desc, &ops, workers);
}

static uint64_t effect_stream(const struct engine_effect *effect)
{
    switch (effect->kind) {
    case ENGINE_DISPATCH:
        return effect->dispatch.stream;
    case ENGINE_RESULT_ACK:
    case ENGINE_STALE:
        return effect->answer.stream;
    case ENGINE_CANCEL_WORK:
        return effect->cancel.stream;
    case ENGINE_TAKE:
    case ENGINE_DRAIN:
    case ENGINE_CLOSE_STREAM:
        return effect->take.stream;
    default:
        return 0;
    }
}

void workers_effect(struct workers *workers, const struct engine_effect *effect)
{
    struct stream *stream = stream_find(workers, effect_stream(effect));

    if (!stream || !rpc_call_is_open(stream->call))
        return; /* its next session asks again */
    outbox_effect(stream, effect);
    if (!list_linked(&stream->dirty))
        list_push(&workers->dirty, &stream->dirty);
}

void workers_flush(struct workers *workers)
{
    LIST_EACH(&workers->dirty, node)
    {
        struct stream *stream = LIST_ENTRY(node, struct stream, dirty);
        list_remove(&stream->dirty);
        outbox_send(stream);
    }
}

void workers_drain(struct workers *workers)
{
    struct map_cursor cursor = {0};

    for (struct map_node *node; (node = map_walk(&workers->streams, &cursor));)
        rpc_call_finish(CONTAINER_OF(node, struct stream, node)->call);
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    map_fini(&workers->streams);
    free(workers);
}
