// SPDX-License-Identifier: GPL-2.0-or-later
// Places in a text: clients count code points, JavaScript counts UTF-16 units.

/** The index in `text` (UTF-16) of the place after `count` code points; beyond the end is the end. */
export function indexOfCodePoint(text: string, count: number): number {
  let index = 0
  for (let seen = 0; seen < count && index < text.length; seen++) {
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1
  }
  return index
}

/** How many code points stand before `index` (UTF-16) in `text`. */
export function codePointsBefore(text: string, index: number): number {
  let count = 0
  for (let at = 0; at < index && at < text.length; count++) {
    at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1
  }
  return count
}
