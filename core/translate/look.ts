// SPDX-License-Identifier: GPL-2.0-or-later
// What a translation tells beside the answer: looked up where it can be, and else the reason why not.

import { CorruptError, FaultError, MissingError } from '../errors.ts'
import { type Vm } from '../kvm/vm.ts'
import { type Vma } from '../linux/vma.ts'

/** Something that was looked up: null when there is none, and then perhaps the reason why nobody can know. */
export interface Looked<T> {
  readonly found: T | null
  readonly problem: string | null
}

/** Looks something up that the answer can do without. */
export function look<T>(what: string, find: () => T | null): Looked<T> {
  try {
    return { found: find(), problem: null }
  } catch (error) {
    const isToTell =
      error instanceof FaultError || error instanceof CorruptError || error instanceof MissingError
    if (!isToTell) throw error
    return { found: null, problem: `${what}: ${error.message}` }
  }
}

/** The VMA of a host virtual address. */
export function vmaOf(vm: Vm, hva: bigint | null): Looked<Vma> {
  return look('the VMA of the address', () =>
    hva === null ? null : (vm.linux.vmas.find(vm.mmAddress, hva) ?? null),
  )
}
