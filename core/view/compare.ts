// SPDX-License-Identifier: GPL-2.0-or-later
// How two guests differ, and what guests share: sums with their change, and the first pages.

import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { changes, type Comparison } from '../compare/comparison.ts'
import { type SharedFrames } from '../reverse/sharedframes.ts'
import { type Block, type View, type ViewOptions } from './block.ts'
import { changeBarsOf, signedSize } from './changebars.ts'
import { sidesOf } from './sides.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'
import { toneOf } from './tone.ts'

/** True for what `compare` gives. */
export function isComparison(value: object): value is Comparison {
  return has(value, 'vms', 'counts', 'states', 'changed', 'isCut')
}

/** True for what `dump.sharedFrames` gives. */
export function isSharedFrames(value: object): value is SharedFrames {
  return has(value, 'groups', 'frames', 'pages', 'savedBytes')
}

/** The changes, the states on both sides with their difference, and the first pages that differ. */
export function comparisonView(two: Comparison, options: ViewOptions = {}): View {
  const rule = { most: 10, head: 8, tail: 2, all: 'show(compare(a, b), { rows: 100 })' }
  const size = (pages: number) => formatSize(pages * 4096)
  const sides = sidesOf(two)
  const blocks: Block[] = [
    {
      kind: 'table',
      caption: `${sides.both}: ${count(two.pages, 'page')} by what became of them`,
      remark: null,
      columns: [left('change'), right('pages'), right('size')],
      rows: changes
        .filter((change) => two.counts[change] > 0)
        .map((change) => [
          change,
          two.counts[change].toLocaleString('en-US'),
          size(two.counts[change]),
        ]),
      cut: null,
    },
    {
      kind: 'table',
      caption: 'states',
      remark: null,
      columns: [left('state'), ...sides.names.map(right), right('change')],
      rows: two.states.map(({ state, pageSize, pages: [a, b] }) => [
        state === 'mapped' ? toneOf(state, pageSize) : state,
        size(a),
        size(b),
        signedSize((b - a) * 4096, '-'),
      ]),
      cut: null,
    },
    ...(two.changed.length === 0
      ? []
      : [
          {
            kind: 'table' as const,
            caption: `pages that differ${two.isCut ? ' (the first of them)' : ''}`,
            remark: null,
            columns: [
              right('gpa'),
              left('change'),
              ...['hpa in A', 'hpa in B'].map(right),
              left('states'),
            ],
            ...rowsOf(two.changed, rule, options, ({ gpa, change, hpa: [a, b], states }) => [
              hex(gpa),
              change,
              a === null ? null : hex(a),
              b === null ? null : hex(b),
              states.join(' - '),
            ]),
          },
        ]),
  ]
  return { text: textOf(blocks), blocks, charts: two.pages === 0 ? [] : [changeBarsOf(two)] }
}

/** Who shares how many frames, and what that saves. */
export function sharedFramesView(shared: SharedFrames, options: ViewOptions = {}): View {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(dump.sharedFrames(), { rows: Infinity })' }
  const blocks: Block[] = [
    {
      kind: 'table',
      caption: `${count(shared.pages, 'page')} of guests in ${count(shared.frames, 'frame')}, ${formatSize(shared.savedBytes)} saved`,
      remark: null,
      columns: [left('guests'), left('by'), ...['frames', 'pages', 'saved'].map(right)],
      ...rowsOf(shared.groups, rule, options, ({ vms, kind, frames, pages, savedBytes }) => [
        vms.map((vm) => printable(vm.name ?? `pid ${vm.task?.pid ?? 'gone'}`)).join(', '),
        { ksm: 'KSM', zero: 'the page of zeros', other: 'one memory mapped twice' }[kind],
        frames.toLocaleString('en-US'),
        pages.toLocaleString('en-US'),
        formatSize(savedBytes),
      ]),
    },
    ...shared.remarks.map((text): Block => ({
      kind: 'note',
      text: `not known: ${printable(text, 1000)}`,
    })),
  ]
  return { text: textOf(blocks), blocks, charts: [] }
}
