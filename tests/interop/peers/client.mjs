#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The interoperability cases on @grpc/grpc-js: one process, several cases, a line for each, "ok NAME" or "FAILED NAME: why".
//   client.mjs --server_port=N --test_case=A,B,… [--server_host=HOST] [--use_tls=true --ca_file=FILE --server_host_override=NAME]
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { INITIAL, TRAILING, TestService, UnimplementedService, grpc, readFlags } from './testing.mjs';

const REQUEST_SIZES = [27182, 8, 1828, 45904];
const RESPONSE_SIZES = [31415, 9, 2653, 58979];
const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;
const LIMIT_MS = 10000;
const SOAK_CALLS = 25;
const SOAK_LATENCY_MS = 2000;
const TEST_MESSAGE = 'This is a test message';
const SPECIAL_MESSAGE = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
const NO_COMPRESSION = 2; // a flag of a message
const { status } = grpc;

const flags = readFlags({ server_host: '127.0.0.1', server_port: '', test_case: '', use_tls: false, ca_file: '', server_host_override: '' });

function connect(Service = TestService, options = {}) {
  const credentials = flags.use_tls ? grpc.credentials.createSsl(readFileSync(flags.ca_file)) : grpc.credentials.createInsecure();
  if (flags.server_host_override) options['grpc.ssl_target_name_override'] = flags.server_host_override;
  return new Service(`${flags.server_host}:${flags.server_port}`, credentials, options);
}

const limit = (ms = LIMIT_MS) => ({ deadline: Date.now() + ms });
const zeros = (size) => ({ body: Buffer.alloc(size) });
const asking = (bytes, sizes, more) => ({ payload: zeros(bytes), responseParameters: sizes.map((size) => ({ size })), ...more });
const large = (more) => ({ responseSize: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST), ...more });
const checkPayload = (response, size) => assert.ok(response.payload.body.equals(Buffer.alloc(size)), `not ${size} zeros`);

/** Resolves to {response, initial, trailing}; rejects with the status. */
const unary = (client, method, request, metadata = new grpc.Metadata(), options = limit()) => new Promise((done, fail) => {
  const seen = {};
  const call = client[method](request, metadata, options, (error, response) => {
    if (error) fail(error);
    else setImmediate(() => done({ response, ...seen }));
  });
  call.on('metadata', (initial) => { seen.initial = initial; });
  call.on('status', ({ metadata: trailing }) => { seen.trailing = trailing; });
});

/** The responses of a stream, after its requests were sent; then like unary. */
async function stream(call, requests) {
  const seen = { responses: [] };
  call.on('metadata', (initial) => { seen.initial = initial; });
  call.on('status', ({ metadata: trailing }) => { seen.trailing = trailing; });
  for (const request of requests ?? []) call.write(request);
  if (requests) call.end();
  for await (const response of call) seen.responses.push(response);
  return seen;
}

/** A StreamingInputCall: {call, total: a promise}. */
function upload(client, options = limit()) {
  let call;
  const total = new Promise((done, fail) => {
    call = client.StreamingInputCall(new grpc.Metadata(), options, (error, response) => (error ? fail(error) : done(response.aggregatedPayloadSize)));
  });
  return { call, total };
}

const rejects = (promise, code, details) => assert.rejects(promise, (error) => {
  assert.equal(error.code, code);
  if (details !== undefined) assert.equal(error.details, details);
  return true;
});

const duplex = (client, metadata = new grpc.Metadata(), options = limit()) => client.FullDuplexCall(metadata, options);
const echoStatus = (message) => ({ responseStatus: { code: status.UNKNOWN, message } });

/** A client that compresses all but the messages that say they are not compressed. */
class Packing extends grpc.InterceptingCall {
  sendMessageWithContext(context, message) {
    super.sendMessageWithContext({ ...context, flags: message.expectCompressed?.value === false ? NO_COMPRESSION : 0 }, message);
  }
}
const packing = () => connect(TestService, {
  'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
  interceptors: [(options, next) => new Packing(next(options))],
});

async function soak(client, reconnects) {
  for (let i = 0; i < SOAK_CALLS; i++) {
    const begin = Date.now();
    const used = reconnects ? connect() : client;
    checkPayload((await unary(used, 'UnaryCall', large())).response, LARGE_RESPONSE);
    if (reconnects) used.close();
    assert.ok(Date.now() - begin < SOAK_LATENCY_MS, 'a call took too long');
  }
}

const cases = {
  async empty_unary(client) { assert.deepEqual((await unary(client, 'EmptyCall', {})).response, {}); },
  async large_unary(client) { checkPayload((await unary(client, 'UnaryCall', large())).response, LARGE_RESPONSE); },
  async client_streaming(client) {
    const { call, total } = upload(client);
    for (const size of REQUEST_SIZES) call.write({ payload: zeros(size) });
    call.end();
    assert.equal(await total, REQUEST_SIZES.reduce((a, b) => a + b));
  },
  async server_streaming(client) {
    const { responses } = await stream(client.StreamingOutputCall(asking(0, RESPONSE_SIZES), limit()));
    assert.equal(responses.length, RESPONSE_SIZES.length);
    responses.forEach((response, i) => checkPayload(response, RESPONSE_SIZES[i]));
  },
  async ping_pong(client) {
    const call = duplex(client);
    let at = 0;
    const put = () => (at < REQUEST_SIZES.length ? call.write(asking(REQUEST_SIZES[at], [RESPONSE_SIZES[at]])) : call.end());
    put();
    for await (const response of call) {
      checkPayload(response, RESPONSE_SIZES[at++]);
      put();
    }
    assert.equal(at, REQUEST_SIZES.length);
  },
  async half_duplex(client) {
    const { responses } = await stream(client.HalfDuplexCall(limit()), RESPONSE_SIZES.map((size) => asking(0, [size])));
    assert.deepEqual(responses.map((r) => r.payload.body.length), RESPONSE_SIZES);
  },
  async empty_stream(client) { assert.deepEqual((await stream(duplex(client), [])).responses, []); },
  async custom_metadata(client) {
    const sent = new grpc.Metadata();
    sent.set(INITIAL, 'test_initial_metadata_value');
    sent.set(TRAILING, Buffer.from('ababab', 'hex'));
    for (const { initial, trailing } of [
      await unary(client, 'UnaryCall', large(), sent),
      await stream(duplex(client, sent), [asking(LARGE_REQUEST, [LARGE_RESPONSE])]),
    ]) {
      assert.deepEqual(initial.get(INITIAL), ['test_initial_metadata_value']);
      assert.equal(trailing.get(TRAILING)[0]?.toString('hex'), 'ababab');
    }
  },
  async status_code_and_message(client) {
    await rejects(unary(client, 'UnaryCall', echoStatus(TEST_MESSAGE)), status.UNKNOWN, TEST_MESSAGE);
    await rejects(stream(duplex(client), [echoStatus(TEST_MESSAGE)]), status.UNKNOWN, TEST_MESSAGE);
  },
  special_status_message: (client) => rejects(unary(client, 'UnaryCall', echoStatus(SPECIAL_MESSAGE)), status.UNKNOWN, SPECIAL_MESSAGE),
  unimplemented_method: (client) => rejects(unary(client, 'UnimplementedCall', {}), status.UNIMPLEMENTED),
  async unimplemented_service() {
    const client = connect(UnimplementedService);
    await rejects(unary(client, 'UnimplementedCall', {}), status.UNIMPLEMENTED);
    client.close();
  },
  cancel_after_begin(client) {
    const { call, total } = upload(client);
    setImmediate(() => call.cancel());
    return rejects(total, status.CANCELLED);
  },
  cancel_after_first_response(client) {
    const call = duplex(client);
    call.write(asking(REQUEST_SIZES[0], [RESPONSE_SIZES[0]]));
    return rejects((async () => {
      for await (const response of call) {
        checkPayload(response, RESPONSE_SIZES[0]);
        call.cancel();
      }
    })(), status.CANCELLED);
  },
  async timeout_on_sleeping_server(client) {
    await unary(client, 'EmptyCall', {}); // so that it is not the connecting that takes too long
    const call = duplex(client, new grpc.Metadata(), limit(1));
    call.write(asking(REQUEST_SIZES[0], []));
    await rejects(stream(call), status.DEADLINE_EXCEEDED);
  },
  async client_compressed_unary(client) {
    await rejects(unary(client, 'UnaryCall', large({ expectCompressed: { value: true } })), status.INVALID_ARGUMENT);
    const packed = packing();
    for (const value of [true, false]) checkPayload((await unary(packed, 'UnaryCall', large({ expectCompressed: { value } }))).response, LARGE_RESPONSE);
    packed.close();
  },
  async client_compressed_streaming(client) {
    const lie = upload(client);
    lie.call.write({ payload: zeros(27182), expectCompressed: { value: true } });
    await rejects(lie.total, status.INVALID_ARGUMENT);
    const packed = packing();
    const { call, total } = upload(packed);
    call.write({ payload: zeros(27182), expectCompressed: { value: true } });
    call.write({ payload: zeros(45904), expectCompressed: { value: false } });
    call.end();
    assert.equal(await total, 27182 + 45904);
    packed.close();
  },
  // The library inflates what is compressed and does not tell which was: here it counts that the bytes are right.
  async server_compressed_unary(client) {
    for (const value of [true, false]) checkPayload((await unary(client, 'UnaryCall', large({ responseCompressed: { value } }))).response, LARGE_RESPONSE);
  },
  async server_compressed_streaming(client) {
    const request = { responseParameters: [{ size: 31415, compressed: { value: true } }, { size: 92653, compressed: { value: false } }] };
    const { responses } = await stream(client.StreamingOutputCall(request, limit()));
    assert.deepEqual(responses.map((r) => r.payload.body.length), [31415, 92653]);
  },
  rpc_soak: (client) => soak(client, false),
  channel_soak: (client) => soak(client, true),
};

const client = connect();
for (const name of flags.test_case.split(',')) {
  try {
    await cases[name](client);
    console.log(`ok ${name}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAILED ${name}: ${error.message.replaceAll('\n', ' ')}`);
  }
}
client.close();
