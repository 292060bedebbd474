// SPDX-License-Identifier: GPL-2.0-or-later
// The states that a picture tells apart, from good to bad. What colour each has is the business of who draws.

import { type TranslationState } from '../translate/translation.ts'

/** The states of guest memory in the order of legends and stacks. */
export const shareStates = [
  'mapped 1G',
  'mapped 2M',
  'mapped 4K',
  'swapped',
  'not touched',
  'poisoned',
  'not in dump',
  'device',
] as const

/** One state of a part of guest memory. */
export type ShareState = (typeof shareStates)[number]

/** What a piece of a picture stands for: a state, memory whose pages were not counted, or no memory at all. */
export type Tone = ShareState | 'not counted' | 'hole'

/** The tone of a translation. Pages that move or are swapped out are in between; a marker holds no page. */
export function toneOf(state: TranslationState, pageSize: number | null): Tone {
  switch (state) {
    case 'mapped':
      return toneOfSize(pageSize ?? 4096)
    case 'swapped':
    case 'migrating':
      return 'swapped'
    case 'poisoned':
      return 'poisoned'
    case 'device-private':
      return 'device'
    case 'unmapped':
    case 'marker':
      return 'not touched'
    case 'no-slot':
      return 'hole'
    case 'not-in-dump':
      return 'not in dump'
  }
}

/** The tone of a mapping by its size in bytes. */
export function toneOfSize(bytes: number): Tone {
  if (bytes >= 2 ** 30) return 'mapped 1G'
  return bytes >= 2 ** 21 ? 'mapped 2M' : 'mapped 4K'
}

/** A letter for each tone, for pictures made of text. */
export const toneGlyphs: Readonly<Record<Tone, string>> = {
  'mapped 1G': 'G',
  'mapped 2M': 'M',
  'mapped 4K': 'k',
  swapped: 's',
  'not touched': '.',
  poisoned: 'X',
  'not in dump': '?',
  device: 'd',
  'not counted': '#',
  hole: '-',
}
