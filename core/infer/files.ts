// SPDX-License-Identifier: GPL-2.0-or-later
// Open files: where a descriptor's bit is set in open_fds, the table has a file, and nowhere else.

import { count, offsets, Refused, type Candidate } from './findings.ts'
import { type Block, type Ground } from './ground.ts'
import { type Survey } from './survey.ts'

/** files_struct up to its embedded table and bitmaps. */
const FILES = 0x100
const FDTABLE = 0x40
/** A struct file is not larger: with the locks of PREEMPT_RT it has some 300 bytes, and private_data near its end. */
export const FILE = 0x200
/** The ceiling of sysctl fs.nr_open (fs/file.c) is far above; tables larger than this are not needed as evidence. */
const MAX_FDS = 1 << 16

/** Where the members of fdtable lie. */
interface TableForm {
  readonly table: number
  readonly count: number
  readonly fd: number
  readonly open: number
}

/** Finds task_struct.files, files_struct.fdt, fdtable, and the open files of all processes. */
export function inferFiles(survey: Survey): void {
  const { ground, findings, init, processes } = survey
  const { symbols } = ground.host
  const initial = symbols.address('init_files')
  if (initial === undefined) throw new Refused('the kernel has no symbol init_files')
  const forms = tableForms(ground, initial)
  const places = [...offsets(init.length, 8)].filter((offset) => init.word(offset) === initial)
  const held = (task: Block, place: number) => task.word(place) ?? 0n
  const place = findings.choose(
    'task_struct.files',
    'struct files_struct *',
    places.map((offset) =>
      count(offset, processes, (task) => {
        const files = held(task, offset)
        return files === 0n || files === initial ? undefined : ground.isPointer(files)
      }),
    ),
    { of: 'processes that have their own', evidence: 'init_files in init_task, else a pointer' },
  )
  const structs = new Map(processes.map((task) => [held(task, place), task]))
  structs.delete(0n)
  structs.delete(initial)
  const scored = forms.map((form, offset) =>
    count(offset, structs.keys(), (files) => agrees(ground, files, form)),
  )
  const rule = {
    of: 'tables of open files',
    evidence: 'fd[i] is a pointer where bit i of open_fds is set, and NULL where not',
    tolerance: 0.05,
  }
  const best = scored.filter(({ agreed, against }) => agreed > 0 && against <= 0.05 * agreed)
  const form = best.length === 1 ? forms[best[0]?.offset ?? 0] : undefined
  const at = (pick: (form: TableForm) => number): Candidate[] =>
    scored.map((one) => ({ ...one, offset: pick(forms[one.offset] ?? noForm) }))
  findings.choose(
    'files_struct.fdt',
    'struct fdtable *',
    at(({ table }) => table),
    rule,
  )
  findings.choose(
    'fdtable.max_fds',
    'u32',
    at((f) => f.count),
    rule,
  )
  findings.choose(
    'fdtable.fd',
    'ptr',
    at(({ fd }) => fd),
    rule,
  )
  findings.choose(
    'fdtable.open_fds',
    'ptr',
    at(({ open }) => open),
    rule,
  )
  if (form === undefined) return
  for (const [files, task] of structs) {
    for (const file of filesOf(ground, files, form)) {
      if (!survey.files.has(file)) {
        survey.files.set(file, { block: ground.block(file, FILE), task })
      }
    }
  }
}

const noForm: TableForm = { table: -1, count: -1, fd: -1, open: -1 }

/**
 * The forms that init_files allows: it holds its table, array and bitmaps itself, so that their pointers point into it,
 * and its table has room for 64 files (NR_OPEN_DEFAULT).
 */
function tableForms(ground: Ground, files: bigint): TableForm[] {
  const isInside = (value: bigint | undefined): value is bigint =>
    value !== undefined && value > files && value < files + 0x400n
  const block = ground.block(files, FILES)
  const forms: TableForm[] = []
  for (const table of offsets(FILES, 8)) {
    const at = block.word(table)
    // Not a list_head, which points at itself.
    if (!isInside(at) || ground.word(at) === at) continue
    const inner = ground.block(at, FDTABLE)
    const counts = [...offsets(FDTABLE, 4)].filter((offset) => inner.u32(offset) === 64)
    const pointers = [...offsets(FDTABLE, 8)].filter((offset) => isInside(inner.word(offset)))
    for (const count of counts) {
      for (const fd of pointers) {
        for (const open of pointers) if (open !== fd) forms.push({ table, count, fd, open })
      }
    }
  }
  return forms
}

/** Whether the array of a files_struct fits its bitmap; undefined when the dump lacks them or nothing is open. */
function agrees(ground: Ground, files: bigint, form: TableForm): boolean | undefined {
  const table = ground.word(files + BigInt(form.table))
  if (!ground.isPointer(table)) return false
  const max = ground.u32(table + BigInt(form.count)) ?? 0
  if (max === 0 || max % 64 !== 0 || max > MAX_FDS) return false
  const fd = ground.word(table + BigInt(form.fd))
  const open = ground.word(table + BigInt(form.open))
  if (!ground.isPointer(fd) || !ground.isPointer(open)) return false
  const array = ground.block(fd, max * 8)
  const bits = ground.block(open, max / 8)
  let seen = 0
  for (let i = 0; i < max; i++) {
    const file = array.word(8 * i)
    const word = bits.word(8 * Math.floor(i / 64))
    if (file === undefined || word === undefined) return undefined
    if (file !== 0n) seen++
    if ((file !== 0n) !== (((word >> BigInt(i % 64)) & 1n) === 1n)) return false
    if (file !== 0n && !ground.isPointer(file)) return false
  }
  return seen > 0 ? true : undefined
}

function* filesOf(ground: Ground, files: bigint, form: TableForm): Generator<bigint> {
  const table = ground.word(files + BigInt(form.table)) ?? 0n
  const max = Math.min(ground.u32(table + BigInt(form.count)) ?? 0, MAX_FDS)
  const array = ground.block(ground.word(table + BigInt(form.fd)), max * 8)
  for (let i = 0; i < max; i++) {
    const file = array.word(8 * i)
    if (ground.isPointer(file)) yield file
  }
}
