/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"

#include <stdio.h>
#include <stdlib.h>

#include "log/log.h"
#include "plankton/v1/task_logger.rpc.h"

#define RETRY_MS_MIN 50
#define RETRY_MS_MAX 2000

struct relay_shard {
    uint32_t epoch;     /* 0 = not owned */
    bool asked;         /* what does the logger have? */
    bool known;         /* … it has said */
    bool probe;         /* there may be events that this controller has not seen commit */
    bool reading;       /* a read of the journal is on its way */
    uint64_t sent;      /* all up to it were sent on this stream */
    uint64_t acked;     /* all up to it are durable at the logger */
    uint64_t committed; /* all up to it are in the journal */
};

struct relay {
    struct loop *loop;
    struct host *host;
    struct rpc_channel *channel;
    struct rpc_call *call; /* NULL between two tries */
    struct loop_timer *retry;
    uint64_t retry_ms;
    char authorization[API_KEY_TEXT_BYTES + 8];
    struct relay_shard shards[SHARDS_MAX];
};

struct relay_read {
    struct relay *relay;
    uint16_t shard;
    uint32_t epoch;
    struct rpc_call *call; /* compared only: an answer for another stream is thrown away */
};

static void shard_pump(struct relay *relay, uint16_t shard);

static bool send_request(struct relay *relay, uint16_t shard, uint64_t first, struct slice packed)
{
    Plankton__V1__RelayRequest request = PLANKTON__V1__RELAY_REQUEST__INIT;

    request.timeline = host_timeline(relay->host);
    request.shard = shard;
    request.first = first;
    request.events.data = (uint8_t *)packed.data;
    request.events.len = packed.len;
    return plankton_v1_task_logger_relay_events_write(relay->call, &request) == STATUS_OK;
}

static void shard_sent(struct relay_shard *state, const struct store_events *events)
{
    state->sent = events->first + events->count - 1;
    if (state->committed < state->sent)
        state->committed = state->sent;
}

static void journal_read(const struct store_events *events, size_t n, const struct error *err,
                         void *userdata)
{
    struct relay_read *read = userdata;
    struct relay *relay = read->relay;
    struct relay_shard *state = &relay->shards[read->shard];
    bool current = state->epoch == read->epoch && relay->call == read->call && relay->call;

    if (state->epoch == read->epoch)
        state->reading = false;
    if (!current || err) {
        free(read);
        return; /* the next commit, acknowledgement or connection tries again */
    }
    for (size_t i = 0; i < n; i++) {
        if (events[i].first > state->sent + 1) {
            log_error("relay.gap", LOG_U64("shard", read->shard),
                      LOG_U64("expected", state->sent + 1), LOG_U64("found", events[i].first));
            break;
        }
        if (events[i].first + events[i].count - 1 <= state->sent)
            continue;
        if (!send_request(relay, read->shard, events[i].first, events[i].packed))
            break;
        shard_sent(state, &events[i]);
    }
    uint16_t shard = read->shard;
    free(read);
    if (n)
        shard_pump(relay, shard);
    else
        state->probe = false;
}

/* Sends what is committed and was not sent, from the journal; what commits later comes by itself.
 */
static void shard_pump(struct relay *relay, uint16_t shard)
{
    struct relay_shard *state = &relay->shards[shard];

    if (!relay->call || !state->epoch || state->reading)
        return;
    if (!state->asked) {
        state->asked = send_request(relay, shard, 0, (struct slice){0});
        return;
    }
    bool behind = state->probe || state->sent < state->committed;
    if (!state->known || !behind || !rpc_call_writable(relay->call))
        return;
    struct relay_read *read = mem_zalloc(sizeof *read);
    *read = (struct relay_read){relay, shard, state->epoch, relay->call};
    state->reading = true;
    store_read_events(host_store(relay->host), shard, state->sent + 1, journal_read, read);
}

static void on_message(struct rpc_call *call, const ProtobufCMessage *message, void *userdata)
{
    struct relay *relay = userdata;
    const Plankton__V1__RelayReply *reply =
        plankton_v1_task_logger_relay_events_response_of(message);

    relay->retry_ms = RETRY_MS_MIN;
    if (reply->shard >= SHARDS_MAX || !relay->shards[reply->shard].epoch)
        return;
    struct relay_shard *state = &relay->shards[reply->shard];
    if (!state->known) {
        state->known = true;
        state->sent = MAX_OF(state->acked, reply->acknowledged);
        state->probe = true;
    }
    if (reply->acknowledged > state->acked) {
        struct engine_command command = {
            .kind = ENGINE_EVENTS_ACKED,
            .events_acked = {.shard = (uint16_t)reply->shard, .number = reply->acknowledged}};
        state->acked = reply->acknowledged;
        host_apply(relay->host, &command);
    }
    shard_pump(relay, (uint16_t)reply->shard);
}

static void pump_all(struct relay *relay)
{
    for (uint16_t shard = 0; shard < SHARDS_MAX && host_has_shard(relay->host, shard); shard++)
        shard_pump(relay, shard);
}

static void on_writable(struct rpc_call *call, void *userdata)
{
    pump_all(userdata);
}

static void on_close(struct rpc_call *call, enum status status, const struct error *err,
                     void *userdata)
{
    struct relay *relay = userdata;

    relay->call = NULL;
    loop_timer_start(relay->retry, relay->retry_ms, 0);
    relay->retry_ms = MIN_OF(relay->retry_ms * 2, RETRY_MS_MAX);
}

static void relay_connect(void *userdata)
{
    static const struct rpc_callbacks callbacks = {
        .on_message = on_message, .on_writable = on_writable, .on_close = on_close};
    struct relay *relay = userdata;
    struct rpc_call_options options = {.wait_for_ready = true};

    for (size_t i = 0; i < SHARDS_MAX; i++)
        relay->shards[i].asked = relay->shards[i].known = false;
    relay->call =
        plankton_v1_task_logger_relay_events_call(relay->channel, &options, &callbacks, relay);
    if (host_has_cluster(relay->host))
        pump_all(relay);
}

void relay_shard(struct relay *relay, uint16_t shard, uint32_t epoch, uint64_t event_acked)
{
    relay->shards[shard] = (struct relay_shard){.epoch = epoch, .acked = event_acked};
    shard_pump(relay, shard);
}

void relay_events(struct relay *relay, const struct store_events *events)
{
    struct relay_shard *state = &relay->shards[events->shard];
    uint64_t last = events->first + events->count - 1;

    if (state->committed < last)
        state->committed = last;
    bool in_step = relay->call && state->known && !state->reading &&
                   events->first == state->sent + 1 && rpc_call_writable(relay->call);
    if (in_step && send_request(relay, events->shard, events->first, events->packed))
        shard_sent(state, events);
    else
        shard_pump(relay, events->shard);
}

uint64_t relay_lag(const struct relay *relay)
{
    uint64_t lag = 0;

    for (size_t i = 0; i < SHARDS_MAX; i++)
        if (relay->shards[i].epoch && relay->shards[i].committed > relay->shards[i].acked)
            lag += relay->shards[i].committed - relay->shards[i].acked;
    return lag;
}

struct relay *relay_new(struct loop *loop, struct host *host, const char *logger_address,
                        struct net_tls *tls, const struct cluster_key *key)
{
    struct relay *relay = mem_zalloc(sizeof *relay);
    struct rpc_channel_options options;
    char credential[API_KEY_TEXT_BYTES];

    relay->loop = loop;
    relay->host = host;
    relay->retry_ms = RETRY_MS_MIN;
    service_credential_make(key, credential);
    snprintf(relay->authorization, sizeof relay->authorization, "Bearer %s", credential);
    options = rpc_channel_defaults(relay->authorization, tls);
    relay->channel = rpc_channel_new(loop, logger_address, &options);
    relay->retry = loop_timer_new(loop, relay_connect, relay);
    loop_timer_start(relay->retry, 0, 0);
    return relay;
}

void relay_free(struct relay *relay)
{
    if (!relay)
        return;
    loop_timer_free(relay->retry);
    rpc_channel_free(relay->channel);
    free(relay);
}
