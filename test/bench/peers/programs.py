# SPDX-License-Identifier: GPL-2.0-or-later
# The peers as programs: how each is started, what it costs, and how its answer is read.

import os
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# A process of its own starts each peer: the peak memory that wait4() tells is never below that of
# the starting process, and this one is small. It prints seconds, seconds of CPU, KiB, exit status.
STARTER = """
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
null = os.open(os.devnull, os.O_RDONLY)
started = time.perf_counter()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=[
    (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)])
_, status, usage = os.wait4(pid, 0)
print(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss,
      os.waitstatus_to_exitcode(status))
"""


def run(command):
    """What one process cost (seconds, seconds of CPU, peak MiB), and all that it printed."""
    with tempfile.NamedTemporaryFile() as out:
        clock = [sys.executable, "-I", "-S", "-c", STARTER, out.name, *command]
        answer = subprocess.run(clock, check=False, capture_output=True, text=True)
        if answer.returncode != 0:
            raise RuntimeError(f"cannot start {command[0]}: {reason_in(answer.stderr)}")
        seconds, cpu, kib, status = answer.stdout.split()
        with open(out.name, encoding="utf-8", errors="replace") as printed:
            text = printed.read()
    if status != "0":
        raise RuntimeError(f"exit status {status}: {reason_in(text)}")
    return (float(seconds), float(cpu), int(kib) / 1024), text


def read_pairs(text):
    """{address: hpa or None} from lines "ADDRESS HPA" or "ADDRESS -"."""
    pairs = re.findall(r"^(0x[0-9a-f]+)\s+(0x[0-9a-f]+|-)\s*$", text, re.MULTILINE)
    return {int(a, 16): None if h == "-" else int(h, 16) for a, h in pairs}


def read_crash(text):
    """{hva: hpa or None} from the two lines that begin each answer of vtop."""
    pairs = re.findall(
        r"^VIRTUAL +PHYSICAL *\n([0-9a-f]+) +([0-9a-f]+|\(not mapped\))", text, re.MULTILINE
    )
    return {int(a, 16): None if h[0] == "(" else int(h, 16) for a, h in pairs}


def reason_in(text):
    """Why a program says it failed: crash writes a trace after its reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    reasons = [line for line in lines if line.startswith("crash: ")]
    return (reasons or lines or ["it printed no reason"])[-1]


def first_line_of(command):
    """The line of a --version text that has a digit in it."""
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    return next((line for line in text.splitlines() if re.search(r"\d", line)), "")


def write_addresses(folder, addresses):
    path = os.path.join(folder, "addresses")
    with open(path, "w", encoding="ascii") as out:
        out.writelines(f"{a:#x}\n" for a in addresses)
    return path


class Peer:
    """One program: how its command is built from drawn addresses, and how its answer is read."""

    def __init__(self, name, command, read, key, count):
        self.name, self.command, self.read, self.key, self.count = name, command, read, key, count

    def ask(self, folder, addresses):
        cost, text = run(self.command(folder, addresses))
        return cost, self.read(text)


def crash_peer(program, dump, vmlinux, truth, count):
    def command(folder, addresses):
        path = os.path.join(folder, "commands")
        with open(path, "w", encoding="ascii") as out:
            out.write(f"set {truth.pid}\n")
            out.writelines(f"vtop -u {hva:#x}\n" for _, hva, _ in addresses)
            out.write("quit\n")
        return [program, "-s", "-i", path, vmlinux, dump]

    name = first_line_of([program, "--version"]) or "crash"
    return Peer(name, command, read_crash, 1, count)


def drgn_start(program, dump, vmlinux, kvm_ko):
    script = os.path.join(HERE, "drgn_vtop.py")
    return [program, "-q", "-c", dump, "-s", vmlinux, "-s", kvm_ko, script]


def drgn_peer(program, dump, vmlinux, kvm_ko, truth, count):
    def command(folder, addresses):
        path = write_addresses(folder, (gpa for gpa, _, _ in addresses))
        return [*drgn_start(program, dump, vmlinux, kvm_ko), str(truth.pid), path]

    name = first_line_of([program, "--version"]).split(" (")[0] or "drgn"
    return Peer(name, command, read_pairs, 0, count)


def addrxlat_peer(program, dump, root, count):
    def command(folder, addresses):
        return [program, dump, root, write_addresses(folder, (hva for _, hva, _ in addresses))]

    version = os.environ.get("ADDRXLAT_VERSION", "")
    return Peer(f"libaddrxlat {version}".strip(), command, read_pairs, 1, count)


def our_peer(words, dump, truth, count):
    def command(folder, addresses):
        path = write_addresses(folder, (gpa for gpa, _, _ in addresses))
        return [*words, dump, str(truth.pid), path]

    return Peer("ours", command, read_pairs, 0, count)


def find_peers(dump, vmlinux, kvm_ko, truth, ours):
    settings = os.environ
    many, few = int(settings["ADDRESSES"]), int(settings["CRASH_ADDRESSES"])
    peers = [crash_peer(p, dump, vmlinux, truth, few) for p in settings["CRASH"].split()]
    drgn, addrxlat = settings["DRGN"], settings["ADDRXLAT"]
    if drgn:
        peers.append(drgn_peer(drgn, dump, vmlinux, kvm_ko, truth, many))
    if addrxlat:
        ask_root = [*drgn_start(drgn, dump, vmlinux, kvm_ko), "--pgd", str(truth.pid)]
        root = settings.get("PGD") or run(ask_root)[1].strip()
        peers.append(addrxlat_peer(addrxlat, dump, root, many))
    if ours:
        peers.append(our_peer(shlex.split(ours), dump, truth, many))
    return peers
