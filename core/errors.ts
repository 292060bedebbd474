// SPDX-License-Identifier: GPL-2.0-or-later
// The errors that this library throws on purpose, as one tree with data beside the text.

import { hex } from './bytes/hex.ts'

/**
 * The root of everything that is thrown on purpose. `code` is stable and may be compared; the message is for people.
 */
export class DumpError extends Error {
  /** A stable word for this kind of error, such as `format` or `no-such-task`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** The file is not what it says it is: a field holds a value that cannot be. */
export class FormatError extends DumpError {
  /** The field that was read, with its structure: `disk_dump_header.block_size`. */
  readonly field: string
  /** Where it was read: an offset in the file, or an address. */
  readonly at: number | bigint | undefined

  constructor(message: string, field: string, at?: number | bigint) {
    super('format', message)
    this.field = field
    this.at = at
  }
}

/** The file is sound, but it needs something that is not built: a codec, a format version, an architecture. */
export class UnsupportedError extends DumpError {
  /** What is needed. */
  readonly feature: string

  constructor(message: string, feature: string) {
    super('unsupported', message)
    this.feature = feature
  }
}

/**
 * Why bytes could not be read.
 * - `hole`: the host has no memory at this physical address
 * - `excluded`: makedumpfile left the page out
 * - `lost`: the page should be in the file, but the file is cut off or incomplete
 * - `corrupt`: the page's data do not decode
 * - `unreadable`: the file has the page, but the system does not give it: an error of the disk or the network
 * - `swapped`: the page is on a swap device, and memory holds no copy of it
 * - `not-mapped`: no page table maps this virtual address
 * - `non-canonical`: the address cannot exist on x86-64
 */
export type FaultReason =
  | 'hole'
  | 'excluded'
  | 'lost'
  | 'corrupt'
  | 'unreadable'
  | 'swapped'
  | 'not-mapped'
  | 'non-canonical'

/** A read that met a page that is not there. Missing memory is never read as zeros. */
export class FaultError extends DumpError {
  /** The address space of `address`, such as `physical` or `kernel virtual`. */
  readonly space: string
  /** The address that could not be read. */
  readonly address: number | bigint
  /** Why. */
  readonly reason: FaultReason
  /** The reason in words, with numbers, without the address. */
  readonly detail: string
  /** How many bytes from the start of the read were good, when it went over several pages. */
  readonly good: number | undefined

  constructor(
    space: string,
    address: number | bigint,
    reason: FaultReason,
    detail: string,
    good?: number,
  ) {
    super('fault', `cannot read ${space} address ${hex(address)}: ${detail}`)
    this.space = space
    this.address = address
    this.reason = reason
    this.detail = detail
    this.good = good
  }

  /** True when the dump lacks a page, false when the address leads nowhere: a gap can be gone around, damage cannot. */
  get isGap(): boolean {
    return this.reason !== 'not-mapped' && this.reason !== 'non-canonical'
  }

  /** The same fault, with what the bytes were wanted for behind its text. */
  neededFor(what: string): FaultError {
    const detail = `${this.detail} (needed for ${what})`
    return new FaultError(this.space, this.address, this.reason, detail, this.good)
  }

  /** The same fault in a read of `length` bytes over several pages, of which the first `good` could be read. */
  after(good: number, length: number): FaultError {
    const detail = `${this.detail} (${good} of ${length} bytes before it are good)`
    return new FaultError(this.space, this.address, this.reason, detail, good)
  }
}

/** Reads, or gives the fault when the page is missing. What points nowhere is damage, and thrown. */
export function ifThere<T>(read: () => T): T | FaultError {
  try {
    return read()
  } catch (error) {
    if (error instanceof FaultError && error.isGap) return error
    throw error
  }
}

/** A symbol, type, member or other name is not in this dump. */
export class MissingError extends DumpError {
  /** What was looked for: `symbol`, `type`, `member` … */
  readonly kind: string
  /** Its name. */
  readonly missing: string
  /** Names that are there and look alike, nearest first. */
  readonly near: readonly string[]

  constructor(kind: string, missing: string, where: string, near: readonly string[] = []) {
    const hint = near.length > 0 ? `; near names: ${near.join(', ')}` : ''
    super('missing', `no ${kind} '${missing}' in ${where}${hint}`)
    this.kind = kind
    this.missing = missing
    this.near = near
  }
}

/** An argument cannot be used: says what was given and what is wanted. */
export class UsageError extends DumpError {
  constructor(message: string) {
    super('usage', message)
  }
}

/**
 * A task that does not exist, or that has no virtual machine to ask about.
 * The messages are those of the crash extension qemu-vtop of 2012, so that a search for them finds both.
 */
export class TaskError extends DumpError {
  /** What is wrong, the same as `code`. */
  readonly problem: TaskProblem

  constructor(problem: TaskProblem, message: string) {
    super(problem, message)
    this.problem = problem
  }
}

/** What can be wrong with a task: see the messages. */
export type TaskProblem =
  'no-such-task' | 'not-a-vmm' | 'no-vm' | 'no-memslots' | 'several-vms' | 'no-memory'

/** Structures of the dumped kernel contradict each other: a list with a cycle, an absurd count, a tree with a loop. */
export class CorruptError extends DumpError {
  /** The structure and member that was walked. */
  readonly structure: string
  /** The address where the walk stopped. */
  readonly address: number | bigint
  /** What is wrong, without structure and address. */
  readonly problem: string

  constructor(structure: string, address: number | bigint, problem: string) {
    super('corrupt-structure', `${structure} at ${hex(address)}: ${problem}`)
    this.structure = structure
    this.address = address
    this.problem = problem
  }

  /** The same, with what the structure was wanted for behind its text. */
  neededFor(what: string): CorruptError {
    return new CorruptError(this.structure, this.address, `${this.problem} (needed for ${what})`)
  }
}
