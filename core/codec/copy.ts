// SPDX-License-Identifier: GPL-2.0-or-later
// The two copies that all decoders of the LZ77 kind are made of, for blocks of a page or so.

// Below this a loop is faster than a call into the engine, measured on pages of real dumps.
const SHORT = 48

/**
 * Copies `length` bytes of `data` at `from` to `out` at `to`. Both ranges must be inside.
 * Does not allocate: a view of `data` for each run of literals would cost more than the run.
 */
export function copyIn(
  data: Uint8Array,
  from: number,
  out: Uint8Array,
  to: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) out[to + i] = data[from + i] ?? 0
}

/**
 * Copies `length` bytes of `out` from `distance` bytes before `to`, as if one after the other: where the distance is
 * below the length, what was just written repeats. The bytes must be there, and the room.
 */
export function copyBack(out: Uint8Array, to: number, distance: number, length: number): void {
  const from = to - distance
  if (length > SHORT && distance === 1) {
    out.fill(out[from] ?? 0, to, to + length)
  } else if (length > SHORT && distance >= length) {
    out.copyWithin(to, from, from + length)
  } else {
    for (let i = 0; i < length; i++) out[to + i] = out[from + i] ?? 0
  }
}
