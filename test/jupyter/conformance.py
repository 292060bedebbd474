# SPDX-License-Identifier: GPL-2.0-or-later
# Jupyter's own conformance tests (jupyter_kernel_test) on this kernel. One line of JSON a test goes to stdout.
import json
import os
import unittest

from jupyter_kernel_test import IopubWelcomeTests, KernelTests


class Kernel(KernelTests):
    kernel_name = "qemu-vtop"
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = 'console.log("hello, world")'
    code_stderr = 'console.error("oops")'
    completion_samples = [
        {"text": "Math.hypo", "matches": ["hypot"]},
        {"text": "openDu", "matches": ["openDump"]},
        {"text": "nobodyCallsAnythingLikeThis", "matches": []},
    ]
    complete_code_samples = [
        "1 + 1",
        "const answer: number = 42",
        "function twice(x: number) {\n  return 2 * x\n}",
        "// only a comment",
        "await Promise.resolve(1)",
        "`two\nlines`",
    ]
    incomplete_code_samples = [
        "function twice(x: number) {",
        "[1, 2,",
        "qemuVtop(",
        "`an open template",
        "/* an open comment",
        "const answer =",
        "class Page<T> {",
    ]
    invalid_code_samples = ["1 +* 2", "const const = 1", ")", "let 1st = 2"]
    code_generate_error = 'throw new Error("on purpose")'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "[1, 2, 3].map((x) => x * x)", "result": "[ 1, 4, 9 ]"},
        {"code": "2n ** 64n", "result": "18446744073709551616n"},
        {"code": "await Promise.resolve(true)", "result": "true"},
        {"code": "openDump.sample()", "mime": "text/html"},
    ]
    code_display_data = [
        {"code": 'display(html("<b>bold</b>"))', "mime": "text/html"},
        {"code": 'display(markdown("*leaning*"))', "mime": "text/markdown"},
        {"code": "display({ answer: 42 })", "mime": "text/plain"},
        {
            "code": "qemuVtop(openDump.sample().task(183), 0x200000)",
            "mime": "application/vnd.vegalite.v5+json",
        },
    ]
    code_history_pattern = "6 ? *"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "qemuVtop"
    code_clear_output = "clearOutput()"
    code_page_something = "qemuVtop?"


class Welcome(IopubWelcomeTests):
    kernel_name = "qemu-vtop"
    support_iopub_welcome = True


class Lines(unittest.TestResult):
    """Writes what became of a test. A failed subtest is a failed test of its own."""

    def say(self, test, outcome, text=""):
        print(json.dumps({"name": str(test), "outcome": outcome, "text": text}), file=report, flush=True)

    def addSuccess(self, test):
        self.say(test, "passed")

    def addSkip(self, test, reason):
        self.say(test, "skipped", reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(test, "failed", self._exc_info_to_string(err, test))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.say(subtest, "failed", self._exc_info_to_string(err, test))


# What the kernel itself prints goes where it does not stand between the lines.
report = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
# The classes that were imported are not among them: they would test another kernel.
load = unittest.defaultTestLoader.loadTestsFromTestCase
unittest.TestSuite([load(Kernel), load(Welcome)]).run(Lines())
