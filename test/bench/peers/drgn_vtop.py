# SPDX-License-Identifier: GPL-2.0-or-later
# From guest physical addresses to host physical addresses, with drgn: vm_list, memslots, page table.
#
#   drgn -q -c DUMP -s VMLINUX -s KVM_KO drgn_vtop.py PID FILE   one gpa per line in FILE
#   drgn -q -c DUMP -s VMLINUX -s KVM_KO drgn_vtop.py --pgd PID  the page table root of the process
#
# Prints "GPA HPA" per line, with "-" for an address that drgn cannot translate.
# drgn needs the kernel's debug package for the types and, for vm_list, that of the kvm module.

import os
import sys
import time
from bisect import bisect_right

from drgn import FaultError
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.mm import follow_phys, virt_to_phys
from drgn.helpers.linux.pid import find_task
from drgn.helpers.linux.rbtree import rbtree_inorder_for_each_entry

PAGE_SHIFT = 12


def find_task_or_exit(pid):
    task = find_task(prog, pid)
    if not task or not task.mm:
        sys.exit(f"drgn_vtop.py: no process {pid} with memory of its own in this dump")
    return task


def find_kvm(task):
    """struct kvm holds a reference on the memory of the process that made it."""
    for kvm in list_for_each_entry("struct kvm", prog["vm_list"].address_of_(), "vm_list"):
        if kvm.mm.value_() == task.mm.value_():
            return kvm
    sys.exit(f"drgn_vtop.py: process {task.tgid.value_()} has no virtual machine on vm_list")


def read_memslots(kvm):
    """Sorted (first gfn, pages, hva) of address space 0, the one that is not SMM's."""
    slots = kvm.memslots[0]
    if any(member.name == "gfn_tree" for member in slots.type_.type.members):
        # Linux 5.17 and later: two sets of nodes per slot, the active set is named by node_idx.
        node = f"gfn_node[{slots.node_idx.value_()}]"
        found = rbtree_inorder_for_each_entry(
            "struct kvm_memory_slot", slots.gfn_tree.address_of_(), node
        )
    else:
        found = (slots.memslots[i] for i in range(slots.used_slots.value_()))
    return sorted(
        (s.base_gfn.value_(), s.npages.value_(), s.userspace_addr.value_()) for s in found
    )


def main(arguments):
    if len(arguments) != 2:
        sys.exit("usage: drgn … drgn_vtop.py PID FILE | --pgd PID")
    if arguments[0] == "--pgd":
        print(hex(virt_to_phys(find_task_or_exit(int(arguments[1])).mm.pgd).value_()))
        return
    task = find_task_or_exit(int(arguments[0]))
    memslots = read_memslots(find_kvm(task))
    first_gfns = [first for first, _, _ in memslots]
    with open(arguments[1], encoding="ascii") as lines:
        gpas = [int(line, 16) for line in lines]
    hpas = []
    started = time.process_time_ns()
    for gpa in gpas:
        hpa = None
        gfn = gpa >> PAGE_SHIFT
        at = bisect_right(first_gfns, gfn) - 1
        if at >= 0 and gfn < memslots[at][0] + memslots[at][1]:
            hva = memslots[at][2] + (gpa - (memslots[at][0] << PAGE_SHIFT))
            try:
                hpa = follow_phys(task.mm, hva).value_()
            except FaultError:
                pass
        hpas.append(hpa)
    if "RATE" in os.environ:
        print(len(gpas), time.process_time_ns() - started)
        return
    for gpa, hpa in zip(gpas, hpas):
        print(hex(gpa), "-" if hpa is None else hex(hpa))


main(sys.argv[1:])
