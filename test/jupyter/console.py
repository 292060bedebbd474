# SPDX-License-Identifier: GPL-2.0-or-later
# Types into `jupyter console` as a person does, on a terminal. What it showed goes to stdout.
import sys
import time

import pexpect

console, *lines = sys.argv[1:]
child = pexpect.spawn(
    console, ["--kernel", "qemu-vtop"], encoding="utf-8", timeout=60, dimensions=(60, 160)
)
child.logfile_read = sys.stdout


def wait_for_prompt(number):
    """What is typed before the prompt stands there is taken for lines of one cell."""
    colour = r"(\x1b\[[\d;]*m)*"
    child.expect(rf"In \[{colour}{number}{colour}\]: ")


wait_for_prompt(1)
for number, line in enumerate(lines, 1):
    child.send(line)
    child.send("\r")
    wait_for_prompt(number + 1)
# The prompt is drawn before keys are read.
time.sleep(1)
child.send("exit\r")
child.expect(pexpect.EOF)
child.close()
sys.exit(child.exitstatus or 0)
