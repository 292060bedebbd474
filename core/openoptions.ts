// SPDX-License-Identifier: GPL-2.0-or-later
// What can be said when a dump is opened, and what it means to the parts that open it.

import { parseAddress } from './bytes/hex.ts'
import { DebugFiles, debugOptionNames, type DebugOptions } from './debug/debugfiles.ts'
import { type RawOptions } from './dump/raw.ts'
import { UsageError } from './errors.ts'
import { inferTypes } from './infer/index.ts'
import { type Given } from './linux/found.ts'
import { type TypeSource } from './linux/host.ts'

/** Options of `openDump`. */
export interface OpenOptions extends RawOptions, DebugOptions {
  /** Remember which pages are read, so that `slice()` can write them to a small dump of their own. */
  readonly record?: boolean
  /**
   * What is known of the host's kernel, for dumps in which it is not found (`DumpError` with code `no-kernel`). Each
   * is verified, and refused when it does not fit. `physBase`: a bigint, or hex text; it can be negative.
   */
  readonly physBase?: bigint | number | string
  /** The value of CR3 of one of the host's processors: a bigint, or hex text. */
  readonly cr3?: bigint | number | string
  /** The host's VMCOREINFO as text: `OSRELEASE=…` and the lines behind it. */
  readonly vmcoreinfo?: string
  /**
   * `given`: take no notice of the dump's own types (BTF), but those of the files in `vmlinux`, `debuginfo` or `btf`.
   * `inferred`: find the layout of structures in the dump itself, as is done for kernels that have no types when no file
   * is given. Both to compare, or when a kernel's own types are damaged.
   */
  readonly types?: 'given' | 'inferred'
}

/** What is known of the kernel beforehand. Throws UsageError for what is no address. */
export function givenBy({ physBase, cr3, vmcoreinfo }: OpenOptions): Given {
  const call = 'openDump(path, {physBase, cr3})'
  // Bits 63 to 52 of a negative phys_base are ones where it is written as an address.
  const negative = typeof physBase === 'string' ? /^-(.*)$/.exec(physBase)?.[1] : undefined
  const isNegative = (typeof physBase === 'bigint' || typeof physBase === 'number') && physBase < 0
  const size = isNegative ? -BigInt(physBase) : (negative ?? physBase)
  const base = size === undefined ? undefined : BigInt.asIntN(64, addressOf(size, call))
  return {
    physBase: base !== undefined && (isNegative || negative !== undefined) ? -base : base,
    cr3: cr3 === undefined ? undefined : addressOf(cr3, call),
    vmcoreinfo,
  }
}

/** Where types and symbols come from when the dump's own are not there, or not wanted. */
export function typeSourceOf(options: OpenOptions): TypeSource {
  const hasFiles = debugOptionNames.some((name) => options[name] !== undefined)
  const files = hasFiles ? new DebugFiles(options) : undefined
  if (options.types === 'given') return { ignoreOwn: true, files }
  if (options.types === 'inferred') return { ignoreOwn: true, infer: inferTypes }
  return { files, infer: inferTypes }
}

/** An address as a cell or a program writes it. Throws UsageError for anything else; `call` is named in it. */
export function addressOf(value: bigint | number | string, call: string): bigint {
  const address = parseAddress(value)
  if (address !== undefined) return address
  throw new UsageError(
    `${call}: '${String(value)}' is no address; wanted a bigint, or hex text such as '0xffff888000000000'`,
  )
}
