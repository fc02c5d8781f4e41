// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, beforeEach, describe, it } from 'node:test';
import { failure, grpc, openEvents, request, startBackend, startGateway } from './gateway_fixture.mjs';

describe('gateway: event streams', () => {
  let backend; let gateway;
  before(async () => {
    backend = await startBackend();
    gateway = await startGateway(backend.address, ['--heartbeat', '100ms', '--streams-per-client', '3']);
  });
  after(async () => {
    const status = await gateway?.stop();
    backend?.stop();
    assert.equal(status, 0);
  });
  beforeEach(() => {
    for (const name of Object.keys(backend.handlers)) delete backend.handlers[name];
  });

  async function all(stream) {
    const list = [];
    for await (const event of stream.events()) list.push(event);
    return list.filter((e) => e.event);
  }

  it('sends id, name and data of each event, and an end', async () => {
    backend.handlers.WatchRun = (call) => {
      call.write({ event_id: '1-1', snapshot: { run: { id: call.request.id }, tasks: [] } });
      call.write({ event_id: '1-2', task: { id: 't', state: 'TASK_STATE_SUCCEEDED' } });
      call.end();
    };
    const stream = await openEvents(gateway, '/api/v1/runs/r1/events');
    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'text/event-stream');
    assert.equal(stream.headers['cache-control'], 'no-store');
    const events = await all(stream);
    assert.deepEqual(events.map((e) => [e.id, e.event]), [['1-1', 'snapshot'], ['1-2', 'task'], [undefined, 'end']]);
    assert.equal(events[0].data.snapshot.run.id, 'r1');
    assert.equal(events[1].data.task.state, 'TASK_STATE_SUCCEEDED');
    assert.deepEqual(events[2].data, {});
  });

  it('goes on after Last-Event-ID, or after a parameter', async () => {
    const after = [];
    backend.handlers.WatchRun = (call) => { after.push(call.request.after_event_id); call.end(); };
    await all(await openEvents(gateway, '/api/v1/runs/r1/events', { headers: { 'last-event-id': '1-7' } }));
    await all(await openEvents(gateway, '/api/v1/runs/r1/events?afterEventId=1-8'));
    assert.deepEqual(after, ['1-7', '1-8']);
  });

  it('keeps the status of a refusal', async () => {
    backend.handlers.WatchRun = (call) => call.emit('error', failure(grpc.status.NOT_FOUND, 'no such run'));
    const got = await request(gateway, 'GET', '/api/v1/runs/r1/events', { headers: { accept: 'text/event-stream' } });
    assert.equal(got.status, 404);
    assert.equal(got.json.detail, 'no such run');
  });

  it('ends a stream that fails later with an error event', async () => {
    backend.handlers.WatchRun = (call) => {
      call.write({ event_id: '1-1', run: { id: 'r1' } });
      setImmediate(() => call.emit('error', failure(grpc.status.UNAVAILABLE, 'moved')));
    };
    const events = await all(await openEvents(gateway, '/api/v1/runs/r1/events'));
    assert.equal(events.at(-1).event, 'error');
    assert.equal(events.at(-1).data.code, 'UNAVAILABLE');
    assert.equal(events.at(-1).data.status, 503);
  });

  it('opens and beats while there is nothing to say', async () => {
    let finish;
    backend.handlers.WatchRun = (call) => { finish = () => call.end(); };
    const stream = await openEvents(gateway, '/api/v1/runs/r1/events');
    assert.equal(stream.status, 200);
    let beats = 0;
    for await (const event of stream.events()) {
      if (event.comment && ++beats === 3) finish();
      if (event.event === 'end') break;
    }
    assert.ok(beats >= 3);
  });

  it('tells page and stream apart by Accept, and names lists', async () => {
    backend.handlers.QueryTaskLogs = (call, callback) => callback(null, { lines: [{ text: 'page' }] });
    backend.handlers.TailTaskLogs = (call) => { call.write({ event_id: 'e', lines: [{ text: 'tail' }] }); call.end(); };
    const events = await all(await openEvents(gateway, '/api/v1/tasks/t1/logs'));
    assert.equal(events[0].event, 'lines');
    assert.equal(events[0].data.lines[0].text, 'tail');
    const page = await request(gateway, 'GET', '/api/v1/tasks/t1/logs', { headers: { accept: '*/*' } });
    assert.equal(page.json.lines[0].text, 'page');
  });

  it('cancels the call when the client goes', async () => {
    const cancelled = new Promise((resolve) => {
      backend.handlers.WatchRun = (call) => { call.on('cancelled', resolve); call.write({ event_id: '1', run: {} }); };
    });
    (await openEvents(gateway, '/api/v1/runs/r1/events')).close();
    await cancelled;
  });

  it('holds the service back while the client does not read', async () => {
    const total = 64;
    const message = { event_id: '1', run: { id: 'r', plan_name: 'x'.repeat(1 << 20) } };
    let written = 0; let stalled;
    const stall = new Promise((resolve) => { stalled = resolve; });
    backend.handlers.WatchRun = async (call) => {
      for (; written < total; written++) {
        if (call.write(message)) continue;
        const timer = setTimeout(stalled, 500);
        await once(call, 'drain');
        clearTimeout(timer);
      }
      call.end();
    };
    const stream = await openEvents(gateway, '/api/v1/runs/r1/events');
    stream.incoming.pause();
    await stall;
    assert.ok(written < 32, `${written} MiB were taken from the service`);
    let got = 0;
    for await (const event of stream.events()) if (event.event === 'run') got++;
    assert.equal(got, total);
  });

  it('serves only so many streams for one client', async () => {
    backend.handlers.WatchRun = (call) => { call.write({ event_id: '1', run: {} }); };
    const open = [];
    for (let i = 0; i < 3; i++) open.push(await openEvents(gateway, '/api/v1/runs/r1/events'));
    const fourth = await request(gateway, 'GET', '/api/v1/runs/r1/events');
    assert.equal(fourth.status, 429);
    assert.equal(fourth.json.reason, 'TOO_MANY_STREAMS');
    const other = await openEvents(gateway, '/api/v1/runs/r1/events', { key: 'another' });
    assert.equal(other.status, 200);
    for (const stream of [...open, other]) stream.close();
  });

  it('has no head without a body', async () => {
    assert.equal((await request(gateway, 'HEAD', '/api/v1/runs/r1/events')).status, 405);
  });

  it('lets clients come back when it stops: the end of a stream is not its end event', async () => {
    backend.handlers.WatchRun = (call) => { call.write({ event_id: '1', run: {} }); };
    const short = await startGateway(backend.address);
    const stream = await openEvents(short, '/api/v1/runs/r1/events');
    const events = [];
    for await (const event of stream.events()) {
      events.push(event.event);
      if (event.event === 'run') short.process.kill('SIGTERM');
    }
    assert.deepEqual(events.filter(Boolean), ['run']);
    if (short.process.exitCode === null) await once(short.process, 'exit');
    assert.equal(short.process.exitCode, 0);
  });
});
