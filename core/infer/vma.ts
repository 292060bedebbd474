// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual memory areas: a tree of ranges that follow each other, as many as the memory map counts.

import { count, offsets, type Candidate } from './findings.ts'
import { type Block } from './ground.ts'
import { isMapleNode, mapleEntries, mapleForms } from './maple.ts'
import { isRbRoot, rbNode, rbNodes } from './rbtree.ts'
import { type MetMm, type Survey } from './survey.ts'

/** An mm_struct's trees lie in its first part; a vm_area_struct is not larger than this. */
const MM = 0x400
const VMA = 0xd0
const PAGE = 0xfffn

type Range = MetMm['vmas'][number]

/** Finds the tree of VMAs, newest form first, then what a VMA says. */
export function inferVmas(survey: Survey): void {
  const { ground, findings, mms } = survey
  const trees = [mapleTrees(survey), rbTrees(survey)].find((fits) => fits.length > 0) ?? []
  const rule = {
    of: 'memory maps',
    evidence:
      'the tree holds ranges of user addresses in order, the same as the VMAs that it leads to',
  }
  const isMaple = trees[0]?.isMaple ?? true
  const tree = findings.choose(
    isMaple ? 'mm_struct.mm_mt.ma_root' : 'mm_struct.mm_rb',
    isMaple ? 'ptr' : 'struct rb_root',
    trees.map(({ fit }) => fit),
    rule,
  )
  const form = trees.find(({ fit }) => fit.offset === tree)
  if (form === undefined) return
  form.describe()
  const all: Range[] = []
  for (const [mm, ranges] of form.ranges) {
    const met = mms.get(mm)
    if (met !== undefined) met.vmas = ranges
    all.push(...ranges)
  }
  const { agreed, against } = count(form.start, all, ({ address, start, end }) => {
    const vma = ground.block(address, VMA)
    return vma.word(form.start) === start && vma.word(form.start + 8) === end
  })
  const ends = { of: 'VMAs', evidence: 'the range at which the tree holds it' }
  findings.add('vm_area_struct.vm_start', 'u64', { offset: form.start, agreed, against }, ends)
  findings.add('vm_area_struct.vm_end', 'u64', { offset: form.start + 8, agreed, against }, ends)
  findings.choose(
    'mm_struct.map_count',
    's32',
    [...offsets(MM, 4)].map((offset) =>
      count(offset, mms.values(), ({ block, vmas }) => block.u32(offset) === vmas.length),
    ),
    { of: 'memory maps', evidence: 'it is the number of VMAs' },
  )
}

interface TreeForm {
  readonly isMaple: boolean
  readonly fit: Candidate
  /** Where vm_start lies in a VMA. */
  readonly start: number
  readonly ranges: ReadonlyMap<bigint, Range[]>
  describe(): void
}

/**
 * A VMA says the range that the tree has for it. What lies before `ma_root` in a tree is a lock, whose size depends on how
 * the kernel was built: 4 bytes, or 32 with PREEMPT_RT.
 */
function mapleTrees({ ground, findings, mms }: Survey): TreeForm[] {
  const forms: TreeForm[] = []
  for (const root of offsets(MM, 8)) {
    const ranges = new Map<bigint, Range[]>()
    const starts = new Map<number, number>()
    let entriesSeen = 0
    const fit = count(root, mms, ([mm, { block }]) => {
      const top = block.word(root)
      const entries = isMapleNode(ground, top) ? mapleEntries(ground, top) : undefined
      if (entries === undefined || entries.length === 0) return false
      const found: Range[] = []
      for (const { first, last, entry } of entries) {
        // XA_ZERO_ENTRY, which a fork under way leaves.
        if (!ground.isPointer(entry)) continue
        entriesSeen++
        found.push({ address: entry, start: first, end: last + 1n })
        const vma = ground.block(entry, 0x40)
        for (const at of offsets(0x40, 8)) {
          if (vma.word(at) === first && vma.word(at + 8) === last + 1n) {
            starts.set(at, (starts.get(at) ?? 0) + 1)
          }
        }
      }
      ranges.set(mm, found)
      return true
    })
    const [start] = [...starts].find(([, n]) => n === entriesSeen) ?? []
    if (fit.agreed === 0 || start === undefined) continue
    const describe = () => {
      const rule = { of: 'memory maps', evidence: 'the tree reads as one of nodes in this form' }
      const shape = (member: string, type: string, offset: number) =>
        findings.add(member, type, { ...fit, offset }, rule)
      shape('maple_range_64.pivot', 'u64[15]', mapleForms.pivotsAt)
      shape('maple_range_64.slot', 'ptr[16]', mapleForms.range.slotsAt)
      shape('maple_range_64.meta.end', 'u8', mapleForms.rangeEndAt)
      shape('maple_arange_64.pivot', 'u64[9]', mapleForms.pivotsAt)
      shape('maple_arange_64.slot', 'ptr[10]', mapleForms.arange.slotsAt)
      shape('maple_arange_64.meta.end', 'u8', mapleForms.arangeEndAt)
    }
    forms.push({ isMaple: true, fit, start, ranges, describe })
  }
  return forms
}

/** Before: `mm_rb`, and `mmap`, which points at the first VMA and so tells where a VMA begins around its node. */
function rbTrees({ ground, findings, mms }: Survey): TreeForm[] {
  const forms: TreeForm[] = []
  for (const root of offsets(MM, 8)) {
    const nodes = new Map<bigint, bigint[]>()
    const fit = count(root, mms, ([mm, { block }]) => {
      const top = block.word(root)
      const found = isRbRoot(ground, top) ? rbNodes(ground, top) : undefined
      if (found !== undefined) nodes.set(mm, found)
      return found !== undefined
    })
    if (fit.agreed === 0 || fit.against > 0) continue
    for (const before of offsets(0x60, 8)) {
      // vm_start so far before the node.
      const range = (node: bigint) => ({
        start: ground.word(node - BigInt(before)),
        end: ground.word(node - BigInt(before) + 8n),
      })
      if (![...nodes.values()].every((all) => areInOrder(all.map(range)))) continue
      const node = beginning([...nodes], mms)
      if (node === undefined) continue
      const ranges = new Map(
        [...nodes].map(([mm, all]) => [
          mm,
          all.map((at) => {
            const { start = 0n, end = 0n } = range(at)
            return { address: at - BigInt(node), start, end }
          }),
        ]),
      )
      const describe = () => {
        const rule = { of: 'memory maps', evidence: 'mmap points at the first VMA of the tree' }
        findings.add('vm_area_struct.vm_rb', 'struct rb_node', { ...fit, offset: node }, rule)
      }
      forms.push({ isMaple: false, fit, start: node - before, ranges, describe })
    }
  }
  return forms
}

/** How far in a VMA its node lies: some word of every mm points so far before the first node. */
function beginning(
  nodes: readonly (readonly [bigint, readonly bigint[]])[],
  mms: Survey['mms'],
): number | undefined {
  for (const offset of offsets(MM, 8)) {
    const distances = new Set(
      nodes.map(([mm, [first = 0n]]) => first - (mms.get(mm)?.block.word(offset) ?? 0n)),
    )
    const [only = -1n] = distances
    if (distances.size === 1 && only >= 0n && only < BigInt(VMA)) return Number(only)
  }
  return undefined
}

function areInOrder(
  ranges: readonly { start?: bigint | undefined; end?: bigint | undefined }[],
): boolean {
  let last = 0n
  for (const { start, end } of ranges) {
    if (start === undefined || end === undefined) return false
    if (start < last || end <= start || ((start | end) & PAGE) !== 0n || end > 1n << 57n)
      return false
    last = end
  }
  return ranges.length > 0
}

/** Finds what else a VMA says: its flags, its file and where in that. */
export function inferVmaMembers({ ground, findings, mms }: Survey): void {
  const all = [...mms.values()].flatMap(({ vmas }) => vmas)
  const blocks = all.map((range) => ({ ...range, block: ground.block(range.address, VMA) }))
  // vm_page_prot stands before vm_flags in every kernel.
  const flags = [...offsets(VMA - 8, 8)].map((offset) => {
    const fit = count(offset, blocks, ({ block }) => protects(block, offset))
    return { ...fit, offset: offset + 8 }
  })
  const rule = {
    of: 'VMAs',
    evidence: 'what is allowed may be allowed, and vm_page_prot before it forbids execution alike',
    tolerance: 0.02,
  }
  const flag = findings.choose('vm_area_struct.vm_flags', 'u64', flags, rule)
  const prot = findings.get('vm_area_struct.vm_flags')
  if (prot !== undefined) {
    findings.add('vm_area_struct.vm_page_prot', 'u64', { ...prot, offset: flag - 8 }, rule)
  }
  const operations = findings.at('file.f_op')
  const file = findings.choose(
    'vm_area_struct.vm_file',
    'struct file *',
    [...offsets(VMA, 8)].map((offset) =>
      count(offset, blocks, ({ block }) => {
        const at = block.word(offset)
        if (at === 0n || at === undefined) return undefined
        if (!ground.isPointer(at) || ground.isStatic(at)) return false
        const table = ground.word(at + BigInt(operations))
        return ground.isStatic(table) && /op(s|erations)$/.test(ground.nameAt(table) ?? 'ops')
      }),
    ),
    { of: 'VMAs of files', evidence: 'NULL or a file, whose f_op is a table of the kernel' },
  )
  findings.choose(
    'vm_area_struct.vm_pgoff',
    'u64',
    [...offsets(VMA, 8)].map((offset) =>
      count(offset, blocks, ({ block, start }) =>
        // The stack was moved when it was made, and [vdso] begins at 0.
        block.word(file) === 0n && (block.word(flag) ?? 0n) >> 8n !== 0n && start < 0x7ff000000000n
          ? block.word(offset) === start >> 12n
          : undefined,
      ),
    ),
    { of: 'anonymous VMAs', evidence: 'it is vm_start in pages', tolerance: 0.3 },
  )
}

function protects(block: Block, at: number): boolean {
  const prot = block.word(at)
  const flags = block.word(at + 8)
  if (prot === undefined || flags === undefined) return false
  // ACCESSED, and PRESENT or what stands for it without access.
  if ((prot & 0x20n) === 0n || (prot & 0x101n) === 0n || (flags & 0x70n) === 0n) return false
  if ((flags & 7n & ~(flags >> 4n)) !== 0n || flags > 1n << 48n) return false
  // Without any access there is nothing to forbid.
  return (flags & 7n) === 0n || (prot >> 63n === 0n) === ((flags & 4n) !== 0n)
}

/** Adds the forms that do not differ between kernels; what was found was found with them. */
export function addTreeForms({ findings }: Survey): void {
  const rule = {
    of: 'kernels',
    evidence: 'the form of include/linux/rbtree.h and types.h since 2.6',
  }
  const shape = (member: string, type: string, offset: number) =>
    findings.add(member, type, { offset, agreed: 1, against: 0 }, rule)
  shape('rb_node.rb_right', 'ptr', rbNode.right)
  shape('rb_node.rb_left', 'ptr', rbNode.left)
  shape('rb_root.rb_node', 'ptr', 0)
  shape('list_head.next', 'ptr', 0)
  shape('list_head.prev', 'ptr', 8)
  findings.size('rb_node', rbNode.size)
  findings.size('rb_root', 8)
  findings.size('list_head', 16)
}
