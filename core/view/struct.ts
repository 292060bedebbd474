// SPDX-License-Identifier: GPL-2.0-or-later
// A raw structure of the dumped kernel as a tree of its members.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { DumpError, UsageError } from '../errors.ts'
import { type Block, type TreeNode, type View, type ViewOptions } from './block.ts'
import { count, has } from './table.ts'
import { textOf } from './text.ts'

/** What is asked of a raw structure. Its own names begin with `$`, which names in the kernel do not. */
export interface RawStruct {
  readonly $addr: bigint
  /** The C name; empty when it has none. */
  readonly $type: string
  readonly $size: number
  /** A member of eight bytes as it is; throws UsageError for others. */
  $ptr(member: string): bigint
}

/** True for a raw structure, whose class has a getter for each member. */
export function isRawStruct(value: object): value is RawStruct {
  return has(value, '$addr', '$type', '$size', '$ptr')
}

/** So many nodes at most: a task_struct has 300 members, and each of its structures more. */
const MOST_NODES = 200
const DEEPEST = 3
/** Structures of so many members are shown in one line. */
const SMALL = 2

/** A raw structure: its members open, what lies within them closed. */
export function structView(value: RawStruct, options: ViewOptions = {}): View {
  const budget = { left: options.rows ?? MOST_NODES }
  const root = structNode(value.$type || 'struct', value, 0, budget)
  const blocks: Block[] = [{ kind: 'tree', root }]
  if (root.hidden > 0) {
    blocks.push({ kind: 'note', text: 'all members: show(value, { rows: Infinity })' })
  }
  return { text: textOf(blocks), blocks, charts: [] }
}

function structNode(
  name: string,
  value: RawStruct,
  depth: number,
  budget: { left: number },
): TreeNode {
  const members = depth < DEEPEST ? membersOf(value) : []
  // The members of this structure come first; what is left goes to those within.
  const shown = members.slice(0, Math.max(0, budget.left))
  budget.left -= shown.length
  const type = depth === 0 || value.$type === '' ? '' : `${value.$type} `
  return {
    name: printable(name),
    value: null,
    remark: `${printable(type)}at ${hex(value.$addr)}, ${count(value.$size, 'byte')}`,
    children: shown.map((member) => memberNode(value, member, depth + 1, budget)),
    hidden: members.length - shown.length,
    open: depth === 0,
  }
}

/** The names of the getters that the class of this structure has. */
function membersOf(value: RawStruct): string[] {
  const names = Object.keys(Object.getPrototypeOf(value) as object)
  return names.filter((name) => !name.startsWith('$'))
}

function memberNode(
  outer: RawStruct,
  member: string,
  depth: number,
  budget: { left: number },
): TreeNode {
  const leaf = { name: printable(member), remark: null, children: [], hidden: 0, open: false }
  try {
    const value: unknown = Reflect.get(outer, member)
    if (value === null) return { ...leaf, value: 'NULL' }
    if (isStruct(value)) {
      if (!isPointer(outer, member, value)) return heldNode(member, value, depth, budget)
      return { ...leaf, value: `(${printable(value.$type || 'struct')} *) ${hex(value.$addr)}` }
    }
    return { ...leaf, value: isList(value) ? itemsOf(value) : scalarText(value) }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    return { ...leaf, value: '-', remark: printable(error.message, 120) }
  }
}

/** A structure within another; a small one, such as atomic_t or list_head, in its outer one's line. */
function heldNode(
  member: string,
  value: RawStruct,
  depth: number,
  budget: { left: number },
): TreeNode {
  const names = membersOf(value)
  if (names.length > SMALL) return structNode(member, value, depth, budget)
  const held = names.map((name) => memberNode(value, name, DEEPEST, { left: 0 }))
  const text = held.map((node) => `${node.name}: ${node.value ?? '{…}'}`).join(', ')
  const remark = value.$type === '' ? null : printable(value.$type)
  return {
    name: printable(member),
    value: `{${text}}`,
    remark,
    children: [],
    hidden: 0,
    open: false,
  }
}

/** A member that reads as a structure holds it, or points at it: then its eight bytes are that address. */
function isPointer(outer: RawStruct, member: string, value: RawStruct): boolean {
  try {
    return outer.$ptr(member) === value.$addr
  } catch (error) {
    if (error instanceof UsageError) return false
    throw error
  }
}

function isList(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value
}

function isStruct(value: unknown): value is RawStruct {
  return typeof value === 'object' && value !== null && isRawStruct(value)
}

/** The first elements of an array, and that there are more. */
function itemsOf(items: Iterable<unknown>): string {
  const texts: string[] = []
  try {
    for (const item of items) {
      if (texts.length === 8) return `[${texts.join(', ')}, …]`
      texts.push(isStruct(item) ? `@ ${hex(item.$addr)}` : scalarText(item))
    }
  } catch (error) {
    if (!(error instanceof DumpError)) throw error
    texts.push('not readable')
  }
  return `[${texts.join(', ')}]`
}

/** Small numbers in decimal, larger ones in hex with decimal behind, addresses in hex only. */
function scalarText(value: unknown): string {
  if (typeof value === 'string') return `"${printable(value)}"`
  if (value === null) return 'NULL'
  if (typeof value === 'boolean') return String(value)
  if (typeof value !== 'number' && typeof value !== 'bigint') return '{…}'
  const size = value < 0 ? -value : value
  if (size < 256) return value.toString()
  return size < 2 ** 32 ? `${hex(value)} (${value.toString()})` : hex(value)
}
