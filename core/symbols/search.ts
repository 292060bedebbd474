// SPDX-License-Identifier: GPL-2.0-or-later
// The tables of kallsyms by their content, for kernels before 6.0, whose VMCOREINFO does not say where they are.

import { FaultError, FormatError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { type AddressTables } from './addresses.ts'
import { alignUp, MAX_SYMBOLS, walkWithMarkers, type Tables } from './locate.ts'
import { type Steps } from './names.ts'
import { MAX_TOKEN_TABLE_BYTES, readTokens, TOKEN_INDEX_BYTES, type Tokens } from './tokens.ts'

/** A smaller count could fit by chance: it is checked by one marker for every 256 names. */
const MIN_SYMBOLS = 1000
/** So many places are looked at, and so many names stepped over: in real images two, and less than a million. */
const MAX_TOKEN_TABLES = 256
const MAX_NAMES_TRIED = 50_000_000

/**
 * The tables by their content, for kernels whose VMCOREINFO has no keys for them. `near` is an address in the kernel's
 * data, which begins behind its read-only data; `first` is the image's first address. Undefined when there are none.
 */
export function tablesByContent(space: Space, first: bigint, near: bigint): Tables | undefined {
  const steps = { left: MAX_NAMES_TRIED }
  for (const [tokenTable, tokens, index] of tokenTables(space, first, near)) {
    const found = countBefore(space, tokenTable, first, steps)
    if (found !== undefined) {
      const { at, ...rest } = found
      return { ...rest, tokens, addressTables: addressTables(at, index, rest.count) }
    }
  }
  return undefined
}

const CHUNK = 256 << 10
/** How far behind `near` the image is searched at most: images are below 64 MiB. */
const REACH = 64n << 20n
/** Ten tokens in a row that every kernel has. A plain table of letters looks the same, but has no index behind it. */
const DIGITS = '0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00'
const ZERO = 0x30

/** Every token table with its index: before `near` from there down, since that is where it was in all kernels; then behind. */
function* tokenTables(
  space: Space,
  first: bigint,
  near: bigint,
): Generator<[bigint, Tokens, bigint]> {
  let tried = 0
  for (const zero of digits(space, first, near)) {
    if (++tried > MAX_TOKEN_TABLES) return
    const found = tokensAround(space, zero)
    if (found !== undefined) yield found
  }
}

/** Every place with the ten digits. */
function* digits(space: Space, first: bigint, near: bigint): Generator<bigint> {
  const chunk = BigInt(CHUNK)
  for (let at = near - chunk; at > first - chunk; at -= chunk) yield* digitsIn(space, at)
  for (let at = near; at < near + REACH; at += chunk) yield* digitsIn(space, at)
}

function* digitsIn(space: Space, chunk: bigint): Generator<bigint> {
  const bytes = Buffer.from(readWithGaps(space, chunk, CHUNK + DIGITS.length).buffer)
  for (let at = bytes.indexOf(DIGITS, 0, 'latin1'); at >= 0 && at < CHUNK;) {
    yield chunk + BigInt(at)
    at = bytes.indexOf(DIGITS, at + 1, 'latin1')
  }
}

/** The tokens whose token '0' lies at `zero`, if the index behind them agrees. Tables are aligned to 4 or to 8 bytes. */
function tokensAround(space: Space, zero: bigint): [bigint, Tokens, bigint] | undefined {
  const after = readWithGaps(space, zero, MAX_TOKEN_TABLE_BYTES)
  let end = 0
  for (let token = ZERO; token < 256; token++) {
    end = after.indexOf(0, end) + 1
    if (end === 0) return undefined
  }
  for (const align of [4n, 8n]) {
    const index = alignUp(zero + BigInt(end), align)
    const indexBytes = readWithGaps(space, index, TOKEN_INDEX_BYTES)
    const back = new DataView(indexBytes.buffer).getUint16(ZERO * 2, true)
    const tokenTable = zero - BigInt(back)
    try {
      const bytes = readWithGaps(space, tokenTable, back + end)
      return [tokenTable, readTokens(bytes, indexBytes), index]
    } catch (error) {
      if (!(error instanceof FormatError)) throw error
    }
  }
  return undefined
}

/** The count of symbols, found by what follows it: so many names, then markers that agree with them. */
function countBefore(
  space: Space,
  tokenTable: bigint,
  first: bigint,
  steps: Steps,
): (Omit<Tables, 'tokens' | 'addressTables'> & { at: bigint }) | undefined {
  let searched = 4
  for (let size = 1 << 20; size <= 16 << 20; size *= 2) {
    const start = tokenTable - BigInt(size)
    if (start < first - BigInt(size)) return undefined
    const bytes = readWithGaps(space, start, size)
    const view = new DataView(bytes.buffer)
    for (; searched <= size - 4; searched += 4) {
      // The tables may begin at a multiple of four only.
      const at = size - searched - Number(tokenTable & 3n)
      if (at < 0) break
      const count = view.getUint32(at, true)
      if (count < MIN_SYMBOLS || count > MAX_SYMBOLS) continue
      if (steps.left <= 0) return undefined
      for (const gap of [4, 8]) {
        const found = walkWithMarkers(bytes, at + gap, count, start + BigInt(at + gap), steps)
        if (found === undefined) continue
        return { count, names: bytes.subarray(at + gap), ...found, at: start + BigInt(at) }
      }
    }
  }
  return undefined
}

/**
 * Where the addresses can be: behind the token index since 6.4, before the count up to then (scripts/kallsyms.c).
 * Which one it is, and in which form, `_stext` decides.
 */
function addressTables(count: bigint, tokenIndex: bigint, symbols: number): AddressTables[] {
  const tables: AddressTables[] = []
  const narrow = BigInt(symbols) * 4n
  for (const align of [4n, 8n]) {
    const offsets = alignUp(tokenIndex + BigInt(TOKEN_INDEX_BYTES), align)
    tables.push({ offsets, relativeBase: alignUp(offsets + narrow, 8n), addresses: offsets })
  }
  const relativeBase = count - 8n
  tables.push({
    offsets: relativeBase - alignUp(narrow, 8n),
    relativeBase,
    addresses: count - BigInt(symbols) * 8n,
  })
  return tables
}

/** A copy of memory with zeros for what the dump lacks: only for a search, whose finds are checked. */
function readWithGaps(space: Space, from: bigint, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  for (let done = 0; done < length;) {
    const at = from + BigInt(done)
    const count = Math.min(4096 - Number(at & 0xfffn), length - done)
    try {
      bytes.set(space.bytes(at, count), done)
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
    }
    done += count
  }
  return bytes
}
