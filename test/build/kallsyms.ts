// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the symbol tables of a kernel of any era into memory (scripts/kallsyms.c), with the VMCOREINFO that leads there.

import { PhysicalMemory } from '../../core/space/physical.ts'
import { KernelSpace, TEXT_MAP } from '../../core/space/kva.ts'
import { BuiltMemory } from './memory.ts'

/** One symbol: its name, its type letter and its address. */
export type WrittenSymbol = readonly [name: string, letter: string, address: bigint]

/** How a kernel lays its tables out. */
export interface KallsymsEra {
  readonly name: string
  readonly rule: 'absolute' | 'absolute per-cpu' | 'relative' | 'place-relative'
  /** Addresses in front of the names (up to 6.3) or behind the tokens. */
  readonly order: 'addresses first' | 'addresses last'
  /** kallsyms_seqs_of_names, which nobody needs, between markers and tokens or last. */
  readonly sequences: 'none' | 'behind markers' | 'last'
  readonly align: 4 | 8
  readonly markerBytes: 4 | 8
  /** Whether lengths of 128 and more take two bytes. */
  readonly wide: boolean
}

/** Where the tables are written in the kernel image. */
export const tablesAt = TEXT_MAP + 0x1200000n
/** The first address of the image's text. */
export const stext = TEXT_MAP + 0x1000000n
/** An address in the data behind the tables. */
export const dataAt = TEXT_MAP + 0x1400000n

/** What was written: the memory, a space to read it through, and the lines of VMCOREINFO for the tables. */
export interface WrittenKallsyms {
  readonly memory: BuiltMemory
  readonly space: KernelSpace
  /** VMCOREINFO with the addresses of the tables, and as kernels before 6.0 wrote it, without. */
  readonly keys: string
  readonly noKeys: string
  /** The address of each table by its name, without `kallsyms_`. */
  readonly tables: ReadonlyMap<string, bigint>
}

// Tokens of several letters lie where no letter of a name does, as in every kernel.
const pairs = ['sym_', 'kvm_', 't_', 'Tk', 'init', 'mm_', 'page', '00', '_of', 'D_', 'tes']

function tokens(): string[] {
  return Array.from({ length: 256 }, (_, byte) => {
    if (byte > 0x20 && byte < 0x7f) return String.fromCharCode(byte)
    return pairs[byte < 0x20 ? byte : byte - 0x60] ?? `%${byte}`
  })
}

function compress(text: string, table: readonly string[]): number[] {
  const bytes: number[] = []
  for (let at = 0; at < text.length;) {
    let best = text.charCodeAt(at)
    let size = 1
    table.forEach((token, byte) => {
      if (token.length > size && text.startsWith(token, at)) [best, size] = [byte, token.length]
    })
    bytes.push(best)
    at += size
  }
  return bytes
}

/** Writes sorted symbols, `_stext` among them, as a kernel of an era keeps them. */
export function writeKallsyms(
  symbols: readonly WrittenSymbol[],
  era: KallsymsEra,
): WrittenKallsyms {
  const memory = new BuiltMemory()
  const tables = new Map<string, bigint>()
  let at = tablesAt
  const write = (name: string, bytes: Uint8Array): void => {
    at = (at + BigInt(era.align - 1)) & ~BigInt(era.align - 1)
    tables.set(name, at)
    memory.bytes(Number(at - TEXT_MAP), bytes)
    at += BigInt(bytes.length)
  }
  const alphabet = tokens()
  const names = symbols.map(([name, letter]) => compress(letter + name, alphabet))
  const places: number[] = []
  const stream: number[] = []
  names.forEach((bytes, i) => {
    if (i % 256 === 0) places.push(stream.length)
    if (bytes.length >= 0x80 && era.wide)
      stream.push(0x80 | (bytes.length & 0x7f), bytes.length >> 7)
    else stream.push(bytes.length)
    stream.push(...bytes)
  })

  const addresses = (): void => {
    writeAddresses(symbols, era, write, () => (at + BigInt(era.align - 1)) & ~BigInt(era.align - 1))
  }
  if (era.order === 'addresses first') addresses()
  write('num_syms', words([symbols.length], 4))
  write('names', Uint8Array.from(stream))
  write('markers', words(places, era.markerBytes))
  // Bytes that look like nothing: big-endian indexes of three bytes.
  const sequences = Uint8Array.from({ length: symbols.length * 3 }, (_, i) => (i * 7) & 0xff)
  if (era.sequences === 'behind markers') write('seqs_of_names', sequences)
  write('token_table', Buffer.from(alphabet.map((token) => `${token}\0`).join(''), 'latin1'))
  let start = 0
  const starts = alphabet.map((token) => {
    const from = start
    start += token.length + 1
    return from
  })
  write('token_index', Uint8Array.from(starts.flatMap((from) => [from & 0xff, from >> 8])))
  if (era.order === 'addresses last') addresses()
  if (era.sequences === 'last') write('seqs_of_names', sequences)

  const name = ['Linux', 'node', '1.2.3-test'].map((text) => text.padEnd(65, '\0')).join('')
  memory.bytes(Number(dataAt - TEXT_MAP), Buffer.from(name.padEnd(6 * 65, '\0')))
  const noKeys =
    `OSRELEASE=1.2.3-test\nSYMBOL(_stext)=${stext.toString(16)}\n` +
    `SYMBOL(init_uts_ns)=${dataAt.toString(16)}\nNUMBER(phys_base)=0\n`
  const lines = [...tables]
    .filter(([name]) => name !== 'markers' && name !== 'seqs_of_names')
    .map(([name, address]) => `SYMBOL(kallsyms_${name})=${address.toString(16)}\n`)
  const space = new KernelSpace(new PhysicalMemory(memory), 0n, 0x40000000n)
  return { memory, space, keys: noKeys + lines.join(''), noKeys, tables }
}

function writeAddresses(
  symbols: readonly WrittenSymbol[],
  { rule }: KallsymsEra,
  write: (name: string, bytes: Uint8Array) => void,
  here: () => bigint,
): void {
  if (rule === 'absolute') {
    const bytes = Buffer.alloc(symbols.length * 8)
    symbols.forEach(([, , address], i) => bytes.writeBigUInt64LE(address, i * 8))
    write('addresses', bytes)
    return
  }
  const base = stext
  const table = here()
  const offset = (address: bigint, i: number): bigint => {
    if (rule === 'place-relative') return address - (table + BigInt(i * 4))
    if (rule === 'relative') return address - base
    return address < TEXT_MAP ? address : base - 1n - address
  }
  const bytes = Buffer.alloc(symbols.length * 4)
  symbols.forEach(([, , address], i) => {
    bytes.writeUInt32LE(Number(BigInt.asUintN(32, offset(address, i))), i * 4)
  })
  write('offsets', bytes)
  if (rule === 'place-relative') return
  const baseBytes = Buffer.alloc(8)
  baseBytes.writeBigUInt64LE(base)
  write('relative_base', baseBytes)
}

function words(values: readonly number[], width: 4 | 8): Uint8Array {
  const bytes = Buffer.alloc(values.length * width)
  values.forEach((value, i) => bytes.writeUInt32LE(value, i * width))
  return bytes
}
