// SPDX-License-Identifier: Apache-2.0
// What client.mjs and server.mjs share: the service on @grpc/grpc-js, and flags.
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const definition = loader.loadSync('grpc/testing/test.proto',
  { includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))], keepCase: false, defaults: false, oneofs: true });
export const { TestService, UnimplementedService } = grpc.loadPackageDefinition(definition).grpc.testing;
export { grpc };
export const INITIAL = 'x-grpc-test-echo-initial';
export const TRAILING = 'x-grpc-test-echo-trailing-bin';

/** --name=value for the names that are known, with their defaults; "true" and "false" become booleans. */
export function readFlags(known) {
  const flags = { ...known };
  for (const word of process.argv.slice(2)) {
    const [, name, value = 'true'] = word.match(/^--(\w+)(?:=(.*))?$/) ?? [];
    if (!(name in known)) throw new Error(`unknown flag ${word}`);
    flags[name] = { true: true, false: false }[value] ?? value;
  }
  return flags;
}
