// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses and sizes as text, and text as addresses: the one place where either happens.

/**
 * Lower-case hex with `0x`: `hex(0x34de5840)` is `'0x34de5840'`. Without padding, unless `digits` asks for it.
 */
export function hex(value: number | bigint, digits = 1): string {
  const text = (value < 0 ? -value : value).toString(16).padStart(digits, '0')
  return value < 0 ? `-0x${text}` : `0x${text}`
}

/**
 * Reads an address as a user writes it: a bigint, a whole number, or hex text with or without `0x` (crash's habit).
 * Gives undefined when it is none of these, is negative, or does not fit in 64 bits; numbers above 2^53 are refused
 * because they have already lost bits.
 */
export function parseAddress(value: unknown): bigint | undefined {
  if (typeof value === 'bigint') return value >= 0n && value < 1n << 64n ? value : undefined
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined
  }
  if (typeof value === 'string' && /^(0x)?[0-9a-f]{1,16}$/i.test(value)) {
    return BigInt(/^0x/i.test(value) ? value : `0x${value}`)
  }
  return undefined
}

const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** A size in binary units with at most three digits: `1536` is `'1.50 KiB'`, `4096` is `'4 KiB'`. */
export function formatSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  const digits = Number.isInteger(value) ? 0 : value < 10 ? 2 : value < 100 ? 1 : 0
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`
}

/** The largest unit of which `bytes` are one or more, with its size, for the scale of a chart; KiB at least, TiB at most. */
export function unitOf(bytes: number): { readonly unit: string; readonly size: number } {
  let unit = 1
  while (bytes >= 1024 ** (unit + 1) && unit < 4) unit++
  return { unit: units[unit] ?? '', size: 1024 ** unit }
}
