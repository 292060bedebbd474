// SPDX-License-Identifier: GPL-2.0-or-later
// Lists of which only a part can be read: what was read is given, and beside it why there can be more.

import { CorruptError, FaultError } from '../errors.ts'

/** What ends a walk: a page that is missing, an address that leads nowhere, or structures that contradict each other. */
export type Damage = FaultError | CorruptError

/** A list, and whether it is whole. */
export interface PartialList<T> extends Array<T> {
  /** Why there can be more than the list has; null when it is whole. */
  readonly lost: string | null
}

/** True for what ends a walk. */
export function isDamage(error: unknown): error is Damage {
  return error instanceof FaultError || error instanceof CorruptError
}

/** Reads, or gives the error that says what cannot be read. */
export function ifSound<T>(read: () => T): T | Damage {
  try {
    return read()
  } catch (error) {
    if (isDamage(error)) return error
    throw error
  }
}

/** True for a page that is not in the dump: what lies behind it may still be known by another way. */
export function isGap(damage: Damage): boolean {
  return damage instanceof FaultError && damage.isGap
}

/** The elements as far as they can be read; `what` names them: `threads`. Throws when not even the first one can. */
export function partialList<T>(elements: Iterable<T>, what: string): PartialList<T> {
  const list: T[] = []
  const damage = ifSound(() => {
    for (const element of elements) list.push(element)
    return undefined
  })
  if (damage !== undefined && list.length === 0) throw damage
  return listOf(list, what, damage)
}

/** A list, and what was met when it was read. `lost` is not enumerable: the list is an array like any other. */
export function listOf<T>(
  elements: readonly T[],
  what: string,
  damage: Damage | undefined,
): PartialList<T> {
  const lost = damage === undefined ? null : `${what} are missing: ${damage.message}`
  return Object.defineProperty([...elements], 'lost', { value: lost }) as PartialList<T>
}
