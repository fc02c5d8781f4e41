#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the test of the Python library runs: sdk_worker.py CONTROLLER"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "sdk/python"))
from plankton_worker import Failure, Worker  # noqa: E402

worker = Worker(sys.argv[1], name="sdk", slots=4, labels={"zone": "a"})


@worker.task("double")
def double(task):
    task.log("doubling", task.parameters["n"])
    task.log("second\nthird", level="warn")
    return {"n": task.parameters["n"] * 2, "variable": task.variables.get("V")}


@worker.task("wait")
def wait(task):
    task.progress(0.5, "half")
    task.log("waiting")
    task.cancelled.wait(30)


@worker.task("fail")
def fail(task):
    if task.parameters.get("how") == "named":
        raise Failure("BAD_INPUT", "not this", details={"field": "how"}, retryable=False)
    return 1 / 0


worker.run()
