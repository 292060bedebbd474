// SPDX-License-Identifier: GPL-2.0-or-later
// makedumpfile's dump level in words.

// makedumpfile(8), option -d.
const kinds: readonly (readonly [bit: number, pages: string])[] = [
  [1, 'pages of zeros'],
  [2, 'page cache'],
  [4, 'private page cache'],
  [8, 'user pages'],
  [16, 'free pages'],
]

/** What a dump level leaves out, in words: 31 is `'pages of zeros, page cache, …, user pages and free pages'`. */
export function leftOut(level: number): string {
  const words = kinds.filter(([bit]) => (level & bit) !== 0).map(([, pages]) => pages)
  const last = words.pop()
  if (last === undefined) return 'nothing'
  return words.length === 0 ? last : `${words.join(', ')} and ${last}`
}
