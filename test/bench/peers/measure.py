# SPDX-License-Identifier: GPL-2.0-or-later
# Times the peers on one dump, scores their answers against its truth and prints one table.
#
# Started by run.sh, which says what the arguments and the environment variables mean.

import json
import os
import random
import statistics
import struct
import sys
import tempfile

from programs import find_peers

PAGE_SHIFT = 12
PRESENT = 1 << 63
PFN_MASK = (1 << 55) - 1
SEED = 612

class Truth:
    """What the lab wrote down about one guest: pid, memslots, /proc/PID/pagemap."""

    def __init__(self, folder, vm_name):
        with open(os.path.join(folder, "truth.json"), encoding="utf-8") as text:
            everything = json.load(text)
        self.kernel = everything["kernel"]
        vm = next((v for v in everything["vms"] if v["name"] == vm_name), None)
        if vm is None:
            sys.exit(f"measure.py: {folder} has no guest {vm_name}")
        self.pid = vm["pid"]
        # One (gpa, hva, hpa) for each resident page; slots of address space 1 belong to SMM.
        self.pages = []
        with open(os.path.join(folder, "pagemap.bin"), "rb") as pagemap:
            for slot in vm["memslots"]:
                if slot["address_space"] != 0:
                    continue
                pagemap.seek(slot["pagemap_bin_offset"])
                raw = pagemap.read(8 * slot["pages"])
                gpa, hva = int(slot["gpa"], 16), int(slot["hva"], 16)
                for i, (entry,) in enumerate(struct.iter_unpack("<Q", raw)):
                    if entry & PRESENT:
                        offset = i << PAGE_SHIFT
                        hpa = (entry & PFN_MASK) << PAGE_SHIFT
                        self.pages.append((gpa + offset, hva + offset, hpa))
        if not self.pages:
            sys.exit(f"measure.py: guest {vm_name} in {folder} has no resident page")

    def draw(self, count):
        """Random resident addresses: a page, each as likely as the other, and a byte in it."""
        dice = random.Random(SEED)
        chosen = []
        for _ in range(count):
            byte = dice.randrange(1 << PAGE_SHIFT)
            chosen.append(tuple(x + byte for x in dice.choice(self.pages)))
        return chosen


def ask_first(peer, folder, first):
    """What the first answer cost; an error when it is not the truth."""
    cost, answers = peer.ask(folder, [first])
    if answers.get(first[peer.key]) != first[2]:
        raise RuntimeError("the first answer is wrong or missing")
    return cost


def score(peer, drawn, answers):
    """How many answers are right, wrong, "not mapped", and how many are missing."""
    counts = [0, 0, 0, 0]
    for address in drawn:
        if address[peer.key] not in answers:
            counts[3] += 1
        elif (hpa := answers[address[peer.key]]) is None:
            counts[2] += 1
        else:
            counts[0 if hpa == address[2] else 1] += 1
    return [f"{n:,} ({100 * n / len(drawn):.1f} %)" for n in counts]


def row(peer, costs, drawn, many_cost, answers):
    walls, cpus, peaks = (sorted(values) for values in zip(*costs, strict=True))
    return [
        peer.name,
        f"{statistics.median(walls):.3f} ({walls[0]:.3f}–{walls[-1]:.3f})",
        f"{statistics.median(cpus):.3f}",
        f"{statistics.median(peaks):.0f}",
        f"{len(drawn):,}",
        *score(peer, drawn, answers),
        f"{many_cost[0]:.2f}",
        f"{many_cost[2]:.0f}",
    ]


HEADINGS = [
    "program",
    "first answer, s",
    "its CPU, s",
    "its peak RSS, MiB",
    "addresses",
    "right",
    "wrong",
    "not mapped",
    "no answer",
    "all of them, s",
    "their peak RSS, MiB",
]


def measure(peers, truth, first, runs):
    """One row per peer. They take turns, so that a busy moment of the machine meets all alike."""
    costs, failed = {peer: [] for peer in peers}, {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(runs + 1):
            for peer in peers:
                if peer in failed:
                    continue
                try:
                    cost = ask_first(peer, folder, first)
                except RuntimeError as error:
                    failed[peer] = error
                    continue
                if turn > 0:  # turn 0 is the warm-up: the files come into the page cache
                    costs[peer].append(cost)
        for peer in peers:
            if peer not in failed:
                drawn = truth.draw(peer.count)
                try:
                    cells = row(peer, costs[peer], drawn, *peer.ask(folder, drawn))
                except RuntimeError as error:
                    failed[peer] = error
            if peer in failed:
                cells = [peer.name, f"failed: {failed[peer]}", *[""] * (len(HEADINGS) - 2)]
            yield cells


def main(dump, vmlinux, kvm_ko, truth_folder, ours=""):
    runs = int(os.environ["RUNS"])
    truth = Truth(truth_folder, os.environ["VM"])
    peers = find_peers(dump, vmlinux, kvm_ko, truth, ours)
    if not peers:
        sys.exit("measure.py: nothing to measure: no peer is installed and no command is given")
    wanted = int(os.environ["FIRST_GPA"], 16)
    first = next((p for p in truth.pages if p[0] == wanted), None)
    if first is None:
        sys.exit(f"measure.py: gpa {wanted:#x} is no resident page of the guest: set FIRST_GPA")

    print(f"kernel {truth.kernel}, pid {truth.pid}, {len(truth.pages):,} resident pages")
    print(f"first answer: gpa {first[0]:#x}, hva {first[1]:#x}; median of {runs} after a warm-up")
    print(f"addresses: drawn at random from the resident pages, seed {SEED}")
    print(f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f} at the start\n")
    print("| " + " | ".join(HEADINGS) + " |")
    print("|---" * len(HEADINGS) + "|", flush=True)
    for cells in measure(peers, truth, first, runs):
        print("| " + " | ".join(cells) + " |", flush=True)


try:
    main(*sys.argv[1:])
except RuntimeError as error:
    sys.exit(f"measure.py: {error}")
