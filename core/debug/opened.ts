// SPDX-License-Identifier: GPL-2.0-or-later
// Opens a file that is to describe a kernel, and names those that have to be unpacked first.

import { gunzipSync } from 'node:zlib'
import { bytesAsFile, openFile, reasonOf, type FileBytes } from '../dump/file.ts'
import { FormatError, UnsupportedError } from '../errors.ts'
import { ElfFile } from './elffile.ts'

/** The largest file of a distribution, with all of its debug information, is below this when it is unpacked. */
const MAX_UNPACKED = 2 ** 31 - 1
const BTF_MAGIC = '\x9f\xeb'
/** The remark on a file that lies packed on the disk, so that other programs cannot read it. */
export const UNPACKED = 'it was unpacked'
/** The setup header of a boot image (Documentation/arch/x86/boot.rst). */
const BOOT_MAGIC_AT = 0x202

const packed: readonly (readonly [letters: string, name: string, command: string])[] = [
  ['\xfd7zXZ\0', 'xz', 'xz -dc'],
  ['\x28\xb5\x2f\xfd', 'Zstandard', 'zstd -dc'],
  ['BZh', 'bzip2', 'bzip2 -dc'],
  ['\x04\x22\x4d\x18', 'lz4', 'lz4 -dc'],
  ['\x02\x21\x4c\x18', 'lz4', 'lz4 -dc'],
]

/** What a file turned out to be. */
export type Opened =
  | { readonly kind: 'elf'; readonly elf: ElfFile }
  | { readonly kind: 'btf'; readonly file: FileBytes }

/**
 * Opens an ELF file or raw BTF; gzip is unpacked. `what` is what the user gave it as: `vmlinux`. Throws DumpError when
 * it cannot be opened, and UnsupportedError, with the command that helps, when it has to be unpacked.
 */
export function openDescribing(path: string, what: string): Opened {
  const file = unpacked(openFile(path, `the ${what}`), what)
  try {
    const head = Buffer.from(file.read(0, Math.min(file.size, 1024), 'its first bytes'))
    const starts = (letters: string, at = 0): boolean =>
      head.toString('latin1', at, at + letters.length) === letters
    if (starts('\x7fELF')) return { kind: 'elf', elf: new ElfFile(file) }
    if (starts(BTF_MAGIC)) return { kind: 'btf', file }
    const name = quoted(path)
    for (const [letters, packer, command] of packed) {
      if (!starts(letters)) continue
      const help = `unpack it first: ${command} < ${name} > NEW`
      throw new UnsupportedError(`${path} is compressed with ${packer}; ${help}`, packer)
    }
    if (starts('HdrS', BOOT_MAGIC_AT)) {
      throw new UnsupportedError(
        `${path} is a boot image (vmlinuz, bzImage), which has the kernel compressed in it and no symbols; ` +
          `the script of the kernel's sources takes it out: scripts/extract-vmlinux ${name} > NEW ` +
          '(also in /usr/src/linux-headers-*/scripts, or /usr/lib/linux-kbuild-*/scripts)',
        'boot images',
      )
    }
    throw new FormatError(
      `${path} is no ${what}: it begins with neither ELF's nor BTF's letters`,
      what,
      0,
    )
  } catch (error) {
    file.close()
    throw error
  }
}

function unpacked(file: FileBytes, what: string): FileBytes {
  const isGzip = file.size > 18 && file.read(0, 2, 'its first bytes').join() === '31,139'
  if (!isGzip) return file
  try {
    const bytes = file.read(0, file.size, 'the file')
    const out = gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED })
    return { ...bytesAsFile(file.name, out), remarks: [UNPACKED] }
  } catch (error) {
    throw new FormatError(
      `${file.name}: the ${what} cannot be unpacked: ${reasonOf(error)}`,
      'gzip',
    )
  } finally {
    file.close()
  }
}

/** For a shell. */
function quoted(name: string): string {
  return `'${name.replaceAll("'", "'\\''")}'`
}
