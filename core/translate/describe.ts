// SPDX-License-Identifier: GPL-2.0-or-later
// A translation in words: the short sentences that its text and its picture share.

import { formatSize, hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type Page } from '../linux/page.ts'
import { type WalkStep } from '../paging/walk.ts'
import { type Translated, type TranslationFacts } from './translation.ts'

/** The state with what belongs to it: `mapped, 2 MiB page`, `swapped to /dev/zram0, page 16384`. */
export function describeState(t: TranslationFacts): string {
  const size = t.pageSize === null ? '' : `, ${formatSize(t.pageSize)} page`
  const from = t.hpa === null ? '' : ` ${hex(t.hpa)}`
  switch (t.state) {
    case 'mapped':
      return `mapped${size}`
    case 'swapped':
      return t.swap === null
        ? 'swapped'
        : `swapped to ${swapDevice(t.swap)}, page ${t.swap.offset.toString()}`
    case 'migrating':
      return `migrating${from === '' ? '' : ` from hpa${from}`}`
    case 'poisoned':
      return `poisoned${from === '' ? '' : ` at hpa${from}`}`
    case 'marker':
      return 'marker, no page'
    case 'device-private':
      return "device-private, in a device's memory"
    case 'unmapped':
      return 'unmapped'
    case 'no-slot':
      return 'no-slot'
    case 'not-in-dump':
      return 'not-in-dump'
  }
}

/** The path of a swap device, or its type when the dump does not tell the path. */
export function swapDevice(swap: { readonly type: number; readonly path: string | null }): string {
  return swap.path === null ? `swap type ${swap.type}` : printable(swap.path, 255)
}

const uses: Record<Page['use'], string> = {
  anon: 'anonymous',
  file: 'page cache of a file',
  shmem: 'shared memory',
  ksm: 'merged by KSM',
  hugetlb: 'hugetlb',
  zero: 'the shared page of zeros',
  free: 'free',
  slab: 'slab',
  table: 'page table',
  offline: 'offline',
  reserved: 'reserved',
  kernel: 'kernel memory',
}

/** What a page is: `anonymous, part of a 2 MiB folio, node 0`. */
export function describePage(page: Page): string {
  const folio = page.order > 0 ? [`part of a ${formatSize(4096 * 2 ** page.order)} folio`] : []
  const poisoned = page.isPoisoned ? ['poisoned'] : []
  return [uses[page.use], ...folio, ...poisoned, `node ${page.node}`].join(', ')
}

/** The entry where the walk ended, or undefined when it read none. */
export function lastStep(t: TranslationFacts): WalkStep | undefined {
  return t.walk?.steps.at(-1)
}

/**
 * What a reader of the raw entry would get wrong, or undefined: most kernels keep the frame number of an entry that
 * is not PRESENT inverted (arch/x86/include/asm/pgtable-invert.h), also of a PROT_NONE one that maps a page.
 */
export function describeInverted(t: TranslationFacts): string | undefined {
  const step = lastStep(t)
  if (step?.kind !== 'prot-none' || step.pointsTo === null) return undefined
  const raw = Number(step.value & 0x000ffffffffff000n)
  if (raw - (raw % (t.pageSize ?? 4096)) === step.pointsTo) return undefined
  return `the frame in the ${step.name} is inverted: ${hex(raw)} there means ${hex(step.pointsTo)}`
}

/** Who was asked: `qemu-system-x86 pid 183`. */
export function describeSubject({ subject }: TranslationFacts): string {
  return subject.pid === null
    ? 'a process that is gone'
    : `${printable(subject.comm ?? '-')} pid ${subject.pid}`
}

/**
 * Where the content of a swapped page can be read: `read from zram0, lz4, 74 bytes`. Undefined for other states, of which
 * the frame says it.
 */
export function describeContent(t: Translated): string | undefined {
  const content = t.state === 'swapped' ? t.content : undefined
  if (content === undefined || content === null) return undefined
  const { from, how } = content
  if (from === null) return `cannot be read: ${how}`
  return from === 'zeros'
    ? `zeros: ${how}`
    : `read from ${from === 'zram' ? how : `the ${from}, ${how}`}`
}
