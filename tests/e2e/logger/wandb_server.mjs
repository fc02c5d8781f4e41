// SPDX-License-Identifier: Apache-2.0
// A server of Weights & Biases for tests: strict about keys, order and offsets, and able to fail in every way that the real one does.
import http from 'node:http';

export class WandbServer {
  constructor(key) {
    this.key = key;
    this.runs = new Map(); // name → {variables, history, output, summary, exitCode, beats}
    this.requests = [];
    this.violations = [];
    this.faults = []; // what the next requests meet, one each
    this.stopped = false;
  }

  async listen(port = 0) {
    this.server = http.createServer((request, response) => this.#take(request, response));
    await new Promise((done) => this.server.listen(port, '127.0.0.1', done));
    this.port = this.server.address().port;
    return this;
  }

  get url() { return `http://127.0.0.1:${this.port}`; }

  async close() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  #violation(text) {
    this.violations.push(text);
    return { status: 400, json: { error: text } };
  }

  #take(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      this.requests.push({ url: request.url, at: Date.now() });
      const fault = this.faults.shift();
      if (fault === 'drop') return request.socket.destroy();
      if (fault && fault !== 'lost') {
        response.writeHead(fault.status, fault.headers ?? {});
        return response.end(fault.body ?? '');
      }
      const answer = this.#answer(request, body);
      if (fault === 'lost') return request.socket.destroy(); // it was taken, and nobody hears of it
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      return response.end(JSON.stringify(answer.json));
    });
  }

  #answer(request, text) {
    if (request.headers.authorization !== `Basic ${Buffer.from(`api:${this.key}`).toString('base64')}`) return { status: 401, json: { error: 'no' } };
    if (request.method !== 'POST' || !/^application\/json/.test(request.headers['content-type'])) return this.#violation('not a POST of JSON');
    let body;
    try { body = JSON.parse(text); } catch { return this.#violation('no JSON'); }
    if (request.url === '/graphql') return this.#upsert(body);
    const parts = /^\/files\/([^/]+)\/([^/]+)\/([^/]+)\/file_stream$/.exec(request.url);
    if (!parts || parts[1] !== 'team') return this.#violation(`a request for ${request.url}`);
    return this.#stream(parts[3], body);
  }

  #upsert({ query, variables, operationName }) {
    if (operationName !== 'UpsertBucket' || !/upsertBucket\(input:/.test(query)) return this.#violation('no upsert');
    const config = JSON.parse(variables.config);
    if (!config._wandb?.value?.t) return this.#violation('a config without _wandb.value.t');
    if (!variables.name || /[:;,#?/']/.test(variables.name) || variables.name.length > 64) return this.#violation(`the id ${variables.name}`);
    if ((variables.jobType ?? '').length > 64) return this.#violation('a long job type');
    const run = this.runs.get(variables.name);
    if (!run) this.runs.set(variables.name, { variables, history: [], output: [], summary: null, exitCode: null, beats: 0 });
    return { status: 200, json: { data: { upsertBucket: { inserted: !run, bucket: { id: 'x', name: variables.name, displayName: variables.displayName,
      project: { name: variables.project, entity: { name: 'team' } } } } } } };
  }

  #lines(run, name, list, { offset, content }) {
    if (offset > list.length) return this.#violation(`${name}: a gap, ${offset} after ${list.length}`);
    for (const [i, line] of content.entries()) {
      if (offset + i < list.length && list[offset + i] !== line) return this.#violation(`${name}: line ${offset + i} is written anew with other content`);
      list[offset + i] = line;
    }
    return null;
  }

  #stream(name, body) {
    const run = this.runs.get(name);
    if (!run) return this.#violation(`lines of ${name} before its upsert`);
    if (run.exitCode !== null && Object.keys(body.files ?? {}).length > 0) return this.#violation('lines after complete');
    if (body.complete && typeof body.exitcode !== 'number') return this.#violation('complete without exitcode');
    for (const [file, part] of Object.entries(body.files ?? {})) {
      let wrong = null;
      if (file === 'wandb-history.jsonl') wrong = this.#lines(run, file, run.history, part);
      else if (file === 'output.log') wrong = this.#lines(run, file, run.output, part);
      else if (file === 'wandb-summary.json' && part.offset === 0 && part.content.length === 1) run.summary = JSON.parse(part.content[0]);
      else wrong = this.#violation(`a file ${file}`);
      if (wrong) return wrong;
    }
    if (body.complete) run.exitCode = body.exitcode;
    if (Object.keys(body).length === 0) run.beats++;
    return { status: 200, json: { exitcode: null, stopped: this.stopped, limits: {} } };
  }
}
