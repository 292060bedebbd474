// SPDX-License-Identifier: GPL-2.0-or-later
// Mounts and file systems: a file's directory entry hangs below the root of its mount, and both are on one file system.

import { count, offsets, Refused, type Candidate, type Tried } from './findings.ts'
import { type Block, type Ground } from './ground.ts'
import { type Survey } from './survey.ts'

const DENTRY = 0xc0
const INODE = 0x80
const VFSMOUNT = 0x40
const SUPER_BLOCK = 0x100
const MAX_DEPTH = 256

/** Finds vfsmount.mnt_root, and what a dentry and an inode say of their file system. */
export function inferFileSystems(survey: Survey): void {
  const { ground, findings, dentries } = survey
  const places = placesOf(survey)
  const root = findings.choose(
    'vfsmount.mnt_root',
    'struct dentry *',
    [...offsets(VFSMOUNT, 8)].map((offset) =>
      count(offset, places, ({ mount, above }) => {
        const at = ground.word(mount + BigInt(offset))
        // What lies on no directory (pipes, sockets) is its own parent, and no root.
        return above.length === 1 && at !== above[0]
          ? undefined
          : at !== undefined && above.includes(at)
      }),
    ),
    { of: 'open files', evidence: "it is above the file's directory entry", tolerance: 0.02 },
  )
  inferSuperBlocks(survey)
  survey.mounts = new Map(
    places.map(({ mount }) => [mount, ground.word(mount + BigInt(root)) ?? 0n]),
  )
  const sb = findings.at('dentry.d_sb')
  const inode = findings.at('dentry.d_inode')
  const inodes = [...dentries.values()].flatMap((dentry) => {
    const at = dentry.word(inode)
    return ground.isPointer(at)
      ? [{ block: ground.block(at, INODE), superBlock: dentry.word(sb) ?? 0n, at }]
      : []
  })
  findings.choose(
    'inode.i_sb',
    'struct super_block *',
    [...offsets(INODE, 8)].map((o) =>
      count(o, inodes, ({ block, superBlock }) => block.word(o) === superBlock),
    ),
    { of: 'inodes', evidence: "it is the directory entry's d_sb" },
  )
  inferNumbers(survey, inodes)
  inferMapping(survey, inodes)
}

/** i_mapping leads to an address_space, whose host is the inode again (of block devices another one). */
function inferMapping(
  { ground, findings }: Survey,
  inodes: readonly { block: Block; at: bigint }[],
): void {
  const forms: { mapping: number; host: number; fit: Candidate }[] = []
  for (const mapping of offsets(INODE, 8)) {
    for (const host of offsets(0x20, 8)) {
      const fit = count(forms.length, inodes, ({ block, at }) => {
        const to = block.word(mapping)
        return ground.isPointer(to) && ground.word(to + BigInt(host)) === at
      })
      if (fit.agreed > 0) forms.push({ mapping, host, fit })
    }
  }
  const rule = { of: 'inodes', evidence: "its i_mapping's host is the inode", tolerance: 0.2 }
  const by = (pick: (form: (typeof forms)[number]) => number) =>
    forms.map((form) => ({ ...form.fit, offset: pick(form) }))
  findings.choose(
    'inode.i_mapping',
    'struct address_space *',
    by(({ mapping }) => mapping),
    rule,
  )
  findings.choose(
    'address_space.host',
    'struct inode *',
    by(({ host }) => host),
    rule,
  )
}

/** Mount and directory entry of each open file, with the entries above that. */
function placesOf({ ground, findings, files }: Survey) {
  const path = findings.at('file.f_path')
  const parent = BigInt(findings.at('dentry.d_parent'))
  return [...files.values()].flatMap(({ block }) => {
    const above: bigint[] = []
    const mount = block.word(path)
    let at = block.word(path + 8)
    if (mount === undefined || at === undefined) return []
    while (above.length < MAX_DEPTH && !above.includes(at)) {
      above.push(at)
      at = ground.word(at + parent) ?? at
    }
    return [{ mount, above }]
  })
}

/** d_sb leads to a super block, and s_type of that to a static file_system_type, whose name is a word. */
function inferSuperBlocks({ ground, findings, dentries }: Survey): void {
  const tried: Tried<'sb' | 'type' | 'name'>[] = []
  const all = [...dentries.values()]
  for (const sb of offsets(DENTRY, 8)) {
    if (!all.every((dentry) => ground.isPointer(dentry.word(sb)))) continue
    for (const type of offsets(SUPER_BLOCK, 8)) {
      for (const name of [0, 8]) {
        const fit = count(sb, all, (dentry) => {
          const block = dentry.word(sb)
          const at = block === undefined ? undefined : ground.word(block + BigInt(type))
          if (at === undefined || !ground.isStatic(at)) return false
          const text = ground.word(at + BigInt(name))
          return text !== undefined && /^[a-z0-9][\w.-]{1,31}$/.test(ground.text(text, 33) ?? '')
        })
        if (fit.against === 0 && fit.agreed > 0) tried.push({ form: { sb, type, name }, fit })
      }
    }
  }
  const rule = {
    of: 'directory entries',
    evidence: 'd_sb, s_type and name lead to the name of a file system',
  }
  findings.chooseTogether(
    tried,
    {
      sb: ['dentry.d_sb', 'struct super_block *'],
      type: ['super_block.s_type', 'struct file_system_type *'],
      name: ['file_system_type.name', 'ptr'],
    },
    rule,
  )
}

/** Numbers that file systems give to their root (procfs and others 1; ext 2; xfs 64, 96, 128; btrfs 256). */
const rootNumbers = [1n, 2n, 64n, 96n, 128n, 256n]

/** i_ino: small for roots, and unlike any other of the same file system. */
function inferNumbers(
  { findings, mounts, ground }: Survey,
  inodes: readonly { block: Block; superBlock: bigint; at: bigint }[],
): void {
  const inode = BigInt(findings.at('dentry.d_inode'))
  const roots = new Set([...mounts.values()].map((root) => ground.word(root + inode)))
  const unique = [...new Map(inodes.map((one) => [one.at, one])).values()]
  findings.choose(
    'inode.i_ino',
    'u64',
    [...offsets(INODE, 8)].map((offset) => {
      const seen = new Set<string>()
      return count(offset, unique, ({ block, superBlock, at }) => {
        const number = block.word(offset)
        if (number === undefined) return undefined
        const key = `${superBlock} ${number}`
        const isNew = !seen.has(key)
        seen.add(key)
        if (roots.has(at)) return rootNumbers.includes(number)
        return isNew && number > 0n && number < 1n << 40n
      })
    }),
    {
      of: 'inodes',
      evidence: 'small for the root of a file system, else unlike the others of it',
      // Network file systems number their roots as they like.
      tolerance: 0.2,
    },
  )
}

/** Finds `struct mount` around vfsmount: its parent is a mount too, and its mountpoint lies on that one's file system. */
export function inferMounts({ ground, findings, mounts }: Survey): void {
  const root = BigInt(findings.at('vfsmount.mnt_root'))
  const sb = BigInt(findings.at('dentry.d_sb'))
  const superOf = (dentry: bigint | undefined) =>
    ground.isPointer(dentry) ? ground.word(dentry + sb) : undefined
  const tried: Tried<'mnt' | 'parent' | 'point'>[] = []
  const all = [...mounts]
  for (const mnt of offsets(0x80, 8)) {
    for (const parent of offsets(0x100, 8)) {
      const outer = (mount: bigint) => {
        const at = ground.word(mount - BigInt(mnt) + BigInt(parent))
        return ground.isPointer(at) ? at + BigInt(mnt) : undefined
      }
      // Some mount is its own parent: the first of all, or those that are mounted nowhere.
      if (!all.some(([mount]) => outer(mount) === mount)) continue
      for (const point of offsets(0x100, 8)) {
        if (point === parent) continue
        const fit = count(mnt, all, ([mount, own]) => {
          const above = outer(mount)
          const at = ground.word(mount - BigInt(mnt) + BigInt(point))
          if (above === undefined || !ground.isPointer(at)) return false
          if (above === mount) return at === own
          const theirs = superOf(ground.word(above + root))
          return theirs !== undefined && superOf(at) === theirs
        })
        if (fit.against === 0) tried.push({ form: { mnt, parent, point }, fit })
      }
    }
  }
  // With few mounts another word can lead to the parents as well. The three stand side by side in fs/mount.h since 3.3.
  const beside = tried.filter(
    ({ form }) => form.point === form.parent + 8 && form.mnt === form.point + 8,
  )
  findings.chooseTogether(
    beside.length > 0 ? beside : tried,
    {
      mnt: ['mount.mnt', 'struct vfsmount'],
      parent: ['mount.mnt_parent', 'struct mount *'],
      point: ['mount.mnt_mountpoint', 'struct dentry *'],
    },
    {
      of: 'mounts',
      evidence:
        "the mountpoint is on the parent's file system; one that is its own parent has its root",
    },
  )
}

/** Finds what tells how a path is printed: d_op with d_dname, and whether an entry is hashed. */
export function inferEntryForms(survey: Survey): void {
  const { ground, findings, dentries } = survey
  const all = [...dentries.values()]
  const forms: { op: number; name: number; fit: Candidate }[] = []
  for (const op of offsets(DENTRY, 8)) {
    const tables = all.map((dentry) => dentry.word(op)).filter((at) => at !== 0n)
    if (tables.length === 0 || !tables.every((at) => ground.isStatic(at))) continue
    for (const name of offsets(0x80, 8)) {
      const fit = count(op, tables, (at) => {
        const make = at === undefined ? undefined : ground.word(at + BigInt(name))
        if (make === 0n) return undefined
        return /dname$/.test(ground.nameAt(make) ?? '')
      })
      if (fit.agreed > 0 && fit.against === 0) forms.push({ op, name, fit })
    }
  }
  const rule = {
    of: 'directory entries with such a function',
    evidence: 'NULL or a static table, with a function called …dname for pipes and their like',
  }
  const by = (pick: (form: (typeof forms)[number]) => number) =>
    forms.map((form) => ({ ...form.fit, offset: pick(form) }))
  findings.choose(
    'dentry.d_op',
    'ptr',
    by(({ op }) => op),
    rule,
  )
  findings.choose(
    'dentry_operations.d_dname',
    'ptr',
    by(({ name }) => name),
    rule,
  )
  inferHash(survey)
}

/** d_hash: a chain of the hash table of names; 0 for entries that are not in it. */
function inferHash({ ground, findings, dentries }: Survey): void {
  const { symbols } = ground.host
  const table = word(ground, symbols.address('dentry_hashtable'))
  const shift = symbols.address('d_hash_shift')
  if (table === undefined || shift === undefined) {
    throw new Refused('the kernel has no symbol dentry_hashtable or d_hash_shift')
  }
  const bits = 32 - (ground.u32(shift) ?? 32)
  const end = table + (8n << BigInt(Math.max(0, Math.min(bits, 32))))
  const fits = [...offsets(DENTRY, 8, 8)].map((offset) => {
    let inTable = 0
    const fit = count(offset, dentries.values(), (dentry) => {
      const back = dentry.word(offset)
      if (back === 0n) return undefined
      if (!ground.isPointer(back)) return false
      if (back >= table && back < end) inTable++
      // Bit 0 of the table's own pointer is a lock.
      return ((ground.word(back) ?? 0n) & ~1n) === dentry.address + BigInt(offset) - 8n
    })
    return inTable > 0 ? fit : { ...fit, agreed: 0 }
  })
  findings.choose('dentry.d_hash.pprev', 'ptr', fits, {
    of: 'directory entries that are hashed',
    evidence: 'what it points at points back, and for some that is the hash table of names',
    tolerance: 0.02,
  })
}

function word(ground: Ground, at: bigint | undefined): bigint | undefined {
  const value = at === undefined ? undefined : ground.word(at)
  return ground.isPointer(value) ? value : undefined
}
