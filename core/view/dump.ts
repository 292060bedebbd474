// SPDX-License-Identifier: GPL-2.0-or-later
// A dump's summary: which host, when, what is in the file, and how each base address was found.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type DumpFacts } from '../dump/format.ts'
import { leftOut } from '../dump/level.ts'
import { DumpError } from '../errors.ts'
import { type Bases } from '../linux/host.ts'
import { type Block, type FieldsBlock, type View, type ViewOptions } from './block.ts'
import { has } from './table.ts'
import { textOf } from './text.ts'
import { type VmSummary, vmsBlocks } from './vms.ts'

/** What is shown of a dump. */
export interface DumpSummary {
  /** Only the file's name is shown of it: the folders differ from machine to machine. */
  readonly path: string
  readonly facts: DumpFacts
  /** The file's remarks and what is known of its damage. Without it, those of the file. */
  readonly remarks?: readonly string[]
  /** The kernel's release, such as `6.12.107+deb13-amd64`. */
  readonly release: string
  /** Its build, such as `#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-08-29)`; null where it cannot be read. */
  readonly build?: string | null
  readonly bases: Bases
  readonly host: {
    readonly rules: { readonly levels: 4 | 5 }
    readonly vmcoreinfo: { readonly crashTime: number | undefined }
    /** Where the layouts of structures come from, when that is not the dump's own types. */
    readonly types?: { readonly remarks?: readonly string[] }
  }
  readonly vms: readonly VmSummary[]
}

/** True for an open dump. */
export function isDump(value: object): value is DumpSummary {
  return has(value, 'path', 'facts', 'release', 'bases', 'host', 'vms')
}

/** A dump's summary, and its virtual machines. What the dump does not hold enough for is said in its place. */
export function dumpView(dump: DumpSummary, options: ViewOptions = {}): View {
  const blocks: Block[] = [
    fileBlock(dump),
    ...orWhyNot('kernel', () => [kernelBlock(dump), basesBlock(dump)]),
    ...typeNotes(dump),
    ...orWhyNot('virtual machines', () => vmBlocks(dump, options)),
  ]
  const remarks = dump.remarks ?? dump.facts.remarks
  if (remarks.length > 0) blocks.push({ kind: 'note', text: printable(remarks.join('; '), 1000) })
  return { text: textOf(blocks), blocks, charts: [] }
}

function fileBlock({ path, facts }: DumpSummary): FieldsBlock {
  const version = facts.version === undefined ? '' : ` version ${facts.version}`
  const codecs = facts.codecs?.map((codec) => `, ${codec}`).join('') ?? ''
  return {
    kind: 'fields',
    caption: `dump ${printable(path.split(/[\\/]/).at(-1) ?? path)}`,
    fields: [
      { name: 'format', value: `${facts.format}${version}${codecs}` },
      { name: 'dump level', ...levelOf(facts.dumpLevel) },
      { name: 'taken', value: facts.timestamp === undefined ? null : utc(facts.timestamp) },
      { name: 'host', value: facts.nodename === undefined ? null : printable(facts.nodename) },
    ],
  }
}

function kernelBlock({ release, build, host }: DumpSummary): FieldsBlock {
  const { crashTime } = host.vmcoreinfo
  const built = build === undefined || build === null ? null : printable(build, 200)
  return {
    kind: 'fields',
    caption: `kernel ${printable(release)}`,
    fields: [
      { name: 'build', value: built },
      ...(crashTime === undefined ? [] : [{ name: 'crashed', value: utc(crashTime) }]),
      { name: 'paging', value: `x86-64, ${host.rules.levels} levels` },
    ],
  }
}

function levelOf(level: number | undefined): { value: string | null; remark?: string } {
  return level === undefined
    ? { value: null }
    : { value: level.toString(), remark: `left out: ${leftOut(level)}` }
}

function basesBlock({ bases }: DumpSummary): FieldsBlock {
  const { physBase, kaslrOffset, directMap, vmalloc, vmemmap, vmcoreinfo } = bases
  return {
    kind: 'fields',
    caption: 'bases',
    fields: [
      { name: 'VMCOREINFO', value: vmcoreinfo.value, remark: vmcoreinfo.from },
      { name: 'KASLR offset', value: kaslrOffset === undefined ? null : hex(kaslrOffset) },
      { name: 'phys_base', value: hex(physBase.value), remark: physBase.from },
      { name: 'direct map', value: hex(directMap.value), remark: directMap.from },
      { name: 'vmalloc', value: hex(vmalloc) },
      { name: 'vmemmap', value: hex(vmemmap) },
    ],
  }
}

function typeNotes(dump: DumpSummary): Block[] {
  try {
    const remarks = dump.host.types?.remarks ?? []
    return remarks.map((text) => ({ kind: 'note', text: printable(text, 1000) }))
  } catch (error) {
    // What could not do without types says so.
    if (error instanceof DumpError) return []
    throw error
  }
}

function vmBlocks({ vms }: DumpSummary, options: ViewOptions): Block[] {
  const blocks = vmsBlocks(vms, options)
  return blocks.length === 0 ? [{ kind: 'note', text: 'no virtual machines' }] : blocks
}

function orWhyNot(name: string, blocks: () => Block[]): Block[] {
  try {
    return blocks()
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return [{ kind: 'note', text: `${name}: ${printable(error.message, 1000)}` }]
  }
}

/** Seconds since 1970 as UTC, the same wherever it is read. */
function utc(seconds: number): string {
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return `${seconds} s since 1970`
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
