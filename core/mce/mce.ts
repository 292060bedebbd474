// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the addresses of memory errors in the text of a kernel log.

import { UsageError } from '../errors.ts'
import { type MceAddress } from './finding.ts'
import {
  amdForm,
  bankForm,
  intelForm,
  ipidForm,
  lateStatus,
  type LogForm,
  logForms,
  miscForm,
  recordStart,
  statusForms,
} from './forms.ts'
import { readStatus } from './status.ts'
import { judge, type McEvent } from './trust.ts'

/** No line of a kernel log is longer: PRINTKRB_RECORD_MAX of kernel/printk/printk.c is 1024, and a prefix. */
const LINE = 2048

/** A number that a line has, before all lines of its event were seen. */
interface Found {
  readonly form: LogForm
  readonly value: bigint
  readonly hpa: bigint
  readonly isPfn: boolean
  readonly event: McEvent
  readonly line: number
  readonly text: string
}

/**
 * The addresses of memory errors in kernel log lines, in their order: of machine checks (also as EDAC's AMD decoder and
 * mcelog print them), EDAC, the firmware's error records (APEI), and of frames that the kernel took out of use. Each
 * comes with what it is and whether it can be trusted to be an address of physical memory: `trust` and `reason`. Lines of
 * other kinds are passed over, with any prefix in front. `dump.whoHas(found.hpa)` says whose memory it is.
 * Throws UsageError for what is no text.
 */
export function mce(text: string): readonly MceAddress[] {
  const given: unknown = text
  if (typeof given !== 'string') {
    throw new UsageError('mce(text) takes the text of a kernel log, one message a line')
  }
  const found: Found[] = []
  let event: McEvent = {}
  for (const [i, whole] of given.split(/\r?\n/).entries()) {
    const line = whole.slice(0, LINE)
    if (startsEvent(line, event)) event = {}
    readEvent(line, event)
    for (const form of logForms) {
      const one = match(form, line, event, i + 1)
      if (one !== undefined) found.push(one)
    }
  }
  return Object.freeze(found.map(addressOf))
}

/** A status begins an event, unless what there is so far has none: mcelog prints bank and address before it. */
function startsEvent(line: string, event: McEvent): boolean {
  if (recordStart.test(line)) return true
  return statusForms.some((form) => form.test(line)) && event.status !== undefined
    ? true
    : lateStatus.test(line) && event.status !== undefined
}

function readEvent(line: string, event: McEvent): void {
  for (const form of [...statusForms, lateStatus]) {
    const groups = form.exec(line)?.groups
    const status = groups?.['status']
    if (status === undefined) continue
    event.status = readStatus(BigInt(`0x${status}`))
    const bank = groups?.['bank']
    if (bank !== undefined) event.bank = Number(bank)
  }
  const bank = bankForm.exec(line)?.groups?.['bank']
  if (bank !== undefined) event.bank = Number(bank)
  const misc = miscForm.exec(line)?.groups?.['misc']
  if (misc !== undefined) event.misc = BigInt(`0x${misc}`)
  const ipid = ipidForm.exec(line)?.groups?.['ipid']
  if (ipid !== undefined) event.ipid = BigInt(`0x${ipid}`)
  if (intelForm.test(line)) event.vendor = 'intel'
  else if (amdForm.test(line)) event.vendor = 'amd'
}

function match(form: LogForm, text: string, event: McEvent, line: number): Found | undefined {
  const groups = form.pattern.exec(text)?.groups
  const pfn = groups?.['pfn']
  const digits = pfn ?? groups?.['addr']
  if (digits === undefined) return undefined
  const value = BigInt(`0x${digits}`)
  const offset = BigInt(`0x${groups?.['offset'] ?? '0'}`)
  const hpa = pfn === undefined ? value : (value << 12n) + offset
  return { form, value, hpa, isPfn: pfn !== undefined, event, line, text: text.trim() }
}

function addressOf({ form, value, hpa, isPfn, event, line, text }: Found): MceAddress {
  const isCheck = form.meaning === 'machine-check'
  const { trust, reason } = judge(form, hpa, event)
  return Object.freeze({
    hpa: hpa < 1n << 52n && trust !== 'not-physical' ? Number(hpa) : null,
    value,
    form: isPfn ? ('pfn' as const) : ('address' as const),
    trust,
    reason,
    source: form.source,
    bank: isCheck ? (event.bank ?? null) : null,
    status: isCheck ? (event.status ?? null) : null,
    line,
    text,
  })
}
