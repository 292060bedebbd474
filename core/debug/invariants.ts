// SPDX-License-Identifier: GPL-2.0-or-later
// Do these types describe the dumped kernel? By the sizes and offsets that it says itself, and by what must hold in memory.

import { hex } from '../bytes/hex.ts'
import { CorruptError, FaultError, FormatError, MissingError } from '../errors.ts'
import { address, bytes, layout, pointer } from '../types/layout.ts'
import { type Types } from '../types/type.ts'
import { type DumpedKernel } from './identity.ts'

/** What types were held against. */
export interface Held {
  /** How many checks agree. */
  readonly agreed: number
  /** What speaks against them, in words. */
  readonly against: readonly string[]
}

/** Fewer checks that agree say nothing. */
export const ENOUGH_CHECKS = 4

/** Holds types against the dumped kernel. What the dump lacks is neither for nor against. */
export function holdAgainst(kernel: DumpedKernel, types: Types): Held {
  const against: string[] = []
  let agreed = 0
  const told = (outcome: string | true | undefined): void => {
    if (outcome === true) agreed++
    else if (outcome !== undefined) against.push(outcome)
  }
  for (const key of kernel.vmcoreinfo.keys.keys()) told(sizeAgrees(kernel, types, key))
  for (const check of inMemory) told(tried(() => check(kernel, types)))
  return { agreed, against }
}

/** `SIZE(page)=64` and `OFFSET(page.flags)=0` of VMCOREINFO. */
function sizeAgrees(
  { vmcoreinfo }: DumpedKernel,
  types: Types,
  key: string,
): string | true | undefined {
  const [, kind, name = '', member] = /^(SIZE|OFFSET)\((\w+)(?:\.(\w+))?\)$/.exec(key) ?? []
  if (kind === undefined) return undefined
  const isSize = kind === 'SIZE'
  const wanted = isSize ? vmcoreinfo.size(name) : vmcoreinfo.offset(`${name}.${member ?? ''}`)
  const struct = types.struct(name)
  if (struct === undefined) return undefined
  const found = isSize ? types.sizeOf(name) : struct.member(member ?? '')?.offset
  if (found === wanted) return true
  const says = `VMCOREINFO says ${key}=${String(wanted)}`
  return `${says}, and its types ${found === undefined ? `have no ${name}.${member ?? ''}` : found}`
}

type Check = (kernel: DumpedKernel, types: Types) => string | true | undefined

/** What must hold of the first task, of the kernel's own address space, and of its names. */
const inMemory: readonly Check[] = [
  (kernel, types) => {
    const task = kernel.symbols?.address('init_task')
    if (task === undefined) return undefined
    const { comm } = layout(types, 'task_struct', { comm: bytes('comm') }).at(kernel.space, task)
    const text = Buffer.from(comm)
      .toString('latin1')
      .replace(/\0[^]*$/, '')
    return text.startsWith('swapper') || `init_task.comm reads ${JSON.stringify(text)}, not swapper`
  },
  (kernel, types) => {
    const task = kernel.symbols?.address('init_task')
    if (task === undefined) return undefined
    const fields = layout(types, 'task_struct', { parent: pointer('real_parent') })
    const { parent } = fields.at(kernel.space, task)
    return parent === task || `init_task.real_parent is ${hex(parent)}, not init_task`
  },
  (kernel, types) => {
    const task = kernel.symbols?.address('init_task')
    if (task === undefined) return undefined
    const node = layout(types, 'list_head', { next: pointer('next'), prev: pointer('prev') })
    const { tasks } = layout(types, 'task_struct', { tasks: address('tasks') }).at(
      kernel.space,
      task,
    )
    const { next } = node.at(kernel.space, tasks)
    const back = node.at(kernel.space, next).prev
    return (
      back === tasks || `init_task.tasks leads to ${hex(next)}, which leads back to ${hex(back)}`
    )
  },
  (kernel, types) => {
    const mm = kernel.symbols?.address('init_mm')
    const top = kernel.vmcoreinfo.symbol('swapper_pg_dir')
    if (mm === undefined || top === undefined) return undefined
    const { pgd } = layout(types, 'mm_struct', { pgd: pointer('pgd') }).at(kernel.space, mm)
    return pgd === top || `init_mm.pgd is ${hex(pgd)}, not swapper_pg_dir (${hex(top)})`
  },
  (kernel, types) => {
    const namespace = kernel.vmcoreinfo.symbol('init_uts_ns')
    if (namespace === undefined) return undefined
    const fields = layout(types, 'uts_namespace', { release: bytes('name.release') })
    const { release } = fields.at(kernel.space, namespace)
    const text = Buffer.from(release)
      .toString('latin1')
      .replace(/\0[^]*$/, '')
    const wanted = kernel.vmcoreinfo.release
    return (
      text === wanted || `init_uts_ns.name.release reads ${JSON.stringify(text)}, not ${wanted}`
    )
  },
]

function tried(check: () => string | true | undefined): string | true | undefined {
  try {
    return check()
  } catch (error) {
    if (error instanceof FaultError && error.isGap) return undefined
    const isAgainst =
      error instanceof FaultError ||
      error instanceof MissingError ||
      error instanceof CorruptError ||
      error instanceof FormatError
    if (!isAgainst) throw error
    return error.message
  }
}
