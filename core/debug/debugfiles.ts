// SPDX-License-Identifier: GPL-2.0-or-later
// The files that a user gives for a dump that lacks its types or symbols: found, held against the dump, and read.

import { DumpError, UsageError } from '../errors.ts'
import { type Symbols } from '../symbols/table.ts'
import { type BtfTypes, readBtf } from '../types/btf.ts'
import { type ElfFile } from './elffile.ts'
import {
  type Agreement,
  buildIdOfDump,
  buildOfDump,
  checkElf,
  type DumpedKernel,
  otherKernel,
} from './identity.ts'
import { ENOUGH_CHECKS, holdAgainst } from './invariants.ts'
import { typesOfModule } from './moduletypes.ts'
import { openDescribing } from './opened.ts'
import { whereKept } from './packages.ts'
import { typesByPahole } from './pahole.ts'
import { existing, isFolder, otherReleaseIn, vmlinuxPlaces } from './places.ts'
import { symbolsOfDump } from './symbols.ts'
import { readSystemMap } from './systemmap.ts'
import { openFile } from '../dump/file.ts'

/**
 * Files that tell what a dump does not: for kernels without BTF (before 5.2, and many later), or whose dump lacks the
 * pages with it. What the dump tells itself comes first. Each is held against the dump, and refused with the reason
 * when it is another kernel's.
 */
export interface DebugOptions {
  /** The kernel's `vmlinux`, with BTF or DWARF for types, and with its symbols. */
  readonly vmlinux?: string
  /**
   * A folder in which distributions keep debug files, such as `/usr/lib/debug` or an unpacked package: `vmlinux` and
   * modules are found in it by build id and release. Or one file, as `vmlinux`.
   */
  readonly debuginfo?: string
  /** A folder with the kernel's modules (`kvm.ko`, `zram.ko`), or with their debug files: for types that only they have. */
  readonly modules?: string
  /** The kernel's `System.map`, for symbols when the dump has none (kallsyms). A copy of /proc/kallsyms will do. */
  readonly systemMap?: string
  /** The kernel's types as raw BTF: a copy of /sys/kernel/btf/vmlinux, or what `pahole --btf_encode_detached` writes. */
  readonly btf?: string
}

/** The names of these options. */
export const debugOptionNames = ['vmlinux', 'debuginfo', 'modules', 'systemMap', 'btf'] as const

/** A file that belongs to the dump, and what says so. */
interface Fitting {
  readonly elf: ElfFile
  readonly agreement: Agreement
}

interface Kernels {
  readonly fitting: readonly Fitting[]
  /** Why other files that were found are not among them. */
  readonly problems: readonly string[]
}

/** The files of one dump. Nothing is opened before it is asked for. */
export class DebugFiles {
  readonly #options: DebugOptions
  readonly #opened: ElfFile[] = []
  /** Types whose numbering is not that of the kernel's own BTF, so that a module's BTF does not fit them. */
  readonly #made = new WeakSet<object>()
  #kernels: Kernels | undefined
  #btf: BtfTypes | undefined

  /** Throws UsageError for an option that is no path. */
  constructor(options: DebugOptions) {
    for (const name of debugOptionNames) {
      const path: unknown = options[name]
      if (path !== undefined && (typeof path !== 'string' || path === '')) {
        throw new UsageError(`openDump(path, {${name}}) takes the path of a file or folder`)
      }
    }
    this.#options = options
  }

  /**
   * Holds the files that were given against the dump, whether it needs them or not: nobody shall believe that a file
   * had a part in an answer. Throws DumpError when one is not there or is another kernel's.
   */
  verify(kernel: DumpedKernel): void {
    const { vmlinux, debuginfo, modules, systemMap, btf } = this.#options
    for (const [path, what] of [
      [debuginfo, 'debuginfo'],
      [modules, 'modules'],
    ] as const) {
      if (path === undefined || isFolder(path)) continue
      openFile(path, what).close()
    }
    if (systemMap !== undefined) this.symbols(kernel)
    if (btf !== undefined) this.types(kernel)
    const isFile = debuginfo !== undefined && !isFolder(debuginfo)
    if (vmlinux !== undefined || isFile) this.#vmlinux(kernel)
  }

  /** The dumped kernel's symbols, and where they are from; undefined when no file was given that could have them. */
  symbols(kernel: DumpedKernel): { symbols: Symbols; from: string } | undefined {
    const { systemMap } = this.#options
    if (systemMap !== undefined) {
      const file = openFile(systemMap, 'the System.map')
      try {
        const symbols = symbolsOfDump(readSystemMap(file), kernel.vmcoreinfo, systemMap)
        return { symbols, from: systemMap }
      } finally {
        file.close()
      }
    }
    for (const { elf } of this.#vmlinux(kernel).fitting) {
      const table = elf.symbols()
      if (table === undefined || table.count === 0) continue
      const symbols = symbolsOfDump(table, kernel.vmcoreinfo, elf.file.name)
      return { symbols, from: elf.file.name }
    }
    return undefined
  }

  /**
   * The dumped kernel's types; undefined when no file was given that could have them. Throws DumpError `other-kernel`,
   * and `no-types` when none of the files has any.
   */
  types(kernel: DumpedKernel): BtfTypes | undefined {
    const { btf, vmlinux, debuginfo } = this.#options
    if (btf !== undefined) return (this.#btf ??= this.#ofBtf(kernel, btf))
    if (vmlinux === undefined && debuginfo === undefined) return undefined
    const { fitting, problems } = this.#vmlinux(kernel)
    const without: string[] = []
    for (const { elf, agreement } of fitting) {
      const types = this.#ofElf(elf)
      if (types !== undefined) return this.#checked(kernel, types, elf.file.name, agreement)
      without.push(`${elf.file.name} has neither BTF nor DWARF`)
    }
    const { release } = kernel.vmcoreinfo
    throw new DumpError(
      'no-types',
      [`no types of kernel ${release}`, ...problems, ...without].join('; ') +
        `. ${whereKept(release, buildOfDump(kernel))}`,
    )
  }

  /**
   * The types of a module, with those of the kernel below them. Undefined when no folder was given, when it does not have
   * the module, or when the module does not describe types.
   */
  moduleTypes(kernel: DumpedKernel, base: BtfTypes, module: string): BtfTypes | undefined {
    const { modules, debuginfo } = this.#options
    const folder =
      modules ?? (debuginfo !== undefined && isFolder(debuginfo) ? debuginfo : undefined)
    if (folder === undefined) return undefined
    const isOwn = !this.#made.has(base.blob)
    return typesOfModule({ folder, module, release: kernel.vmcoreinfo.release, base, isOwn })
  }

  /** Closes the files. What was read stays. */
  close(): void {
    for (const { file } of this.#opened.splice(0)) file.close()
    this.#kernels = undefined
  }

  /** Every vmlinux that was given or found, and that is the dump's. */
  #vmlinux(kernel: DumpedKernel): Kernels {
    if (this.#kernels !== undefined) return this.#kernels
    const { vmlinux, debuginfo } = this.#options
    const fitting: Fitting[] = []
    const problems: string[] = []
    if (vmlinux !== undefined) fitting.push(this.#open(kernel, vmlinux, 'vmlinux'))
    if (debuginfo !== undefined && !isFolder(debuginfo)) {
      fitting.push(this.#open(kernel, debuginfo, 'debuginfo'))
    } else if (debuginfo !== undefined) {
      const { release } = kernel.vmcoreinfo
      const buildId = buildIdOfDump(kernel)
      const places = existing(vmlinuxPlaces(debuginfo, release, buildId))
      for (const path of places) {
        try {
          fitting.push(this.#open(kernel, path, 'vmlinux'))
        } catch (error) {
          if (!(error instanceof DumpError)) throw error
          problems.push(error.message)
        }
      }
      if (places.length === 0) {
        const id = buildId === undefined ? '' : `.build-id/${buildId.slice(0, 2)}/… or `
        problems.push(`'${debuginfo}' has neither ${id}lib/modules/${release}/vmlinux or its like`)
      }
    }
    return (this.#kernels = { fitting, problems })
  }

  #open(kernel: DumpedKernel, path: string, what: string): Fitting {
    if (isFolder(path)) {
      throw new UsageError(`'${path}' is a folder: give it as debuginfo, or a file as ${what}`)
    }
    const opened = openDescribing(path, what)
    if (opened.kind === 'btf') {
      opened.file.close()
      throw new UsageError(`${path} is BTF: give it as btf`)
    }
    this.#opened.push(opened.elf)
    return { elf: opened.elf, agreement: checkElf(kernel, opened.elf) }
  }

  #ofBtf(kernel: DumpedKernel, path: string): BtfTypes {
    const opened = openDescribing(path, 'btf')
    try {
      if (opened.kind === 'elf') {
        const agreement = checkElf(kernel, opened.elf)
        const types = ofSection(opened.elf)
        if (types !== undefined) return this.#checked(kernel, types, path, agreement)
        throw new DumpError('no-types', `${path} has no section .BTF: give it as vmlinux`)
      }
      const { file } = opened
      const bytes = file.read(0, checkedSize(path, file.size), 'BTF')
      return this.#checked(kernel, readBtf(bytes, 'vmlinux'), path, undefined)
    } finally {
      const file = opened.kind === 'elf' ? opened.elf.file : opened.file
      file.close()
    }
  }

  #ofElf(elf: ElfFile): BtfTypes | undefined {
    const own = ofSection(elf)
    if (own !== undefined) return own
    if (!elf.hasDwarf) return undefined
    const made = typesByPahole({ elf, name: 'vmlinux' })
    this.#made.add(made.blob)
    return made
  }

  /** Types with a remark on where they are from. Without a build id they must agree with the dump in what they say. */
  #checked(kernel: DumpedKernel, types: BtfTypes, path: string, known: Agreement): BtfTypes {
    let agreement = known
    if (agreement === undefined) {
      const { agreed, against } = holdAgainst(kernel, types)
      if (against.length > 0) {
        const more = against.length > 3 ? `; and ${against.length - 3} more` : ''
        const told = against.slice(0, 3).join('; ') + more
        throw otherKernel(
          path,
          `its types do not fit the dump of ${kernel.vmcoreinfo.release}: ${told}`,
        )
      }
      if (agreed < ENOUGH_CHECKS) {
        throw otherKernel(path, `only ${agreed} checks of its types against the dump could be made`)
      }
      agreement = `${agreed} sizes, offsets and pointers agree with the dump`
    }
    const other = otherReleaseIn(path, kernel.vmcoreinfo.release)
    const doubt =
      other === undefined || known !== undefined ? '' : `; its path says ${other}, a near relative?`
    const how = this.#made.has(types.blob) ? ', by pahole' : ''
    return types.withRemarks([`types of the kernel: from ${path}${how}: ${agreement}${doubt}`])
  }
}

/** Types of a kernel have some MiB. */
const MAX_BTF_BYTES = 256 << 20

function ofSection(elf: ElfFile): BtfTypes | undefined {
  const section = elf.section('.BTF')
  return section && readBtf(elf.bytes(section, MAX_BTF_BYTES), 'vmlinux')
}

function checkedSize(path: string, size: number): number {
  if (size <= MAX_BTF_BYTES) return size
  throw new DumpError('no-types', `${path}: BTF of ${size} bytes, more than any kernel has`)
}
