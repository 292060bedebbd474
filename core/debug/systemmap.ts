// SPDX-License-Identifier: GPL-2.0-or-later
// System.map, as `nm` lists a kernel's symbols (scripts/mksysmap), and copies of /proc/kallsyms, which look the same.

import { type FileBytes } from '../dump/file.ts'
import { FormatError } from '../errors.ts'
import { SymbolTable } from './symboltable.ts'

/** Those of large kernels have some 10 MiB. */
const MAX_BYTES = 128 << 20
const LINE = /^([0-9a-f]{8,16}) ([A-Za-z?]) (\S+)(?:\s+\[(\S+)\])?$/

/**
 * Reads a list of symbols. Those of modules, which /proc/kallsyms has, are left out. Throws FormatError, with the line,
 * when it is none, and when all addresses are zero: so /proc/kallsyms reads without the right to see them.
 */
export function readSystemMap(file: FileBytes): SymbolTable {
  if (file.size > MAX_BYTES) {
    throw new FormatError(`${file.name}: a System.map of ${file.size} bytes`, 'System.map')
  }
  const text = new TextDecoder('latin1').decode(file.read(0, file.size, 'the list of symbols'))
  const symbols: [string, bigint][] = []
  let isZero = true
  for (const [i, line] of text.split('\n').entries()) {
    if (line === '') continue
    const [, address, , name, module] = LINE.exec(line.trimEnd()) ?? []
    if (address === undefined || name === undefined) {
      const shown = JSON.stringify(line.slice(0, 60))
      throw new FormatError(
        `${file.name} is no System.map: line ${i + 1} is ${shown}, not an address, a letter and a name`,
        'System.map',
      )
    }
    if (module !== undefined) continue
    const value = BigInt(`0x${address}`)
    isZero &&= value === 0n
    symbols.push([name, value])
  }
  if (isZero) {
    throw new FormatError(
      `${file.name}: every address is zero; copy /proc/kallsyms as root, with kernel.kptr_restrict below 2`,
      'System.map',
    )
  }
  return new SymbolTable(symbols)
}
