// SPDX-License-Identifier: GPL-2.0-or-later
// Damage as data: what is done to bytes, so that an input that broke something can be kept and done again.
import fc from 'fast-check'

/** One change of bytes. Offsets are taken modulo the length, so that every change is possible everywhere. */
export type Change =
  | { readonly kind: 'fill'; readonly at: number; readonly byte: number; readonly count: number }
  /** Flips one bit. */
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  /** Copies the eight-byte word at `from`, both aligned: pointers that point elsewhere, lists and trees in circles. */
  | { readonly kind: 'copy'; readonly at: number; readonly from: number }
  /** Adds to the little-endian 32-bit word, aligned: counts that are off by one, lengths that wrap. */
  | { readonly kind: 'add'; readonly at: number; readonly value: number }
  /** Takes away all from there on. */
  | { readonly kind: 'cut'; readonly at: number }

/** Damaged bytes; `bytes` stay as they are. */
export function damage(bytes: Uint8Array, changes: readonly Change[]): Uint8Array {
  // A Buffer's own slice would share its memory.
  let damaged = Uint8Array.from(bytes)
  for (const change of changes) {
    const { length } = damaged
    if (length < 8) break
    const at = change.at % length
    const word = Math.min(at & ~7, length - 8)
    const view = new DataView(damaged.buffer)
    switch (change.kind) {
      case 'fill':
        damaged.fill(change.byte, at, at + change.count)
        break
      case 'flip':
        damaged[at] = (damaged[at] ?? 0) ^ (1 << change.bit)
        break
      case 'copy': {
        const from = Math.min((change.from % length) & ~7, length - 8)
        damaged.copyWithin(word, from, from + 8)
        break
      }
      case 'add':
        view.setUint32(word, view.getUint32(word, true) + change.value, true)
        break
      case 'cut':
        damaged = damaged.slice(0, at)
        break
    }
  }
  return damaged
}

/**
 * Damage of `length` bytes. Half of it goes where `dense` says that few bytes decide much: offsets of headers, of
 * tables; the rest anywhere.
 */
export function changes(length: number, dense: readonly number[]): fc.Arbitrary<Change[]> {
  const anywhere = fc.nat(Math.max(1, length) - 1)
  const near = (start: number): fc.Arbitrary<number> => fc.nat(255).map((by) => start + by)
  const at = dense.length === 0 ? anywhere : fc.oneof(anywhere, fc.oneof(...dense.map(near)))
  const byte = fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255))
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ kind: fc.constant('fill'), at, byte, count: fc.constantFrom(1, 1, 4, 8, 24) }),
    fc.record({ kind: fc.constant('flip'), at, bit: fc.nat(7) }),
    fc.record({ kind: fc.constant('copy'), at, from: at }),
    fc.record({ kind: fc.constant('add'), at, value: fc.constantFrom(1, -1, 8, 4096, 1 << 31) }),
  )
  const cut = fc.record({ kind: fc.constant<'cut'>('cut'), at })
  const few = fc.array(change, { minLength: 1, maxLength: 4 })
  return fc.oneof(
    { weight: 9, arbitrary: few },
    { weight: 1, arbitrary: fc.tuple(few, cut).map(([some, end]) => [...some, end]) },
  )
}
