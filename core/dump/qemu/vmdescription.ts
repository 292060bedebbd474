// SPDX-License-Identifier: GPL-2.0-or-later
// What a migration stream says about its devices in JSON, and the devices in it that tell about a dump's kernel.

import { writeStruct } from '../../bytes/struct.ts'
import { type FileBytes } from '../file.ts'
import { type Note } from '../format.ts'
import {
  QEMUCPUSegment,
  QEMUCPUState,
  QEMUCPUState_segments,
  QEMUCPUState_tail,
} from './qemunote.ts'

/** QEMU's own is some 100 KiB. */
const MAX_JSON = 16 << 20
/** Devices take a megabyte; a limit for what is searched. */
const MAX_DEVICES = 256 << 20
const VM_DESCRIPTION = 0x06
const BRACE = 0x7b

/** A field of a device in the stream: `size` bytes, `array_len` times. */
interface Field {
  readonly name: string
  readonly size: number
  readonly count: number
}

interface Device {
  readonly name: string
  readonly instance: number
  readonly version: number
  readonly fields: readonly Field[]
}

/** The devices that are of use. */
export interface Devices {
  /** Each processor's registers, as the note that dump-guest-memory would have written. */
  readonly processors: readonly Note[]
  /** Where the kernel told QEMU that its VMCOREINFO note is (the device vmcoreinfo). */
  readonly vmcoreinfo: { readonly paddr: number; readonly size: number } | undefined
  /** What is missing, in words. */
  readonly problem: string | undefined
}

/**
 * Reads the devices behind memory. Their bodies have no lengths of their own: the JSON at the file's end has those of
 * all fields. Without it (`suppress-vmdesc`, or a file that was cut) nothing is known of them.
 */
export function readDevices(file: FileBytes, from: number): Devices {
  const found = findJson(file, from)
  if (typeof found === 'string') return { processors: [], vmcoreinfo: undefined, problem: found }
  const { devices, end } = found
  const bytes = file.read(from, end - from, 'the devices')
  const processors: Note[] = []
  let vmcoreinfo: Devices['vmcoreinfo']
  let at = 0
  for (const device of devices) {
    const body = bodyOf(bytes, device, at)
    if (body === undefined) continue
    const fields = placesOf(device, body, bytes.length)
    if (fields === undefined) continue
    at = fields.end
    if (device.name === 'cpu') {
      const note = processor(bytes, fields.places)
      if (note !== undefined) processors.push(note)
    } else if (device.name === 'vmcoreinfo') vmcoreinfo = noteOf(bytes, fields.places)
  }
  const problem = processors.length === 0 ? 'no registers of processors in the stream' : undefined
  return { processors, vmcoreinfo, problem }
}

/** The last thing in a stream: type, length, text. It is looked for from the end, since its length fits only there. */
function findJson(file: FileBytes, from: number): { devices: Device[]; end: number } | string {
  const length = Math.min(file.size - from, MAX_JSON)
  const tail = file.read(file.size - length, length, 'the description')
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length)
  for (let at = tail.lastIndexOf(VM_DESCRIPTION); at >= 0;) {
    const left = tail.length - at - 5
    if (left > 0 && view.getUint32(at + 1) === left && tail[at + 5] === BRACE) {
      const end = file.size - length + at
      if (end - from > MAX_DEVICES) return `${end - from} bytes of devices, which cannot be`
      const devices = parseJson(new TextDecoder().decode(tail.subarray(at + 5)))
      return devices === undefined ? 'the description of the devices is no JSON' : { devices, end }
    }
    at = at === 0 ? -1 : tail.lastIndexOf(VM_DESCRIPTION, at - 1)
  }
  return 'no description of the devices at its end'
}

function parseJson(text: string): Device[] | undefined {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return undefined
  }
  return listOf(json, 'devices').flatMap((device) => {
    const name = textOf(device, 'name')
    const instance = numberOf(device, 'instance_id')
    const version = numberOf(device, 'version')
    if (name === undefined || instance === undefined || version === undefined) return []
    const fields = listOf(device, 'fields').map((field) => ({
      name: textOf(field, 'name') ?? '',
      size: numberOf(field, 'size') ?? NaN,
      count: numberOf(field, 'array_len') ?? 1,
    }))
    return [{ name, instance, version, fields }]
  })
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined
}

function listOf(value: unknown, name: string): readonly unknown[] {
  const list = member(value, name)
  return Array.isArray(list) ? (list as readonly unknown[]) : []
}

function textOf(value: unknown, name: string): string | undefined {
  const text = member(value, name)
  return typeof text === 'string' ? text : undefined
}

function numberOf(value: unknown, name: string): number | undefined {
  const number = member(value, name)
  return Number.isSafeInteger(number) && Number(number) >= 0 ? Number(number) : undefined
}

/** Where a device's body begins: behind its name with its length, its instance and its version. */
function bodyOf(bytes: Uint8Array, device: Device, from: number): number | undefined {
  const { name, instance, version } = device
  if (name.length > 255) return undefined
  const head = Buffer.alloc(1 + name.length + 8)
  head.writeUInt8(name.length)
  head.write(name, 1, 'latin1')
  head.writeUInt32BE(instance >>> 0, 1 + name.length)
  head.writeUInt32BE(version >>> 0, 5 + name.length)
  const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(head, from)
  return at < 0 ? undefined : at + head.length
}

type Places = ReadonlyMap<string, number>

function placesOf(
  device: Device,
  body: number,
  limit: number,
): { places: Places; end: number } | undefined {
  const places = new Map<string, number>()
  let at = body
  for (const { name, size, count } of device.fields) {
    if (!places.has(name)) places.set(name, at)
    at += size * count
    if (!(at <= limit)) return undefined
  }
  return { places, end: at }
}

/** The registers of env.regs in QEMU's order (target/i386/cpu.h, R_EAX …), and of env.segs (R_ES …). */
const registers = ['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const
const highRegisters = ['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'] as const
const segments = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const
/** A segment in a stream: selector, base, limit, flags (target/i386/machine.c, vmstate_segment). */
const SEGMENT_BYTES = 20

/** A processor of the stream as QEMU's note of it: the same state, in the structure of dump-guest-memory. */
function processor(bytes: Uint8Array, places: Places): Note | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const wanted = ['regs', 'eip', 'eflags', 'segs', 'ldt', 'tr', 'gdt', 'idt', 'cr[3]', 'cr[4]']
  if (wanted.some((name) => !places.has(`env.${name}`))) return undefined
  const at = (name: string): number => places.get(`env.${name}`) ?? 0
  const word = (name: string): bigint =>
    places.has(`env.${name}`) ? view.getBigUint64(at(name)) : 0n
  const tailAt = QEMUCPUState.size + QEMUCPUState_segments.length * QEMUCPUSegment.size
  const size = tailAt + QEMUCPUState_tail.size
  const desc = new Uint8Array(size)
  const out = new DataView(desc.buffer)
  const general = [...registers, ...highRegisters].map(
    (name, i) => [name, view.getBigUint64(at('regs') + 8 * i)] as const,
  )
  const values = Object.fromEntries(general) as Record<(typeof general)[number][0], bigint>
  const [rip, rflags] = [word('eip'), word('eflags')]
  writeStruct(QEMUCPUState, out, 0, { version: 1, size, ...values, rip, rflags })
  for (const [i, name] of QEMUCPUState_segments.entries()) {
    const index = segments.findIndex((one) => one === name)
    const from = index < 0 ? at(name) : at('segs') + index * SEGMENT_BYTES
    writeStruct(QEMUCPUSegment, out, QEMUCPUState.size + i * QEMUCPUSegment.size, {
      selector: view.getUint32(from),
      base: view.getBigUint64(from + 4),
      limit: view.getUint32(from + 12),
      flags: view.getUint32(from + 16),
      pad: 0,
    })
  }
  writeStruct(QEMUCPUState_tail, out, tailAt, {
    cr0: word('cr[0]'),
    cr1: 0n,
    cr2: word('cr[2]'),
    cr3: word('cr[3]'),
    cr4: word('cr[4]'),
    kernel_gs_base: word('kernelgsbase'),
  })
  return { name: 'QEMU', type: 0, desc }
}

/** FW_CFG_VMCOREINFO_FORMAT_ELF of include/standard-headers/linux/qemu_fw_cfg.h. */
const FORMAT_ELF = 1

function noteOf(bytes: Uint8Array, places: Places): Devices['vmcoreinfo'] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = (name: string): number | undefined => places.get(name)
  const [has, format] = [at('has_vmcoreinfo'), at('vmcoreinfo.guest_format')]
  const [size, paddr] = [at('vmcoreinfo.size'), at('vmcoreinfo.paddr')]
  if (has === undefined || format === undefined || size === undefined || paddr === undefined) {
    return undefined
  }
  if (bytes[has] === 0 || view.getUint16(format) !== FORMAT_ELF) return undefined
  const where = view.getUint32(paddr) * 2 ** 32 + view.getUint32(paddr + 4)
  return { paddr: where, size: view.getUint32(size) }
}
