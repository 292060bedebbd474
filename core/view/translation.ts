// SPDX-License-Identifier: GPL-2.0-or-later
// A translation: the answer, why it is so, and every step that led there.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type Memslot, slotName } from '../kvm/memslots/memslot.ts'
import { crashText } from '../translate/crashtext.ts'
import {
  describeContent,
  describeInverted,
  describePage,
  describeState,
  describeSubject,
  lastStep,
} from '../translate/describe.ts'
import { type Translated } from '../translate/translation.ts'
import { type Block, type FieldsBlock, type Part, type TableBlock, type View } from './block.ts'
import { type SlotMap } from './chart.ts'
import { slotMapsOf } from './counted.ts'
import { memslotsTable } from './memslots.ts'
import { pageFields } from './page.ts'
import { has } from './table.ts'
import { toneOf } from './tone.ts'
import { vmaFields } from './vma.ts'
import { walkBlocks } from './walk.ts'

/** What the class brings beyond the facts: its own text, and the virtual machine that was asked about. */
export interface Asked {
  toString(): string
  readonly vm?: { readonly memslots: readonly Memslot[] }
}

/** True for a translation. */
export function isTranslated(value: object): value is Translated & Asked {
  return has(value, 'subject', 'gpa', 'hva', 'hpa', 'state', 'reason', 'walk')
}

/** A translation with the map of its virtual machine. The map is made when it is asked for: a terminal has none. */
export function translationViewOf(t: Translated & Asked): View {
  const { vm } = t
  // The class knows the host's size, and with it how wide crash makes a column; bare facts do not.
  const view = translationView(t, undefined, has(t, 'toJSON') ? t.toString() : crashText(t))
  if (vm === undefined) return view
  return {
    text: view.text,
    blocks: view.blocks,
    get charts() {
      return slotMapsOf(vm, [{ gpa: t.gpa, label: `gpa ${hex(t.gpa)}` }])
    },
  }
}

/** A translation as blocks, and as the text that users of crash know; with a slot map when one is given. */
export function translationView(t: Translated, slotMap?: SlotMap, text = crashText(t)): View {
  const blocks: Block[] = [
    {
      kind: 'answer',
      values: [
        { name: 'guest physical', value: hex(t.gpa), absent: false },
        { name: 'host virtual', ...known(t.hva, '-') },
        { name: 'host physical', ...hostPhysical(t) },
      ],
    },
    { kind: 'line', parts: factsOf(t) },
    ...reasonBlocks(t),
    ...(t.walk === null ? [] : walkBlocks(t.walk, 'hva', t.state)),
    ...detail('swap', t.swap && swapBlock(t.swap)),
    ...detail('memslot', t.slot && slotTable(t.slot)),
    ...detail('VMA', t.vma && vmaFields(t.vma)),
    ...detail('struct page', t.page && pageFields(t.page)),
  ]
  return { text, blocks, charts: slotMap === undefined ? [] : [slotMap] }
}

function known(
  value: bigint | number | null,
  otherwise: string,
): { value: string; absent: boolean } {
  return value === null ? { value: otherwise, absent: true } : { value: hex(value), absent: false }
}

/** Only a mapped page is the answer; where a page was before is told in words. */
function hostPhysical(t: Translated): { value: string; absent: boolean } {
  if (t.state === 'mapped') return known(t.hpa, '-')
  return known(null, t.state === 'not-in-dump' ? '(not in dump)' : '(not mapped)')
}

/** State, slot, process and guest, and what the page is, in one line. */
function factsOf(t: Translated): Part[] {
  // Where a swapped page went is the reason, on the next line.
  const state = t.state === 'swapped' ? t.state : describeState(t)
  const parts: Part[] = [{ text: state, tone: toneOf(t.state, t.pageSize) }]
  if (t.slot !== null) parts.push({ text: `slot ${slotName(t.slot)}` })
  if (t.subject.vmName !== null) parts.push({ text: printable(t.subject.vmName), look: 'name' })
  parts.push({ text: describeSubject(t) })
  if (t.page !== null) parts.push({ text: describePage(t.page) })
  if (t.vma !== null) {
    const file = t.vma.file ?? t.vma.name
    parts.push({ text: `VMA ${t.vma.protection} ${file === null ? 'anonymous' : printable(file)}` })
  }
  return parts
}

/** That a plain page is mapped says the line above; all else has a reason. */
function reasonBlocks(t: Translated): Block[] {
  const inverted = describeInverted(t)
  const isPlain = t.state === 'mapped' && lastStep(t)?.kind !== 'prot-none'
  const content = describeContent(t)
  const texts = [
    ...(isPlain ? [] : [t.reason]),
    ...(content === undefined ? [] : [`content ${content}`]),
    ...(inverted === undefined ? [] : [inverted]),
    ...(t.remarks ?? []).map((remark) => `not read: ${remark}`),
    ...(t.salvaged ?? []).map((how) => `salvaged: ${how}`),
  ]
  return texts.map((text) => ({ kind: 'line', parts: [{ text: printable(text, 1000) }] }))
}

function swapBlock({ type, offset, path, cachedAt }: NonNullable<Translated['swap']>): FieldsBlock {
  const cached = cachedAt === null ? [] : [{ name: 'cached at hpa', value: hex(cachedAt) }]
  return {
    kind: 'fields',
    caption: null,
    fields: [
      {
        name: 'swap device',
        value: path === null ? null : printable(path),
        remark: `type ${type}`,
      },
      { name: 'page', value: offset.toString() },
      ...cached,
    ],
  }
}

function slotTable(slot: Memslot): TableBlock {
  return { ...memslotsTable([slot]), caption: null, remark: null }
}

function detail(summary: string, block: Block | null): Block[] {
  return block === null ? [] : [{ kind: 'details', summary, open: false, blocks: [block] }]
}
