// SPDX-License-Identifier: GPL-2.0-or-later
// The host that most tests break something of: one VMM with one guest of 16 MiB.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDump, type HostDump } from '../../core/index.ts'
import { host, type BuiltHost, type HostDescription, type TaskDescription } from './linux.ts'
import { page } from './pagetable.ts'
import { type VmDescription } from './vmm.ts'

/** The pid of the VMM. */
export const vmmPid = 100
/** Where the guest's memory begins in the VMM, and the frame of its first page. */
export const guestHva = 0x7f0000000000n
export const guestHpa = 0x10000000
/** The guest's one memslot: 16 MiB from gpa 0. */
export const guestSlot = { id: 0, gpa: 0, pages: 0x1000, hva: guestHva }

/** The VMM, with its first guest page mapped; `changes` take the place of what they name. */
export function vmm(changes: Partial<TaskDescription> = {}): TaskDescription {
  return {
    pid: vmmPid,
    comm: 'qemu-system-x86',
    args: ['qemu-system-x86_64', '-name', 'guest=web01', '-uuid', 'c0ffee'],
    threads: [{ pid: vmmPid + 1, comm: 'CPU 0/KVM' }],
    files: ['/dev/kvm', '/var/lib/web01.img'],
    vms: [{ slots: [guestSlot] }],
    vmas: [
      { start: 0x550000000000n, end: 0x550000002000n, protection: 'r--p' },
      { start: guestHva, end: guestHva + 0x1000000n },
    ],
    entries: [[guestHva, 1, page(guestHpa)]],
    ...changes,
  }
}

/** A host with init and the VMM. */
export function smallHost(
  changes: Partial<HostDescription> = {},
  vmmChanges: Partial<TaskDescription> = {},
): BuiltHost {
  return host({
    tasks: [{ pid: 1, comm: 'systemd' }, vmm(vmmChanges)],
    frames: [{ hpa: guestHpa }],
    ...changes,
  })
}

/** A small host whose VMM has these virtual machines. */
export function hostWithVms(...vms: VmDescription[]): BuiltHost {
  return smallHost({}, { vms })
}

/** Writes the host to a file, opens that through the front door, and removes it when `use` is done. */
export function withDump<T>(
  built: BuiltHost,
  use: (dump: HostDump) => T,
  format: 'kdump' | 'elf' = 'kdump',
): T {
  const folder = mkdtempSync(join(tmpdir(), 'built-host-'))
  try {
    const dump = openDump(built.save(join(folder, 'vmcore'), format))
    try {
      return use(dump)
    } finally {
      dump.close()
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
