// SPDX-License-Identifier: Apache-2.0
// Stock gRPC clients (@grpc/grpc-js) from the .proto files alone.
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
export function connect(service, address, key) {
  const client = new v1[service](address, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata();
  if (key) metadata.set('authorization', `Bearer ${key}`);
  return {
    client, metadata,
    call: (method, request, { deadlineMs = 20000 } = {}) => new Promise((done, fail) =>
      client[method](request, metadata, { deadline: Date.now() + deadlineMs }, (error, reply) => (error ? fail(error) : done(reply)))),
    close: () => client.close(),
  };
}
