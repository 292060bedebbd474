// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel of the host in a dump: its VMCOREINFO and its phys_base, from the surest source to the most laborious.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { DumpError, FormatError, UsageError } from '../errors.ts'
import { counted } from '../progress.ts'
import { TEXT_MAP } from '../space/kva.ts'
import { type PhysicalMemory } from '../space/physical.ts'
import { parseVmcoreinfo, type Vmcoreinfo } from '../vmcoreinfo/parse.ts'
import { scanVmcoreinfo } from '../vmcoreinfo/scan.ts'
import { type Found, type Given } from './found.ts'
import { basesByRoot, type RegisterBases, registerBases } from './imagebase.ts'
import { basesByVote } from './roots.ts'
import { verifyKernel, type Verification } from './verify.ts'

/** Where VMCOREINFO came from: the user, the dump's note, or a search of its memory. */
export type VmcoreinfoOrigin = 'given' | 'note' | 'scan'

/** The kernel that was found. */
export interface FoundKernel {
  readonly vmcoreinfo: Vmcoreinfo
  readonly origin: Found<VmcoreinfoOrigin>
  readonly physBase: Found<bigint>
  /** What a reader of the dump should know about this. */
  readonly remarks: readonly string[]
}

/** VMCOREINFO that has yet to be verified. */
interface Candidate {
  readonly vmcoreinfo: Vmcoreinfo
  readonly origin: Found<VmcoreinfoOrigin>
}

/** Texts that are kept while memory is searched: a host may have a hundred guests with two copies each. */
const MAX_TEXTS = 4096
/** Of these so many are looked for by name, which reads one page in 512 for each. */
const MAX_NAMED = 64
/** Of the candidates that failed so many are told. */
const MAX_TOLD = 6

/**
 * Finds the kernel of the host. With a note whose VMCOREINFO tells the right phys_base a few pages are read. Else come
 * the dump's header and processors; then all of memory is searched. What the user gives goes before everything.
 * Throws DumpError `no-kernel`, which tells what was tried and what can be given.
 */
export function findKernel(memory: PhysicalMemory, given: Given = {}): FoundKernel {
  return new Search(memory, given).run()
}

class Search {
  readonly #memory: PhysicalMemory
  readonly #given: Given
  readonly #tried: string[] = []
  readonly #failures: string[] = []
  #failed = 0
  #byRegisters: RegisterBases | undefined
  #byRoot: readonly Found<bigint>[] | undefined

  constructor(memory: PhysicalMemory, given: Given) {
    this.#memory = memory
    this.#given = given
  }

  run(): FoundKernel {
    const known = this.#known()
    for (const candidate of known) {
      const found = this.#quickly(candidate) ?? this.#byName(candidate)
      if (found !== undefined) return found
    }
    const scanned: Candidate[] = []
    if (this.#given.vmcoreinfo === undefined) {
      for (const candidate of this.#scan()) {
        const found = this.#quickly(candidate)
        if (found !== undefined) return found
        if (scanned.length < MAX_TEXTS) scanned.push(candidate)
      }
      for (const candidate of scanned.slice(0, MAX_NAMED)) {
        const found = this.#byName(candidate)
        if (found !== undefined) return found
      }
    }
    return this.#byVote([...known, ...scanned]) ?? this.#giveUp()
  }

  /** VMCOREINFO that is at hand: what the user gave, else the dump's note. */
  #known(): Candidate[] {
    const { vmcoreinfo: text } = this.#given
    if (text !== undefined) {
      return [
        {
          vmcoreinfo: parseVmcoreinfo(text),
          origin: { value: 'given', from: 'openDump(path, {vmcoreinfo})' },
        },
      ]
    }
    const note = this.#memory.source.vmcoreinfo
    if (note === undefined) {
      this.#tried.push('the dump has no note of VMCOREINFO')
      return []
    }
    try {
      const vmcoreinfo = parseVmcoreinfo(note)
      return [{ vmcoreinfo, origin: { value: 'note', from: 'the dump has it' } }]
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
      this.#tried.push(`the note cannot be read: ${error.message}`)
      return []
    }
  }

  *#scan(): Generator<Candidate> {
    let texts = 0
    for (const { text, pfn } of scanVmcoreinfo(this.#memory.source)) {
      texts++
      try {
        const from = `found in memory at hpa ${hex(pfn * PAGE_SIZE)}`
        yield { vmcoreinfo: parseVmcoreinfo(text), origin: { value: 'scan', from } }
      } catch (error) {
        if (!(error instanceof FormatError)) throw error
        this.#note(`VMCOREINFO at hpa ${hex(pfn * PAGE_SIZE)}: ${error.message}`)
      }
    }
    const { endPfn } = this.#memory.source
    this.#tried.push(`${endPfn} frames were searched for VMCOREINFO, ${texts} texts found`)
  }

  /** With every phys_base that costs next to nothing to know. */
  #quickly(candidate: Candidate): FoundKernel | undefined {
    for (const base of this.#quickBases(candidate.vmcoreinfo)) {
      const found = this.#verified(candidate, base)
      if (found !== undefined) return found
    }
    return undefined
  }

  *#quickBases(vmcoreinfo: Vmcoreinfo): Generator<Found<bigint>> {
    const { physBase, cr3 } = this.#given
    if (physBase !== undefined) yield { value: physBase, from: 'openDump(path, {physBase})' }
    if (cr3 !== undefined) {
      this.#byRoot ??= basesByRoot(this.#memory, cr3)
      yield* this.#byRoot
    }
    // What is given is to be used, or refused by name: not passed over in silence.
    if (physBase !== undefined || cr3 !== undefined) return
    const said = vmcoreinfo.number('phys_base')
    if (said !== undefined) yield { value: said, from: 'VMCOREINFO NUMBER(phys_base)' }
    const header = this.#memory.source.facts.physBase
    if (header !== undefined) yield { value: header, from: "the dump's header" }
    yield* this.#registers.candidates
  }

  get #registers(): RegisterBases {
    return (this.#byRegisters ??= registerBases(this.#memory))
  }

  /**
   * At every multiple of 2 MiB (CONFIG_PHYSICAL_ALIGN) the image's `init_uts_ns` is looked for: one page in 512 is read.
   * The image of a guest with huge pages is met too, so that all else has to agree.
   */
  #byName(candidate: Candidate): FoundKernel | undefined {
    const name = candidate.vmcoreinfo.symbol('init_uts_ns')
    if (name === undefined || this.#isGiven) return undefined
    const step = 0x200000
    const offset = (name - TEXT_MAP) % BigInt(step)
    const total = Math.ceil((this.#memory.source.endPfn * PAGE_SIZE) / step)
    for (const place of counted({ label: 'looking for the kernel', unit: 'places', total })) {
      const hpa = place * step
      if (!this.#isLinuxAt(hpa + Number(offset))) continue
      const value = BigInt(hpa) + offset - (name - TEXT_MAP)
      const from = 'a search of the dump for the name of the kernel'
      const found = this.#verified(candidate, { value, from })
      if (found !== undefined) return found
    }
    const { release } = candidate.vmcoreinfo
    this.#tried.push(`every 2 MiB was searched for the name of ${release}`)
    return undefined
  }

  #isLinuxAt(hpa: number): boolean {
    const page = this.#memory.tryPage(Math.floor(hpa / PAGE_SIZE))
    if (!(page instanceof Uint8Array)) return false
    const at = hpa % PAGE_SIZE
    const text = String.fromCharCode(...page.subarray(at, at + 10))
    // A reference count is in front of it up to 5.10. A name across two pages is left to the verification.
    return at > PAGE_SIZE - 10 || text.startsWith('Linux\0') || text.slice(4).startsWith('Linux\0')
  }

  #byVote(candidates: readonly Candidate[]): FoundKernel | undefined {
    if (candidates.length === 0 || this.#isGiven) return undefined
    const bases = basesByVote(this.#memory)
    this.#tried.push(`all frames were searched for page tables, ${bases.length} images found`)
    for (const candidate of candidates) {
      for (const base of bases) {
        const found = this.#verified(candidate, base)
        if (found !== undefined) return found
      }
    }
    return undefined
  }

  get #isGiven(): boolean {
    return this.#given.physBase !== undefined || this.#given.cr3 !== undefined
  }

  #verified(candidate: Candidate, base: Found<bigint>): FoundKernel | undefined {
    const { vmcoreinfo, origin } = candidate
    const { processors } = this.#registers
    const result = verifyKernel(this.#memory, vmcoreinfo, base.value, processors)
    // A note speaks for the host that was dumped: a look at the name is enough when it also says where that is, or when
    // nothing speaks against it. A small slice of a dump has no page tables.
    const isOwnWord = base.value === vmcoreinfo.number('phys_base') || result.failed.length === 0
    const isNote = origin.value === 'note' && result.isNamed && isOwnWord
    if (!result.isCertain && !isNote) {
      this.#fail(candidate, base, result)
      return undefined
    }
    const verified = `verified by ${result.passed.join(', ')}`
    return {
      vmcoreinfo,
      origin,
      physBase: { value: base.value, from: `${base.from}, ${verified}` },
      remarks: [...this.#remarks(base.value), ...result.failed.map(contradiction)],
    }
  }

  #remarks(physBase: bigint): string[] {
    const header = this.#memory.source.facts.physBase
    if (header === undefined || header === physBase || header === 0n) return []
    const right = `the kernel's is ${hex(physBase)}`
    return [`the header's phys_base ${hex(header)} is wrong (QEMU writes such): ${right}`]
  }

  #fail(candidate: Candidate, base: Found<bigint>, { passed, failed }: Verification): void {
    const what = `${candidate.vmcoreinfo.release} (${candidate.origin.from})`
    const why = failed.length > 0 ? failed.join(', ') : `only ${passed.join(', ')} could be checked`
    this.#note(`${what} with phys_base ${hex(base.value)} by ${base.from}: ${why}`)
  }

  #note(failure: string): void {
    if (this.#failed++ < MAX_TOLD) this.#failures.push(failure)
  }

  #giveUp(): never {
    const { physBase, cr3 } = this.#given
    if (cr3 !== undefined && this.#byRoot?.length === 0) {
      this.#tried.push(`the given CR3 ${hex(cr3)} maps no kernel image`)
    }
    if (!this.#isGiven) this.#tried.push(...this.#aboutRegisters())
    const told = [...this.#failures]
    const more = this.#failed - told.length
    if (more > 0) told.push(`${more} more did not fit`)
    const problem = `no kernel of the host was found: ${[...this.#tried, ...told].join('; ')}`
    if (physBase !== undefined || cr3 !== undefined || this.#given.vmcoreinfo !== undefined) {
      throw new UsageError(`${problem}. What was given does not fit this dump`)
    }
    const ask = 'openDump(path, {vmcoreinfo, physBase, cr3}) takes what is known of the host'
    throw new DumpError(
      'no-kernel',
      `${problem}. ${ask}: the text of VMCOREINFO, phys_base, the value of CR3 of one of its processors`,
    )
  }

  #aboutRegisters(): string[] {
    const { processors, candidates, problems } = this.#registers
    if (processors.length === 0 && problems.length === 0) {
      return ['the dump has no registers of processors (notes of QEMU)']
    }
    const found = `registers of ${processors.length} processors gave ${candidates.length} places`
    return [found, ...problems.slice(0, MAX_TOLD)]
  }
}

function contradiction(problem: string): string {
  return `VMCOREINFO and memory do not agree: ${problem}`
}
