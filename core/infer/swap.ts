// SPDX-License-Identifier: GPL-2.0-or-later
// Swap devices: the kernel's own sums say which numbers are theirs, and each leads to a file.

import { count, offsets, Refused, type Candidate } from './findings.ts'
import { type Block, type Ground } from './ground.ts'
import { type Survey } from './survey.ts'

const INFO = 0x280
const MAX_DEVICES = 32
/** SWP_USED and SWP_WRITEOK of include/linux/swap.h are set while a device is switched on; SWP_BLKDEV tells partitions. */
const IN_USE = 3n
const BLKDEV = 1n << 6n
const S_IFMT = 0xf000
const S_IFBLK = 0x6000

/** Finds what swap_info_struct says of a device. */
export function inferSwap(survey: Survey): void {
  const { ground, findings } = survey
  const { symbols } = ground.host
  const table = symbols.address('swap_info')
  const number = Math.min(numberAt(ground, 'nr_swapfiles'), MAX_DEVICES)
  if (table === undefined) throw new Refused('the kernel has no symbol swap_info')
  if (number === 0)
    throw new Refused('no swap device was ever switched on, so none can be looked at')
  survey.swaps = Array.from({ length: number }, (_, i) =>
    ground.block(ground.word(table + BigInt(8 * i)), INFO),
  )
  const devices = survey.swaps
  const of = 'swap devices'
  const f_op = BigInt(findings.at('file.f_op'))
  const f_path = BigInt(findings.at('file.f_path'))
  const name = BigInt(findings.at('dentry.d_name'))
  const file = findings.choose(
    'swap_info_struct.swap_file',
    'struct file *',
    [...offsets(INFO, 8)].map((offset) =>
      count(offset, devices, (device) => {
        const file = device.word(offset)
        if (!ground.isPointer(file)) return false
        const dentry = ground.word(file + f_path + 8n)
        const text = ground.isPointer(dentry) ? ground.word(dentry + name + 8n) : undefined
        const isFile = ground.isStatic(ground.word(file + f_op))
        return isFile && text !== undefined && ground.text(text, 256) !== undefined
      }),
    ),
    { of, evidence: 'it is an open file with a name' },
  )
  const inode = BigInt(findings.at('file.f_inode'))
  const i_mode = BigInt(findings.at('inode.i_mode'))
  /** Undefined where the dump lacks the file or its inode. */
  const isBlock = (device: Block): boolean | undefined => {
    const open = device.word(file)
    const at = open === undefined ? undefined : ground.word(open + inode)
    const mode = at === undefined ? undefined : ground.u32(at + i_mode)
    return mode === undefined ? undefined : (mode & S_IFMT) === S_IFBLK
  }
  findings.choose(
    'swap_info_struct.flags',
    'u64',
    [...offsets(INFO, 8)].map((offset) =>
      count(offset, devices, (device) => {
        const flags = device.word(offset)
        const isKind = isBlock(device)
        if (flags === undefined || isKind === undefined) return undefined
        const isSame = ((flags & BLKDEV) !== 0n) === isKind
        return (flags & IN_USE) === IN_USE && flags < 0x10000n && isSame
      }),
    ),
    { of, evidence: 'used and writable, a partition where the file is one, and no unknown bits' },
  )
  inferPages(survey, devices)
  inferPriority(survey, devices)
}

function numberAt(ground: Ground, symbol: string): number {
  const at = ground.host.symbols.address(symbol)
  return at === undefined ? 0 : (ground.u32(at) ?? 0)
}

/** Pages in all are total_swap_pages; less those in use they are nr_swap_pages; `max` counts the header too. */
function inferPages({ ground, findings }: Survey, devices: readonly Block[]): void {
  const { symbols } = ground.host
  const total = ground.word(symbols.address('total_swap_pages'))
  const free = ground.word(symbols.address('nr_swap_pages'))
  if (total === undefined || free === undefined || devices.some(({ length }) => length < INFO)) {
    throw new Refused('the counts of all swap devices, or a device, are not in the dump')
  }
  const sum = (offset: number) =>
    devices.reduce((all, one) => all + BigInt(one.u32(offset) ?? 0), 0n)
  const pages = [...offsets(INFO, 4)].filter((offset) => sum(offset) === total)
  const used = [...offsets(INFO, 4)].filter((offset) => total - sum(offset) === free)
  const all = (places: readonly number[]): Candidate[] =>
    places.map((offset) => ({ offset, agreed: devices.length, against: 0 }))
  const of = 'swap devices'
  // Until 6.19 highest_bit is the same while a device's end is unused; inuse_pages follows pages then.
  const [use, other] = used
  const beside =
    use !== undefined && other === undefined && pages.includes(use - 4) ? [use - 4] : pages
  const place = findings.choose('swap_info_struct.pages', 'u32', all(beside), {
    of,
    evidence: 'all together are total_swap_pages',
  })
  findings.choose('swap_info_struct.inuse_pages', 'u32', all(used), {
    of,
    evidence: 'pages less these are nr_swap_pages',
  })
  findings.choose(
    'swap_info_struct.max',
    'u32',
    [...offsets(INFO, 4)].map((offset) =>
      count(offset, devices, (one) => one.u32(offset) === (one.u32(place) ?? 0) + 1),
    ),
    { of, evidence: 'one more than pages, for the header' },
  )
}

/** `prio` is the negative of what the plist of active devices is sorted by (`list.prio`). */
function inferPriority({ ground, findings }: Survey, devices: readonly Block[]): void {
  const head = ground.host.symbols.address('swap_active_head')
  if (head === undefined) throw new Refused('the kernel has no symbol swap_active_head')
  const nodes = new Set<bigint>()
  for (let at = ground.word(head); at !== undefined && at !== head; at = ground.word(at)) {
    if (nodes.size > MAX_DEVICES) break
    nodes.add(at)
  }
  // plist_node { int prio; prio_list; node_list }: the list goes through node_list, 24 bytes behind prio.
  const lists = [...offsets(INFO, 8, 24)].filter((offset) =>
    devices.every((device) => nodes.has(device.address + BigInt(offset))),
  )
  findings.choose(
    'swap_info_struct.prio',
    's16',
    lists.flatMap((list) =>
      [...offsets(INFO, 2)]
        .filter((offset) => offset < list - 24 || offset >= list + 16)
        .map((offset) =>
          count(offset, devices, (device) => {
            const sorted = (device.u32(list - 24) ?? 0) | 0
            const prio = ((device.u16(offset) ?? 0) << 16) >> 16
            return prio !== 0 && prio === -sorted
          }),
        ),
    ),
    {
      of: 'swap devices',
      evidence: 'the negative of the number that swap_active_head is sorted by',
    },
  )
}
