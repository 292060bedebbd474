// SPDX-License-Identifier: GPL-2.0-or-later
// Types out of DWARF: pahole turns it into BTF, which is kept in the user's cache, since it takes a minute.

import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { DumpError, FormatError, UnsupportedError } from '../errors.ts'
import { type BtfTypes, readBtf } from '../types/btf.ts'
import { forget, keep, keepBytes, kept, ownFolder, unfinished } from './cache.ts'
import { runChild } from './child.ts'
import { type ElfFile } from './elffile.ts'
import { UNPACKED } from './opened.ts'

/** A kernel takes half a minute on one processor, and a module a second. */
const LIMIT_SECONDS = 1800
const INSTALL =
  'install it: apt install dwarves (Debian, Ubuntu), dnf install dwarves (Fedora, RHEL), zypper install dwarves (SUSE)'

/** What types are made for. */
export interface PaholeJob {
  readonly elf: ElfFile
  /** What they describe: `vmlinux`, `kvm`. */
  readonly name: string
  /** The types of the kernel, for those of a module. */
  readonly base?: BtfTypes
}

/**
 * The types that an ELF file describes by DWARF. Made once, and found by the file's build id afterwards. Throws DumpError
 * `no-pahole`, which says how to install it, and DumpError `pahole` with what it said when it fails.
 */
export function typesByPahole(job: PaholeJob): BtfTypes {
  const { elf, base } = job
  if (elf.file.remarks?.includes(UNPACKED) === true) {
    const what = `${elf.file.name} describes types as DWARF alone, and pahole cannot read it packed`
    throw new UnsupportedError(`${what}; unpack it first: gunzip -c < FILE > NEW`, 'packed DWARF')
  }
  const folder = ownFolder()
  const baseBytes = base && bytesOf(base)
  const baseKey = baseBytes === undefined ? '' : `-${digestOf(baseBytes)}`
  const name = `btf-${job.name.replace(/[^\w-]/g, '_')}-${elf.buildId ?? digestOfFile(elf)}${baseKey}.btf`
  const known = fromCache(folder, name, job)
  if (known !== undefined) return known
  const basePath = baseBytes && keepBytes(folder, `btf-base${baseKey}.btf`, baseBytes)
  const part = unfinished(folder, name)
  try {
    run(job, part, basePath)
    keep(part, folder, name)
  } finally {
    forget(part)
  }
  const made = fromCache(folder, name, job)
  if (made !== undefined) return made
  throw new DumpError('pahole', `pahole made no types that can be read of ${elf.file.name}`)
}

function fromCache(
  folder: string,
  name: string,
  { name: what, base }: PaholeJob,
): BtfTypes | undefined {
  const file = kept(folder, name)
  if (file === undefined) return undefined
  try {
    return readBtf(file.read(0, file.size, 'BTF'), what, base)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    // It was damaged where it lay: make it again.
    forget(file.name)
    return undefined
  }
}

function run({ elf, name }: PaholeJob, part: string, basePath?: string): void {
  const logPath = `${part}.log`
  const log = openSync(logPath, 'w', 0o600)
  const path = elf.file.name
  const args = [
    ...(basePath === undefined ? [] : ['--btf_base', basePath]),
    '-F',
    'dwarf',
    '--btf_encode_detached',
    part,
    path,
  ]
  try {
    const end = runChild(
      'pahole',
      args,
      log,
      `making types of ${name} out of DWARF with pahole`,
      LIMIT_SECONDS,
    )
    if (end.how === 'not-found') {
      throw new DumpError(
        'no-pahole',
        `${path} describes types as DWARF, which the program pahole has to convert, and it is not there; ${INSTALL}`,
      )
    }
    if (end.how === 'code' && end.code === 0) return
    const how =
      end.how === 'time'
        ? `took more than ${LIMIT_SECONDS} seconds`
        : `ended with exit code ${end.code}`
    const said = readFileSync(logPath, 'utf8').trim().split('\n').slice(-3).join('; ').slice(0, 500)
    throw new DumpError(
      'pahole',
      `pahole could not convert ${path}: it ${how}${said === '' ? '' : `, and said: ${said}`}. ` +
        'A newer pahole may know what an older one does not',
    )
  } finally {
    closeSync(log)
    forget(logPath)
  }
}

function bytesOf({ blob: { view } }: BtfTypes): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 20)
}

/** Of a file without a build id: of its headers, which tell the place and size of everything. */
function digestOfFile({ file, sections }: ElfFile): string {
  const digest = createHash('sha256').update(JSON.stringify([file.size, sections], textOf))
  const info = sections.find(({ name }) => name === '.debug_info')
  const length = Math.min(info?.size ?? 0, 64 << 20)
  if (info !== undefined) digest.update(file.read(info.offset, length, '.debug_info'))
  return digest.digest('hex').slice(0, 40)
}

function textOf(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
