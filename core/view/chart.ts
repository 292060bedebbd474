// SPDX-License-Identifier: GPL-2.0-or-later
// Pictures as data: what is to be drawn, with every number and word chosen, by whatever means.

import { type Memslot } from '../kvm/memslots/memslot.ts'
import { type Share } from '../kvm/share.ts'
import { type Label } from './label.ts'
import { type Tone } from './tone.ts'

/** A picture, told apart by `chart`. A new one is one more type here, and a file of its own that draws it. */
export type Chart = SlotMap | ShareBars | NodeBars | HeatMap | ExtentBars | ChangeBars

/** What a slot map is made of. Only slots of address space 0 are drawn, without deleted ones. */
export interface SlotMapInput {
  readonly slots: readonly {
    readonly slot: Memslot
    /** The bytes by state and page size, or null when nobody counted them. */
    readonly shares: readonly Pick<Share, 'state' | 'pageSize' | 'bytes'>[] | null
  }[]
  /** The map begins here instead of at 0. */
  readonly from?: number
  /** Addresses to point at, with what to write there: `gpa 0x34de5840`. */
  readonly marked: readonly { readonly gpa: number; readonly label: string }[]
}

/** A slot, or a run of small ones, as it is drawn from `from` to `to`. */
export interface SlotBox {
  readonly from: number
  readonly to: number
  /** Its name: `slot 6`, `slot 1 (firmware)`, or `12 slots`. */
  readonly name: string
  /** What it is for, where its place or its flags tell: `ROMs`; else null. */
  readonly purpose: string | null
  /** Addresses, the first and the last byte: `0x100000 – 0x7fffffff`. */
  readonly gpa: string
  readonly hva: string
  readonly size: string
  /** The state with most bytes. */
  readonly mostly: Tone
  /** Its pieces from the bottom up, as parts of its height. */
  readonly pieces: readonly {
    readonly bottom: number
    readonly top: number
    readonly tone: Tone
    readonly share: string
  }[]
}

/**
 * The layout of a slot map: all that is needed to draw it, in units along the line. A slot is 1 + log2(size / 4096)
 * units wide and a hole narrower, so that a 4 KiB slot can be seen beside one of 6 TiB.
 */
export interface SlotMap {
  readonly chart: 'slot-map'
  readonly title: string
  /** One sentence with the numbers, for those who do not see the picture. */
  readonly description: string
  readonly text: string
  /** The width of the line in units, and in pixels. */
  readonly units: number
  readonly pixels: number
  readonly boxes: readonly SlotBox[]
  readonly holes: readonly {
    readonly from: number
    readonly to: number
    readonly gpa: string
    readonly size: string
    /** What the addresses are for on a PC, `PCI hole`; null when their place does not tell. */
    readonly name: string | null
  }[]
  /** Addresses under the line; one is shown from the zoom on at which it has room. */
  readonly labels: readonly Label[]
  readonly marks: readonly { readonly at: number; readonly label: string }[]
  /** The tones that occur, in the order of a legend. */
  readonly tones: readonly Tone[]
}

/** Bars of 100 %, one for each group of rows: how much of it is in which state. */
export interface ShareBars {
  readonly chart: 'share-bars'
  readonly title: string
  readonly subtitle: string
  /** One sentence with the numbers, for those who do not see the picture. */
  readonly description: string
  readonly text: string
  readonly pieces: readonly {
    /** The group: `all 10,000 rows`, `slot 3, 512 rows`. */
    readonly group: string
    readonly tone: Tone
    /** Where the piece begins and ends, in per cent. */
    readonly from: number
    readonly to: number
    /** The same in words: `512 rows, 51.2 %`. */
    readonly share: string
  }[]
  /** The tones that occur, in the order of a legend. */
  readonly tones: readonly Tone[]
}

/** The bytes on each NUMA node of the host, stacked by page size. */
export interface NodeBars {
  readonly chart: 'node-bars'
  readonly title: string
  /** One sentence with the numbers, for those who do not see the picture. */
  readonly description: string
  readonly text: string
  /** What lengths are counted in: `GiB`. */
  readonly unit: string
  readonly pieces: readonly {
    /** `node 0`. */
    readonly node: string
    readonly tone: Tone
    /** Where the piece begins and ends, in units. */
    readonly from: number
    readonly to: number
    readonly size: string
  }[]
  /** One for each node, those without bytes too: where its bar ends, and what to write there. */
  readonly ends: readonly { readonly node: string; readonly at: number; readonly label: string }[]
  readonly tones: readonly Tone[]
}

/** Guest memory as a grid of cells of one size, 64 in a row. */
export interface HeatMap {
  readonly chart: 'heat-map'
  readonly title: string
  readonly subtitle: string
  readonly description: string
  readonly text: string
  /** Bytes of a cell. */
  readonly cell: number
  /** The first address of each row. Rows without memory are left out. */
  readonly rows: readonly number[]
  /** Rows in front of which addresses are left out. */
  readonly jumps: readonly number[]
  /** A letter for each cell, row by row: the number of its tone in `tones` (0 to 9), or `-` for no memory. */
  readonly states: string
  /** The share of that tone in its cell in tenths, 1 to 9 and `a` for all of it; `-` for no memory. */
  readonly shares: string
  /** The tones that occur, in the order of a legend. */
  readonly tones: readonly Tone[]
}

/** How contiguous memory is: bars by length of run. */
export interface ExtentBars {
  readonly chart: 'extent-bars'
  readonly title: string
  readonly subtitle: string
  readonly description: string
  readonly text: string
  readonly bars: readonly {
    /** The shortest run of the class: `4K`, `2M`. */
    readonly from: string
    readonly percent: number
    /** The same in words: `<0.1 %`. */
    readonly share: string
    readonly runs: string
    readonly size: string
    /** What stands above the bar: the number of runs, `22k`. */
    readonly label: string
  }[]
}

/** Two guests, or one in two dumps: a bar of memory by state for each on one axis, and below the change of each state. */
export interface ChangeBars {
  readonly chart: 'change-bars'
  readonly title: string
  readonly subtitle: string
  readonly description: string
  readonly text: string
  /** What lengths are counted in: `GiB`. */
  readonly unit: string
  readonly pieces: readonly {
    /** The bar: `A vmcore.0931`, and below it `B vmcore.1044`. Both have pieces. */
    readonly side: string
    readonly tone: Tone
    /** Where the piece begins and ends, in units. */
    readonly from: number
    readonly to: number
    readonly size: string
  }[]
  /** The change from A to B of each tone that occurs, in the order of a legend. */
  readonly changes: readonly {
    readonly tone: Tone
    /** In units, below 0 where B has less. */
    readonly by: number
    /** What stands at the end of the bar, with its sign: `+2.19`, `\u22120.60`, `0`. */
    readonly label: string
    /** Both sides and the change in words. */
    readonly sizes: readonly [first: string, second: string, change: string]
  }[]
  /** The tones that occur, in the order of a legend. */
  readonly tones: readonly Tone[]
}
