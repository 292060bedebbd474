// SPDX-License-Identifier: GPL-2.0-or-later
// The dump of a KVM host as a cell or a program sees it: the door to tasks, virtual machines and raw structures.

import { type Addresses } from './bulk/input.ts'
import { hex, parseAddress } from './bytes/hex.ts'
import { type DumpFacts } from './dump/format.ts'
import { openPages } from './dump/open.ts'
import { RecordingPages } from './dump/recording.ts'
import { framesOf, type HpaRange, type SliceOptions, writeSlice } from './dump/slice.ts'
import { type SliceResult } from './dump/slicefile.ts'
import { DumpError, MissingError, TaskError, UsageError } from './errors.ts'
import { type Finding, InferredTypes } from './infer/index.ts'
import { type Vm, type VmList, Vms } from './kvm/vm.ts'
import { type Given } from './linux/found.ts'
import { type Bases, Host, type TypeSource } from './linux/host.ts'
import { Linux } from './linux/linux.ts'
import { readOpening, readTables } from './linux/opening/opening.ts'
import { type SwapDevices } from './linux/swap/swap.ts'
import { listOf } from './linux/partial.ts'
import { type Task, type TaskList, Tasks } from './linux/task.ts'
import { addressOf, givenBy, type OpenOptions, typeSourceOf } from './openoptions.ts'
import { whoHas } from './reverse/find.ts'
import { ownersOf } from './reverse/ownersof.ts'
import { type OwnerTable } from './reverse/ownertable.ts'
import { sharedFrames, type SharedFrames } from './reverse/sharedframes.ts'
import { WayBack } from './reverse/wayback.ts'
import { type WhoHas } from './reverse/whohas.ts'
import { PhysicalMemory } from './space/physical.ts'
import { declareStructs } from './types/declare.ts'
import { structView, type StructName, type StructOf } from './types/view.ts'

/** Options of `dump.slice`. */
export interface DumpSliceOptions extends SliceOptions {
  /** Leave out what only crash and drgn need. */
  readonly minimal?: boolean
  /** The pages to write, by frame number or as ranges of host physical memory. */
  readonly pages?: Iterable<number | HpaRange>
}

/**
 * The dump of a KVM host. Opening reads only the file's header; kernel symbols, types, tasks and virtual machines are
 * found when they are first asked for.
 */
export class HostDump {
  /** The file's name as it was given; of a split dump the first one's. */
  readonly path: string
  /** The names of all its files as they were given: several for a split dump. */
  readonly paths: readonly string[]
  /** The physical memory of the host, as far as the dump holds it. */
  readonly memory: PhysicalMemory
  readonly #recording: RecordingPages | undefined
  readonly #given: Given
  readonly #typeSource: TypeSource
  #isClosed = false
  #linux: Linux | undefined
  #tasks: Tasks<Vm> | undefined
  #vms: Vms | undefined
  #allVms: VmList | undefined
  #wayBack: WayBack | undefined

  /** @internal Use `openDump`. */
  constructor(path: string | readonly string[], options: OpenOptions = {}) {
    this.paths = Object.freeze(typeof path === 'string' ? [path] : [...path])
    this.path = this.paths[0] ?? ''
    this.#given = givenBy(options)
    this.#typeSource = typeSourceOf(options)
    const source = openPages(this.paths, options)
    this.#recording = options.record === true ? new RecordingPages(source) : undefined
    this.memory = new PhysicalMemory(this.#recording ?? source, this.path)
  }

  /** What the file says of itself: format, dump level, when it was taken, and what is odd about it. */
  get facts(): DumpFacts {
    return this.memory.source.facts
  }

  /**
   * What a reader should know of this dump: the file's own remarks, what did not agree when the kernel was found, and
   * damage that a known tool did to it.
   */
  get remarks(): readonly string[] {
    return [
      ...this.facts.remarks,
      ...orNone(() => this.bases.remarks),
      ...orNone(() => this.#parts.damage?.diagnosis ?? []),
    ]
  }

  /** The dumped kernel. Throws DumpError when the dump does not hold enough of it. */
  get host(): Host {
    return this.#parts.host
  }

  /** The kernel's release, such as `6.12.107+deb13-amd64`. */
  get release(): string {
    return this.host.vmcoreinfo.release
  }

  /** The kernel's build, such as `#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-08-29)`, or null. */
  get build(): string | null {
    return this.host.build ?? null
  }

  /** Where the kernel lies in memory, and how that was found. */
  get bases(): Bases {
    return this.host.bases
  }

  /**
   * What was inferred of the kernel's structures, member by member with the evidence, refused ones too; null when the
   * dump describes its structures itself.
   */
  get inferred(): readonly Finding[] | null {
    const { types } = this.host
    return types instanceof InferredTypes ? types.findings : null
  }

  /**
   * All processes, pid 0 first, then in the kernel's order. Threads: `task.threads`. When some cannot be read, `lost`
   * says why.
   */
  tasks(): TaskList<Vm> {
    const { tasks, damage } = this.#taskFinder.known()
    return listOf(tasks, 'processes', damage)
  }

  /**
   * The task of a pid, or at the address of a `task_struct` (a bigint, or hex text). Threads are found too.
   * Throws TaskError, `invalid task or pid value: …`, when there is none.
   */
  task(selector: number | bigint | string): Task<Vm> {
    return this.#taskFinder.find(selector)
  }

  /** All virtual machines of the host, from KVM's own list, in its order; `lost` tells what is missing among them. */
  get vms(): VmList {
    return (this.#allVms ??= this.#vmFinder.all())
  }

  /**
   * One virtual machine: by name or UUID (where the dump holds QEMU's command line), by the pid of its VMM, or by the
   * address of its `struct kvm`. Throws TaskError that lists what there is.
   */
  vm(selector: string | number | bigint): Vm {
    const address = parseAddress(selector)
    const found = this.vms.filter(
      (vm) =>
        vm.name === selector ||
        vm.uuid === selector ||
        String(vm.task?.pid) === String(selector) ||
        vm.address === address,
    )
    const [vm, another] = found
    if (vm !== undefined && another === undefined) return vm
    const all = [...this.vms.map(describeVm), ...this.vms.lost].join('; ') || 'none'
    const given = typeof selector === 'bigint' ? hex(selector) : String(selector)
    const problem = vm === undefined ? 'no virtual machine' : 'several virtual machines'
    throw new TaskError(
      vm === undefined ? 'no-vm' : 'several-vms',
      `${problem} for '${given}'; this host has: ${all}`,
    )
  }

  /**
   * Who has the frame of a host physical address (a number, a bigint, or hex text): which guest and where in it, all of
   * them when it is shared; which process, file, slab or free block; and how that was found. The first question reads
   * the page tables of all guests and processes, with a bar; the others take no time.
   */
  whoHas(hpa: bigint | number | string): WhoHas
  /**
   * The same for many addresses: a table with a row for each, in the same order, with columns as typed arrays. More than a
   * million a second right after the index is built, while struct pages are read, and some million later. What is no physical address has the kind `invalid`.
   */
  whoHas(hpas: Addresses): OwnerTable
  whoHas(hpa: bigint | number | string | Addresses): WhoHas | OwnerTable {
    if (typeof hpa === 'object') return ownersOf(this.#back, hpa, 'dump.whoHas(hpas)')
    const at = addressOf(hpa, 'dump.whoHas(hpa)')
    if (at >= 1n << 52n) {
      throw new UsageError(
        `dump.whoHas(hpa): ${hex(at)} has more than the 52 bits of a physical address`,
      )
    }
    return whoHas(this.#back, Number(at))
  }

  /** The frames that several pages of guests share (KSM, the page of zeros), by who shares them, and what that saves. */
  sharedFrames(): SharedFrames {
    return sharedFrames(this.#back)
  }

  /** The swap devices and files of the host; `lost` tells which ones the dump lacks. */
  get swaps(): SwapDevices {
    return this.#parts.swap.devices
  }

  /** The address of a kernel symbol, or of one of a module. Throws MissingError with near names. */
  symbol(name: string): bigint {
    const { symbols, modules } = this.host
    const found = symbols.address(name)
    if (found !== undefined) return found
    for (const module of modules.list()) {
      if (module.state !== 'live') continue
      const address = modules.symbol(module.name, name)
      if (address !== undefined) return address
    }
    modules.checkWhole(`symbol ${name}`)
    throw new MissingError('symbol', name, 'the kernel and its modules', symbols.near(name))
  }

  /** A raw structure of the dumped kernel: `dump.struct('kvm', address).mm.pgd`. The address may be hex text. */
  struct<N extends StructName>(name: N, address: bigint | number | string): StructOf<N> {
    const at = addressOf(address, 'dump.struct(name, address)')
    return structView(this.host.types, this.host.space, name, at)
  }

  /** A copy of `length` bytes at a kernel virtual address. Throws FaultError when they are not in the dump. */
  read(address: bigint | number | string, length: number): Uint8Array {
    checkLength(length)
    return this.host.space.bytes(addressOf(address, 'dump.read(address, length)'), length)
  }

  /** A copy of `length` bytes at a host physical address. Throws FaultError when they are not in the dump. */
  readPhysical(hpa: bigint | number | string, length: number): Uint8Array {
    checkLength(length)
    const at = Number(addressOf(hpa, 'dump.readPhysical(hpa, length)'))
    return this.memory.bytes(at, length)
  }

  /**
   * Writes the pages that were read so far to a dump of their own, a standard kdump-compressed file that gives the
   * same answers to the same questions. The dump must have been opened with `{record: true}`.
   * What crash and drgn need to open it is added: the kernel's variables (its log too), the area of each CPU, modules,
   * and up to 1,000 tasks, some 1 to 10 MB. `{minimal: true}` leaves that out.
   * The file appears whole or not at all; one that is there is replaced only with `{overwrite: true}`.
   * `{pages}` names the pages instead, and nothing is added: frame numbers, or `{hpa, length}`. Any open dump can do that.
   */
  slice(path: string, options: DumpSliceOptions = {}): SliceResult {
    if (options.pages !== undefined) {
      const source = this.#recording?.source ?? this.memory.source
      return writeSlice(source, framesOf(options.pages), path, options)
    }
    if (this.#recording === undefined) {
      throw new UsageError(
        'dump.slice(path) needs to know which pages were read: open the dump with {record: true}',
      )
    }
    if (options.minimal !== true) this.#readForOthers(this.#recording)
    return writeSlice(this.#recording, this.#recording.pfns, path, options)
  }

  /**
   * TypeScript declarations of the dump's own structures, as the text of a `.d.ts` for programs that import this
   * library from where it lies now. A notebook adds it to its cells, so that `dump.task(1).mm.` completes.
   */
  declarations(): string {
    // Compiled, or straight from the sources.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
    const view = new URL(`./types/view${extension}`, import.meta.url)
    return declareStructs(this.host.types, { module: decodeURIComponent(view.pathname) })
  }

  /** Closes the file. Afterwards only what was already read can be asked. */
  close(): void {
    this.#isClosed = true
    this.#typeSource.files?.close()
    this.memory.source.close()
  }

  /** A dump of which nothing but pages can be read has nothing that they could open either. */
  #readForOthers(recording: RecordingPages): void {
    try {
      readOpening(this.#taskFinder, () => this.vms.flatMap(({ task }) => task ?? []))
      readTables(this.host, recording.pfns)
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
    }
  }

  get #parts(): Linux {
    // Without this, the kernel would be searched for in pages that cannot be read any more.
    if (this.#linux === undefined && this.#isClosed) {
      throw new DumpError('closed', `the dump '${this.path}' was closed; open it again to ask it`)
    }
    if (this.#linux === undefined) {
      const host = new Host(this.memory, this.#given, this.#typeSource)
      this.#typeSource.files?.verify(host)
      this.#linux = new Linux(host)
    }
    return this.#linux
  }

  get #taskFinder(): Tasks<Vm> {
    return (this.#tasks ??= new Tasks<Vm>(this.#parts, (task) => this.#vmFinder.ofTask(task)))
  }

  get #back(): WayBack {
    return (this.#wayBack ??= new WayBack(this.#taskFinder, () => this.vms))
  }

  get #vmFinder(): Vms {
    return (this.#vms ??= new Vms(this.#taskFinder))
  }
}

/**
 * Opens the dump of a KVM host. The format is recognised by content, never by name: kdump-compressed and ELF, also
 * flattened, LiME, AVML, QEMU's migration streams and libvirt's save images. Raw memory is opened when `options` say so:
 * `{format: 'raw', base: '0x0'}`. A list of paths opens the parts of a split dump together, in any order. A pipe
 * (`/dev/stdin`) is read to its end into a temporary file first.
 * Throws DumpError when the file cannot be opened, and FormatError, naming every format that was looked for, when it
 * is none of them.
 */
export function openDump(path: string | readonly string[], options: OpenOptions = {}): HostDump {
  const paths: readonly unknown[] = Array.isArray(path) ? path : [path]
  if (!paths.every((one) => typeof one === 'string')) {
    throw new UsageError("openDump(path) takes the path of a dump: openDump('vmcore')")
  }
  const dump = new HostDump(path, options)
  for (const listener of listeners) listener(dump)
  return dump
}

const listeners = new Set<(dump: HostDump) => void>()

/** Tells `listener` of every dump that is opened from now on. Gives a function that ends it. */
export function onOpen(listener: (dump: HostDump) => void): () => void {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

/** Remarks that a dump without a kernel, or without types, cannot make: what misses them says so itself. */
function orNone(read: () => string | readonly string[]): readonly string[] {
  try {
    return [read()].flat()
  } catch (error) {
    if (error instanceof DumpError) return []
    throw error
  }
}

function describeVm(vm: Vm): string {
  return `${vm.name ?? 'unnamed'} (pid ${vm.task?.pid ?? 'gone'}, kvm ${hex(vm.address)})`
}

function checkLength(length: number): void {
  if (Number.isSafeInteger(length) && length >= 0 && length <= 0x40000000) return
  throw new UsageError(`a length of ${length} bytes cannot be read at once: wanted 0 to 1 GiB`)
}
