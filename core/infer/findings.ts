// SPDX-License-Identifier: GPL-2.0-or-later
// What inference found: each member with its place and the count of what agreed, or why none was chosen.

import { DumpError } from '../errors.ts'

/** A member that was looked for. */
export interface Finding {
  /** `task_struct.comm`. */
  readonly member: string
  /** The offset in bytes; undefined when it was refused. */
  readonly offset: number | undefined
  /** Its type in a few words: `ptr`, `u32`, `char[16]`, `struct list_head`. */
  readonly type: string
  /** How many objects agreed with this place, and how many contradicted it. */
  readonly agreed: number
  readonly against: number
  /** What had to hold, with the counts; for a refused member the candidates and the reason. */
  readonly evidence: string
}

/** A place that may be the member's. */
export interface Candidate {
  readonly offset: number
  readonly agreed: number
  readonly against: number
}

/** How a member is chosen among candidates. */
export interface Rule {
  /** What the count counts: `tasks`, `files`. */
  readonly of: string
  /** What holds at the right place, as a sentence's end: `comm is printable`. */
  readonly evidence: string
  /** So many must agree; 1 unless told. */
  readonly atLeast?: number
  /** The part of all that may contradict: a dump is taken while things change. 0 unless told. */
  readonly tolerance?: number
}

/** A step of inference cannot go on. */
export class Refused extends DumpError {
  constructor(reason: string) {
    super('refused', reason)
  }
}

/** Collects findings. */
export class Findings {
  readonly #members = new Map<string, Finding>()
  readonly #sizes = new Map<string, number>()

  /** All members that were looked for, in the order of the search. */
  get all(): readonly Finding[] {
    return [...this.#members.values()]
  }

  get sizes(): ReadonlyMap<string, number> {
    return this.#sizes
  }

  get(member: string): Finding | undefined {
    return this.#members.get(member)
  }

  /** The offset of a member that was found. Throws Refused when it was not. */
  at(member: string): number {
    const finding = this.#members.get(member)
    if (finding?.offset !== undefined) return finding.offset
    const reason = finding === undefined ? '' : `: ${finding.evidence}`
    throw new Refused(`it needs ${member}, which was not found${reason}`)
  }

  /** Says how large a struct is. */
  size(struct: string, bytes: number): void {
    this.#sizes.set(struct, bytes)
  }

  add(member: string, type: string, candidate: Candidate, rule: Rule): number {
    const { offset, agreed, against } = candidate
    const evidence = `${rule.evidence}: agreed ${agreed} of ${agreed + against} ${rule.of}`
    this.#members.set(member, { member, offset, type, agreed, against, evidence })
    return offset
  }

  /** Leaves a member open, with the reason. A finding stays. */
  refuse(member: string, type: string, reason: string): void {
    if (this.#members.get(member)?.offset !== undefined) return
    const none = { offset: undefined, agreed: 0, against: 0 }
    this.#members.set(member, { member, type, evidence: reason, ...none })
  }

  /** A part of a step that the rest does not need: when it is refused, that is told by its members alone. */
  attempt<T>(part: () => T): T | undefined {
    try {
      return part()
    } catch (error) {
      if (error instanceof Refused) return undefined
      throw error
    }
  }

  /**
   * Takes the one candidate that fits; of several the one that is contradicted less than each other and agrees no less.
   * When there is none, the member is refused with the candidates' counts, and Refused is thrown.
   */
  choose(member: string, type: string, candidates: Iterable<Candidate>, rule: Rule): number {
    const { atLeast = 1, tolerance = 0 } = rule
    // Several searches can name the same place; what agreed best counts.
    const best = new Map<number, Candidate>()
    for (const one of candidates) {
      const known = best.get(one.offset)
      if (known === undefined || one.agreed - one.against > known.agreed - known.against) {
        best.set(one.offset, one)
      }
    }
    const all = [...best.values()]
    const fits = all.filter(
      ({ agreed, against }) => agreed >= atLeast && against <= tolerance * (agreed + against),
    )
    const only = fits.find((one) => fits.every((other) => one === other || isBetter(one, other)))
    if (only !== undefined) return this.add(member, type, only, rule)
    const shown = (fits.length > 0 ? fits : all.filter(({ agreed }) => agreed > 0))
      .sort((a, b) => b.agreed - a.agreed)
      .slice(0, 6)
      .map((one) => `${one.offset} (agreed ${one.agreed} of ${one.agreed + one.against})`)
    const said =
      shown.length === 0 ? 'no place agreed with anything' : `candidates ${shown.join(', ')}`
    const problem = fits.length > 1 ? 'several places fit' : 'no place fits'
    const reason = `${problem} (${rule.evidence}, by ${rule.of}): ${said}`
    this.refuse(member, type, reason)
    throw new Refused(`${member}: ${reason}`)
  }

  /** Takes each of several members whose places only together agree with anything, as `choose` does. */
  chooseTogether<K extends string>(
    tried: readonly Tried<K>[],
    members: Readonly<Record<K, readonly [member: string, type: string]>>,
    rule: Rule,
  ): Record<K, number> {
    const places: Partial<Record<K, number>> = {}
    for (const part in members) {
      const [member, type] = members[part]
      const candidates = tried.map(({ form, fit }) => ({ ...fit, offset: form[part] }))
      places[part] = this.choose(member, type, candidates, rule)
    }
    return places as Record<K, number>
  }
}

/** Places of several members that were tried together. */
export interface Tried<K extends string> {
  readonly form: Readonly<Record<K, number>>
  readonly fit: Candidate
}

function isBetter(one: Candidate, other: Candidate): boolean {
  return one.against < other.against && one.agreed >= other.agreed
}

/** The offsets from `from` up to `end`, `step` apart. */
export function* offsets(end: number, step: number, from = 0): Generator<number> {
  for (let offset = from; offset + step <= end; offset += step) yield offset
}

/** Counts for how many of `subjects` a test holds; undefined leaves one out. Stops early when most contradict. */
export function count<T>(
  offset: number,
  subjects: Iterable<T>,
  test: (subject: T) => boolean | undefined,
): Candidate {
  let agreed = 0
  let against = 0
  for (const subject of subjects) {
    const holds = test(subject)
    if (holds === undefined) continue
    if (holds) agreed++
    else against++
    // Hopeless: nobody needs the whole count.
    if (against > 8 && against > agreed) break
  }
  return { offset, agreed, against }
}
