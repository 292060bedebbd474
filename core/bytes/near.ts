// SPDX-License-Identifier: GPL-2.0-or-later
// Names that look like a name that is not there, for error messages.

/** How many names an error lists. */
const SHOWN = 5
/** Longer names are compared by their first letters only, so that hostile names cost no time. */
const LETTERS = 64

/**
 * The names that look most like `wanted`, nearest first, at most five. A name is near when few letters have to be
 * changed, or when one of the two holds the other. Gives none rather than far ones.
 */
export function nearNames(names: Iterable<string>, wanted: string): string[] {
  const folded = fold(wanted)
  const limit = Math.max(1, Math.floor(folded.length / 3))
  const found = new Map<string, number>()
  for (const name of names) {
    if (name === '' || found.has(name)) continue
    const distance = farness(fold(name), folded, limit)
    if (distance !== undefined) found.set(name, distance)
  }
  return [...found]
    .sort(([a, x], [b, y]) => x - y || a.length - b.length || (a < b ? -1 : 1))
    .slice(0, SHOWN)
    .map(([name]) => name)
}

/** Leading underscores and case do not count: `state` became `__state`. */
function fold(name: string): string {
  return name.slice(0, LETTERS).toLowerCase().replace(/^_+/, '')
}

function farness(name: string, wanted: string, limit: number): number | undefined {
  if (Math.abs(name.length - wanted.length) <= limit) {
    const distance = editDistance(name, wanted, limit)
    if (distance <= limit) return distance
  }
  if (wanted.length >= 3 && name.includes(wanted)) return limit + 1
  if (name.length >= 4 && wanted.includes(name)) return limit + 2
  return undefined
}

/** Levenshtein's distance; above `limit` only "more than that" is right. */
function editDistance(a: string, b: string, limit: number): number {
  let above = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let least = i
    for (let j = 1; j <= b.length; j++) {
      const changed = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const value = Math.min(changed, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1)
      row.push(value)
      least = Math.min(least, value)
    }
    if (least > limit) return least
    above = row
  }
  return above[b.length] ?? 0
}
