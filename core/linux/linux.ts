// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of the dumped kernel that can be asked, each made when it is first needed.

import { Files } from './file.ts'
import { FilterDamage } from './filterdamage.ts'
import { FrameTable } from './frametable.ts'
import { type Host } from './host.ts'
import { nodesOf } from './nodes.ts'
import { Pages } from './page.ts'
import { Swap } from './swap/swap.ts'
import { SwapContents } from './swap/swapcontent.ts'
import { UserContents } from './usercontent.ts'
import { Vmas } from './vma.ts'

/** Files, VMAs, pages and swap of one host, over one `Host`. */
export class Linux {
  readonly host: Host
  /** What an old makedumpfile left out of this dump by mistake; undefined for a dump that cannot have this damage. */
  readonly damage: FilterDamage | undefined
  #files: Files | undefined
  #vmas: Vmas | undefined
  #pages: Pages | undefined
  #frames: FrameTable | undefined
  #nodes: readonly number[] | undefined
  #swap: Swap | undefined
  #swapContents: SwapContents | undefined
  #contents: UserContents | undefined

  constructor(host: Host) {
    this.host = host
    const damage = FilterDamage.of(host, () => this.pages)
    this.damage = damage
    if (damage !== undefined) host.memory.explainMissing((pfn, why) => damage.explain(pfn, why))
  }

  /** Open files and paths. */
  get files(): Files {
    return (this.#files ??= new Files(this.host))
  }

  /** Virtual memory areas. */
  get vmas(): Vmas {
    return (this.#vmas ??= new Vmas(this.host, this.files))
  }

  /** The array of struct page. */
  get pages(): Pages {
    return (this.#pages ??= new Pages(this.host, this.files.paths))
  }

  /** Nodes and kinds of many frames. */
  get frames(): FrameTable {
    return (this.#frames ??= new FrameTable(this.host, this.pages))
  }

  /** The NUMA nodes that have memory. */
  get nodes(): readonly number[] {
    return (this.#nodes ??= Object.freeze(nodesOf(this.host)))
  }

  /** Swap devices and entries. */
  get swap(): Swap {
    return (this.#swap ??= new Swap(this.host, this.files, this.pages))
  }

  /** The content of swapped pages. */
  get swapContents(): SwapContents {
    return (this.#swapContents ??= new SwapContents(this.host, this.swap, this.pages))
  }

  /** The content of the pages of processes, wherever it is. */
  get contents(): UserContents {
    return (this.#contents ??= new UserContents(this))
  }
}
