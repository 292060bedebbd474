// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the bytes of a guest's page can be read, and from where.

import { CorruptError, FaultError } from '../errors.ts'
import { guestPage } from '../kvm/guestread.ts'
import { type Vm } from '../kvm/vm.ts'
import { type ContentPlace } from './translation.ts'

/** Reads the page of a guest physical address, and tells where it was found or why it was not. */
export function contentOf(vm: Vm, gpa: number): ContentPlace {
  try {
    const { from, how } = guestPage(vm, gpa)
    return Object.freeze({ from, how })
  } catch (error) {
    if (error instanceof FaultError) return Object.freeze({ from: null, how: error.detail })
    if (error instanceof CorruptError) return Object.freeze({ from: null, how: error.message })
    throw error
  }
}
