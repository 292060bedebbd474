// SPDX-License-Identifier: GPL-2.0-or-later
// struct page by what VMCOREINFO says of it for other tools, and the names of its flags from the kernel's own table.

import { maxSwapFiles } from '../linux/swap/swapentry.ts'
import { count, offsets, Refused } from './findings.ts'
import { type Block, type Ground } from './ground.ts'
import { type Survey } from './survey.ts'

/** Members as VMCOREINFO names them, with their types. `_count` is the name until 4.6, `compound_info` since 7.1. */
const told = [
  ['page.flags', 'u64'],
  ['page.mapping', 'ptr'],
  ['page._refcount', 's32'],
  ['page._mapcount', 's32'],
  ['page.private', 'u64'],
  ['page.lru', 'struct list_head'],
  ['page.compound_head', 'u64'],
  ['page.compound_info', 'u64'],
  ['page.compound_order', 'u8'],
  ['page.compound_dtor', 'u8'],
] as const

/** Takes the members and sizes that VMCOREINFO tells. */
export function inferPage({ ground, findings }: Survey): void {
  const { vmcoreinfo } = ground.host
  const size = vmcoreinfo.size('page')
  if (size === undefined) throw new Refused('VMCOREINFO has no SIZE(page)')
  findings.size('page', size)
  const told1 = { agreed: 1, against: 0 }
  for (const [member, type] of told) {
    const offset = vmcoreinfo.offset(member)
    if (offset === undefined) continue
    findings.add(
      member,
      type,
      { ...told1, offset },
      { of: 'notes', evidence: 'VMCOREINFO says so' },
    )
  }
  const mapping = findings.at('page.mapping')
  if (findings.at('page.private') === mapping + 16) {
    const rule = { of: 'notes', evidence: 'the one word between mapping and private in VMCOREINFO' }
    findings.add('page.index', 'u64', { ...told1, offset: mapping + 8 }, rule)
  }
  const names = vmcoreinfo.offset('uts_namespace.name') ?? namesAt(ground)
  if (names !== undefined) {
    const rule = { of: 'kernels', evidence: 'VMCOREINFO says so, or the text Linux stands there' }
    findings.add('uts_namespace.name', 'struct new_utsname', { ...told1, offset: names }, rule)
    // __NEW_UTS_LEN of include/uapi/linux/utsname.h, with a NUL; version is the fourth of six.
    findings.add('new_utsname.version', 'char[65]', { ...told1, offset: 3 * 65 }, rule)
    findings.size('new_utsname', 6 * 65)
  }
}

/** So many struct pages are looked through for folios, and so many folios are enough. */
const SCANNED = 1 << 16
const FOLIOS = 200
const MAX_ORDER = 10

/**
 * The order of a folio is in its second page: since 6.6 the low byte of that one's flags, before in a byte of its own.
 * The last page that it counts must be a tail of the folio, and the one behind it must not.
 */
export function inferFolios({ ground, findings }: Survey): void {
  const size = ground.host.vmcoreinfo.size('page') ?? 0
  const flags = findings.at('page.flags')
  const link = findings.get('page.compound_info') ?? findings.get('page.compound_head')
  const head = pageFlags(ground).get('PG_head')
  if (link?.offset === undefined || head === undefined) {
    throw new Refused('VMCOREINFO does not say how the head of a folio is marked')
  }
  const { vmemmap } = ground.host.bases
  const at = (pfn: number) => vmemmap + BigInt(pfn * size)
  // A tail holds the head's address with bit 0 set, or (7.1) a mask; one of another folio stands behind a head.
  // Both are undefined where the dump lacks the struct page.
  const bit = (pfn: number, offset: number, number: number): boolean | undefined => {
    const word = ground.word(at(pfn) + BigInt(offset))
    return word === undefined ? undefined : ((word >> BigInt(number)) & 1n) === 1n
  }
  const tail = link.offset
  const isTail = (pfn: number) => bit(pfn, tail, 0)
  const isHead = (pfn: number) => bit(pfn, flags, head)
  const folios: { second: Block; pages: number }[] = []
  for (let pfn = 0; pfn < SCANNED && folios.length < FOLIOS; pfn++) {
    if (isHead(pfn) !== true || isTail(pfn) !== false || isTail(pfn + 1) !== true) continue
    let pages = 2
    while (pages <= 1 << MAX_ORDER && isTail(pfn + pages) === true) pages++
    // Where a struct page is missing, nobody knows whether the folio ends there.
    if (isTail(pfn + pages) === undefined) continue
    folios.push({ second: ground.block(at(pfn + 1), size), pages })
  }
  const bytes = [...offsets(size, 1)].map((offset) =>
    count(offset, folios, ({ second, pages }) => {
      const order = (second.u16(offset) ?? second.u16(offset - 1) ?? 0) & 0xff
      return order > 0 && order <= MAX_ORDER && 2 ** order === pages
    }),
  )
  const rule = { of: 'folios', evidence: 'so many pages are tails of the head', tolerance: 0.05 }
  const fits = bytes.map((fit) => ({ ...fit, offset: fit.offset + size }))
  const inFlags = bytes.find(({ offset }) => offset === flags)
  const isInFlags =
    inFlags !== undefined && inFlags.agreed > 0 && inFlags.against <= inFlags.agreed / 20
  findings.choose(
    isInFlags ? 'folio._flags_1' : 'folio._folio_order',
    isInFlags ? 'u64' : 'u8',
    fits,
    rule,
  )
}

/** The name stood behind a reference count until 5.11. */
function namesAt(ground: Ground): number | undefined {
  const at = ground.host.vmcoreinfo.symbol('init_uts_ns')
  return at === undefined
    ? undefined
    : [0, 4].find((offset) => ground.text(at + BigInt(offset), 65) === 'Linux')
}

/** So many flags a page can have at most; the table ends with an empty entry. */
const MAX_FLAGS = 64
/** `enum pageflags`: from `pageflag_names` of mm/debug.c, pairs of a mask and a name, and what VMCOREINFO adds. */
export function pageFlags(ground: Ground): ReadonlyMap<string, number> {
  const flags = new Map<string, number>()
  const { symbols, vmcoreinfo } = ground.host
  const table = symbols.address('pageflag_names')
  for (let i = 0; table !== undefined && i < MAX_FLAGS; i++) {
    const mask = ground.word(table + BigInt(16 * i)) ?? 0n
    const name = ground.word(table + BigInt(16 * i + 8)) ?? 0n
    if (mask === 0n || !ground.isStatic(name)) break
    const text = ground.text(name, 32)
    if (text !== undefined && (mask & (mask - 1n)) === 0n) {
      flags.set(`PG_${text}`, mask.toString(2).length - 1)
    }
  }
  for (const name of [
    'PG_lru',
    'PG_private',
    'PG_swapcache',
    'PG_swapbacked',
    'PG_slab',
    'PG_hwpoison',
  ]) {
    const bit = vmcoreinfo.number(name)
    if (bit !== undefined) flags.set(name, Number(bit))
  }
  const head = vmcoreinfo.number('PG_head_mask')
  if (head !== undefined && head > 0n) flags.set('PG_head', head.toString(2).length - 1)
  // The owner's second bit marks exclusive anonymous pages since 5.19 (PG_anon_exclusive).
  const exclusive = flags.get('PG_owner_2') ?? flags.get('PG_mappedtodisk')
  if (exclusive !== undefined && hasExclusive(ground)) flags.set('PG_anon_exclusive', exclusive)
  return flags
}

/** `enum pagetype` (since 6.11) by the values that VMCOREINFO tells: a type is the top byte of page_type. */
export function pageTypes({ host }: Ground): ReadonlyMap<string, number> {
  const types = new Map<string, number>()
  for (const name of ['BUDDY', 'OFFLINE', 'HUGETLB', 'SLAB', 'UNACCEPTED']) {
    const value = Number(host.vmcoreinfo.number(`PAGE_${name}_MAPCOUNT_VALUE`) ?? 0n) >>> 0
    // Before, it was a mask with bits cleared.
    if (value >>> 24 >= 0xf0 && (value & 0xffffff) === 0) {
      types.set(`PGTY_${name.toLowerCase()}`, value >>> 24)
    }
  }
  return types
}

/**
 * Since 5.19 there is a third kind of migration entry, and PTE markers: more special types than the kinds before them
 * can be. Before, there was one of poison, two of migration, and with device memory two more, then four.
 */
function hasExclusive({ host }: Ground): boolean {
  const has = (name: string) => host.symbols.address(name) !== undefined
  const specials = 32 - maxSwapFiles(host).max
  // With device memory (CONFIG_DEVICE_PRIVATE): the first two names since 5.14, the third alone before.
  if (has('make_device_exclusive') || has('make_device_exclusive_range')) return specials > 7
  return specials > (has('migrate_vma_setup') && !has('migrate_device_pages') ? 5 : 3)
}
