// SPDX-License-Identifier: Apache-2.0
// Stock gRPC clients (@grpc/grpc-js) from the .proto files alone.
import http2 from 'node:http2';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const protos = resolve(fileURLToPath(new URL('../../../proto', import.meta.url)));
const definition = loader.loadSync(['task_controller', 'plan_api', 'task_worker', 'task_logger', 'keys'].map((name) => `plankton/v1/${name}.proto`),
  { includeDirs: [protos, '/usr/include'], keepCase: false, longs: String, enums: String, defaults: true, oneofs: true });
const { v1 } = grpc.loadPackageDefinition(definition).plankton;

export { grpc };

/** client.call('SubmitTask', request, {deadline}) as a promise; errors keep code and details. */
export function connect(service, address, key, credentials = grpc.credentials.createInsecure()) {
  const client = new v1[service](address, credentials);
  const metadata = new grpc.Metadata();
  if (key) metadata.set('authorization', `Bearer ${key}`);
  return {
    client, metadata,
    call: (method, request, { deadlineMs = 20000 } = {}) => new Promise((done, fail) =>
      client[method](request, metadata, { deadline: Date.now() + deadlineMs }, (error, reply) => (error ? fail(error) : done(reply)))),
    close: () => client.close(),
  };
}

/** Sends the request n times over a connection of its own, at once, without waiting for a word from the server: it may be stopped. Gives
 * the grpc-status of each call, or why there was none. */
export function send(service, method, address, key, request, n) {
  const { path, requestSerialize } = v1[service].service[method];
  const body = requestSerialize(request);
  const frame = Buffer.concat([Buffer.alloc(5), body]);
  frame.writeUInt32BE(body.length, 1);
  const session = http2.connect(`http://${address}`);
  session.on('error', () => {});
  const calls = Array.from({ length: n }, () => new Promise((done) => {
    const call = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', authorization: `Bearer ${key}` });
    let status = 'no status';
    const note = (headers) => { status = headers['grpc-status'] ?? status; };
    call.on('response', note);
    call.on('trailers', note);
    call.on('error', (error) => { status = error.message; });
    call.on('close', () => done(status));
    call.resume();
    call.end(frame);
  }));
  return Promise.all(calls).finally(() => session.destroy());
}
