// SPDX-License-Identifier: GPL-2.0-or-later
// Memslots in two sets of red-black trees (since 5.17): each slot has a node for either set of its address space.

import { count, Refused, type Candidate, type Tried } from './findings.ts'
import { KVM } from './kvm.ts'
import { isRbRoot, rbNode, rbNodes } from './rbtree.ts'
import { Mapped, type MetSlot, slotForms, type SlotForm, slotNumbers } from './slots.ts'
import { type Survey } from './survey.ts'

/** What is searched around a node for the numbers of its slot, and in a set for its tree. */
const AROUND = { from: -0x100, end: 0x100 }
const SET = 0x500
/** A slot of more than 256 bytes is allocated at a multiple of 512 (kmalloc keeps powers of two, since 5.4). */
const ALLOCATED = 512n

/** A tree in a struct kvm, whose nodes can be those of memslots. */
interface Tree {
  readonly kvm: bigint
  /** The address of its root. */
  readonly at: bigint
  readonly nodes: readonly bigint[]
  readonly forms: ReadonlySet<string>
}

/** Finds kvm.memslots, the tree and node_idx of kvm_memslots, and the numbers of kvm_memory_slot. */
export function inferSlotTrees(survey: Survey): void {
  const { ground, findings, kvms } = survey
  const trees = [...kvms].flatMap(([kvm, { block, mm }]) => {
    const mapped = new Mapped(survey.mms.get(mm)?.vmas ?? [])
    const found: Tree[] = []
    for (let offset = 0; offset + 8 <= block.length; offset += 8) {
      const top = block.word(offset)
      const nodes = isRbRoot(ground, top) ? rbNodes(ground, top) : undefined
      if (nodes === undefined || isByAddress(survey, nodes, mapped)) continue
      const forms = slotForms(ground, nodes, mapped, AROUND)
      if (forms.length === 0) continue
      found.push({ kvm, at: kvm + BigInt(offset), nodes, forms: new Set(forms.map(keyOf)) })
    }
    return found
  })
  const form = chooseForm(survey, trees)
  // Node 1 of a slot lies behind node 0, so its numbers are nearer to it.
  const first = keyOf(form)
  const indexOf = ({ forms }: Tree) => (forms.has(first) ? 0 : 1)
  const ours = trees.filter(({ forms }) => forms.has(first) || forms.has(keyOf(shifted(form, -1))))
  const { memslots, root } = choosePointers(survey, ours)
  const treeAt = new Map(ours.map((tree) => [tree.at - BigInt(root), tree]))
  chooseIndex(survey, treeAt, indexOf)

  const sets: MetSlot[][] = []
  for (const [kvm] of kvms) {
    for (let space = 0; space < 2; space++) {
      const tree = treeAt.get(ground.word(kvm + BigInt(memslots + 8 * space)) ?? 0n)
      if (tree === undefined) continue
      const shift = BigInt(indexOf(tree) * rbNode.size)
      sets.push(tree.nodes.map((node) => ({ place: node - shift, addressSpace: space })))
    }
  }
  const slots = sets.flat()
  const places = new Set(slots.map(({ place }) => place % ALLOCATED))
  const [remainder = 0n] = places
  const start = places.size === 1 ? Number(remainder) : -Math.min(form.gfn, form.pages, form.hva, 0)
  const rule = { of: 'memslots', evidence: 'its host address is in VMAs, guest frames are apart' }
  const add = (member: string, type: string, offset: number) =>
    findings.add(
      `kvm_memory_slot.${member}`,
      type,
      { offset, agreed: slots.length, against: 0 },
      rule,
    )
  add('gfn_node', 'struct rb_node[2]', start)
  add('base_gfn', 'u64', start + form.gfn)
  add('npages', 'u64', start + form.pages)
  add('userspace_addr', 'u64', start + form.hva)
  // What lies before the slot is another object.
  slotNumbers(survey, sets, { from: -start, end: AROUND.end }, form, start)
}

function keyOf({ gfn, pages, hva }: SlotForm): string {
  return `${gfn},${pages},${hva}`
}

function shifted({ gfn, pages, hva }: SlotForm, nodes: number): SlotForm {
  const by = nodes * rbNode.size
  return { gfn: gfn + by, pages: pages + by, hva: hva + by }
}

/** The other tree of a set is one of host addresses: interval_tree_node has the range behind its node. */
function isByAddress({ ground }: Survey, nodes: readonly bigint[], mapped: Mapped): boolean {
  return nodes.every((node) => {
    const start = ground.word(node + BigInt(rbNode.size)) ?? 0n
    const last = ground.word(node + BigInt(rbNode.size + 8)) ?? 0n
    return (last & 0xfffn) === 0xfffn && mapped.holds(start, (last + 1n - start) >> 12n)
  })
}

/** The form that most trees have at one node or the other. */
function chooseForm({ findings }: Survey, trees: readonly Tree[]): SlotForm {
  const forms = new Map<string, SlotForm>()
  for (const tree of trees) {
    for (const key of tree.forms) {
      const [gfn = 0, pages = 0, hva = 0] = key.split(',').map(Number)
      for (const form of [{ gfn, pages, hva }, shifted({ gfn, pages, hva }, 1)]) {
        forms.set(keyOf(form), form)
      }
    }
  }
  const all = [...forms.values()]
  const fits = all.map((form, i): Candidate => {
    const near = keyOf(shifted(form, -1))
    const agreed = trees.filter((tree) => tree.forms.has(keyOf(form)) || tree.forms.has(near))
    return { offset: i, agreed: agreed.length, against: 0 }
  })
  const most = Math.max(0, ...fits.map(({ agreed }) => agreed))
  const best = fits.filter(({ agreed }) => agreed === most)
  const form = best.length === 1 ? all[best[0]?.offset ?? 0] : undefined
  if (form !== undefined) return form
  const reason =
    best.length === 0
      ? 'no tree in a struct kvm reads as one of memslots'
      : `${best.length} places of base_gfn, npages and userspace_addr around a node fit ${most} trees each: ` +
        best
          .slice(0, 4)
          .map(({ offset }) => `(${keyOf(all[offset] ?? { gfn: 0, pages: 0, hva: 0 })})`)
          .join(', ')
  for (const member of ['base_gfn', 'npages', 'userspace_addr']) {
    findings.refuse(`kvm_memory_slot.${member}`, 'u64', reason)
  }
  throw new Refused(reason)
}

/** kvm.memslots: two pointers into the struct itself, the first tree behind each of which is one of ours, or empty. */
function choosePointers(
  { ground, findings, kvms }: Survey,
  trees: readonly Tree[],
): { memslots: number; root: number } {
  const roots = new Set(trees.map(({ at }) => at))
  const tried: Tried<'memslots' | 'root'>[] = []
  for (let memslots = 0; memslots + 16 <= KVM; memslots += 8) {
    const [first] = kvms
    const set = first?.[1].block.word(memslots)
    if (first === undefined || !isInside(first[0], set)) continue
    const root = [...roots].map((at) => Number(at - set)).filter((r) => r >= 0 && r < SET)
    if (root.length === 0) continue
    const nearest = Math.min(...root)
    const fit = count(memslots, kvms, ([kvm, { block }]) => {
      const [own, other] = [block.word(memslots), block.word(memslots + 8)]
      if (!isInside(kvm, own) || !isInside(kvm, other) || own === other) return false
      const top = ground.word(other + BigInt(nearest))
      return roots.has(own + BigInt(nearest)) && (top === 0n || roots.has(other + BigInt(nearest)))
    })
    tried.push({ form: { memslots, root: nearest }, fit })
  }
  const rule = {
    of: 'virtual machines',
    evidence: 'two pointers into struct kvm itself, with a tree of memslots behind',
  }
  const memslots = findings.choose(
    'kvm.memslots',
    'ptr[2]',
    tried.map(({ fit }) => fit),
    rule,
  )
  const root = tried.find(({ form }) => form.memslots === memslots)?.form.root ?? 0
  const { agreed = 0, against = 0 } = findings.get('kvm.memslots') ?? {}
  findings.add('kvm_memslots.gfn_tree', 'struct rb_root', { offset: root, agreed, against }, rule)
  return { memslots, root }
}

function isInside(kvm: bigint, at: bigint | undefined): at is bigint {
  return at !== undefined && at > kvm && at < kvm + BigInt(KVM)
}

/** node_idx says which of a slot's two nodes the set's tree goes through; both must have been seen. */
function chooseIndex(
  { ground, findings }: Survey,
  trees: ReadonlyMap<bigint, Tree>,
  indexOf: (tree: Tree) => number,
): void {
  const sets = [...trees].map(([at, tree]) => ({ at, index: indexOf(tree) }))
  const seen = new Set(sets.map(({ index }) => index))
  const candidates: Candidate[] = []
  for (let offset = 0; offset + 4 <= SET; offset += 4) {
    candidates.push(
      count(offset, sets, ({ at, index }) => ground.u32(at + BigInt(offset)) === index),
    )
  }
  findings.choose('kvm_memslots.node_idx', 's32', seen.size === 2 ? candidates : [], {
    of: 'sets of memslots',
    evidence:
      'it is the number of the node that the tree goes through, 0 of some sets and 1 of others',
  })
}
