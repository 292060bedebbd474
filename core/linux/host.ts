// SPDX-License-Identifier: GPL-2.0-or-later
// The Linux of the dumped host: from bare pages to kernel memory, symbols and types that can be asked.

import { hex } from '../bytes/hex.ts'
import { type DebugFiles } from '../debug/debugfiles.ts'
import { buildOfDump } from '../debug/identity.ts'
import { whereKept } from '../debug/packages.ts'
import { DumpError, FaultError, FormatError, MissingError } from '../errors.ts'
import { type PagingRules } from '../paging/x86_64.ts'
import { KernelSpace, TEXT_MAP } from '../space/kva.ts'
import { type PhysicalMemory } from '../space/physical.ts'
import { openKallsyms } from '../symbols/kallsyms.ts'
import { type Symbols } from '../symbols/table.ts'
import { BtfTypes, readBtf } from '../types/btf.ts'
import { bytes, layout } from '../types/layout.ts'
import { type Types } from '../types/type.ts'
import { type Vmcoreinfo } from '../vmcoreinfo/parse.ts'
import { findDirectMap } from './bases.ts'
import { findKernel, type VmcoreinfoOrigin } from './findkernel.ts'
import { type Found, type Given } from './found.ts'
import { Modules } from './module.ts'

/**
 * Every kernel symbol that the library asks for while it opens a dump, looked up in one pass over the names.
 * Others are found one by one, at the price of a pass each.
 */
const startSymbols = [
  'init_task',
  'page_offset_base',
  'vmalloc_base',
  'vmemmap_base',
  'sme_me_mask',
  '__pgtable_l5_enabled',
  '__start_BTF',
  '__stop_BTF',
  'modules',
  'btf_modules',
  'l1tf_mitigation',
  'mwriteprotect_range',
  'pte_mkwrite',
  'vm_list',
  'kvm_vm_fops',
  'swap_info',
  'nr_swapfiles',
  'nr_zswap_trees',
  'zswap_trees',
  'swapper_spaces',
  'empty_zero_page',
  'zero_page_pfn',
  'huge_zero_pfn',
]

/** How the host's memory is laid out, and what each number rests on. */
export interface Bases {
  /** `phys_base`: added to `address - 0xffffffff80000000` in the kernel image. */
  readonly physBase: Found<bigint>
  /** How far KASLR moved the image, where VMCOREINFO tells (KERNELOFFSET). */
  readonly kaslrOffset: bigint | undefined
  /** The start of the direct map, of vmalloc and of the array of struct page. */
  readonly directMap: Found<bigint>
  readonly vmalloc: bigint
  readonly vmemmap: bigint
  /** Where VMCOREINFO, which names the first addresses, was found. */
  readonly vmcoreinfo: Found<VmcoreinfoOrigin>
  /** What a reader should know about how these were found. */
  readonly remarks: readonly string[]
}

/** Where the types and symbols of a dumped kernel come from when it does not tell them itself. */
export interface TypeSource {
  /** True to take no notice of the dump's own types (BTF). */
  readonly ignoreOwn?: boolean
  /** Files that the user gave. */
  readonly files?: DebugFiles | undefined
  /** Gives types of a kernel that has none of its own, or none that can be read; `why` says which. After the files. */
  readonly infer?: (host: Host, why: string) => Types
}

/** The dumped kernel. Everything but the bases is found when it is first asked for. */
export class Host {
  readonly memory: PhysicalMemory
  readonly vmcoreinfo: Vmcoreinfo
  readonly space: KernelSpace
  readonly symbols: Symbols
  readonly rules: PagingRules
  readonly bases: Bases
  readonly #typeSource: TypeSource
  #types: Types | undefined
  #modules: Modules | undefined

  /** `given` is what the user knows of it, `typeSource` where to look for what it does not tell itself. */
  constructor(memory: PhysicalMemory, given: Given = {}, typeSource: TypeSource = {}) {
    this.memory = memory
    this.#typeSource = typeSource
    const start = findKernel(memory, given)
    this.vmcoreinfo = start.vmcoreinfo
    const imageSize = this.vmcoreinfo.number('KERNEL_IMAGE_SIZE') ?? 0x40000000n
    this.space = new KernelSpace(memory, start.physBase.value, imageSize)
    const { symbols, remarks } = this.#findSymbols()
    this.symbols = symbols

    this.rules = this.#readRules()
    const root = this.vmcoreinfo.symbol('swapper_pg_dir')
    if (root === undefined) {
      throw new MissingError('key', 'SYMBOL(swapper_pg_dir)', 'VMCOREINFO')
    }
    const rootHpa = Number(root - TEXT_MAP + this.space.physBase)
    const directMap = findDirectMap(this.space, this.symbols, this.rules, rootHpa)
    const levels5 = this.rules.levels === 5
    const vmalloc =
      this.#variable('vmalloc_base') ?? (levels5 ? 0xffa0000000000000n : 0xffffc90000000000n)
    const vmemmap =
      this.vmcoreinfo.symbol('vmemmap') ??
      this.#variable('vmemmap_base') ??
      (levels5 ? 0xffd4000000000000n : 0xffffea0000000000n)
    this.space.useTables({
      root: rootHpa,
      rules: this.rules,
      directMap: directMap.value,
      directMapEnd: vmalloc,
    })
    this.bases = {
      physBase: start.physBase,
      kaslrOffset: this.vmcoreinfo.kernelOffset,
      directMap,
      vmalloc,
      vmemmap,
      vmcoreinfo: start.origin,
      remarks: [...start.remarks, ...remarks],
    }
  }

  /**
   * The types of the dumped kernel, from the BTF at `__start_BTF`, else from files that were given, else inferred. Throws
   * MissingError, which says where its vmlinux is to be had, when there are none.
   */
  get types(): Types {
    this.#types ??= this.#findTypes()
    return this.#types
  }

  /**
   * The kernel's build as `uname -v` prints it: from the dump's header, else from `init_uts_ns`. Undefined when neither
   * has it.
   */
  get build(): string | undefined {
    const said = this.memory.source.facts.build
    if (said !== undefined && said !== '') return said
    const namespace = this.vmcoreinfo.symbol('init_uts_ns')
    const names = layout(this.types, 'uts_namespace', { version: bytes('name.version') })
    if (namespace === undefined) return undefined
    return new TextDecoder().decode(names.at(this.space, namespace).version).replace(/\0[^]*$/, '')
  }

  /** The loaded modules. */
  get modules(): Modules {
    this.#modules ??= new Modules(this)
    return this.#modules
  }

  /** Types of a module out of files that were given, if any were. */
  get givenModuleTypes(): ((module: string) => Types | undefined) | undefined {
    const { files } = this.#typeSource
    const { types } = this
    if (files === undefined || !(types instanceof BtfTypes)) return undefined
    return (module) => files.moduleTypes(this, types, module)
  }

  /** The address of a kernel symbol, or of one of a module's when `module` is given. Throws MissingError. */
  symbol(name: string, module?: string): bigint {
    const address = this.findSymbol(name, module)
    if (address !== undefined) return address
    const where = module === undefined ? 'the kernel' : `the kernel and module ${module}`
    throw new MissingError('symbol', name, where, this.symbols.near(name))
  }

  /** The same, but undefined when there is none. A driver can be a module or built in: both are looked at. */
  findSymbol(name: string, module?: string): bigint | undefined {
    const address = this.symbols.address(name)
    if (address !== undefined || module === undefined) return address
    return this.modules.symbol(module, name)
  }

  /** A 64-bit variable of the kernel image, or undefined when there is no such symbol. */
  #variable(name: string): bigint | undefined {
    const address = this.symbols.address(name)
    return address === undefined ? undefined : this.space.u64(address)
  }

  #readRules(): PagingRules {
    let fiveLevels = this.vmcoreinfo.number('pgtable_l5_enabled')
    const variable = this.symbols.address('__pgtable_l5_enabled')
    if (fiveLevels === undefined && variable !== undefined) {
      fiveLevels = BigInt(this.space.u32(variable))
    }
    const encryption = this.vmcoreinfo.number('sme_mask') ?? this.#variable('sme_me_mask') ?? 0n
    return {
      levels: fiveLevels === 1n ? 5 : 4,
      inverts: this.symbols.address('l1tf_mitigation') !== undefined,
      encryptionHigh: Number(encryption >> 32n),
      uffdWp: this.symbols.address('mwriteprotect_range') !== undefined,
      savedDirty: this.symbols.address('pte_mkwrite') !== undefined,
    }
  }

  #findSymbols(): { symbols: Symbols; remarks: readonly string[] } {
    const { files } = this.#typeSource
    const { vmcoreinfo, space } = this
    let own: Symbols | undefined
    let problem = 'it keeps the symbols of functions alone (without CONFIG_KALLSYMS_ALL)'
    try {
      own = openKallsyms(space, vmcoreinfo)
      own.find(startSymbols)
      // Without data symbols the names of functions lead nowhere.
      if (files === undefined || own.address('init_task') !== undefined) {
        return { symbols: own, remarks: [] }
      }
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      if (files === undefined) throw this.#withAdvice(error, 'its symbols', 'vmlinux or systemMap')
      own = undefined
      problem = error.message
    }
    const found = files.symbols(this)
    if (found !== undefined) {
      const remark = `symbols of the kernel: from ${found.from}, since ${problem}`
      return { symbols: found.symbols, remarks: [remark] }
    }
    if (own !== undefined) return { symbols: own, remarks: [] }
    const advice = this.#advice('its symbols', 'vmlinux or systemMap')
    throw new DumpError('no-symbols', `${problem}; ${advice}`)
  }

  #findTypes(): Types {
    const { ignoreOwn = false, files, infer } = this.#typeSource
    if (ignoreOwn) {
      const given = files?.types(this) ?? infer?.(this, 'its own types (BTF) were not to be used')
      if (given !== undefined) return given
      const advice = this.#advice('its structures', 'vmlinux, debuginfo or btf')
      throw new DumpError('no-types', `the dump's own types were not to be used; ${advice}`)
    }
    try {
      return this.#readTypes()
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      const why =
        error instanceof MissingError
          ? 'the kernel was built without BTF'
          : `its own types (BTF) cannot be read: ${error.message}`
      const given = files?.types(this) ?? infer?.(this, why)
      if (given !== undefined) return given
      throw this.#withAdvice(error, 'its structures', 'vmlinux, debuginfo or btf')
    }
  }

  #withAdvice(error: DumpError, what: string, options: string): DumpError {
    const advice = this.#advice(what, options)
    if (error instanceof MissingError && error.missing === '__start_BTF') {
      return new MissingError(error.kind, error.missing, `${this.#withoutBtf()}; ${advice}`)
    }
    if (error instanceof FormatError) {
      return new FormatError(`${error.message}; ${advice}`, error.field, error.at)
    }
    return error instanceof FaultError ? error.neededFor(`${what}; ${advice}`) : error
  }

  /** What to do when the dump does not tell something. */
  #advice(what: string, options: string): string {
    const { release } = this.vmcoreinfo
    return (
      `${what} can be read from the vmlinux of ${release}: openDump(path, {vmlinux: 'FILE'}) or --vmlinux FILE ` +
      `(options: ${options}). ${whereKept(release, buildOfDump(this))}`
    )
  }

  #withoutBtf(): string {
    return `the kernel ${this.vmcoreinfo.release}: it was built without BTF (CONFIG_DEBUG_INFO_BTF), so the dump does not describe its structures`
  }

  #readTypes(): Types {
    const start = this.symbols.address('__start_BTF')
    const stop = this.symbols.address('__stop_BTF')
    if (start === undefined || stop === undefined) {
      throw new MissingError('symbol', '__start_BTF', this.#withoutBtf())
    }
    const size = stop - start
    if (size <= 0n || size > 0x10000000n) {
      throw new FormatError(`BTF of ${size} bytes at ${hex(start)}`, '__stop_BTF', stop)
    }
    return readBtf(this.space.bytes(start, Number(size)), 'vmlinux')
  }
}
