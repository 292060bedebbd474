// SPDX-License-Identifier: GPL-2.0-or-later
// A real dump as that of a kernel which does not describe itself: its BTF and its symbol table blanked in memory.

import { type PageSource } from '../../core/dump/format.ts'
import { openPages } from '../../core/dump/open.ts'
import { type Host } from '../../core/linux/host.ts'
import { TEXT_MAP } from '../../core/space/kva.ts'
import { type Symbols } from '../../core/symbols/table.ts'
import { AlteredPages } from './altered.ts'

/** Tokens of kallsyms that every kernel has in a row; a table without them is none. */
const DIGITS = '0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00'

/** Where the dumped kernel keeps its types: the host physical address of the first byte, and their bytes. */
export function ownBtf(host: Host): { hpa: number; bytes: Uint8Array } {
  const start = host.symbol('__start_BTF')
  const size = Number(host.symbol('__stop_BTF') - start)
  const hpa = Number(start - TEXT_MAP + host.space.physBase)
  return { hpa, bytes: host.space.bytes(start, size) }
}

/**
 * Symbols of the kernel as System.map lists them, where the linker put them: those of `names`, and the one behind each, to
 * which its size is counted; and some ten thousand others, as a kernel has.
 */
export function systemMapOf(host: Host, names: readonly string[]): string {
  const { symbols, vmcoreinfo } = host
  const shift = vmcoreinfo.kernelOffset ?? 0n
  const lines = new Set<string>()
  const add = (name: string, address: bigint): void => {
    lines.add(`${(address - shift).toString(16).padStart(16, '0')} T ${name}`)
  }
  for (const [name, addresses] of symbols.find(names)) {
    for (const address of addresses) {
      if (address < TEXT_MAP) continue
      add(name, address)
      const next = symbols.nearest(behind(symbols, address))
      if (next !== undefined) add(next.name, next.address)
    }
  }
  const first = symbols.address('_stext') ?? 0n
  for (let offset = 0n; offset < 32n << 20n; offset += 1024n) {
    const found = symbols.nearest(first + offset)
    if (found !== undefined) add(found.name, found.address)
  }
  return `${[...lines].sort().join('\n')}\n`
}

/** The address of the next symbol, by halving: a name may stand for several symbols, so its size is not always this one's. */
function behind(symbols: Symbols, address: bigint): bigint {
  let [low, high] = [address, address + (1n << 26n)]
  while (low < high) {
    const middle = (low + high) / 2n
    if (symbols.nearest(middle)?.address === address) low = middle + 1n
    else high = middle
  }
  return low
}

/** The pages of a dump without its types, or without its symbols, or without both. `host` is the dump's own. */
export function undescribed(
  path: string,
  host: Host,
  hidden: { readonly types?: boolean; readonly symbols?: boolean },
): PageSource {
  const source = openPages(path)
  const btf = ownBtf(host)
  const [first, end] = [btf.hpa, btf.hpa + btf.bytes.length]
  const blank = (pfn: number): Uint8Array | undefined => {
    const [from, to] = [Math.max(first, pfn * 4096), Math.min(end, (pfn + 1) * 4096)]
    const isOfTypes = hidden.types === true && from < to
    const page = isOfTypes || hidden.symbols === true ? source.page(pfn) : undefined
    if (!(page instanceof Uint8Array)) return undefined
    if (isOfTypes) {
      const copy = page.slice()
      copy.fill(0, from % 4096, (from % 4096) + (to - from))
      return copy
    }
    const bytes = Buffer.from(page.buffer, page.byteOffset, page.length)
    return bytes.includes(DIGITS, 0, 'latin1') ? new Uint8Array(4096) : undefined
  }
  return new AlteredPages(source, { pages: blank })
}
