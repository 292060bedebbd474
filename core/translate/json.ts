// SPDX-License-Identifier: GPL-2.0-or-later
// A translation as JSON: every address a `0x…` text, so that nothing loses bits.

import { hex } from '../bytes/hex.ts'
import { type Translated, type TranslationState } from './translation.ts'

/** What `JSON.stringify(translation)` holds. Addresses and raw entries are `0x…` texts, sizes and counts numbers. */
export interface TranslationJson {
  readonly gpa: string
  readonly hva: string | null
  readonly hpa: string | null
  readonly state: TranslationState
  readonly reason: string
  readonly pageSize: number | null
  readonly swap: {
    readonly type: number
    readonly offset: number
    readonly path: string | null
    readonly cachedAt: string | null
  } | null
  readonly slot: {
    /** -1 when a salvaged slot's number is not known. */
    readonly id: number
    readonly addressSpace: number
    readonly gpa: string
    readonly size: number
    readonly hva: string
    readonly flags: readonly string[]
    /** How it was found, when pages of the dump are missing. */
    readonly salvaged?: string
  } | null
  readonly walk:
    | readonly {
        readonly level: string
        readonly index: number
        readonly entryAt: string
        readonly value: string
        readonly kind: string
        readonly pointsTo: string | null
        readonly flags: readonly string[]
      }[]
    | null
  readonly vma: {
    readonly address: string
    readonly start: string
    readonly end: string
    readonly protection: string
    readonly flags: readonly string[]
    readonly file: string | null
    readonly name: string | null
  } | null
  readonly page: {
    readonly address: string
    readonly pfn: number
    readonly use: string
    readonly flags: readonly string[]
    readonly mapping: string
    readonly index: string
    readonly refcount: number
    readonly mapcount: number | null
    readonly head: number
    readonly order: number
    readonly node: number
    readonly isPoisoned: boolean
  } | null
  /** Why vma or page could not be read; only there when something is wrong. */
  readonly remarks?: readonly string[]
  /** Where the bytes of a swapped page can be read; `from` is null when they cannot. */
  readonly content?: { readonly from: string | null; readonly how: string }
  /** What of the answer was salvaged from a dump with missing pages; only there when something was. */
  readonly salvaged?: readonly string[]
}

const hexOrNull = (value: number | bigint | null) => (value === null ? null : hex(value))

/** Makes the JSON form of a translation. */
export function translationJson(translation: Translated): TranslationJson {
  const { swap, slot, walk, vma, page, remarks = [], salvaged = [] } = translation
  return {
    gpa: hex(translation.gpa),
    hva: hexOrNull(translation.hva),
    hpa: hexOrNull(translation.hpa),
    state: translation.state,
    reason: translation.reason,
    pageSize: translation.pageSize,
    swap: swap && { ...swap, cachedAt: hexOrNull(swap.cachedAt) },
    slot: slot && {
      id: slot.id,
      addressSpace: slot.addressSpace,
      gpa: hex(slot.gpa),
      size: slot.size,
      hva: hex(slot.hva),
      flags: slot.flags,
      ...(slot.salvaged === undefined ? {} : { salvaged: slot.salvaged }),
    },
    walk:
      walk &&
      walk.steps.map((step) => ({
        level: step.name,
        index: step.index,
        entryAt: hex(step.entryAt),
        value: hex(step.value),
        kind: step.kind,
        pointsTo: hexOrNull(step.pointsTo),
        flags: step.flags,
      })),
    vma: vma && {
      address: hex(vma.address),
      start: hex(vma.start),
      end: hex(vma.end),
      protection: vma.protection,
      flags: vma.flags,
      file: vma.file,
      name: vma.name,
    },
    page: page && {
      address: hex(page.address),
      pfn: page.pfn,
      use: page.use,
      flags: page.flags,
      mapping: hex(page.mapping),
      index: hex(page.index),
      refcount: page.refcount,
      mapcount: page.mapcount,
      head: page.head,
      order: page.order,
      node: page.node,
      isPoisoned: page.isPoisoned,
    },
    ...(translation.state === 'swapped' && translation.content
      ? { content: translation.content }
      : {}),
    ...(remarks.length > 0 ? { remarks } : {}),
    ...(salvaged.length > 0 ? { salvaged } : {}),
  }
}
