#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// grpc.testing.TestService on @grpc/grpc-js. Prints its address, serves until its input ends. It neither sees whether a request is compressed
// nor compresses its answers: the library does not tell, and does not do it.
//   server.mjs [--port=N] [--use_tls=true --tls_cert_file=FILE --tls_key_file=FILE]
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { INITIAL, TRAILING, TestService, grpc, readFlags } from './testing.mjs';

/** Sends the initial metadata that the call asks for; gives the trailing. */
function echoMetadata(call) {
  const copy = (name) => {
    const metadata = new grpc.Metadata();
    for (const value of call.metadata.get(name)) metadata.add(name, value);
    return metadata;
  };
  if (call.metadata.get(INITIAL).length) call.sendMetadata(copy(INITIAL));
  return copy(TRAILING);
}

// The end of the input must not be the end of the call, as it were for Node.js.
const KEEP = { destroyOnReturn: false };
const payload = (size) => ({ body: Buffer.alloc(size ?? 0) });
const askedError = ({ responseStatus: status }) => (status?.code ? { code: status.code, details: status.message } : null);

async function respond(call, request) {
  for (const { size, intervalUs } of request.responseParameters ?? []) {
    if (intervalUs) await pause(intervalUs / 1000);
    if (call.cancelled) return;
    call.write({ payload: payload(size) });
  }
}

/** Serves each request of a stream as it comes. */
async function fullDuplex(call) {
  const trailing = echoMetadata(call);
  try {
    for await (const request of call.iterator(KEEP)) {
      const error = askedError(request);
      if (error) return void call.emit('error', error);
      await respond(call, request);
    }
    call.end(trailing);
  } catch { /* cancelled */ }
}

const methods = {
  EmptyCall(call, done) { done(null, {}, echoMetadata(call)); },
  UnaryCall(call, done) {
    const trailing = echoMetadata(call);
    const error = askedError(call.request);
    if (error) done(error);
    else done(null, { payload: payload(call.request.responseSize) }, trailing);
  },
  async StreamingOutputCall(call) {
    const error = askedError(call.request);
    if (error) return void call.emit('error', error);
    await respond(call, call.request);
    call.end(echoMetadata(call));
  },
  async StreamingInputCall(call, done) {
    let total = 0;
    try {
      for await (const request of call.iterator(KEEP)) total += request.payload?.body.length ?? 0;
      done(null, { aggregatedPayloadSize: total });
    } catch { /* cancelled */ }
  },
  FullDuplexCall: fullDuplex,
  async HalfDuplexCall(call) {
    const requests = [];
    try {
      for await (const request of call.iterator(KEEP)) requests.push(request);
      for (const request of requests) await respond(call, request);
      call.end();
    } catch { /* cancelled */ }
  },
};

const flags = readFlags({ port: '0', use_tls: false, tls_cert_file: '', tls_key_file: '' });
const credentials = flags.use_tls
  ? grpc.ServerCredentials.createSsl(null, [{ cert_chain: readFileSync(flags.tls_cert_file), private_key: readFileSync(flags.tls_key_file) }])
  : grpc.ServerCredentials.createInsecure();
const server = new grpc.Server();
server.addService(TestService.service, methods);
server.bindAsync(`127.0.0.1:${flags.port}`, credentials, (error, port) => {
  if (error) throw error;
  console.log(`127.0.0.1:${port}`);
});
process.stdin.on('end', () => server.forceShutdown()).resume();
