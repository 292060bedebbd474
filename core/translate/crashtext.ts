// SPDX-License-Identifier: GPL-2.0-or-later
// A translation as text: the layout of crash's qemu-vtop of 2012, then what is new below it.

import { hex } from '../bytes/hex.ts'
import { printableAscii } from '../bytes/printable.ts'
import { type Memslot, slotName } from '../kvm/memslots/memslot.ts'
import { type Page } from '../linux/page.ts'
import { type Vma } from '../linux/vma.ts'
import {
  describeContent,
  describeInverted,
  describePage,
  describeState,
  describeSubject,
  lastStep,
  swapDevice,
} from './describe.ts'
import { type Translated } from './translation.ts'

/** What crash names in its FLAGS, in its order (x86_64_translate_pte in its x86_64.c). */
const crashFlags = new Set([
  ...['PRESENT', 'RW', 'USER', 'PWT', 'PCD', 'ACCESSED', 'DIRTY'],
  ...['PSE', 'PROTNONE', 'GLOBAL', 'NX'],
])

/** How crash writes a page size behind `PAGE:`. A 4 KiB page has none. */
const crashSizes = new Map([
  [0x200000, '2MB'],
  [0x40000000, '1GB'],
])

/**
 * The text of a translation, without a newline at its end. The first blocks are what crash users and their scripts
 * know, column by column (do_vtop, vm_area_dump and dump_mem_map_SPARSEMEM in crash's memory.c); the last two are new.
 * ASCII, no trailing spaces, at most 80 columns except for long paths and lists of page flags in crash's own lines.
 *
 * Three things are as crash would say them if it knew: the frame of a PROT_NONE entry is the true one, such an entry is
 * not called GLOBAL as well, and count, mapping and index are those of the folio's head.
 *
 * @param physicalEnd the end of the host's physical memory in bytes; crash makes its column PHYSICAL as wide as that
 */
export function crashText(t: Translated, physicalEnd = 0): string {
  if (t.state === 'no-slot') {
    // The old command's whole answer, and its words.
    return [`${t.gpa.toString(16)} has not been allocated`, '', ...newLines(t)].join('\n')
  }
  const blocks = [
    head(t),
    walkLines(t),
    entryBlock(t),
    t.vma === null ? [] : vmaBlock(t.vma),
    placeBlock(t),
    t.page === null ? [] : pageBlock(t.page, physicalEnd),
    t.slot === null ? [] : slotBlock(t.slot),
    newLines(t),
  ]
  return blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.map((line) => line.trimEnd()).join('\n'))
    .join('\n\n')
}

function head(t: Translated): string[] {
  const columns = (gpa: string, virtual: string, hpa: string): string =>
    `${gpa.padEnd(16)}  ${virtual.padEnd(16)}  ${hpa}`
  return [
    columns('GUEST PHYSICAL', 'HOST VIRTUAL', 'HOST PHYSICAL'),
    columns(t.gpa.toString(16), t.hva?.toString(16) ?? '-', hostPhysical(t)),
  ]
}

function hostPhysical(t: Translated): string {
  if (t.state === 'mapped' && t.hpa !== null) return t.hpa.toString(16)
  return t.state === 'not-in-dump' ? '(not in dump)' : '(not mapped)'
}

function walkLines(t: Translated): string[] {
  const lines = (t.walk?.steps ?? []).map(
    (step) =>
      `${step.name.padStart(6)}: ${step.entryAt.toString(16)} => ${step.value.toString(16)}`,
  )
  const page = lastStep(t)?.pointsTo
  if (t.state !== 'mapped' || page === null || page === undefined) return lines
  const remarks = [crashSizes.get(t.pageSize ?? 0), t.page?.use === 'zero' ? 'ZERO PAGE' : '']
  const remark = remarks.filter(Boolean).join(', ')
  lines.push(`  PAGE: ${page.toString(16)}${remark === '' ? '' : `  (${remark})`}`)
  return lines
}

/** PTE with PHYSICAL and FLAGS for a mapped page, with SWAP and OFFSET for a swapped one. */
function entryBlock(t: Translated): string[] {
  const step = lastStep(t)
  if (step === undefined) return []
  const pte = step.value.toString(16)
  const width = Math.max(pte.length, 3)
  if (t.state === 'mapped' && step.pointsTo !== null) {
    const physical = step.pointsTo.toString(16)
    const flags = step.flags.filter((flag) => crashFlags.has(flag)).join('|')
    const wide = Math.max(physical.length, 8)
    return [
      `${center('PTE', width)}  ${center('PHYSICAL', wide)}  FLAGS`,
      `${centerRight(pte, width)}  ${centerRight(physical, wide)}  (${flags})`,
    ]
  }
  if (t.swap === null) return []
  const device = printableAscii(swapDevice(t.swap), 255)
  const offset = t.swap.offset.toString()
  const wide = [Math.max(device.length, 4), Math.max(offset.length, 6)] as const
  return [
    `${center('PTE', width)}  ${center('SWAP', wide[0])}  ${center('OFFSET', wide[1])}`,
    `${centerRight(pte, width)}  ${centerRight(device, wide[0])}  ${centerRight(offset, wide[1])}`,
  ]
}

/** Crash counts a user address as ten digits wide on x86-64; longer ones move the rest of their line. */
const userDigits = 10

function vmaBlock(vma: Vma): string[] {
  const start = vma.start.toString(16).padStart(userDigits)
  const end = vma.end.toString(16).padStart(userDigits)
  const flags = vma.flagBits.toString(16).padStart(6)
  const file = vma.file === null ? '' : printableAscii(vma.file, 255)
  return [
    `${center('VMA', 16)} ${centerRight('START', userDigits)} ${centerRight('END', userDigits)}  FLAGS FILE`,
    `${center(vma.address.toString(16), 16)} ${start} ${end} ${flags} ${file}`,
  ]
}

/** The line that crash adds for a page that is not there: its place on the swap device, or in the mapped file. */
function placeBlock(t: Translated): string[] {
  if (t.swap !== null) {
    return [`SWAP: ${printableAscii(swapDevice(t.swap), 255)}  OFFSET: ${t.swap.offset.toString()}`]
  }
  const file = t.vma?.file ?? null
  if (t.state !== 'unmapped' || t.vma === null || t.hva === null || file === null) return []
  const offset = (((t.hva - t.vma.start) >> 12n) + t.vma.pageOffset) << 12n
  return [`FILE: ${printableAscii(file, 255)}  OFFSET: ${offset.toString(16)}`]
}

function pageBlock(page: Page, physicalEnd: number): string[] {
  const physical = page.hpa.toString(16)
  const width = Math.max(physicalEnd.toString(16).length, physical.length, 8)
  const mapping = page.mapping.toString(16).padStart(16)
  const index = page.index.toString(16).padStart(8)
  const count = page.refcount.toString().padStart(2)
  const flags = [page.flagBits.toString(16), page.flags.join(',')].join(' ')
  return [
    `${center('PAGE', 16)} ${'PHYSICAL'.padStart(width)} ${centerRight('MAPPING', 16)} ${centerRight('INDEX', 8)}CNT FLAGS`,
    `${page.address.toString(16)} ${physical.padStart(width)} ${mapping} ${index} ${count} ${flags}`,
  ]
}

function slotBlock(slot: Memslot): string[] {
  const first = slot.gpa.toString(16)
  const last = (slot.gpa + slot.size - 1).toString(16)
  const hva = slot.hva.toString(16)
  const wide = [Math.max(first.length, 9), Math.max(last.length, 8), Math.max(hva.length, 3)]
  const line = (cells: readonly string[]): string =>
    cells.map((c, i) => c.padStart(wide[i] ?? 0)).join('  ')
  return [
    `      SLOT  ${line(['FIRST GPA', 'LAST GPA', 'HVA'])}  FLAGS`,
    `${slotName(slot).padStart(10)}  ${line([first, last, hva])}  ${slot.flags.join('|')}`,
  ]
}

/** What the old command did not tell: a name in ten columns, then a sentence. */
function newLines(t: Translated): string[] {
  const lines: [string, string | undefined][] = [
    ['TASK', describeSubject(t)],
    ['VM', t.subject.vmName ?? undefined],
    ['STATE', describeState(t)],
    ['REASON', t.reason],
    ['ENTRY', describeInverted(t)],
    ['ALSO SET', otherFlags(t)],
    ['CACHED AT', cachedAt(t)],
    ['CONTENT', describeContent(t)],
    ['PAGE IS', t.page === null ? undefined : describePage(t.page)],
    ...(t.remarks ?? []).map((remark): [string, string] => ['NOT READ', remark]),
    ...(t.salvaged ?? []).map((how): [string, string] => ['SALVAGED', how]),
  ]
  return lines.flatMap(([name, text]) => (text === undefined ? [] : sentence(name, text)))
}

function otherFlags(t: Translated): string | undefined {
  const others = (lastStep(t)?.flags ?? []).filter((flag) => !crashFlags.has(flag))
  return others.length === 0 ? undefined : others.join('|')
}

function cachedAt(t: Translated): string | undefined {
  const at = t.swap?.cachedAt ?? null
  return at === null ? undefined : `hpa ${hex(at)}, a copy that the swap cache still holds`
}

/** A name and a text of at most 80 columns a line; a word that is longer is broken. */
function sentence(name: string, text: string): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of printableAscii(text, 1000).split(' ')) {
    if (line !== '' && line.length + 1 + word.length > 68) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
    for (; line.length > 68; line = line.slice(68)) lines.push(line.slice(0, 68))
  }
  lines.push(line)
  return lines.map((part, i) => `${(i === 0 ? name : '').padStart(10)}  ${part}`.trimEnd())
}

/** In the middle of `width` columns; an odd blank more goes to the right. */
function center(text: string, width: number): string {
  return text.padStart(text.length + Math.floor((width - text.length) / 2)).padEnd(width)
}

/** The same, but an odd blank more goes to the left. */
function centerRight(text: string, width: number): string {
  return text.padStart(text.length + Math.ceil((width - text.length) / 2)).padEnd(width)
}
