// SPDX-License-Identifier: GPL-2.0-or-later
// What users of kernel symbols see: names to addresses and back.

/** The symbol at or below an address. */
export interface NearestSymbol {
  readonly name: string
  /** The symbol's address. */
  readonly address: bigint
  /** How far the asked address lies behind it, in bytes. */
  readonly offset: number
}

/**
 * The symbols of a kernel. A name can stand for several addresses, since static functions and variables share names.
 * What was looked up once is kept.
 */
export interface Symbols {
  /** The address of a symbol, of the lowest one when several have the name; undefined when none has. */
  address(name: string): bigint | undefined
  /** All addresses of a name, ascending; none when there is no such symbol. */
  addresses(name: string): readonly bigint[]
  /**
   * The addresses of many names in one pass, so ask for all at once. Every asked name is a key of the result; those
   * without a symbol have no addresses.
   */
  find(names: readonly string[]): Map<string, readonly bigint[]>
  /** The symbol that holds an address or lies next below it; undefined outside of the kernel image. */
  nearest(address: bigint): NearestSymbol | undefined
  /** The distance to the next higher symbol in bytes, padding included; undefined for the last and for none. */
  size(name: string): number | undefined
  /** Names that look like one that is not there, nearest first. Slow: it reads all names. */
  near(name: string): string[]
  /** At most `limit` names that begin with `prefix`, sorted, each once. */
  names(prefix: string, limit: number): string[]
}
