// SPDX-License-Identifier: GPL-2.0-or-later
// The types of a module out of its file, held against the kernel that it was loaded into.

import { DumpError, FormatError, UnsupportedError } from '../errors.ts'
import { type BtfTypes, readBtf } from '../types/btf.ts'
import { type ElfFile } from './elffile.ts'
import { otherKernel } from './identity.ts'
import { openDescribing } from './opened.ts'
import { typesByPahole } from './pahole.ts'
import { isFolder, modulePlaces } from './places.ts'

const MAX_BTF_BYTES = 64 << 20
const MAX_MODINFO_BYTES = 1 << 20

/** What is looked for. */
export interface ModuleQuestion {
  /** The folder to look in, or the module's file itself. */
  readonly folder: string
  readonly module: string
  readonly release: string
  /** The types of the kernel. */
  readonly base: BtfTypes
  /** Whether these are numbered as the kernel's own, which a module's BTF counts on from. */
  readonly isOwn: boolean
}

/**
 * The types of a module. Undefined when the folder does not have it, or has it without types. Throws DumpError
 * `other-kernel` when it only has another kernel's, and UnsupportedError, with the command, when it has to be unpacked.
 */
export function typesOfModule(question: ModuleQuestion): BtfTypes | undefined {
  const { folder, module, release } = question
  const places = isFolder(folder) ? modulePlaces(folder, module, release) : [folder]
  let problem: DumpError | undefined
  for (const path of places) {
    try {
      const types = typesIn(path, question)
      if (types !== undefined) return types.withRemarks([`types of ${module}: from ${path}`])
    } catch (error) {
      const isAnother = error instanceof DumpError && error.code === 'other-kernel'
      if (!isAnother && !(error instanceof UnsupportedError)) throw error
      problem ??= error
    }
  }
  if (problem !== undefined) throw problem
  return undefined
}

function typesIn(path: string, question: ModuleQuestion): BtfTypes | undefined {
  const opened = openDescribing(path, 'module')
  try {
    if (opened.kind === 'btf') throw new FormatError(`${path} is BTF, and no module`, 'module')
    const { elf } = opened
    if (!isOf(elf, question)) return undefined
    return ofSection(elf, question) ?? ofDwarf(elf, question)
  } finally {
    const file = opened.kind === 'elf' ? opened.elf.file : opened.file
    file.close()
  }
}

/** Holds a module against the kernel. False for a file of another module. */
function isOf(elf: ElfFile, { module, release, base }: ModuleQuestion): boolean {
  const { name } = elf.file
  const section = elf.section('.modinfo')
  // Files with debug information alone do not have it.
  if (section !== undefined) {
    const texts = Buffer.from(elf.bytes(section, MAX_MODINFO_BYTES)).toString('latin1').split('\0')
    const own = valueOf(texts, 'name')
    if (own !== undefined && own.replaceAll('-', '_') !== module.replaceAll('-', '_')) return false
    const magic = valueOf(texts, 'vermagic')
    if (magic !== undefined && !magic.startsWith(`${release} `)) {
      throw otherKernel(name, `its vermagic is "${magic.trim()}", the dump is of ${release}`)
    }
  }
  // The room for its `struct module` is as large as that struct, empty or not.
  const room = elf.sections.find((one) => one.name === '.gnu.linkonce.this_module')
  const size = base.sizeOf('module')
  if (room !== undefined && size !== undefined && room.size !== size) {
    throw otherKernel(
      name,
      `its struct module has ${room.size} bytes, that of the dumped kernel ${release} has ${size}`,
    )
  }
  return true
}

function valueOf(texts: readonly string[], key: string): string | undefined {
  return texts.find((text) => text.startsWith(`${key}=`))?.slice(key.length + 1)
}

function ofSection(elf: ElfFile, { module, base, isOwn }: ModuleQuestion): BtfTypes | undefined {
  const section = elf.section('.BTF')
  // A distilled base (6.11) is a numbering of its own, for modules built outside of the kernel's tree.
  if (section === undefined || !isOwn || elf.section('.BTF.base') !== undefined) return undefined
  try {
    return readBtf(elf.bytes(section, MAX_BTF_BYTES), module, base)
  } catch (error) {
    if (!(error instanceof FormatError)) throw error
    return undefined
  }
}

function ofDwarf(elf: ElfFile, { module, base }: ModuleQuestion): BtfTypes | undefined {
  return elf.hasDwarf ? typesByPahole({ elf, name: module, base }) : undefined
}
