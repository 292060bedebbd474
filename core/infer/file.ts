// SPDX-License-Identifier: GPL-2.0-or-later
// Files and their names: f_op is a table of the kernel, and the name of a directory entry is as long as it says.

import { count, offsets, type Tried } from './findings.ts'
import { type Block, type Ground } from './ground.ts'
import { type Survey } from './survey.ts'

/** Of a dentry and an inode so much is searched. */
const DENTRY = 0xc0
const INODE = 0x80
/** NAME_MAX of include/uapi/linux/limits.h. */
const MAX_NAME = 255
/** A name that is kept with its hash and length: `struct qstr`, { u32 hash, len; char *name }. */
const QSTR = { len: 4, name: 8, size: 16 }
const S_IFMT = 0xf000
const fileTypes = [0x1000, 0x2000, 0x4000, 0x6000, 0x8000, 0xa000, 0xc000]

/** Finds file.f_op: of every open file a table in the image of the kernel or in a module. */
export function inferFileOperations(survey: Survey): void {
  const { ground, findings, files } = survey
  const blocks = [...files.values()].map(({ block }) => block)
  const isTable = (value: bigint | undefined): boolean => {
    if (value === undefined || !ground.isStatic(value)) return false
    const name = ground.nameAt(value)
    // Those of modules have no name here.
    return name === undefined ? isOfModule(ground, value) : /op(s|erations)$/.test(name)
  }
  findings.choose(
    'file.f_op',
    'ptr',
    [...offsets(0x100, 8)].map((o) => count(o, blocks, (block) => isTable(block.word(o)))),
    {
      of: 'open files',
      evidence: 'it points at a table named …_fops, …_ops or …_operations, or into a module',
    },
  )
}

function isOfModule(ground: Ground, address: bigint): boolean {
  const end = ground.host.symbols.address('_end')
  return end !== undefined && address >= end
}

/** Finds file.f_path and f_inode, and of directory entries name, parent and inode. */
export function inferNames(survey: Survey): void {
  const { ground, findings, files } = survey
  const blocks = [...files.values()].map(({ block }) => block)
  const rule = {
    of: 'open files',
    evidence: 'f_path leads to a dentry whose d_name.len is the length of d_name.name',
    tolerance: 0.02,
  }
  const tried: Tried<'path' | 'name'>[] = []
  for (const path of offsets(0x100, 8)) {
    for (const name of offsets(DENTRY, 8)) {
      const fit = count(path, blocks, (block) => {
        const dentry = block.word(path + 8)
        return ground.isPointer(block.word(path)) ? hasName(ground, dentry, name) : false
      })
      if (fit.agreed > 0) tried.push({ form: { path, name }, fit })
    }
  }
  const { path, name } = findings.chooseTogether(
    tried,
    { path: ['file.f_path', 'struct path'], name: ['dentry.d_name', 'struct qstr'] },
    rule,
  )
  const { agreed = 0, against = 0 } = findings.get('file.f_path') ?? {}
  const shape = (member: string, type: string, offset: number) =>
    findings.add(member, type, { offset, agreed, against }, rule)
  shape('path.mnt', 'struct vfsmount *', 0)
  shape('path.dentry', 'struct dentry *', 8)
  shape('qstr.len', 'u32', QSTR.len)
  shape('qstr.name', 'ptr', QSTR.name)
  findings.size('path', 16)
  findings.size('qstr', QSTR.size)
  const dentryOf = (block: Block) => block.word(path + 8) ?? 0n
  for (const block of blocks) meetDentry(survey, dentryOf(block))
  inferInodes(survey, blocks, dentryOf)
  inferParents(survey, name)
}

/** Whether a dentry has at `name` a text of the length that stands before it; undefined when it is empty (pipes). */
function hasName(ground: Ground, dentry: bigint | undefined, name: number): boolean | undefined {
  if (!ground.isPointer(dentry)) return false
  const length = ground.u32(dentry + BigInt(name + QSTR.len)) ?? 0
  const text = ground.word(dentry + BigInt(name + QSTR.name))
  if (length > MAX_NAME || !ground.isPointer(text)) return false
  if (length === 0) return ground.text(text, 1) === '' ? undefined : false
  return ground.text(text, length + 1)?.length === length
}

function meetDentry({ ground, dentries }: Survey, at: bigint): Block {
  let block = dentries.get(at)
  if (block === undefined) {
    block = ground.block(at, DENTRY)
    dentries.set(at, block)
  }
  return block
}

/** The file and its directory entry have the same inode; the inode says what kind of file it is. */
function inferInodes(survey: Survey, files: Block[], dentryOf: (file: Block) => bigint): void {
  const { findings, dentries, ground } = survey
  const tried: Tried<'file' | 'dentry'>[] = []
  for (const file of offsets(0x100, 8)) {
    if (!ground.isPointer(files[0]?.word(file))) continue
    for (const dentry of offsets(DENTRY, 8)) {
      const fit = count(file, files, (block) => {
        const inode = block.word(file)
        return (
          ground.isPointer(inode) &&
          inode !== dentryOf(block) &&
          dentries.get(dentryOf(block))?.word(dentry) === inode
        )
      })
      if (fit.agreed > 0) tried.push({ form: { file, dentry }, fit })
    }
  }
  const rule = {
    of: 'open files',
    evidence: 'f_inode is the d_inode of f_path.dentry',
    tolerance: 0.02,
  }
  const { file: inode } = findings.chooseTogether(
    tried,
    { file: ['file.f_inode', 'struct inode *'], dentry: ['dentry.d_inode', 'struct inode *'] },
    rule,
  )
  const inodes = new Set(files.map((block) => block.word(inode) ?? 0n))
  findings.choose(
    'inode.i_mode',
    'u16',
    [...offsets(INODE, 2)].map((offset) =>
      count(offset, files, (file) => {
        const at = file.word(inode)
        const mode = at === undefined ? undefined : ground.block(at + BigInt(offset), 2).u16(0)
        if (mode === undefined) return undefined
        // Those of anonymous inodes have no type.
        if ((mode & S_IFMT) === 0 && mode !== 0) return undefined
        const isType = fileTypes.includes(mode & S_IFMT)
        return isType && expectedType(ground, file, findings.at('file.f_op'), mode)
      }),
    ),
    {
      of: 'open files',
      evidence: `sockets and pipes have the mode of one, all others that of some file (${inodes.size} inodes)`,
      atLeast: files.length / 2,
    },
  )
}

/** What a file's operations say of its inode's mode; true for those that say nothing. */
function expectedType(ground: Ground, file: Block, operations: number, mode: number): boolean {
  const name = ground.nameAt(file.word(operations))
  if (name === 'socket_file_ops') return (mode & S_IFMT) === 0xc000
  if (name === 'pipefifo_fops') return (mode & S_IFMT) === 0x1000
  if (name === 'null_fops' || name === 'tty_fops') return (mode & S_IFMT) === 0x2000
  return true
}

/** d_parent leads, step by step, to an entry that is its own parent. */
function inferParents(survey: Survey, name: number): void {
  const { ground, findings, dentries } = survey
  const climb = (from: bigint, offset: number): boolean => {
    let at = from
    for (let depth = 0; depth < 256; depth++) {
      const up = ground.word(at + BigInt(offset))
      if (up === at) return true
      if (hasName(ground, up, name) !== true) return false
      at = up ?? 0n
    }
    return false
  }
  const known = [...dentries.keys()]
  const parent = findings.choose(
    'dentry.d_parent',
    'struct dentry *',
    [...offsets(DENTRY, 8)].map((offset) => count(offset, known, (at) => climb(at, offset))),
    {
      of: 'directory entries',
      evidence: 'it leads to an entry that is its own parent',
      tolerance: 0.02,
    },
  )
  // A set hands out what is added while it is gone through.
  for (const at of dentries.keys()) {
    const up = ground.word(at + BigInt(parent))
    if (ground.isPointer(up)) meetDentry(survey, up)
  }
}
