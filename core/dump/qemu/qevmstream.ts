// SPDX-License-Identifier: GPL-2.0-or-later
// The container of a migration stream: its configuration, and the sections up to the end of memory.

import { DumpError, FormatError, UnsupportedError } from '../../errors.ts'
import { type FileBytes } from '../file.ts'
import { FileCursor } from '../filepart.ts'
import { dumpInstead, type RamBlock, RamSections, type RamVisitor } from './ramsection.ts'

/** `QEVM`, big-endian, as all numbers of a stream (migration/savevm.h, QEMU_VM_FILE_MAGIC). */
export const QEVM_MAGIC = 0x5145564d
const QEVM_VERSION = 3

/** What begins a part of the stream (migration/savevm.h, QEMU_VM_*). */
const part = {
  EOF: 0x00,
  SECTION_START: 0x01,
  SECTION_PART: 0x02,
  SECTION_END: 0x03,
  SECTION_FULL: 0x04,
  SUBSECTION: 0x05,
  CONFIGURATION: 0x07,
  COMMAND: 0x08,
  SECTION_FOOTER: 0x7e,
} as const

/** Commands that announce or use postcopy (migration/savevm.c, enum qemu_vm_cmd). */
const postcopy = [3, 4, 5, 6, 7, 9, 10]
const RAM_VERSION = 4
const MAX_MACHINE = 256
const MAX_CAPABILITIES = 256

/** A stream's memory, as far as it was read. */
export interface QevmStream {
  /** The machine type, such as `pc-q35-7.2`; streams before QEMU 2.4 do not name it. */
  readonly machine: string | undefined
  readonly blocks: readonly RamBlock[]
  /** Where the sections of memory end; devices follow. */
  readonly ramEnd: number
  /** Why the stream ends too early, if it does. */
  readonly cut: string | undefined
}

/**
 * Reads a stream up to the end of its memory, and tells the visitor that `onBlocks` gives of each page. Each page is
 * passed over, so that this takes as long as the system takes to read the file once.
 * `shift` is what mapped-ram's offsets count too much.
 */
export function readQevm(
  file: FileBytes,
  shift: number,
  onBlocks: (blocks: readonly RamBlock[], machine: string | undefined) => RamVisitor,
): QevmStream {
  const cursor = new FileCursor(file)
  const magic = cursor.u32('the signature')
  const version = cursor.u32('the version')
  if (magic !== QEVM_MAGIC || version !== QEVM_VERSION) {
    throw new UnsupportedError(
      `${file.name}: migration stream of version ${version}, and ${QEVM_VERSION} is known`,
      `migration stream version ${version}`,
    )
  }
  let machine: string | undefined
  let capabilities: string[] = []
  if (peek(cursor) === part.CONFIGURATION) {
    cursor.u8('the configuration')
    machine = cursor.text(checked(cursor, cursor.u32('its length'), MAX_MACHINE), 'the machine')
    capabilities = readCapabilities(cursor)
  }
  const ram = new RamSections(cursor, capabilities, shift)
  let cut: string | undefined
  try {
    readSections(cursor, ram, (blocks) => onBlocks(blocks, machine))
  } catch (error) {
    // A stream that was cut is of use up to there; one that is wrong is not.
    const isCut = error instanceof DumpError && cursor.at + 4096 + 300 > file.size
    if (!isCut || error instanceof UnsupportedError || ram.blocks.length === 0) throw error
    cut = `the file ends at ${file.size}, in the middle of memory`
  }
  return { machine, blocks: ram.blocks, ramEnd: cursor.at, cut }
}

function readSections(
  cursor: FileCursor,
  ram: RamSections,
  onBlocks: (blocks: readonly RamBlock[]) => RamVisitor,
): void {
  let visitor: RamVisitor | undefined
  let id: number | undefined
  for (;;) {
    const at = cursor.at
    const type = cursor.u8('a section')
    if (type === part.COMMAND) {
      readCommand(cursor)
      continue
    }
    if (type === part.EOF || type === part.SECTION_FULL) {
      throw new FormatError(`${cursor.file.name}: the stream has no memory before ${at}`, 'ram', at)
    }
    if (type < part.SECTION_START || type > part.SECTION_END) {
      throw new FormatError(`${cursor.file.name}: a section of type ${type} at ${at}`, 'type', at)
    }
    const section = cursor.u32("a section's number")
    if (type === part.SECTION_START) {
      const name = cursor.name("a section's name")
      cursor.u32('an instance')
      const version = cursor.u32('a version')
      if (name !== 'ram' || version !== RAM_VERSION || id !== undefined) {
        const what = `section '${name}' of version ${version} before the end of memory`
        throw new UnsupportedError(
          `${cursor.file.name}: the stream has ${what}, whose length it does not tell. ${dumpInstead}`,
          what,
        )
      }
      id = section
    } else if (section !== id) {
      throw new FormatError(`${cursor.file.name}: section ${section} at ${at}`, 'section_id', at)
    }
    visitor = ram.read(visitor, onBlocks)
    if (peek(cursor) === part.SECTION_FOOTER) cursor.skip(5, 'a footer')
    if (type === part.SECTION_END) return
  }
}

function readCommand(cursor: FileCursor): void {
  const command = cursor.u16('a command')
  if (postcopy.includes(command)) {
    throw new UnsupportedError(
      `${cursor.file.name}: the migration stream uses postcopy: pages went another way. ${dumpInstead}`,
      'postcopy',
    )
  }
  cursor.skip(cursor.u16("a command's length"), 'a command')
}

/** What stands behind the machine's name (migration/savevm.c, vmstate_configuration): of interest are capabilities. */
function readCapabilities(cursor: FileCursor): string[] {
  const capabilities: string[] = []
  while (peek(cursor) === part.SUBSECTION) {
    cursor.u8('a subsection')
    const name = cursor.name("a subsection's name")
    cursor.u32("a subsection's version")
    if (name === 'configuration/target-page-bits') cursor.u32('the page bits')
    else if (name === 'configuration/uuid') cursor.skip(16, 'the uuid')
    else if (name === 'configuration/capabilities') {
      const count = checked(cursor, cursor.u32('the count'), MAX_CAPABILITIES)
      for (let i = 0; i < count; i++) capabilities.push(cursor.name('a capability'))
    } else throw new UnsupportedError(`${cursor.file.name}: '${name}' of a migration stream`, name)
  }
  return capabilities
}

function peek(cursor: FileCursor): number {
  const type = cursor.u8('a section')
  cursor.at--
  return type
}

function checked(cursor: FileCursor, value: number, limit: number): number {
  if (value <= limit) return value
  throw new FormatError(`${cursor.file.name}: ${value} at ${cursor.at - 4}, which cannot be`, 'len')
}
