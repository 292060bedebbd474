// SPDX-License-Identifier: GPL-2.0-or-later
// How much memory is in which state on both sides of a comparison, and what that changed by.

import { formatSize, unitOf } from '../bytes/hex.ts'
import { changes, type Comparison } from '../compare/comparison.ts'
import { type ChangeBars } from './chart.ts'
import { sidesOf } from './sides.ts'
import { left, right } from './table.ts'
import { textOf } from './text.ts'
import { shareStates, type Tone, toneOf } from './tone.ts'

/** The sign of what became less. */
const MINUS = '\u2212'

/** Lays both bars and the changes out. Addresses without memory are in neither: a bar is as long as its guest is large. */
export function changeBarsOf(two: Comparison): ChangeBars {
  const { names, both } = sidesOf(two)
  const sums = shareStates
    .map((tone) => ({ tone, bytes: bytesOf(two, tone) }))
    .filter(({ bytes: [a, b] }) => a + b > 0)
  const lengths = [0, 1].map((side) => sums.reduce((all, { bytes }) => all + (bytes[side] ?? 0), 0))
  const { unit, size } = unitOf(Math.max(...lengths))
  const pieces = names.flatMap((side, i) => {
    let before = 0
    const own = sums.map(({ tone, bytes }) => {
      const from = before
      before += bytes[i] ?? 0
      return {
        ...{ side, tone, from: round(from / size), to: round(before / size) },
        size: formatSize(bytes[i] ?? 0),
      }
    })
    // One without any memory has its bar too, of no length.
    return before === 0 ? own.slice(0, 1) : own.filter((_, tone) => (sums[tone]?.bytes[i] ?? 0) > 0)
  })
  const differences = sums.map(({ tone, bytes: [a, b] }) => ({
    tone,
    by: (b - a) / size,
    label: labelOf(b - a, size),
    sizes: [formatSize(a), formatSize(b), signedSize(b - a, MINUS)] as const,
  }))
  // A longer one would make the picture wider.
  const title = `${both.length <= 60 ? both : 'A and B'}: memory by state`
  const words = differences.map(
    ({ tone, sizes: [a, b, change] }) => `${tone} ${a}, ${b}, ${change}`,
  )
  return {
    chart: 'change-bars',
    title,
    subtitle: countsOf(two),
    description: `${title}, and the change: ${words.join('; ')}; ${countsOf(two)}`,
    text: textOf([
      {
        kind: 'table',
        caption: title,
        remark: null,
        columns: [left('state'), ...names.map(right), right('change')],
        rows: differences.map(({ tone, sizes: [a, b] }, i) => {
          const [one = 0, other = 0] = sums[i]?.bytes ?? []
          return [tone, a, b, signedSize(other - one, '-')]
        }),
        cut: null,
      },
    ]),
    unit,
    pieces,
    changes: differences,
    tones: sums.map(({ tone }) => tone),
  }
}

/** A difference of bytes in words, with its sign; 0 has none. */
export function signedSize(bytes: number, minus: string): string {
  if (bytes === 0) return '0'
  return `${bytes > 0 ? '+' : minus}${formatSize(Math.abs(bytes))}`
}

/** Bytes in a tone on both sides. */
function bytesOf({ states }: Comparison, tone: Tone): [first: number, second: number] {
  const own = states.filter(
    ({ state, pageSize }) => state !== 'invalid' && toneOf(state, pageSize) === tone,
  )
  const sum = (side: 0 | 1) => own.reduce((all, { pages }) => all + pages[side] * 4096, 0)
  return [sum(0), sum(1)]
}

/** In units; what would read as 0 and is not has a unit of its own. */
function labelOf(bytes: number, size: number): string {
  const value = Math.abs(bytes) / size
  if (value < 0.005) return signedSize(bytes, MINUS)
  return `${bytes > 0 ? '+' : MINUS}${value.toFixed(2)}`
}

/** What became of pages, in numbers: states do not tell of pages that moved. */
function countsOf(two: Comparison): string {
  const told = changes.filter((change) => two.counts[change] > 0 && change !== 'same')
  if (told.length === 0) return 'no page differs'
  const words = told.map((change) => `${change} ${two.counts[change].toLocaleString('en-US')}`)
  return `pages: ${words.join('; ')}`
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
