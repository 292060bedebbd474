// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks: results as plain data, ready to be drawn as HTML or text by who knows nothing of results.

import { type Chart } from './chart.ts'
import { type Tone } from './tone.ts'

/** A run of text. Text is as it should be read: names from a dump have been through `printable`. */
export interface Part {
  readonly text: string
  /** Drawn as a coloured square before the text; the text says the same in words. */
  readonly tone?: Tone
  /** `dim`: beside the point. `name`: a name that somebody gave. `code`: to be typed. */
  readonly look?: 'dim' | 'name' | 'code'
}

/** A bar of coloured pieces; its text tells the same. */
export interface Bar {
  readonly bar: readonly { readonly tone: Tone; readonly share: number }[]
  readonly text: string
}

/** A cell of a table: text, a part, a bar, or null for what is unknown or absent. */
export type Cell = string | Part | Bar | null

/** The answer in large letters: values with a small name above each. */
export interface AnswerBlock {
  readonly kind: 'answer'
  readonly values: readonly {
    readonly name: string
    readonly value: string
    readonly absent: boolean
  }[]
}

/** One line of facts, set off from each other. */
export interface LineBlock {
  readonly kind: 'line'
  readonly parts: readonly Part[]
}

/** A column of a table. Numbers and addresses stand right, names and flags left. */
export interface Column {
  readonly name: string
  readonly align: 'left' | 'right'
}

/** Rows that were left out of a table, where, and how to see them. */
export interface Cut {
  /** The number of rows shown before the gap. */
  readonly after: number
  /** How many rows are left out. */
  readonly hidden: number
  /** What to type to see all. */
  readonly all: string
}

/** A table. Totals in its caption are over all rows, also those that were cut. */
export interface TableBlock {
  readonly kind: 'table'
  /** The title with the true totals, or null. */
  readonly caption: string | null
  /** Said behind the title in a dim colour, or null. */
  readonly remark: string | null
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
  readonly cut: Cut | null
}

/** Names and values, one a line. */
export interface FieldsBlock {
  readonly kind: 'fields'
  readonly caption: string | null
  readonly fields: readonly {
    readonly name: string
    readonly value: Cell
    readonly remark?: string
  }[]
}

/** An address split into its bits. */
export interface BitsBlock {
  readonly kind: 'bits'
  /** What is split, and its value: `bits of hva`, `0x7f060cbe5840`. */
  readonly name: string
  readonly value: string
  readonly fields: readonly {
    /** The bits, high to low: `47:39`. */
    readonly bits: string
    readonly value: string
    readonly name: string
    /** A tone by rank, to follow a level into the table below; null for what is not used. */
    readonly tone: Tone | null
  }[]
}

/** Blocks behind a line that opens and closes. */
export interface DetailsBlock {
  readonly kind: 'details'
  readonly summary: string
  readonly open: boolean
  readonly blocks: readonly Block[]
}

/** A node of a tree: a member of a structure with its members. */
export interface TreeNode {
  readonly name: string
  /** Its value, or null when its children are it. */
  readonly value: string | null
  /** Said behind in a dim colour: type, address, size. */
  readonly remark: string | null
  readonly children: readonly TreeNode[]
  /** Children that were left out. */
  readonly hidden: number
  readonly open: boolean
}

/** A tree, such as a structure of the kernel. */
export interface TreeBlock {
  readonly kind: 'tree'
  readonly root: TreeNode
}

/** A remark in a dim colour. */
export interface NoteBlock {
  readonly kind: 'note'
  readonly text: string
}

/** A piece of a result. */
export type Block =
  | AnswerBlock
  | LineBlock
  | TableBlock
  | FieldsBlock
  | BitsBlock
  | DetailsBlock
  | TreeBlock
  | NoteBlock

/** A result, ready to be shown: the text twin, the blocks, and pictures that stand apart. */
export interface View {
  readonly text: string
  readonly blocks: readonly Block[]
  readonly charts: readonly Chart[]
}

/** What may be chosen when a result is shown. */
export interface ViewOptions {
  /** The most rows a table may have before it is cut; Infinity shows all. */
  readonly rows?: number
}
