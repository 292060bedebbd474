// SPDX-License-Identifier: GPL-2.0-or-later
// MCi_STATUS and MCi_MISC of machine checks, as far as all x86-64 processors agree on them.

/** What MCi_STATUS says for certain (MCI_STATUS_* of arch/x86/include/asm/mce.h; Intel SDM 3B, AMD APM 2). */
export interface McStatus {
  readonly value: bigint
  /** VAL: the bank holds an error. */
  readonly isValid: boolean
  /** ADDRV: MCi_ADDR holds an address. */
  readonly hasAddress: boolean
  /** MISCV: MCi_MISC says more. */
  readonly hasMisc: boolean
  /** UC: the error was not corrected. */
  readonly isUncorrected: boolean
  /** PCC: what the processor was doing is lost. */
  readonly isContextCorrupt: boolean
  /** OVER: errors before or after it were not kept. */
  readonly isOverflow: boolean
  /** MCACOD, bits 0 to 15, and what it means where the code is one of all x86 processors. */
  readonly code: number
  readonly codeText: string | null
}

const bit = (value: bigint, at: number) => ((value >> BigInt(at)) & 1n) === 1n

/** Takes a status apart. */
export function readStatus(value: bigint): McStatus {
  const code = Number(value & 0xffffn)
  return {
    value,
    isValid: bit(value, 63),
    hasAddress: bit(value, 58),
    hasMisc: bit(value, 59),
    isUncorrected: bit(value, 61),
    isContextCorrupt: bit(value, 57),
    isOverflow: bit(value, 62),
    code,
    codeText: codeText(code),
  }
}

/** The status in words: `uncorrected, context corrupt, cache hierarchy error`. */
export function describeStatus(status: McStatus): string {
  return [
    ...(status.isValid ? [] : ['not valid (VAL is 0)']),
    status.isUncorrected ? 'uncorrected' : 'not uncorrected',
    ...(status.isContextCorrupt ? ['context corrupt'] : []),
    ...(status.isOverflow ? ['other errors lost'] : []),
    ...(status.codeText === null ? [] : [status.codeText]),
  ].join(', ')
}

/** Compound error codes of the machine-check architecture; bit 12 filters, and is left out. */
function codeText(code: number): string | null {
  const form = code & 0xefff
  if (form >>> 11 === 1) return 'bus or interconnect error'
  if ((form & 0xff80) === 0x0080) return 'memory controller error'
  if ((form & 0xff00) === 0x0100) return 'cache hierarchy error'
  if ((form & 0xfff0) === 0x0010) return 'TLB error'
  return null
}

/** Whether an address out of MCi_ADDR is one of physical memory. */
export interface AddressMode {
  readonly mode: 'physical' | 'other' | 'unknown'
  /** How many of its lower bits say nothing. */
  readonly lowBits: number
  readonly text: string
}

const modes = ['segment offset', 'linear', 'physical', 'memory'] as const

/**
 * MCi_MISC of Intel: bits 0 to 5 are the least significant valid bit of the address, 6 to 8 its mode
 * (MCI_MISC_ADDR_LSB and MCI_MISC_ADDR_MODE of arch/x86/include/asm/mce.h). AMD has other things there.
 */
export function readMisc(misc: bigint): AddressMode {
  const lowBits = Number(misc & 0x3fn)
  const code = Number((misc >> 6n) & 7n)
  const name = modes[code] ?? (code === 7 ? 'generic' : `reserved mode ${code}`)
  const mode = code === 2 ? 'physical' : code === 7 ? 'unknown' : 'other'
  const bits = lowBits === 0 ? '' : `, the lower ${lowBits} bits of the address mean nothing`
  return { mode, lowBits, text: `MISC says that it is a ${name} address${bits}` }
}
