// SPDX-License-Identifier: GPL-2.0-or-later
// A `struct page`, member by member.

import { hex } from '../bytes/hex.ts'
import { type Page } from '../linux/page.ts'
import { describePage } from '../translate/describe.ts'
import { type Block, type FieldsBlock, type View } from './block.ts'
import { has } from './table.ts'
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
    pageFields(page),
  ]
  return { text: textOf(blocks), blocks, charts: [] }
}

/** A page member by member. Mapping, index and references are those of its folio's head. */
export function pageFields(page: Page): FieldsBlock {
  const head =
    page.head === page.pfn ? {} : { remark: `of the folio's head, pfn ${hex(page.head)}` }
  return {
    kind: 'fields',
    caption: null,
    fields: [
      { name: 'struct page', value: hex(page.address) },
      { name: 'pfn', value: hex(page.pfn) },
      { name: 'mapping', value: hex(page.mapping), ...head },
      { name: 'index', value: hex(page.index), ...head },
      { name: 'references', value: page.refcount.toString(), ...head },
      { name: 'mappings', value: page.mapcount?.toString() ?? null },
      { name: 'flags', value: hex(page.flagBits) },
      { name: 'flag names', value: page.flags.length === 0 ? null : page.flags.join('|') },
    ],
  }
}
