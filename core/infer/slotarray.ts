// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in arrays (4.0 to 5.16): sets of their own, slots side by side in falling order of guest frames.

import { count, offsets, Refused, type Candidate } from './findings.ts'
import { KVM } from './kvm.ts'
import { Mapped, type MetSlot, slotForms, type SlotForm, slotNumbers } from './slots.ts'
import { type Survey } from './survey.ts'

/** So much of a set is searched; a slot is larger and smaller than these. */
const SET = 0x4000
/** Until 5.6 an array had room for 512 slots, and its count stood behind it. */
const FIXED_SET = 0xc000
const SLOT = { least: 32, most: 0x100 }

/** An array that reads as one of slots: where the host address of the first lies, how far apart they are. */
interface Form extends SlotForm {
  readonly at: number
  readonly stride: number
}

/** A form with the places of kvm.memslots and used_slots, and how many VMs agree. */
interface Fit {
  readonly memslots: number
  readonly form: Form
  readonly used: number
  readonly fit: Candidate
}

/** Finds kvm.memslots, used_slots and memslots of kvm_memslots, and the numbers of kvm_memory_slot. */
export function inferSlotArrays(survey: Survey): void {
  const { ground, findings, kvms } = survey
  const found = new Map<number, Map<string, Form>>()
  const [first] = kvms
  if (first === undefined) throw new Refused('no virtual machine was found')
  const all = [...kvms]
  for (let memslots = 0; memslots + 16 <= KVM; memslots += 8) {
    const pairs = all.map(
      ([, { block }]) => [block.word(memslots), block.word(memslots + 8)] as const,
    )
    const isPair = pairs.every(
      ([own, other]) =>
        ground.isPointer(own) && ground.isPointer(other) && own !== other && !survey.mms.has(own),
    )
    if (!isPair) continue
    const forms = formsOf(survey, first[1].mm, first[1].block.word(memslots) ?? 0n)
    if (forms.length > 0) found.set(memslots, new Map(forms.map((form) => [keyOf(form), form])))
  }
  // The count stands before the slots, or behind them in older kernels: there only when nothing before them fits.
  const before = fitsOf(survey, found, false)
  const good = before.length > 0 ? before : fitsOf(survey, found, true)
  const rule = {
    of: 'virtual machines',
    evidence:
      'used_slots slots stand in a row, host addresses in VMAs, guest frames apart and falling',
  }
  const [only] = good
  const by = (pick: (one: Fit) => number) => good.map((one) => ({ ...one.fit, offset: pick(one) }))
  const start = (one: { form: Form }) => Math.min(one.form.gfn, one.form.pages, one.form.hva)
  findings.choose(
    'kvm.memslots',
    'ptr[2]',
    by((one) => one.memslots),
    rule,
  )
  findings.choose(
    'kvm_memslots.used_slots',
    's32',
    by((one) => one.used),
    rule,
  )
  const member = (name: string, pick: (form: Form) => number) =>
    findings.choose(
      `kvm_memory_slot.${name}`,
      'u64',
      by((one) => pick(one.form) - start(one)),
      rule,
    )
  member('base_gfn', ({ gfn }) => gfn)
  member('npages', ({ pages }) => pages)
  member('userspace_addr', ({ hva }) => hva)
  if (only === undefined) return
  const { form, memslots } = only
  const sets: MetSlot[][] = []
  for (const [, { block }] of all) {
    for (let space = 0; space < 2; space++) {
      const set = block.word(memslots + 8 * space) ?? 0n
      const used = ground.u32(set + BigInt(only.used)) ?? 0
      sets.push(
        Array.from({ length: used }, (_, i) => ({
          place: set + BigInt(form.at + i * form.stride),
          addressSpace: space,
        })),
      )
    }
  }
  const begin = start(only)
  slotNumbers(survey, sets, { from: begin, end: begin + form.stride }, form, -begin)
  findings.size('kvm_memory_slot', form.stride)
  const slots = sets.flat().length
  findings.add(
    'kvm_memslots.memslots',
    'struct kvm_memory_slot[0]',
    { offset: form.at + begin, agreed: slots, against: 0 },
    { of: 'memslots', evidence: 'the first slot begins so far into its set' },
  )
}

function keyOf({ at, stride, gfn, pages, hva }: Form): string {
  return [at, stride, gfn, pages, hva].join(',')
}

/** The forms of arrays of at least two slots in the memory at `set`. */
function formsOf(survey: Survey, mm: bigint, set: bigint): Form[] {
  const { ground } = survey
  const mapped = mappedOf(survey, mm)
  const block = ground.block(set, SET)
  const hits: number[] = []
  for (let offset = 0; offset + 8 <= block.length; offset += 8) {
    if (mapped.holds(block.word(offset) ?? -1n, 1n)) hits.push(offset)
  }
  const [at] = hits
  if (at === undefined) return []
  const isHit = new Set(hits)
  const forms: Form[] = []
  for (let stride = SLOT.least; stride <= SLOT.most; stride += 8) {
    let length = 1
    while (isHit.has(at + length * stride)) length++
    if (length < 2) continue
    const places = Array.from({ length }, (_, i) => set + BigInt(at + i * stride))
    const around = { from: -stride + 8, end: stride, falling: true }
    for (const form of slotForms(ground, places, mapped, around)) {
      // Numbers of one slot, not of its neighbour too.
      const span = Math.max(form.gfn, form.pages, 0) + 8 - Math.min(form.gfn, form.pages, 0)
      if (form.hva === 0 && span <= stride) forms.push({ ...form, at, stride })
    }
  }
  return forms
}

/** How many slots stand in a row at `set`. */
function runOf({ ground, mms }: Survey, mm: bigint, set: bigint, form: Form): number {
  const mapped = mappedOf({ mms }, mm)
  let length = 0
  for (; length < SET; length++) {
    const at = set + BigInt(form.at + length * form.stride)
    const hva = ground.word(at) ?? -1n
    if (!mapped.holds(hva, ground.word(at + BigInt(form.pages)) ?? 0n)) break
  }
  return length
}

/** The forms that hold in all VMs, each with every place that counts their slots. */
function fitsOf(
  survey: Survey,
  found: ReadonlyMap<number, ReadonlyMap<string, Form>>,
  isBehind: boolean,
): Fit[] {
  const { ground, kvms } = survey
  const fits: Fit[] = []
  for (const [memslots, forms] of found) {
    for (const form of forms.values()) {
      for (const used of usedPlaces(survey, memslots, form, isBehind)) {
        const fit = count(memslots, kvms.values(), ({ block, mm }) =>
          [0, 8].every((space) => {
            const set = block.word(memslots + space) ?? 0n
            const number = ground.u32(set + BigInt(used)) ?? -1
            return number === runOf(survey, mm, set, form)
          }),
        )
        if (fit.against === 0 && fit.agreed > 0) fits.push({ memslots, form, used, fit })
      }
    }
  }
  return fits
}

/** The places that count the slots of the first VM, before or behind them. */
function usedPlaces(survey: Survey, memslots: number, form: Form, isBehind: boolean): number[] {
  const { ground, kvms } = survey
  const [first] = [...kvms.values()]
  if (first === undefined) return []
  const sets = [0, 8].map((space) => first.block.word(memslots + space) ?? 0n)
  const runs = sets.map((set) => runOf(survey, first.mm, set, form))
  const blocks = sets.map((set) => ground.block(set, FIXED_SET))
  const isCount = (used: number) => blocks.every((block, i) => block.u32(used) === runs[i])
  const begin = form.at + Math.min(0, form.gfn, form.pages)
  const end = form.at + Math.max(...runs) * form.stride
  return [...(isBehind ? offsets(FIXED_SET, 4, end) : offsets(begin, 4))].filter(isCount)
}

const mappedByVmas = new WeakMap<object, Mapped>()

function mappedOf({ mms }: Pick<Survey, 'mms'>, mm: bigint): Mapped {
  const vmas = mms.get(mm)?.vmas ?? []
  let mapped = mappedByVmas.get(vmas)
  if (mapped === undefined) mappedByVmas.set(vmas, (mapped = new Mapped(vmas)))
  return mapped
}
