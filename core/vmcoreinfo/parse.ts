// SPDX-License-Identifier: GPL-2.0-or-later
// VMCOREINFO: the lines in which a kernel tells a dump's reader its release, a few addresses, sizes and numbers.

import { FormatError } from '../errors.ts'

/** The kernel keeps it in one page (kernel/vmcore_info.c); sixteen leave room for what tools may add. */
const MAX_LENGTH = 65536

/** What a kernel says of itself in VMCOREINFO. A key that is not there is undefined; a value that cannot be throws. */
export class Vmcoreinfo {
  /** Every line `KEY=value` by its key, such as `SYMBOL(_stext)`; of a key that comes twice the first. */
  readonly keys: ReadonlyMap<string, string>
  /** `OSRELEASE`, what `uname -r` prints. */
  readonly release: string

  /** @internal */
  constructor(keys: ReadonlyMap<string, string>, release: string) {
    this.keys = keys
    this.release = release
  }

  /** `BUILD-ID` in hex, since 5.9. */
  get buildId(): string | undefined {
    return this.keys.get('BUILD-ID')
  }

  /** `KERNELOFFSET`: how far KASLR moved the image's virtual addresses. */
  get kernelOffset(): bigint | undefined {
    return this.#read('KERNELOFFSET', /^[0-9a-f]{1,16}$/i, 'a hex number', (hex) =>
      BigInt(`0x${hex}`),
    )
  }

  /** `CRASHTIME`, in seconds since 1970; only a kernel that panicked writes it. */
  get crashTime(): number | undefined {
    return this.#read('CRASHTIME', /^\d{1,15}$/, 'a number of seconds', Number)
  }

  /** `SYMBOL(name)`: an address, KASLR included. A few are values of pointers instead (`mem_section`, `vmemmap`). */
  symbol(name: string): bigint | undefined {
    const what = 'a hex number'
    return this.#read(`SYMBOL(${name})`, /^[0-9a-f]{1,16}$/i, what, (hex) => BigInt(`0x${hex}`))
  }

  /** `NUMBER(name)`: signed decimal, or hex after `0x`. `phys_base` can be negative. */
  number(name: string): bigint | undefined {
    const form = /^(-?\d{1,20}|0x[0-9a-f]{1,16})$/i
    return this.#read(`NUMBER(${name})`, form, 'a whole number', BigInt)
  }

  /** `OFFSET(struct.member)`, in bytes. */
  offset(name: string): number | undefined {
    return this.#read(`OFFSET(${name})`, /^\d{1,15}$/, 'a number of bytes', Number)
  }

  /** `SIZE(type)`, in bytes. */
  size(name: string): number | undefined {
    return this.#read(`SIZE(${name})`, /^\d{1,15}$/, 'a number of bytes', Number)
  }

  /** `LENGTH(array)`, in elements. */
  length(name: string): number | undefined {
    return this.#read(`LENGTH(${name})`, /^\d{1,15}$/, 'a number of elements', Number)
  }

  #read<T>(key: string, form: RegExp, what: string, parse: (text: string) => T): T | undefined {
    const text = this.keys.get(key)
    if (text === undefined) return undefined
    if (form.test(text)) return parse(text)
    throw new FormatError(`VMCOREINFO says ${key}=${text.slice(0, 40)}, which is not ${what}`, key)
  }
}

/**
 * Reads VMCOREINFO. What is no `KEY=value` is passed over. Throws FormatError when the text is too long for it, or has
 * no OSRELEASE, the line that every kernel writes first.
 */
export function parseVmcoreinfo(text: string): Vmcoreinfo {
  if (text.length > MAX_LENGTH) {
    throw new FormatError(
      `VMCOREINFO of ${text.length} letters, more than ${MAX_LENGTH}`,
      'VMCOREINFO',
    )
  }
  const keys = new Map<string, string>()
  for (const line of text.split('\n')) {
    const at = line.indexOf('=')
    if (at <= 0) continue
    const key = line.slice(0, at)
    if (!keys.has(key)) keys.set(key, line.slice(at + 1).trimEnd())
  }
  const release = keys.get('OSRELEASE')
  if (release === undefined || release === '') {
    throw new FormatError('VMCOREINFO without OSRELEASE', 'OSRELEASE')
  }
  return new Vmcoreinfo(keys, release)
}
