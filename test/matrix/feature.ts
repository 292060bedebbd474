// SPDX-License-Identifier: GPL-2.0-or-later
// What a feature of the matrix is, and what those in the table share.

import assert from 'node:assert/strict'
import { type HostDump, type Vm } from '../../core/index.ts'
import { type WantedGuest, type WantedHost } from './wanted.ts'

/** A host on which a feature cannot be tried, with the reason. */
export class NoCase extends Error {}

/** A kernel that does not have what a feature is about. */
export class NotThere extends NoCase {}

/**
 * A feature of the matrix. `run` throws an AssertionError where an answer is another one than is known, a DumpError where
 * the library says why it has none, NoCase where the host has nothing to ask about. A text that it gives is a footnote.
 */
export interface Feature {
  readonly name: string
  readonly run: (dump: HostDump, wanted: WantedHost) => string | undefined
}

/** The same for each guest; footnotes are told once. */
export function ofGuests(
  check: (vm: Vm, guest: WantedGuest, dump: HostDump) => string | undefined,
): Feature['run'] {
  return (dump, wanted) => {
    assert.ok(wanted.guests.length > 0)
    const notes = wanted.guests.map((guest) => check(vmOf(dump, guest), guest, dump))
    return notes.find((note) => note !== undefined)
  }
}

/** The virtual machine of a guest's process. */
export function vmOf(dump: HostDump, { pid }: WantedGuest): Vm {
  const [vm] = dump.task(pid).vms
  assert.ok(vm, `no virtual machine of ${pid}`)
  return vm
}

/** An address, for messages. */
export const at = (gpa: number) => `gpa 0x${gpa.toString(16)}`
