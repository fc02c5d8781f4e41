// SPDX-License-Identifier: Apache-2.0
// A strict reader of run-ID.wandb files: framing, checksums, padding, order of records. Written from the format alone.
import { crc32 } from 'node:zlib';

const BLOCK = 32768, HEAD = 7;
const [FULL, FIRST, MIDDLE, LAST] = [1, 2, 3, 4];

/** crc32 of zlib came to node late. */
const table = Array.from({ length: 256 }, (_, n) => { let c = n; for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1; return c >>> 0; });
const crc = crc32 ?? ((bytes) => { let c = 0xffffffff; for (const byte of bytes) c = table[(c ^ byte) & 255] ^ (c >>> 8); return (c ^ 0xffffffff) >>> 0; });

function* chunks(file) {
  if (file.subarray(0, 7).toString('hex') !== '3a572642e1be00') throw new Error('no header');
  for (let at = 7; at < file.length;) {
    const left = BLOCK - (at % BLOCK);
    if (left < HEAD) {
      const pad = file.subarray(at, at + left);
      if (pad.length !== left || pad.some((byte) => byte)) throw new Error(`bad padding at ${at}`);
      at += left;
      continue;
    }
    if (file.length - at < HEAD) throw new Error(`a chunk is cut short at ${at}`);
    const length = file.readUInt16LE(at + 4), type = file[at + 6];
    if (type < FULL || type > LAST) throw new Error(`chunk of type ${type} at ${at}`);
    if (length > left - HEAD || at + HEAD + length > file.length) throw new Error(`a chunk is too long at ${at}`);
    if (crc(file.subarray(at + 6, at + HEAD + length)) !== file.readUInt32LE(at)) throw new Error(`bad checksum at ${at}`);
    yield { type, payload: file.subarray(at + HEAD, at + HEAD + length) };
    at += HEAD + length;
  }
}

export function* records(file) {
  let parts = null;
  for (const { type, payload } of chunks(file)) {
    if ((type === FULL || type === FIRST) !== (parts === null)) throw new Error('chunks in the wrong order');
    if (type === FULL) { yield payload; continue; }
    parts = [...(parts ?? []), payload];
    if (type === LAST) { yield Buffer.concat(parts); parts = null; }
  }
  if (parts) throw new Error('the last record is cut short');
}

/** Protobuf's wire: field number → values (numbers for varints, buffers for the rest). */
export function fields(bytes) {
  const out = {};
  let at = 0;
  const varint = () => { let value = 0n, shift = 0n; for (;;) { const byte = bytes[at++]; if (byte === undefined) throw new Error('cut varint'); value |= BigInt(byte & 127) << shift; if (byte < 128) return Number(value); shift += 7n; } };
  while (at < bytes.length) {
    const tag = varint(), number = Math.floor(tag / 8);
    let value;
    if (tag % 8 === 0) value = varint();
    else if (tag % 8 === 2) { const length = varint(); if (at + length > bytes.length) throw new Error('cut field'); value = bytes.subarray(at, at + length); at += length; } else throw new Error(`wire type ${tag % 8}`);
    (out[number] ??= []).push(value);
  }
  return out;
}

const text = (values) => values?.[0]?.toString() ?? '';
const kinds = { 2: 'history', 3: 'summary', 11: 'telemetry', 12: 'metric', 13: 'output', 17: 'run', 18: 'exit', 20: 'final', 21: 'header', 22: 'footer' };
function items(list) {
  return Object.fromEntries((list ?? []).map((bytes) => {
    const item = fields(bytes);
    if (!item[1]) throw new Error('an item without a key');
    return [text(item[1]), JSON.parse(text(item[16]))];
  }));
}
const readers = {
  history: (f) => ({ row: items(f[1]), step: f[2] ? (fields(f[2][0])[1]?.[0] ?? 0) : undefined }),
  summary: (f) => ({ values: items(f[1]) }),
  output: (f) => ({ stream: f[1]?.[0] === 1 ? 'stdout' : 'stderr', line: text(f[3]) }),
  run: (f) => ({ id: text(f[1]), entity: text(f[2]), project: text(f[3]), config: f[4] ? items(fields(f[4][0])[1]) : {}, group: text(f[6]), jobType: text(f[7]), name: text(f[8]),
    tags: (f[10] ?? []).map(String), start: f[17] ? fields(f[17][0])[1][0] : 0 }),
  exit: (f) => ({ exitCode: f[1]?.[0] ?? 0 }),
};

/** The records of a finished file in words; throws at whatever a reader of W&B would not take. */
export function readRun(file, { finished = true } = {}) {
  const list = [...records(file)].map((payload, i) => {
    const record = fields(payload);
    if (record[1]?.[0] !== i + 1) throw new Error(`record ${i + 1} has number ${record[1]?.[0]}`);
    const number = Object.keys(kinds).find((key) => record[key]);
    if (!number) throw new Error(`a record of no known kind: ${Object.keys(record)}`);
    return { kind: kinds[number], ...readers[kinds[number]]?.(fields(record[number][0])) };
  });
  const order = list.map((record) => record.kind);
  if (order[0] !== 'header' || order[1] !== 'run') throw new Error(`begins with ${order.slice(0, 2)}`);
  if (finished && order.slice(-4).join() !== 'summary,exit,final,footer') throw new Error(`ends with ${order.slice(-4)}`);
  let last = -1;
  for (const { row, step } of list.filter((record) => record.kind === 'history')) {
    if (row._step !== step || step <= last) throw new Error(`step ${step} after ${last}, row says ${row._step}`);
    if (typeof row._timestamp !== 'number' || typeof row._runtime !== 'number') throw new Error('a row without times');
    last = step;
  }
  return list;
}
