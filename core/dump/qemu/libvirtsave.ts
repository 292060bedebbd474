// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's save images (`virsh save`, managed saves): a header, the domain's XML, then a migration stream.

import { FormatError, UnsupportedError } from '../../errors.ts'
import { type FileBytes } from '../file.ts'
import { partOf } from '../filepart.ts'
import { type DumpFormat } from '../format.ts'
import { openQevm } from './qevm.ts'
import { dumpInstead } from './ramsection.ts'

// virQEMUSaveHeader of libvirt's src/qemu/qemu_saveimage.h.
const SAVE_MAGIC = 'LibvirtQemudSave'
const PART_MAGIC = 'LibvirtQemudPart'
const HEADER_BYTES = 92
const MAX_VERSION = 2
/** libvirt leaves 64 KiB for changes of an XML that is some KiB. */
const MAX_DATA = 64 << 20

/** How the stream is packed (virQEMUSaveFormat), and the program that unpacks it. */
const packings: readonly (readonly [string, string | undefined])[] = [
  ['raw', undefined],
  ['gzip', 'gzip -dc'],
  ['bzip2', 'bzip2 -dc'],
  ['xz', 'xz -dc'],
  ['lzop', 'lzop -dc'],
  ['zstd', 'zstd -dc'],
  ['sparse', undefined],
]

/** The format of libvirt's save images of QEMU machines. */
export const libvirtSave: DumpFormat = {
  name: 'libvirt save image',
  looksFor: `'${SAVE_MAGIC}' or '${PART_MAGIC}' at offset 0`,
  probe: (head) => [SAVE_MAGIC, PART_MAGIC].includes(magicOf(head)),
  open(file) {
    const header = file.read(0, HEADER_BYTES, 'the header of a libvirt save image')
    const view = new DataView(header.buffer, header.byteOffset, header.length)
    const littleEndian = view.getUint32(16, true) <= MAX_VERSION
    const [version = 0, dataLength = 0, , format = 0] = [16, 20, 24, 28].map((at) =>
      view.getUint32(at, littleEndian),
    )
    if (version === 0 || version > MAX_VERSION || dataLength > MAX_DATA) {
      throw new FormatError(
        `${file.name}: libvirt save image of version ${version} with ${dataLength} bytes of XML`,
        'version',
        16,
      )
    }
    const base = HEADER_BYTES + dataLength
    const [name, unpack] = packings[format] ?? [`number ${format}`]
    if (unpack !== undefined || packings[format] === undefined) {
      throw packed(file, name, unpack, base)
    }
    const remarks = xmlRemarks(file.read(HEADER_BYTES, dataLength, "the domain's XML"))
    if (magicOf(header) === PART_MAGIC) remarks.push('libvirt did not finish this save image')
    const stream = partOf(file, base)
    return openQevm(stream, { format: `libvirt save image, ${name}`, base, remarks })
  },
}

function magicOf(head: Uint8Array): string {
  return new TextDecoder('latin1').decode(head.subarray(0, 16))
}

function packed(
  file: FileBytes,
  name: string,
  unpack: string | undefined,
  base: number,
): UnsupportedError {
  const how =
    unpack === undefined
      ? dumpInstead
      : `Unpack it: tail -c +${base + 1} '${file.name}' | ${unpack} > stream, and open that`
  return new UnsupportedError(
    `${file.name} is a libvirt save image packed as ${name}. ${how}`,
    `libvirt save image, ${name}`,
  )
}

/** What the XML says of the machine, for the summary. It is text of the file: only these forms are taken. */
function xmlRemarks(bytes: Uint8Array): string[] {
  const xml = new TextDecoder().decode(bytes).replace(/\0[^]*$/, '')
  const found: [string, string | undefined][] = [
    ['domain', /<name>([^<]{1,100})<\/name>/.exec(xml)?.[1]],
    ['machine', /<type[^>]{0,200}\bmachine='([\w.+-]{1,100})'/.exec(xml)?.[1]],
    ['memory', /<memory[^>]{0,100}>(\d{1,20})<\/memory>/.exec(xml)?.[1]],
    ['NUMA cells', String(xml.match(/<cell\b/g)?.length ?? 0)],
  ]
  const said = found.flatMap(([what, value]) =>
    value === undefined || value === '0' ? [] : `${what} ${value}`,
  )
  return said.length > 0 ? [`its XML says: ${said.join(', ')}`] : []
}
