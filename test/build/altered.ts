// SPDX-License-Identifier: GPL-2.0-or-later
// A dump with something taken out or put in: notes, phys_base, single pages.

import { type Missing, type Note, type PageSource } from '../../core/dump/format.ts'

/** What is to be other than in the source. A page of `pages` stands in place of the source's. */
export interface Alterations {
  readonly notes?: readonly Note[]
  readonly vmcoreinfo?: string | undefined
  readonly physBase?: bigint | undefined
  readonly pages?: (pfn: number) => Uint8Array | undefined
}

/** Another source's pages, altered. */
export class AlteredPages implements PageSource {
  readonly facts: PageSource['facts']
  readonly endPfn: number
  readonly notes: readonly Note[]
  readonly vmcoreinfo: string | undefined
  /** The frames that were asked for. */
  readonly read = new Set<number>()
  readonly #source: PageSource
  readonly #pages: ((pfn: number) => Uint8Array | undefined) | undefined

  constructor(source: PageSource, alterations: Alterations) {
    const { physBase, ...facts } = source.facts
    const base = 'physBase' in alterations ? alterations.physBase : physBase
    this.facts = base === undefined ? facts : { ...facts, physBase: base }
    this.endPfn = source.endPfn
    this.notes = alterations.notes ?? source.notes
    this.vmcoreinfo = 'vmcoreinfo' in alterations ? alterations.vmcoreinfo : source.vmcoreinfo
    this.#source = source
    this.#pages = alterations.pages
  }

  page(pfn: number): Uint8Array | Missing {
    this.read.add(pfn)
    return this.#pages?.(pfn) ?? this.#source.page(pfn)
  }

  close(): void {
    this.#source.close()
  }
}
