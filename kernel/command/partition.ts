// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop translate --partition`: every page of a host's guests in a tree of folders that query engines know.
import { existsSync, mkdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import {
  type AddressBatch,
  DumpError,
  type FormatName,
  guestPageCount,
  guestPages,
  hex,
  type HostDump,
  qemuVtop,
  tableWriter,
  UsageError,
  type Vm,
} from '../../core/index.ts'
import { subjectOf } from './addresses.ts'
import { BadLines } from './badlines.ts'
import { progressLine } from './dumps.ts'
import { removing, Tally, translated } from './stream.ts'
import { exitCode, print, usageError } from './verb.ts'

/** Where partitions go, and how they are written. */
export interface FleetOptions {
  readonly folder: string
  /** What the dump is called there; undefined for a name out of its path. */
  readonly name: string | undefined
  readonly format: FormatName | undefined
  readonly overwrite: boolean
  readonly int64: boolean
  readonly decimal: boolean
}

/** Pages of a part: 64 GiB of guest. What is interrupted loses at most this. */
const PART_PAGES = 2 ** 24

const endOf: Readonly<Partial<Record<FormatName, string>>> = {
  'arrow-stream': 'arrows',
}

/** Writes the parts of one virtual machine, or of all. The same dump always gives the same files. */
export async function translateFleet(
  dump: HostDump,
  { task, vm }: { readonly task: string | undefined; readonly vm: string | undefined },
  options: FleetOptions,
): Promise<number> {
  const dumpFolder = join(options.folder, `dump=${encoded(options.name ?? nameOf(dump.path))}`)
  const isOne = task !== undefined || vm !== undefined
  const vms = isOne
    ? [qemuVtop(subjectOf(dump, { task, vm }), new BigUint64Array(0)).vm]
    : [...dump.vms]
  let code: number = exitCode.ok
  for (const lost of isOne ? [] : dump.vms.lost) {
    process.stderr.write(`qemu-vtop translate: ${dump.path}: ${lost}\n`)
    code = exitCode.failed
  }
  for (const each of vms) {
    try {
      await writeParts(each, join(dumpFolder, `vm=${encoded(vmName(dump, each))}`), options)
    } catch (error) {
      // One guest that cannot be read does not keep the others away.
      const isTheGuests = error instanceof DumpError && !(error instanceof UsageError)
      if (isOne || !isTheGuests) throw error
      process.stderr.write(`qemu-vtop translate: ${vmName(dump, each)}: ${error.message}\n`)
      code = exitCode.failed
    }
  }
  return code
}

async function writeParts(vm: Vm, folder: string, options: FleetOptions): Promise<void> {
  const { format = 'parquet', overwrite, int64, decimal } = options
  const pages = guestPageCount(vm)
  const line = progressLine({ label: folder, unit: 'pages', total: pages })
  mkdirSync(folder, { recursive: true })
  for (let part = 0; part * PART_PAGES < pages; part++) {
    const path = join(folder, `part-${part}.${endOf[format] ?? format}`)
    const from = part * PART_PAGES
    const to = Math.min(pages, from + PART_PAGES)
    if (existsSync(path) && !overwrite) {
      line.advance(to - from)
      await print(`${path}: there already\n`)
      continue
    }
    const writer = await tableWriter(path, { format, overwrite, int64, decimal })
    const tally = new Tally()
    await removing(writer, async () => {
      for await (const table of translated(
        vm,
        batchesOf(vm, from, to),
        new BadLines('translate'),
      )) {
        tally.add(table)
        await writer.write(table)
        line.advance(table.length)
      }
      const { bytes } = await writer.finish()
      await print(`${path}: ${tally.text(bytes)}\n`)
    })
  }
  line.finish()
}

function* batchesOf(vm: Vm, from: number, to: number): Generator<AddressBatch> {
  for (const gpas of guestPages(vm, from, to)) yield { gpas, bad: [], bytesRead: 0 }
}

/** A file called vmcore lies in a folder that tells which one it is, as kdump makes them. */
function nameOf(path: string): string {
  const name = basename(path)
  return name === 'vmcore' ? basename(dirname(resolve(path))) : name
}

/** The guest's own name where that is one, else the pid of its process. */
function vmName(dump: HostDump, vm: Vm): string {
  const alone = (same: (other: Vm) => boolean) => dump.vms.filter(same).length === 1
  const { name, task } = vm
  if (name !== null && alone((other) => other.name === name)) return name
  if (task !== null && alone((other) => other.task?.pid === task.pid)) return `pid-${task.pid}`
  return `kvm-${hex(vm.address)}`
}

/** Fit for a folder's name, as Hive and all who read its layout write it. */
function encoded(text: string): string {
  if (text === '') throw usageError('--name is empty')
  return encodeURIComponent(text).replace(
    /[!'()*~]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
