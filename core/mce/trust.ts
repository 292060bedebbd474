// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a number of a log is an address of physical memory: what the kernel itself asks before it uses one.

import { hex } from '../bytes/hex.ts'
import { type AddressTrust } from './finding.ts'
import { type LogForm } from './forms.ts'
import { describeStatus, type McStatus, readMisc } from './status.ts'

/** What the lines of one machine check say together. */
export interface McEvent {
  bank?: number
  status?: McStatus
  misc?: bigint
  /** MCA_IPID of AMD's scalable MCA: which unit has the bank. */
  ipid?: bigint
  vendor?: 'intel' | 'amd'
}

/** The hardware id of AMD's memory controllers in MCA_IPID (smca_hwid_mcatypes of arch/x86/kernel/cpu/mce/amd.c). */
const UMC = 0x96
/** MCI_STATUS_POISON of AMD. */
const POISON_BIT = 43n
/** apei_mce_report_mem_error of arch/x86/kernel/cpu/mce/apei.c: bank -1, as a byte. */
const APEI_BANK = 255

/** Judges one number by its form and, for machine checks, by all that its event says. */
export function judge(
  form: LogForm,
  hpa: bigint,
  event: McEvent,
): { trust: AddressTrust; reason: string } {
  const say = (trust: AddressTrust, why: string) => ({ trust, reason: `${form.what}: ${why}` })
  if (hpa >= 1n << 52n) return say('not-physical', `${hex(hpa)} has more than 52 bits`)
  if (form.meaning === 'physical') {
    return hpa < 4096n && form.source === 'EDAC'
      ? say('unsure', 'EDAC prints zeros where it does not know the address')
      : say('physical', `physical address ${hex(hpa)}`)
  }
  const { status, bank } = event
  if (status === undefined) return say('unsure', 'no line with the status of its bank was found')
  const words = describeStatus(status)
  if (!status.isValid) return say('not-physical', words)
  if (!status.hasAddress) {
    return say('not-physical', `ADDRV is 0, so the register held no address (${words})`)
  }
  if (bank === APEI_BANK) return say('physical', `the firmware reported it (bank 255; ${words})`)
  if (event.vendor === 'amd')
    return amd(event, status, (trust, why) => say(trust, `${why} (${words})`))
  return intel(event, status, (trust, why) => say(trust, `${why} (${words})`))
}

type Say = (trust: AddressTrust, why: string) => { trust: AddressTrust; reason: string }

/** amd_mce_usable_address of arch/x86/kernel/cpu/mce/amd.c: memory errors, and what is marked as poison. */
function amd({ ipid, bank }: McEvent, status: McStatus, say: Say): ReturnType<Say> {
  if (ipid !== undefined && Number((ipid >> 32n) & 0xfffn) === UMC) {
    const what = 'a memory controller of a Zen processor gives the address within its channel'
    return say('not-physical', `${what}, not of the system; the EDAC line behind it has that`)
  }
  if (ipid === undefined && bank === 4) {
    return say('physical', 'ADDRV is 1, of the northbridge')
  }
  if (((status.value >> POISON_BIT) & 1n) === 1n) {
    return say('physical', 'ADDRV and Poison are 1: poisoned memory was used')
  }
  return say('unsure', 'ADDRV is 1, but this bank may give a virtual address')
}

/** intel_mce_usable_address of arch/x86/kernel/cpu/mce/intel.c: MISC tells the mode and the lowest good bit. */
function intel(event: McEvent, status: McStatus, say: Say): ReturnType<Say> {
  if (event.vendor === undefined) {
    return say('unsure', 'ADDRV is 1, but whether the processor is of Intel or AMD is not said')
  }
  if (!status.hasMisc || event.misc === undefined) {
    const why = status.hasMisc ? 'the MISC register is not in the log' : 'MISCV is 0'
    return say('unsure', `ADDRV is 1, but ${why}, so the address mode is not known`)
  }
  const { mode, lowBits, text } = readMisc(event.misc)
  if (mode === 'physical') {
    return lowBits <= 12
      ? say('physical', text)
      : say('unsure', `${text}: more than a page may be meant`)
  }
  return say(mode === 'other' ? 'not-physical' : 'unsure', text)
}
