# SPDX-License-Identifier: Apache-2.0
"""Workers for Plankton in Python: thin, on grpcio.

    from plankton_worker import Worker, Failure

    worker = Worker("127.0.0.1:8081", key_file=".plankton/worker.key")

    @worker.task("resize")
    def resize(task):
        task.log("resizing", task.parameters["file"])
        task.progress(0.5, "half of it")
        if task.cancelled.is_set():
            return None
        return {"pixels": 42}

    worker.run()

What a function returns (JSON) is the task's result. `raise Failure("BAD_INPUT", "…", retryable=False)` fails it by name; any other
exception fails it as EXCEPTION. Each task runs on a thread of a pool of `slots`. A cancel sets task.cancelled: the function returns when
it has noticed. Results are kept in memory and sent again until a controller has recorded them: when this process dies, its tasks are
executed again. docs/worker-protocol.md is the protocol.

The message classes are made from `plankton.descriptors` beside this file, or else from the .proto files by protoc.
"""
import concurrent.futures
import json
import pathlib
import queue
import random
import subprocess
import threading
import time
import traceback

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

HERE = pathlib.Path(__file__).resolve().parent
PROTOCOL = 1
HELD_PAGE = 10_000
RESULTS_PAGE = 1_000
RESULT_BYTES_MAX = 256 << 10
LINE_BYTES_MAX = 64 << 10
LOG_LINES_WAITING_MAX = 100_000
RETRY_SECONDS_MAX = 2.0


def _load_messages():
    stored = HERE / "plankton.descriptors"
    if stored.exists():
        data = stored.read_bytes()
    else:
        proto = HERE.parents[1] / "proto"
        data = subprocess.check_output(["protoc", f"-I{proto}", "--include_imports", "--descriptor_set_out=/dev/stdout",
                                        "plankton/v1/task_worker.proto", "plankton/v1/task_logger.proto"])
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.Add(file)
    make = getattr(message_factory, "GetMessageClass", None) or message_factory.MessageFactory(pool).GetPrototype
    names = ("WorkerMessage", "ControllerMessage", "AppendRequest", "AppendReply")
    return [make(pool.FindMessageTypeByName(f"plankton.v1.{name}")) for name in names]


WorkerMessage, ControllerMessage, AppendRequest, AppendReply = _load_messages()


class Failure(Exception):
    """Fails the attempt. code: UPPER_SNAKE, what `retry.nonRetryable` names."""

    def __init__(self, code, message, details=None, retryable=True):
        super().__init__(message)
        self.code, self.message, self.details, self.retryable = code, message, details, retryable


class Task:
    """One attempt, given to the function of its type."""

    def __init__(self, worker, lease):
        self._worker, self._token = worker, lease.token
        self.id, self.run_id, self.step, self.attempt, self.type = lease.task_id, lease.run_id, lease.step, lease.attempt, lease.type
        self.parameters = json.loads(lease.parameters.text or "{}")
        self.variables = dict(lease.environment.variables)
        self.timeout = lease.attempt_timeout_ms / 1000 or None
        self.cancelled = threading.Event()
        self.last_log_seq = 0

    def log(self, *values, level="info"):
        """One or more lines; level: debug, info, warn, error."""
        flags = {"debug": 1, "info": 2, "warn": 3, "error": 4}[level] << 4
        for text in " ".join(map(str, values)).split("\n"):
            line = text.encode("utf-8", "replace").replace(b"\0", b"?")[:LINE_BYTES_MAX].decode("utf-8", "ignore").encode()
            if self._worker._logs.put(self._token, self.step, self.last_log_seq + 1, line, flags):
                self.last_log_seq += 1

    def progress(self, part, message=""):
        """part: 0 to 1. Sent with the next heartbeat."""
        self._worker._progress[self._token] = {"token": self._token, "progress": float(part), "message": message}


class _Logs:
    """Lines on their way to the logger: kept until acknowledged, sent again after a reconnect."""

    def __init__(self, metadata):
        self._metadata, self._lock, self._ready = metadata, threading.Lock(), threading.Event()
        self._blocks, self._next, self._address = {}, 1, None  # number → block

    def put(self, token, step, seq, line, flags):
        block = {"token": token, "first_seq": seq, "base_unix_us": time.time_ns() // 1000, "text": line, "length": [len(line)],
                 "dt_us": [0], "stream_level": bytes([flags]), "step": step}
        with self._lock:
            if len(self._blocks) >= LOG_LINES_WAITING_MAX:
                return False  # the logger is away: the line is not counted, so the log is whole without it
            self._blocks[self._next] = block
            self._next += 1
        self._ready.set()
        return True

    def connect(self, address):
        if address and not self._address:
            self._address = address
            threading.Thread(target=self._run, daemon=True).start()

    def settle(self, seconds):
        deadline = time.monotonic() + seconds
        while self._address and self._blocks and time.monotonic() < deadline:
            time.sleep(0.02)

    def _requests(self, closed):
        sent, number = 0, 0
        while not closed.is_set():
            self._ready.clear()
            with self._lock:
                waiting = [(n, block) for n, block in self._blocks.items() if n > sent][:500]
            if not waiting:
                self._ready.wait(0.5)
                continue
            sent, number = waiting[-1][0], number + 1
            self._numbers[number] = sent
            yield AppendRequest(number=number, blocks=[block for _, block in waiting])

    def _run(self):
        append = grpc.insecure_channel(self._address).stream_stream(
            "/plankton.v1.TaskLogger/Append", AppendRequest.SerializeToString, AppendReply.FromString)
        while True:
            self._numbers, closed = {}, threading.Event()
            try:
                for reply in append(self._requests(closed), metadata=self._metadata):
                    up_to = max((sent for n, sent in self._numbers.items() if n <= reply.acknowledged), default=0)
                    with self._lock:
                        self._blocks = {n: block for n, block in self._blocks.items() if n > up_to}
            except grpc.RpcError:
                pass  # tried again below; the lines are kept
            closed.set()
            time.sleep(random.uniform(0.1, 0.3))


class Worker:
    def __init__(self, controller, key=None, key_file=None, name="python", slots=10, labels=None, logger=None):
        if key_file:
            key = pathlib.Path(key_file).read_text().strip()
        self._metadata = [("authorization", f"Bearer {key}")] if key else []
        self._controller, self._logger, self._name, self._slots, self._labels = controller, logger, name, slots, dict(labels or {})
        self._functions, self._lock = {}, threading.RLock()
        self._id, self._floor, self._nonce = "", {}, {}
        self._held = {}  # token → [shard, Task, result or None]
        self._progress, self._logs = {}, _Logs(self._metadata)
        self._out, self._drain = None, threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(slots)

    def task(self, name):
        """Decorator: the function executes tasks of this type."""
        def register(function):
            self._functions[name] = function
            return function
        return register

    def stop(self):
        """Finishes what runs, takes nothing new; run() returns."""
        self._drain.set()
        self._finish_drain()

    def run(self):
        """Until stop() or a drain by the controller. Connects again by itself."""
        delay = 0.02
        channel = grpc.insecure_channel(self._controller, [("grpc.keepalive_time_ms", 5000)])
        connect = channel.stream_stream("/plankton.v1.TaskWorker/Connect", WorkerMessage.SerializeToString, ControllerMessage.FromString)
        while not (self._drain.is_set() and not self._held):
            started = time.monotonic()
            try:
                self._session(connect)
            except grpc.RpcError as error:
                if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED,
                                    grpc.StatusCode.FAILED_PRECONDITION):
                    raise
            delay = 0.02 if time.monotonic() - started > 5 else min(delay * 1.6, RETRY_SECONDS_MAX)
            time.sleep(delay * random.uniform(0.8, 1.2))
        self._logs.settle(2)
        channel.close()

    # ---- one stream ----

    def _session(self, connect):
        out, over = queue.Queue(), threading.Event()
        with self._lock:
            self._out, self._nonce = out, {}
        out.put(WorkerMessage(hello={"protocol": PROTOCOL, "worker_id": self._id, "name": self._name, "version": "python",
                                     "task_types": sorted(self._functions), "labels": self._labels, "slots": self._slots}))
        try:
            for message in connect(iter(out.get, None), metadata=self._metadata):
                kind = message.WhichOneof("body")
                if kind:
                    with self._lock:
                        getattr(self, f"_on_{kind}")(getattr(message, kind), out, over)
        finally:
            with self._lock:
                self._out = None
            over.set()
            out.put(None)

    def _on_welcome(self, welcome, out, over):
        self._id = welcome.worker_id
        self._logs.connect(self._logger or welcome.logger_address)
        threading.Thread(target=self._beat, args=(out, welcome.heartbeat_ms / 1000, over), daemon=True).start()
        free = self._slots - sum(1 for entry in self._held.values() if entry[2] is None)
        if free > 0 and not self._drain.is_set():
            out.put(WorkerMessage(credit={"add": free}))

    def _on_take(self, take, out, over):
        if take.epoch < self._floor.get(take.shard, 0):
            out.put(WorkerMessage(held={"shard": take.shard, "epoch": take.epoch, "floor": self._floor[take.shard], "end": True}))
            return
        self._floor[take.shard] = take.epoch
        self._nonce[take.shard] = random.getrandbits(64) | 1
        mine = {token: result for token, (shard, _, result) in self._held.items() if shard == take.shard}
        tokens = list(mine)
        for at in range(0, max(len(tokens), 1), HELD_PAGE):
            out.put(WorkerMessage(held={"shard": take.shard, "epoch": take.epoch, "nonce": self._nonce[take.shard],
                                        "tokens": tokens[at:at + HELD_PAGE], "end": at + HELD_PAGE >= len(tokens)}))
        finished = [result for result in mine.values() if result is not None]
        for at in range(0, len(finished), RESULTS_PAGE):
            out.put(WorkerMessage(results={"results": finished[at:at + RESULTS_PAGE]}))

    def _on_leases(self, leases, out, over):
        declined = []
        for lease in leases.leases:
            if self._nonce.get(lease.shard) != lease.nonce:
                out.put(WorkerMessage(credit={"add": 1}))
                continue  # of a session that is over
            if lease.type not in self._functions or self._drain.is_set():
                declined.append(lease.token)
                continue
            for token, (_, task, _) in list(self._held.items()):
                if task.id == lease.task_id:  # a lower attempt: given up by the controller
                    self._forget(token)
            self._held[lease.token] = [lease.shard, Task(self, lease), None]
            self._pool.submit(self._execute, lease.token)
        if declined:
            out.put(WorkerMessage(declined={"tokens": declined, "reason": "not offered by this worker"}))
            out.put(WorkerMessage(credit={"add": len(declined)}))

    def _on_acks(self, acks, out, over):
        for token in [*acks.recorded, *acks.stale]:
            self._forget(token)
        self._finish_drain()

    def _on_cancel(self, cancel, out, over):
        for token in cancel.tokens:
            if token in self._held:
                self._held[token][1].cancelled.set()

    def _on_drain(self, drain, out, over):
        self.stop()

    def _forget(self, token):
        entry = self._held.pop(token, None)
        self._progress.pop(token, None)
        if entry:
            entry[1].cancelled.set()  # a function that still runs works for nobody

    def _finish_drain(self):
        with self._lock:
            if self._drain.is_set() and not self._held and self._out:
                self._out.put(None)

    def _beat(self, out, seconds, over):
        while not over.wait(seconds):
            with self._lock:
                progress, self._progress = list(self._progress.values()), {}
                running = sum(1 for entry in self._held.values() if entry[2] is None)
            out.put(WorkerMessage(heartbeat={"progress": progress, "running": running}))

    # ---- execution, on a thread of the pool ----

    def _execute(self, token):
        entry = self._held.get(token)
        if not entry:
            return
        task = entry[1]
        timer = threading.Timer(task.timeout, self._time_out, (token,)) if task.timeout else None
        if timer:
            timer.start()
        outcome = {"cancelled": True} if task.cancelled.is_set() else self._outcome(task)
        if timer:
            timer.cancel()
        self._report(token, outcome)

    def _outcome(self, task):
        try:
            value = self._functions[task.type](task)
            if task.cancelled.is_set():
                return {"cancelled": True}
            text = json.dumps(value, allow_nan=False)
            if len(text) > RESULT_BYTES_MAX:
                raise Failure("PAYLOAD_TOO_LARGE", f"the result has {len(text)} bytes, at most {RESULT_BYTES_MAX} are allowed",
                              retryable=False)
            return {"output": {"text": text}}
        except Failure as failure:
            details = {"text": json.dumps(failure.details)} if failure.details is not None else None
            return {"failure": {"code": failure.code, "message": failure.message, "details": details,
                                "non_retryable": not failure.retryable}}
        except Exception as error:  # whatever a task does, it must end
            task.log(traceback.format_exc(), level="error")
            return {"failure": {"code": "EXCEPTION", "message": f"{type(error).__name__}: {error}"}}

    def _time_out(self, token):
        """Python cannot stop a thread: the attempt fails now, the function is asked to return."""
        entry = self._held.get(token)
        if entry and self._report(token, {"failure": {"code": "TIMEOUT", "message": "the attempt took too long"}}):
            entry[1].cancelled.set()

    def _report(self, token, outcome):
        with self._lock:
            entry = self._held.get(token)
            if entry and entry[2] is not None:
                return False  # it has timed out before
            out = self._out
            if entry:
                entry[2] = {"token": token, "last_log_seq": entry[1].last_log_seq, **outcome}
                if out and entry[0] in self._nonce:
                    out.put(WorkerMessage(results={"results": [entry[2]]}))
            if out and not self._drain.is_set():
                out.put(WorkerMessage(credit={"add": 1}))
            return bool(entry)
