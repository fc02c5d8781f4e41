// SPDX-License-Identifier: Apache-2.0
// rpc_echo_server as a process: its port, its memory, what its handlers saw.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { DATA, END_HEADERS, END_STREAM, HEADERS, connect, frame, grpc, headers, message } from './frames.mjs';

const bin = process.env.PLANKTON_BIN ?? resolve('build/dev/bin');

/** options: fields of rpc_server_options. */
export async function startServer(options = {}) {
  const child = spawn(resolve(bin, 'rpc_echo_server'), ['127.0.0.1:0', ...Object.entries(options).map(([name, value]) => `${name}=${value}`)],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((done) => { child.once('exit', (code, signal) => done({ code, signal })); });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { value: address } = await lines.next();
  if (!address) throw new Error('rpc_echo_server did not start');
  /** {calls, closed, cancelled, open} of the handlers so far. */
  const report = async () => {
    child.kill('SIGUSR1');
    const words = (await lines.next()).value.split(' ');
    return Object.fromEntries(words.filter((_, i) => i % 2 === 0).map((name, i) => [name, Number(words[2 * i + 1])]));
  };
  const memory = (field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) * 1024;
  return {
    port: Number(address.split(':').at(-1)),
    child,
    exited,
    rss: () => memory('VmRSS'),
    /** The most that it had since resetPeak. */
    peak: () => memory('VmHWM'),
    resetPeak: () => writeFileSync(`/proc/${child.pid}/clear_refs`, '5'),
    cpuMs: () => {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
      return (Number(fields[11]) + Number(fields[12])) * 10;
    },
    report,
    /** Waits until the handlers of all calls but so many are over; gives the report. */
    settled: async (open = 0, waitMs = 3000) => {
      const until = Date.now() + waitMs;
      for (;;) {
        const seen = await report();
        if (seen.open <= open || Date.now() > until) return seen;
        await new Promise((done) => { setTimeout(done, 20); });
      }
    },
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10000);
      const how = await exited;
      clearTimeout(timer);
      return how;
    },
  };
}

export const UNARY = '/plankton.test.Echo/Unary';
export const BIDI = '/plankton.test.Echo/Bidi';
export const CLIENT_STREAM = '/plankton.test.Echo/ClientStream';
/** The EchoRequest of a unary call that is answered after so long. */
export const delayed = (ms) => message(Buffer.concat([Buffer.from([DELAY_FIELD << 3]), varint(ms)]));
export const replyOf = (bytes) => message(Buffer.concat([Buffer.from([REPLY_BYTES_FIELD << 3]), varint(bytes)]));
const DELAY_FIELD = 4, REPLY_BYTES_FIELD = 6;

function varint(value) {
  const bytes = [];
  for (; value >= 128; value >>>= 7) bytes.push((value & 127) | 128);
  return Buffer.from([...bytes, value]);
}

/** Makes one unary call over a connection of its own and gives its milliseconds; throws when it is not answered with a message. */
export async function normalCall(port, waitMs = 2000) {
  const began = performance.now();
  const connection = await connect(port);
  connection.send(headers(1, grpc(UNARY), END_HEADERS), frame(DATA, END_STREAM, 1, message()));
  await connection.wait((f) => f.type === DATA && f.stream === 1 && f.payload.length >= 5, 'the reply', waitMs);
  await connection.wait((f) => f.type === HEADERS && f.stream === 1 && f.flags & END_STREAM, 'trailers', waitMs);
  connection.destroy();
  return performance.now() - began;
}
