// SPDX-License-Identifier: GPL-2.0-or-later
// The memory of processes: mm->pgd leads to a table whose upper half is the kernel's own.

import { PAGE_SIZE } from '../dump/format.ts'
import { count, offsets, Refused } from './findings.ts'
import { type Block, type Ground } from './ground.ts'
import { type Survey } from './survey.ts'

/** mm_struct without the CPU mask behind it is not larger. */
const MM = 0x1400
/** Accessed and dirty change while the processor runs. */
const AGING = 0x60n

/** Finds mm_struct.pgd, task_struct.mm and the memory maps of all processes. */
export function inferMm(survey: Survey): void {
  const { ground, findings, init, processes } = survey
  findings.at('task_struct.tasks')
  const { symbols, vmcoreinfo } = ground.host
  const at = symbols.address('init_mm')
  const root = vmcoreinfo.symbol('swapper_pg_dir') ?? symbols.address('swapper_pg_dir')
  if (at === undefined || root === undefined) {
    throw new Refused('the kernel has no symbol init_mm or swapper_pg_dir')
  }
  const size = Math.min(symbols.size('init_mm') ?? MM, MM)
  const kernel = ground.block(at, size)
  const pgds = [...offsets(size, 8)].filter((offset) => kernel.word(offset) === root)
  const top = ground.block(root, PAGE_SIZE)
  // Of each place the processes' memory maps, told by their top tables.
  const known = new Map<number, Map<bigint, boolean>>()
  const isMm = (pgd: number, mm: bigint): boolean => {
    let seen = known.get(pgd)
    if (seen === undefined) known.set(pgd, (seen = new Map<bigint, boolean>()))
    let is = seen.get(mm)
    if (is === undefined)
      seen.set(mm, (is = hasKernelHalf(ground, ground.word(mm + BigInt(pgd)), top)))
    return is
  }
  const tasks = [...processes, ...survey.threads]
  const fits = pgds.flatMap((pgd) =>
    [...offsets(init.length, 8)]
      // init_task has no mm of its own, but an active_mm.
      .filter((offset) => init.word(offset) === 0n)
      .map((offset) => ({
        pgd,
        ...count(offset, tasks, (task) => {
          const mm = task.word(offset)
          // The kernel's own threads have none.
          if (mm === 0n) return undefined
          return ground.isPointer(mm) && mm !== at && isMm(pgd, mm)
        }),
      }))
      .filter(({ agreed }) => agreed > 0),
  )
  const mm = findings.choose('task_struct.mm', 'struct mm_struct *', fits, {
    of: 'tasks that have one',
    evidence:
      "NULL in init_task (active_mm is not), else its pgd's upper half is that of swapper_pg_dir",
    tolerance: 0.05,
  })
  for (const task of tasks) {
    const address = task.word(mm)
    if (address === undefined || address === 0n || survey.mms.has(address)) continue
    survey.mms.set(address, { block: ground.block(address, size), vmas: [] })
  }
  const mms = [...survey.mms.keys()]
  findings.choose(
    'mm_struct.pgd',
    'ptr',
    pgds.map((pgd) => count(pgd, mms, (address) => isMm(pgd, address))),
    {
      of: 'memory maps',
      evidence: 'swapper_pg_dir in init_mm, else a table with the upper half of swapper_pg_dir',
      tolerance: 0.05,
    },
  )
}

/** True when a page table's upper half holds the kernel's own entries. One may be a process's own: the LDT's. */
function hasKernelHalf(ground: Ground, pgd: bigint | undefined, top: Block): boolean {
  if (!ground.isPointer(pgd) || pgd % BigInt(PAGE_SIZE) !== 0n || ground.isStatic(pgd)) return false
  const table = ground.block(pgd, PAGE_SIZE)
  let same = 0
  let other = 0
  for (let at = PAGE_SIZE / 2; at < PAGE_SIZE; at += 8) {
    const wanted = top.word(at) ?? 0n
    const given = table.word(at)
    if (given === undefined) return false
    // Before 5.9 a process got entries for vmalloc when it first needed them.
    if (wanted === 0n || given === 0n) continue
    if ((wanted & ~AGING) === (given & ~AGING)) same++
    else other++
  }
  return same > 0 && other <= 1
}

/**
 * The places of code, data, heap, stack, arguments and environment: eleven words that stand in this order since 2.6,
 * each a user address, the arguments ending where the environment begins. In init_mm the first two are those of the
 * kernel's own code (setup_arch of arch/x86/kernel/setup.c).
 */
export function inferMmPlaces({ ground, findings, mms }: Survey): void {
  const { symbols } = ground.host
  const own = ground.block(symbols.address('init_mm'), MM)
  const text = symbols.address('_text') ?? symbols.address('_stext')
  const textEnd = symbols.address('_etext')
  const starts = [...offsets(own.length, 8)].filter(
    (offset) => own.word(offset) === text && own.word(offset + 8) === textEnd,
  )
  const words = [
    ...['start_code', 'end_code', 'start_data', 'end_data', 'start_brk', 'brk', 'start_stack'],
    ...['arg_start', 'arg_end', 'env_start', 'env_end'],
  ]
  const holds = (block: Block, offset: number): boolean | undefined => {
    const [code, codeEnd, data, dataEnd, heap, heapEnd, stack, arg, argEnd, env, envEnd] =
      words.map((_, i) => block.word(offset + 8 * i) ?? -1n) as [
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
        bigint,
      ]
    if (code === -1n || envEnd === -1n) return false
    return (
      code < codeEnd &&
      data <= dataEnd &&
      heap <= heapEnd &&
      heapEnd < stack &&
      code !== 0n &&
      stack <= arg &&
      arg <= argEnd &&
      argEnd === env &&
      env <= envEnd &&
      ground.isUser(envEnd)
    )
  }
  const blocks = [...mms.values()].map(({ block }) => block)
  const rule = {
    of: 'memory maps',
    evidence:
      'eleven places in their order: code, data, heap, stack, arguments, environment; in init_mm _text and _etext',
    tolerance: 0.1,
  }
  const first = findings.choose(
    'mm_struct.start_code',
    'u64',
    starts.map((offset) => count(offset, blocks, (block) => holds(block, offset))),
    rule,
  )
  const { agreed = 0, against = 0 } = findings.get('mm_struct.start_code') ?? {}
  words.forEach((word, i) => {
    findings.add(`mm_struct.${word}`, 'u64', { offset: first + 8 * i, agreed, against }, rule)
  })
}
