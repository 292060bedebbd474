// SPDX-License-Identifier: GPL-2.0-or-later
// The answer of the way back for one host physical address.

import { hex } from '../bytes/hex.ts'
import { type Page } from '../linux/page.ts'
import { type FrameFacts, type OwnerKind, type GuestOwner, type ProcessOwner } from './frame.ts'
import { whoHasJson, type WhoHasJson } from './json.ts'
import { type CachedFile, type FreeBlock, type SlabFrame } from './kernelpage.ts'
import { describeGuestOwner } from './owners.ts'
import { answerOf, describeProcess } from './words.ts'

const MOST_LINES = 20

/** Who has the frame of a host physical address. Immutable. What each fact is, `FrameFacts` says. */
export class WhoHas implements FrameFacts {
  readonly hpa: number
  readonly kind: OwnerKind
  readonly guests: readonly GuestOwner[]
  readonly processes: readonly ProcessOwner[]
  readonly file: CachedFile | null
  readonly slab: SlabFrame | null
  readonly free: FreeBlock | null
  readonly page: Page | null
  readonly resources: readonly string[]
  readonly how: readonly string[]
  readonly remarks: readonly string[]

  /** @internal */
  constructor(facts: FrameFacts) {
    this.hpa = facts.hpa
    this.kind = facts.kind
    this.guests = Object.freeze([...facts.guests])
    this.processes = Object.freeze([...facts.processes])
    this.file = facts.file
    this.slab = facts.slab
    this.free = facts.free
    this.page = facts.page
    this.resources = Object.freeze([...facts.resources])
    this.how = Object.freeze([...facts.how])
    this.remarks = Object.freeze([...facts.remarks])
    Object.freeze(this)
  }

  /** The frame's number. */
  get pfn(): number {
    return Math.floor(this.hpa / 4096)
  }

  /** True when the kernel took the frame out of use because of a memory error. */
  get isPoisoned(): boolean {
    return this.page?.isPoisoned === true
  }

  /** The answer in one sentence. */
  get answer(): string {
    return answerOf(this)
  }

  /** The answer, the owners, and how it was found, line by line. */
  toString(): string {
    const owners = [...this.guests.map(describeGuestOwner), ...this.processes.map(describeProcess)]
    const shown = owners.slice(0, MOST_LINES).map((line) => `  ${line}`)
    const more = owners.length > MOST_LINES ? [`  and ${owners.length - MOST_LINES} more`] : []
    return [
      `hpa ${hex(this.hpa)}: ${this.answer}`,
      ...(owners.length > 1 && this.kind !== 'zero' ? [...shown, ...more] : []),
      ...this.how.map((step, i) => `  ${i + 1}. ${step}`),
      ...this.remarks.map((remark) => `  not known: ${remark}`),
    ].join('\n')
  }

  /** Addresses as `0x…` texts. */
  toJSON(): WhoHasJson {
    return whoHasJson(this)
  }

  /** What console.log prints. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}
