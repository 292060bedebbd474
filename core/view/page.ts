// SPDX-License-Identifier: GPL-2.0-or-later
// A `struct page`, as a table row.

import { hex } from '../bytes/hex.ts'
import { type Page } from '../linux/page.ts'
import { describePage } from '../translate/describe.ts'
import { type Block, type TableBlock, type View } from './block.ts'
import { has, left, right } from './table.ts'
import { textOf } from './text.ts'

/** True for a page. */
export function isPage(value: object): value is Page {
  return has(value, 'address', 'pfn', 'hpa', 'flagBits', 'mapping', 'refcount', 'use')
}

/** One page. */
export function pageView(page: Page): View {
  const blocks: Block[] = [
    {
      kind: 'answer',
      values: [
        { name: 'pfn', value: hex(page.pfn), absent: false },
        { name: 'host physical', value: hex(page.hpa), absent: false },
      ],
    },
    { kind: 'line', parts: [{ text: describePage(page) }] },
    pageTable(page),
  ]
  return { text: textOf(blocks), blocks, charts: [] }
}

/** A page as a table. Mapping, index and references are those of its folio's head. */
export function pageTable(page: Page): TableBlock {
  const isTail = page.head !== page.pfn
  return {
    kind: 'table',
    caption: null,
    remark: isTail
      ? `mapping, index and refs are those of the folio's head, pfn ${hex(page.head)}`
      : null,
    columns: [
      right('page'),
      right('pfn'),
      right('mapping'),
      right('index'),
      right('refs'),
      right('maps'),
      right('flags'),
      left('names'),
    ],
    rows: [
      [
        hex(page.address),
        hex(page.pfn),
        hex(page.mapping),
        hex(page.index),
        page.refcount.toString(),
        page.mapcount?.toString() ?? null,
        hex(page.flagBits),
        page.flags.length === 0 ? null : page.flags.join('|'),
      ],
    ],
    cut: null,
  }
}
