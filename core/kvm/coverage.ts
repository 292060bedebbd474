// SPDX-License-Identifier: GPL-2.0-or-later
// What backs a guest's memory: the bytes of each memslot and of the whole guest, counted.

import { formatSize, hex, parseAddress } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { DumpError, FaultError, UsageError } from '../errors.ts'
import { type FrameTable } from '../linux/frametable.ts'
import { type Linux } from '../linux/linux.ts'
import { withProgress } from '../progress.ts'
import { type UserSpace } from '../space/uva.ts'
import { Cells } from './cells.ts'
import { PageCounter, Problems } from './counting.ts'
import { type ExtentClass, ExtentCounter } from './extents.ts'
import { type PrivateVisitor } from './guestmemfd.ts'
import { type LostMemslot, type Memslot, type MemslotList } from './memslots/memslot.ts'
import { countedState, groupShares, keyOf, type Share, type ShareGroup } from './share.ts'
import { type ShareKey, shareKeys, Tally } from './share.ts'

/** What is asked of `vm.coverage`. */
export interface CoverageOptions {
  /** Only guest physical addresses from this one on; a bigint, a number or hex text. */
  readonly from?: bigint | number | string
  /** Only guest physical addresses below this one. */
  readonly to?: bigint | number | string
  /** False: page tables alone are read, and neither kinds nor NUMA nodes are told. For very large guests. */
  readonly pages?: boolean
}

/** A memslot, or the part of it that was asked for, and what its bytes come to. */
export interface SlotCoverage {
  readonly slot: Memslot
  /** The first guest physical address that was counted. */
  readonly gpa: number
  /** How many bytes were counted from there on. */
  readonly bytes: number
  readonly shares: readonly Share[]
  readonly extents: readonly ExtentClass[]
}

/** A summary of a coverage for JSON: bytes by state. */
export interface CoverageJson {
  readonly vm: string | null
  readonly from: string
  readonly to: string
  readonly bytes: number
  readonly states: Readonly<Record<string, number>>
}

/** What of a virtual machine is counted. */
export interface CoveredGuest {
  readonly name: string | null
  readonly linux: Linux
  readonly memslots: MemslotList
  readonly userSpace: UserSpace
  scanPrivate(slot: Memslot, gpa: number, pages: number, visit: PrivateVisitor): void
  checkAlive(): void
}

/** The highest guest physical address of x86-64 has 52 bits. */
const GPA_END = 2 ** 52

interface Parts {
  readonly name: string | null
  readonly range: readonly [from: number, to: number]
  readonly slots: readonly SlotCoverage[]
  readonly whole: Tally
  readonly extents: ExtentCounter
  readonly cells: Cells
  readonly lost: readonly LostMemslot[]
  readonly remarks: readonly string[]
  readonly nodes: readonly number[]
  readonly hasPages: boolean
}

/** What backs a guest's memory in address space 0. Made by `vm.coverage()`. */
export class Coverage {
  /** The guest's name, or null. */
  readonly name: string | null
  /** Guest physical addresses from `from` to below `to` were asked for. */
  readonly from: number
  readonly to: number
  /** The memslots in the order of gpa. */
  readonly slots: readonly SlotCoverage[]
  /** The bytes of all of them, each counted once. */
  readonly shares: readonly Share[]
  /** Runs of frames that follow each other as the guest's pages do, by their length. A run ends with its memslot. */
  readonly extents: readonly ExtentClass[]
  /** The same memory in at most 2,048 cells. */
  readonly cells: Cells
  /** Memslots that the dump lacks: nobody knows what backs them. Empty for a whole dump. */
  readonly lost: readonly LostMemslot[]
  /** What could not be counted and why, one sentence each; empty when nothing is wrong. */
  readonly remarks: readonly string[]
  /** The NUMA nodes of the host that have memory. */
  readonly nodes: readonly number[]
  /** Whether kinds and nodes were looked up. */
  readonly hasPages: boolean

  /** @internal Use `vm.coverage()`. */
  constructor(parts: Parts) {
    this.name = parts.name
    ;[this.from, this.to] = parts.range
    this.slots = Object.freeze(parts.slots)
    this.shares = Object.freeze(parts.whole.shares())
    this.extents = Object.freeze(parts.extents.classes())
    this.cells = parts.cells
    this.lost = Object.freeze(parts.lost)
    this.remarks = Object.freeze(parts.remarks)
    this.nodes = Object.freeze(parts.nodes)
    this.hasPages = parts.hasPages
    Object.freeze(this)
  }

  /** The number of bytes that were counted. */
  get bytes(): number {
    return this.slots.reduce((sum, slot) => sum + slot.bytes, 0)
  }

  /**
   * The bytes by some of `state`, `pageSize`, `protNone`, `kind`, `node`, `inDump`, most first:
   * `vm.coverage().groupBy('node', 'pageSize')`.
   */
  groupBy(...keys: ShareKey[]): ShareGroup[] {
    const wrong = keys.find((key) => !shareKeys.includes(key))
    if (wrong !== undefined || keys.length === 0) {
      const given = wrong === undefined ? 'nothing' : `'${wrong}'`
      throw new UsageError(`groupBy(...keys) takes ${shareKeys.join(', ')}; not ${given}`)
    }
    return groupShares(this.shares, keys)
  }

  /** What console.log prints. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const states = this.groupBy('state').map(
      ({ state, bytes }) => `${state ?? ''} ${formatSize(bytes)}`,
    )
    return `Coverage of ${this.name ?? 'a guest'}: ${states.join(', ')}`
  }

  /** A summary: bytes by state. */
  toJSON(): CoverageJson {
    const states = this.groupBy('state').map(({ state, bytes }) => [state, bytes] as const)
    return {
      vm: this.name,
      from: hex(this.from),
      to: hex(this.to),
      bytes: this.bytes,
      states: Object.fromEntries(states) as Record<string, number>,
    }
  }
}

/**
 * Counts a guest. Reads each page table once, and each page of the array of struct page once that tells of its frames.
 * What the dump lacks is counted as such, and told in `remarks`.
 */
export function coverageOf(vm: CoveredGuest, options: CoverageOptions = {}): Coverage {
  vm.checkAlive()
  const range = rangeOf(options)
  const pieces = piecesIn(vm.memslots, range)
  const total = pieces.reduce((sum, { bytes }) => sum + bytes / PAGE_SIZE, 0)
  const problems = new Problems()
  const isPart = range[0] > 0 || range[1] < GPA_END
  const stretches = pieces.map(({ gpa, bytes }) => ({ gpa, size: bytes }))
  const cells = new Cells(stretches, isPart)
  const whole = new Tally()
  const extents = new ExtentCounter()
  const space = spaceOf(vm, problems, total)
  const frames = options.pages === false ? undefined : framesOf(vm.linux, problems, total)
  const label = `counting ${vm.name ?? 'the guest'}`
  const slots = withProgress({ label, unit: 'pages', total }, (advance) =>
    pieces.map(({ slot, gpa, bytes }): SlotCoverage => {
      const npages = bytes / PAGE_SIZE
      let tally = new Tally()
      let runs = new ExtentCounter()
      if (space === undefined) {
        tally.add(keyOf(NOT_IN_DUMP), npages)
        cells.add(gpa, npages, NOT_IN_DUMP)
      } else {
        const counter = new PageCounter(vm.linux, space, problems, advance, { frames, cells })
        const vpn = Number((BigInt.asUintN(64, slot.hva) + BigInt(gpa - slot.gpa)) >> 12n)
        const isMixed = slot.flags.includes('GUEST_MEMFD')
        const scanPrivate = (visit: PrivateVisitor): void => {
          vm.scanPrivate(slot, gpa, npages, visit)
        }
        counter.count({ gpa, vpn, npages, scanPrivate: isMixed ? scanPrivate : undefined })
        tally = counter.tally
        runs = counter.extents
      }
      whole.addAll(tally)
      extents.addAll(runs)
      const shares = Object.freeze(tally.shares())
      return Object.freeze({ slot, gpa, bytes, shares, extents: Object.freeze(runs.classes()) })
    }),
  )
  const lost = vm.memslots.lost.filter((slot) => slot.addressSpace === 0)
  return new Coverage({
    ...{ name: vm.name, range, slots, whole, extents, cells, lost },
    remarks: problems.remarks(),
    nodes: frames === undefined ? [] : vm.linux.nodes,
    hasPages: frames !== undefined,
  })
}

const NOT_IN_DUMP = countedState('not-in-dump')

/** Undefined when the dump lacks what tells where the page tables are. */
function spaceOf(vm: CoveredGuest, problems: Problems, pages: number): UserSpace | undefined {
  try {
    return vm.userSpace
  } catch (error) {
    // What no dump could have is damage, not a gap.
    if (!(error instanceof FaultError) || !error.isGap) throw error
    problems.note('where the page tables are is not in the dump', pages, () => error.message)
    return undefined
  }
}

/** Undefined when this kernel's struct page is not known. */
function framesOf(linux: Linux, problems: Problems, pages: number): FrameTable | undefined {
  try {
    return linux.frames
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    const what = 'neither what their frames are used for nor their nodes can be told'
    problems.note(what, pages, () => error.message)
    return undefined
  }
}

function rangeOf({ from = 0, to = GPA_END }: CoverageOptions): [from: number, to: number] {
  const [first, end] = [from, to].map((given) => {
    const address = parseAddress(given)
    if (address !== undefined && address >= 0n && address <= BigInt(GPA_END)) return Number(address)
    const wanted = 'guest physical addresses: bigint, number or hex text'
    throw new UsageError(`vm.coverage({from, to}) takes ${wanted}; not '${String(given)}'`)
  })
  if (first === undefined || end === undefined || first >= end) {
    throw new UsageError('vm.coverage({from, to}) needs `to` above `from`')
  }
  return [Math.floor(first / PAGE_SIZE) * PAGE_SIZE, Math.ceil(end / PAGE_SIZE) * PAGE_SIZE]
}

function piecesIn(memslots: readonly Memslot[], [from, to]: readonly [number, number]) {
  return memslots.flatMap((slot) => {
    if (slot.addressSpace !== 0 || slot.invalid) return []
    const gpa = Math.max(from, slot.gpa)
    const end = Math.min(to, slot.gpa + slot.size)
    return gpa < end ? [{ slot, gpa, bytes: end - gpa }] : []
  })
}
