// SPDX-License-Identifier: GPL-2.0-or-later
// The Huffman weights of a Zstandard block (RFC 8878, 4.1 and 4.2.1.2), counted before fzstd decodes them.

const MAX_WEIGHTS = 255
const MAX_LOG = 6
const MAX_SYMBOL = 255
/** Larger values of the first byte say how many weights follow directly, two in a byte. */
const DIRECT = 128

/** States of a finite state machine: what each one emits, how many bits lead to the next, and from where. */
interface Machine {
  readonly symbols: Uint8Array
  readonly bits: Uint8Array
  readonly next: Uint8Array
  readonly log: number
  /** Bytes that the description takes. */
  readonly length: number
}

/**
 * Checks the description of a Huffman tree at the start of `data`. Throws Error when its weights are not described as
 * they must be, or do not end: states that read no bits go on for ever, and fzstd 0.1.1 would go with them.
 */
export function checkWeights(data: Uint8Array): void {
  const size = data[0] ?? DIRECT
  if (size >= DIRECT) return
  if (1 + size > data.length) throw new Error('the Huffman weights are cut off')
  const bytes = data.subarray(1, 1 + size)
  const machine = readMachine(bytes)
  const stream = bytes.subarray(machine.length)
  const last = stream.at(-1) ?? 0
  if (last === 0) throw new Error('the Huffman weights have no end')
  // Read backwards from the highest bit that is set, by two states in turn.
  let left = stream.length * 8 - 8 + topBit(last)
  let [state, other] = [0, 0]
  let [wanted, others] = [machine.log, machine.log]
  for (let count = 0; left >= wanted; count++) {
    if (count === MAX_WEIGHTS) throw new Error(`there are more than ${MAX_WEIGHTS} Huffman weights`)
    left -= wanted
    state += bitsAt(stream, left, wanted)
    const from = state
    ;[state, other] = [other, machine.next[from] ?? 0]
    ;[wanted, others] = [others, machine.bits[from] ?? 0]
  }
}

function readMachine(bytes: Uint8Array): Machine {
  const log = ((bytes[0] ?? 0) & 15) + 5
  if (log > MAX_LOG) throw new Error(`the Huffman weights have an accuracy of ${log} bits`)
  const size = 1 << log
  const shares: number[] = []
  let at = 4
  for (let left = size; left > 0;) {
    const short = topBit(left + 1)
    // Values up to left + 1 in as few bits as they need: low ones have one bit less.
    const spare = 2 ** (short + 1) - 2 - left
    let value = bitsAt(bytes, at, short)
    if (value < spare) {
      at += short
    } else {
      value = bitsAt(bytes, at, short + 1)
      at += short + 1
      if (value >= 2 ** short) value -= spare
    }
    // A share of -1 stands for less than one, and takes one state.
    const share = value - 1
    shares.push(share)
    left -= Math.abs(share)
    for (let more = share === 0 ? 3 : 0; more === 3; at += 2) {
      more = bitsAt(bytes, at, 2)
      for (let i = 0; i < more; i++) shares.push(0)
      if (shares.length > MAX_SYMBOL) break
    }
    if (shares.length > MAX_SYMBOL + 1 || at > bytes.length * 8) {
      throw new Error('the shares of the Huffman weights are not described')
    }
  }
  return { ...spread(shares, log), log, length: Math.ceil(at / 8) }
}

// Deals the states out to the symbols, in steps that meet every state once.
function spread(shares: readonly number[], log: number) {
  const size = 1 << log
  const symbols = new Uint8Array(size)
  const bits = new Uint8Array(size)
  const next = new Uint8Array(size)
  let high = size
  for (const [symbol, share] of shares.entries()) if (share < 0) symbols[--high] = symbol
  let at = 0
  for (const [symbol, share] of shares.entries()) {
    for (let i = 0; i < share; i++) {
      symbols[at] = symbol
      do at = (at + (size >> 1) + (size >> 3) + 3) & (size - 1)
      while (at >= high)
    }
  }
  const states = shares.map((share) => Math.abs(share))
  for (let i = 0; i < size; i++) {
    const symbol = symbols[i] ?? 0
    const state = states[symbol] ?? 0
    states[symbol] = state + 1
    const count = log - topBit(state)
    bits[i] = count
    next[i] = (state << count) - size
  }
  return { symbols, bits, next }
}

function topBit(value: number): number {
  return 31 - Math.clz32(value)
}

// `count` bits, at most 8, from a bit offset on; what is behind the end reads as 0.
function bitsAt(bytes: Uint8Array, at: number, count: number): number {
  const from = at >> 3
  const word = (bytes[from] ?? 0) | ((bytes[from + 1] ?? 0) << 8)
  return (word >> (at & 7)) & ((1 << count) - 1)
}
