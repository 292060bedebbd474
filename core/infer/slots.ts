// SPDX-License-Identifier: GPL-2.0-or-later
// What must hold of memslots, however they are kept: host addresses in VMAs, sizes that fit, guest frames apart.

import { count, type Candidate } from './findings.ts'
import { type Ground } from './ground.ts'
import { type MetMm, type Survey } from './survey.ts'

/** Where the three numbers of a slot lie, counted from a place that all slots have. */
export interface SlotForm {
  readonly gfn: number
  readonly pages: number
  readonly hva: number
}

/** 52 bits of guest physical address, less the 12 of a page. */
const MAX_GFN = 1n << 40n

/** User memory of one process: which ranges are mapped. */
export class Mapped {
  readonly #ranges: { start: bigint; end: bigint }[] = []

  constructor(vmas: MetMm['vmas']) {
    for (const { start, end } of vmas) {
      const last = this.#ranges.at(-1)
      if (last?.end === start) last.end = end
      else this.#ranges.push({ start, end })
    }
  }

  /** Whether all pages of a range are in VMAs. */
  holds(hva: bigint, pages: bigint): boolean {
    if ((hva & 0xfffn) !== 0n || pages <= 0n || pages > MAX_GFN) return false
    return this.#ranges.some(({ start, end }) => hva >= start && hva + pages * 4096n <= end)
  }
}

/**
 * The forms that fit slots at `places`, in the order of their guest frames (`falling` when the last is first): each
 * offset from `from` to `end`.
 */
export function slotForms(
  ground: Ground,
  places: readonly bigint[],
  mapped: Mapped,
  range: { readonly from: number; readonly end: number; readonly falling?: boolean },
): SlotForm[] {
  const { from, end, falling = false } = range
  const all: number[] = []
  for (let offset = 0; offset + 8 <= end - from; offset += 8) all.push(offset)
  // Word by word: what lies before a slot at the start of a page is another page, which the dump need not have.
  const words = (offset: number) =>
    places.map((place) => ground.word(place + BigInt(from + offset)) ?? -1n)
  const hvas = all.filter((offset) => words(offset).every((word) => mapped.holds(word, 1n)))
  const forms: SlotForm[] = []
  for (const hva of hvas) {
    const starts = words(hva)
    for (const pages of all) {
      const sizes = words(pages)
      if (!starts.every((start, i) => mapped.holds(start, sizes[i] ?? 0n))) continue
      // The same address with the last one behind it is a key of the tree by host address (interval_tree_node).
      const lasts = words(hva + 8)
      if (starts.every((start, i) => start + (sizes[i] ?? 0n) * 4096n - 1n === lasts[i])) continue
      for (const gfn of all) {
        if (gfn === pages || !areApart(words(gfn), sizes, falling)) continue
        forms.push({ gfn: gfn + from, pages: pages + from, hva: hva + from })
      }
    }
  }
  return forms
}

/** Whether frames follow each other without overlap. */
function areApart(gfns: readonly bigint[], sizes: readonly bigint[], falling: boolean): boolean {
  let end = falling ? MAX_GFN : 0n
  return gfns.every((gfn, i) => {
    const size = sizes[i] ?? 0n
    if (gfn < 0n || gfn + size > MAX_GFN) return false
    const isApart = falling ? gfn + size <= end : gfn >= end
    end = falling ? gfn : gfn + size
    return isApart
  })
}

/** A slot as the search for its number and flags sees it: the place that its form counts from. */
export interface MetSlot {
  readonly place: bigint
  readonly addressSpace: number
}

// KVM_MEM_* of include/uapi/linux/kvm.h and KVM_MEMSLOT_* of include/linux/kvm_host.h: bits 0 to 2, 16 and 17.
const FLAGS = 0x30007
/** KVM_MEM_SLOTS_NUM of include/linux/kvm_host.h is SHRT_MAX. */
const MAX_ID = 0x7fff

/**
 * Finds flags, id and as_id of slots: as_id is the address space, no two slots of a set have one id, and flags has only
 * bits that KVM knows, and not none in all. `sets` are the slots of one set each; `start` is added to offsets.
 */
export function slotNumbers(
  { ground, findings }: Survey,
  sets: readonly (readonly MetSlot[])[],
  { from, end }: { readonly from: number; readonly end: number },
  form: SlotForm,
  start: number,
): void {
  const slots = sets.flat()
  const blocks = new Map(
    slots.map((slot) => [slot, ground.block(slot.place + BigInt(from), end - from)]),
  )
  const taken = [form.gfn, form.pages, form.hva].map((offset) => offset - from)
  const free: number[] = []
  for (let word = 0; word + 8 <= end - from; word += 8) {
    const isPointer = slots.some((slot) => ground.isPointer(blocks.get(slot)?.word(word)))
    if (!isPointer && !taken.includes(word)) free.push(word, word + 2, word + 4, word + 6)
  }
  const u16 = (slot: MetSlot, offset: number) => blocks.get(slot)?.u16(offset) ?? -1
  const u32 = (slot: MetSlot, offset: number) => blocks.get(slot)?.u32(offset) ?? -1
  const back = (candidate: Candidate): Candidate => ({
    ...candidate,
    offset: candidate.offset + from + start,
  })
  const choose = (name: string, type: string, fits: Candidate[], evidence: string): number => {
    const rule = { of: 'memslots', evidence }
    return findings.choose(`kvm_memory_slot.${name}`, type, fits.map(back), rule) - from - start
  }
  const spaces = new Set(slots.map(({ addressSpace }) => addressSpace)).size
  const space = findings.attempt(() =>
    choose(
      'as_id',
      'u16',
      spaces < 2
        ? []
        : free.map((o) => count(o, slots, (slot) => u16(slot, o) === slot.addressSpace)),
      'it is the number of the address space, of which both were seen',
    ),
  )
  // `short id; u16 as_id;` stand side by side in every kernel that has both (include/linux/kvm_host.h).
  const ids = free
    .filter((offset) => (space === undefined ? true : offset === space - 2))
    .map((offset) => {
      const all = sets.map((set) => new Set(set.map((slot) => u16(slot, offset))))
      const agrees = (set: ReadonlySet<number>, i: number) =>
        set.size === sets[i]?.length && [...set].every((id) => id >= 0 && id < MAX_ID)
      return { offset, agreed: slots.length, against: all.every(agrees) ? 0 : slots.length }
    })
  const id = findings.attempt(() =>
    choose('id', 's16', ids, 'no two slots of a set have the same, and as_id is behind it'),
  )
  const flags = free.filter(
    (o) => o % 4 === 0 && [id, space].every((at) => at === undefined || at < o || at >= o + 4),
  )
  findings.attempt(() =>
    choose(
      'flags',
      'u32',
      flags
        .filter((offset) => slots.some((slot) => u32(slot, offset) !== 0))
        .map((o) => count(o, slots, (slot) => u32(slot, o) >= 0 && (u32(slot, o) & ~FLAGS) === 0)),
      'no bits but those of KVM, and some in some slot',
    ),
  )
}
