// SPDX-License-Identifier: GPL-2.0-or-later
// The name that was probably meant by one that is not there.

/** Longer names are not compared: nobody mistypes those, and it would cost time. */
const longest = 64

/**
 * The name of `names` that is nearest to `wanted`: few letters missing, wrong, too many, or swapped
 * with their neighbour. Undefined when none is near.
 */
export function nearest(names: Iterable<string>, wanted: string): string | undefined {
  if (wanted.length < 2 || wanted.length > longest) return undefined
  // One slip in a short name, a third of the letters in a longer one.
  let limit = Math.max(1, Math.floor(wanted.length / 3))
  let best: string | undefined
  for (const name of names) {
    if (name === wanted || Math.abs(name.length - wanted.length) > limit) continue
    const distance = distanceOf(name.toLowerCase(), wanted.toLowerCase())
    if (distance > limit || (distance === limit && best !== undefined)) continue
    best = name
    limit = distance
  }
  return best
}

/** How many letters differ, a swap of neighbours counted as one. */
function distanceOf(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? (before[j - 2] ?? 0) + 1 : Infinity
      row.push(Math.min(change, swap, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1))
    }
    before = above
    above = row
  }
  return above[b.length] ?? 0
}
