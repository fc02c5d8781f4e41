/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection does not put up with: floods that carry nothing, resets, pings, silence, more
 * memory than it was given. */
#include <stdio.h>
#include "internal.h"

void h2__condemn(struct h2_conn *conn, enum h2_end end, uint32_t code, const char *why)
{
    if (h2__is_over(conn))
        return;
    conn->condemned = conn->draining = true;
    conn->end = end;
    snprintf(conn->why, sizeof conn->why, "%s", why);
    nghttp2_submit_goaway(conn->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(conn->session), code,
                          (const uint8_t *)why, strlen(why));
    net_stream_pause(conn->net, true);
    h2__mark(conn);
}

/* False when the count is over. The clock is read only when the burst is used up. */
static bool bucket_take(struct h2_bucket *bucket, uint32_t burst, uint32_t per_s)
{
    uint64_t now_us;

    if (bucket->level++ < burst)
        return true;
    now_us = clock_monotonic_us();
    uint64_t refill = (now_us - bucket->since_us) * per_s / 1000000u;
    if (refill == 0)
        return false;
    bucket->since_us = now_us;
    bucket->level -= (uint32_t)MIN_OF(refill, (uint64_t)bucket->level);
    return true;
}

void h2__count_cheap(struct h2_conn *conn)
{
    if (!bucket_take(&conn->cheap, H2_CHEAP_FRAMES_BURST, H2_CHEAP_FRAMES_PER_S))
        h2__condemn(conn, H2_END_ABUSE, NGHTTP2_ENHANCE_YOUR_CALM, "too many empty frames");
}

void h2__count_reset(struct h2_conn *conn)
{
    if (!bucket_take(&conn->resets, H2_RESETS_BURST, H2_RESETS_PER_S))
        h2__condemn(conn, H2_END_ABUSE, NGHTTP2_ENHANCE_YOUR_CALM, "too many streams are reset");
}

void h2__count_oversized(struct h2_conn *conn)
{
    if (!bucket_take(&conn->oversized, H2_OVERSIZED_BURST, H2_OVERSIZED_PER_S))
        h2__condemn(conn, H2_END_ABUSE, NGHTTP2_ENHANCE_YOUR_CALM,
                    "too many header blocks over the limit");
}

void h2__count_ping(struct h2_conn *conn)
{
    uint64_t interval_ms = conn->ping_interval_min_ms, last_us = conn->pinged_us;
    uint64_t now_us = clock_monotonic_us();

    conn->pinged_us = now_us;
    /* The first one after we sent something: peers measure the bandwidth so, some with a PING for
     * each round trip as long as data comes. */
    if (last_us == 0)
        return;
    h2__count_cheap(conn);
    if (!conn->server || interval_ms == H2_OFF)
        return;
    if (conn->stream_count == 0 && !conn->pings_without_streams)
        interval_ms = MAX_OF(interval_ms, (uint64_t)H2_PING_INTERVAL_IDLE_MS);
    if (now_us - last_us < interval_ms * 1000u && ++conn->ping_strikes > H2_PING_STRIKES_MAX)
        h2__condemn(conn, H2_END_PINGS, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings");
}

size_t h2_bytes(const struct h2_conn *conn)
{
    return conn->queued + conn->held + net_stream_pending_bytes(conn->net) +
           conn->stream_count * H2_STREAM_BYTES +
           nghttp2_session_get_outbound_queue_size(conn->session) * H2_FRAME_BYTES;
}

void h2__check_bytes(struct h2_conn *conn)
{
    if (nghttp2_session_get_outbound_queue_size(conn->session) > H2_FRAMES_WAITING_MAX)
        h2__condemn(conn, H2_END_ABUSE, NGHTTP2_ENHANCE_YOUR_CALM, "too many answers wait");
    else if (h2_bytes(conn) > conn->bytes_max)
        h2__condemn(conn, H2_END_MEMORY, NGHTTP2_ENHANCE_YOUR_CALM,
                    "the connection holds too many bytes");
}

void h2__wait(struct h2_conn *conn, enum h2_wait wait, uint64_t ms)
{
    if (wait < conn->wait || ms == H2_OFF)
        return;
    conn->wait = wait;
    loop_timer_start(conn->timer, ms, 0);
}

void h2__wait_over(struct h2_conn *conn, enum h2_wait wait)
{
    if (conn->wait != wait)
        return;
    conn->wait = H2_WAIT_NONE;
    loop_timer_stop(conn->timer);
}
