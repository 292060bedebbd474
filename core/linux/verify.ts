// SPDX-License-Identifier: GPL-2.0-or-later
// Is this VMCOREINFO with this phys_base the kernel of the host, and not that of one of its guests? Five checks.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { type QemuCpu } from '../dump/qemu/qemunote.ts'
import { FaultError } from '../errors.ts'
import { firstMapped } from '../paging/firstmapped.ts'
import { walk } from '../paging/walk.ts'
import { type PagingRules } from '../paging/x86_64.ts'
import { TEXT_MAP } from '../space/kva.ts'
import { type PhysicalMemory } from '../space/physical.ts'
import { type Vmcoreinfo } from '../vmcoreinfo/parse.ts'
import { kernelRules, rootsOf } from './imagebase.ts'

/** What a candidate was held against. */
export interface Verification {
  /** The checks that agree, by what they looked at. */
  readonly passed: readonly string[]
  /** What speaks against it, in words. */
  readonly failed: readonly string[]
  /** True when the kernel's name is where VMCOREINFO says, with its release. Without it nothing else counts. */
  readonly isNamed: boolean
  /** True when it can be nothing else: named, nothing speaks against it, and at least three checks agree. */
  readonly isCertain: boolean
}

const ENOUGH = 3

/**
 * Holds VMCOREINFO and a phys_base against memory. A guest's VMCOREINFO fails: its kernel may lie in one piece in the
 * host's memory, but its page tables name the guest's frames. A page that the dump lacks is neither for nor against.
 */
export function verifyKernel(
  memory: PhysicalMemory,
  vmcoreinfo: Vmcoreinfo,
  physBase: bigint,
  processors: readonly QemuCpu[] = [],
): Verification {
  const passed: string[] = []
  const failed: string[] = []
  const unnamed = nameProblem(memory, vmcoreinfo, physBase)
  if (unnamed !== undefined) return { passed, failed: [unnamed], isNamed: false, isCertain: false }
  passed.push('init_uts_ns')
  const levels = vmcoreinfo.number('pgtable_l5_enabled') === 1n ? 5 : 4
  const encryption = vmcoreinfo.number('sme_mask') ?? 0n
  const rules = kernelRules(levels, Number((encryption >> 32n) & 0xfffffn))
  const linear = (symbol: bigint): number => Number(symbol - TEXT_MAP + physBase)
  const top = vmcoreinfo.symbol('swapper_pg_dir')
  if (top !== undefined) {
    const root = linear(top)
    note(walked(memory, rules, root, top, root), 'swapper_pg_dir')
    const symbols = [vmcoreinfo.symbol('init_uts_ns'), vmcoreinfo.symbol('_stext')]
    const places = symbols.flatMap((symbol) => symbol ?? [])
    const outcomes = places.map((place) => walked(memory, rules, root, place, linear(place)))
    note(all(outcomes), 'the page tables')
    const frames = [root, ...places.map(linear)]
    note(directMapAgrees(memory, rules, root, frames), 'the direct map')
  }
  const text = vmcoreinfo.symbol('_stext')
  let agreeing = 0
  for (const cpu of processors) {
    if (text === undefined || ((cpu.cr4 & (1n << 12n)) !== 0n) !== (levels === 5)) continue
    const roots = rootsOf(cpu.cr3, rules.encryptionHigh)
    const agrees = roots.some((root) => walked(memory, rules, root, text, linear(text)) === true)
    // A processor that ran a guest, or firmware, does not agree, and does not speak against it.
    if (agrees) agreeing++
  }
  // One check, however many they are: a host has hundreds.
  if (agreeing > 0) passed.push(`CR3 of ${agreeing} of ${processors.length} processors`)
  const isCertain = failed.length === 0 && passed.length >= ENOUGH
  return { passed, failed, isNamed: true, isCertain }

  function note(outcome: true | string | undefined, name: string): void {
    if (outcome === true) passed.push(name)
    else if (outcome !== undefined) failed.push(`${name}: ${outcome}`)
  }
}

/** Offsets in struct new_utsname (include/uapi/linux/utsname.h): six texts of 65 bytes. */
const RELEASE_AT = 130
const TEXT_BYTES = 65

/** What is wrong with the name at `init_uts_ns`, or undefined. A reference count was in front of it up to 5.10. */
function nameProblem(
  memory: PhysicalMemory,
  vmcoreinfo: Vmcoreinfo,
  physBase: bigint,
): string | undefined {
  const symbol = vmcoreinfo.symbol('init_uts_ns')
  if (symbol === undefined) return 'VMCOREINFO has no SYMBOL(init_uts_ns)'
  const hpa = Number(symbol - TEXT_MAP + physBase)
  const where = `init_uts_ns (${hex(symbol)}) would be at hpa ${hex(hpa)}`
  if (hpa < 0 || hpa >= memory.source.endPfn * PAGE_SIZE) return `${where}, outside the memory`
  let bytes: Uint8Array
  try {
    bytes = memory.bytes(hpa, 4 + RELEASE_AT + TEXT_BYTES)
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    return `${where}: ${error.detail}`
  }
  for (const from of [0, 4]) {
    if (textAt(bytes, from) !== 'Linux') continue
    const release = textAt(bytes, from + RELEASE_AT)
    if (release === vmcoreinfo.release) return undefined
    return `${where}, where a kernel of another release is: '${release}'`
  }
  return `${where}, where no kernel's name is`
}

function textAt(bytes: Uint8Array, from: number): string {
  const text = new TextDecoder('latin1').decode(bytes.subarray(from, from + TEXT_BYTES))
  return text.replace(/\0[^]*$/, '').replace(/[^ -~]/g, '?')
}

/** True when the tables lead from an address to where it should be; undefined when the dump lacks one of them. */
function walked(
  memory: PhysicalMemory,
  rules: PagingRules,
  root: number,
  address: bigint,
  wanted: number,
): true | string | undefined {
  const { end } = walk(memory, rules, root, address)
  if (end.kind === 'page') {
    if (end.hpa === wanted) return true
    return `the tables at ${hex(root)} lead to hpa ${hex(end.hpa)}, not to ${hex(wanted)}`
  }
  if (end.kind === 'not-in-dump') {
    // A table where the host has no memory is no table of the host.
    return end.missing.why === 'hole'
      ? `the tables at ${hex(root)} lead to ${hex(end.table)}, where the host has no memory`
      : undefined
  }
  return `the tables at ${hex(root)} do not map ${hex(address)}`
}

/** 1 GiB: KASLR moves the direct map by so much (PUD_SIZE, arch/x86/mm/kaslr.c). */
const DIRECT_MAP_ALIGN = 1n << 30n

/**
 * The direct map is the first thing that the kernel maps above the LDT's place (Documentation/arch/x86/x86_64/mm.rst).
 * It is one when it is linear: at each of some frames it maps that frame.
 */
function directMapAgrees(
  memory: PhysicalMemory,
  rules: PagingRules,
  root: number,
  frames: readonly number[],
): true | string | undefined {
  const { levels } = rules
  const lowest = levels === 5 ? 0xff10000000000000n : 0xffff880000000000n
  const bits = 12 + 9 * levels
  const from = Number(BigInt.asUintN(bits, lowest) >> 12n)
  const first = firstMapped(memory, rules, root, levels, from, 512 ** levels - 512 ** 3)
  if (first === undefined) return undefined
  const address = BigInt.asIntN(bits, BigInt(first.vpn) * BigInt(PAGE_SIZE))
  const base = BigInt.asUintN(64, address) - BigInt(first.frame) * BigInt(PAGE_SIZE)
  // The dump lacks the direct map's tables, and this is what lies behind it.
  if (base % DIRECT_MAP_ALIGN !== 0n) return undefined
  return all(frames.map((hpa) => walked(memory, rules, root, base + BigInt(hpa), hpa)))
}

/** What speaks against it, if something does; true when something speaks for it. */
function all(outcomes: readonly (true | string | undefined)[]): true | string | undefined {
  return outcomes.find((outcome) => typeof outcome === 'string') ?? outcomes.find((one) => one)
}
