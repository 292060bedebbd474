// SPDX-License-Identifier: GPL-2.0-or-later
// Files that people have in place of a dump, known by their first bytes, so that each is refused with what helps.

import { UnsupportedError } from '../errors.ts'
import { type DumpFormat } from './format.ts'

interface Named {
  readonly name: string
  /** Bytes at offsets, one of which makes the file one of these. Letters are latin1, as `\xfd`. */
  readonly magic: readonly (readonly [offset: number, letters: string])[]
  /** Put behind "FILE is ". */
  readonly what: string
  /** What to do, put behind a colon; `FILE` in it becomes the file's quoted name. */
  readonly help: string
}

const UNPACK = 'unpack it first'
const X86_ONLY = 'only x86-64 hosts are supported here'
const IN_CRASH = 'crash opens it'
// The last ten bytes of the first page, where swap devices have their signature (kernel/power/swap.c, SWSUSP_SIG).
const SWAP_SIGNATURE = 4096 - 10

const rows: readonly Named[] = [
  packed('gzip', '\x1f\x8b', 'gunzip -c < FILE > NEW'),
  packed('Zstandard', '\x28\xb5\x2f\xfd', 'zstd -dc < FILE > NEW'),
  packed('xz', '\xfd7zXZ\0', 'xz -dc < FILE > NEW'),
  packed('lz4', '\x04\x22\x4d\x18', 'lz4 -dc < FILE > NEW'),
  packed(
    'bzip2',
    'BZh',
    'bzip2 -dc < FILE > NEW',
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `${n}1AY&SY`),
  ),
  packed('lzop', '\x89LZO\0\r\n\x1a\n', 'lzop -dc < FILE > NEW'),
  archive('7z', [[0, '7z\xbc\xaf\x27\x1c']], '7z x FILE'),
  archive('zip', [[0, 'PK\x03\x04']], 'unzip FILE'),
  archive('tar', [[257, 'ustar']], 'tar xf FILE'),
  {
    name: 'zlib stream',
    // The levels of compression, each with the check bits of RFC 1950.
    magic: ['\x78\x01', '\x78\x5e', '\x78\x9c', '\x78\xda'].map((letters) => [0, letters]),
    what: "one zlib stream, as LiME's compress=1 writes",
    help: `${UNPACK} (zlib-flate comes with qpdf): zlib-flate -uncompress < FILE > NEW`,
  },
  {
    name: 'qcow2',
    magic: [[0, 'QFI\xfb']],
    what: 'a qcow2 disk image',
    help:
      "a snapshot's memory in it comes out through QEMU only: " +
      'virsh snapshot-revert DOMAIN SNAPSHOT --paused, then virsh dump --memory-only DOMAIN NEW',
  },
  {
    name: 'sadump',
    // A single partition or disk set; on backup media the same header is in the second block.
    magic: [
      [0, 'sadump\0\0'],
      [4096, 'sadump\0\0'],
    ],
    what: "a dump by Fujitsu's sadump",
    help: 'convert it first: makedumpfile -c -d 31 -x VMLINUX FILE NEW',
  },
  {
    name: 'VMware state',
    magic: ['\xd0\xbe\xd0\xbe', '\xd1\xbe\xd1\xbe', '\xd2\xbe\xd2\xbe', '\xd3\xbe\xd3\xbe']
      .concat('\xd1\xba\xd1\xba', '\xd2\xba\xd2\xba')
      .map((letters) => [0, letters]),
    what: 'the state of a VMware machine (.vmss or .vmsn)',
    help:
      "convert it with VMware's vmss2core, or open the .vmem file beside it as raw memory: " +
      "openDump('x.vmem', {format: 'raw', ranges: [{offset, start, length}, …]}), in two ranges " +
      'when the machine has memory above 4 GiB',
  },
  {
    name: 'Xen core',
    magic: [
      [0, '\xed\xeb\x0f\xf0'],
      [0, '\xee\xeb\x0f\xf0'],
    ],
    what: 'a core of a Xen domain',
    help: IN_CRASH,
  },
  {
    name: 'Xen save file',
    magic: [
      [0, 'LinuxGuestRecord'],
      [0, 'Xen saved domain'],
    ],
    what: 'a saved Xen domain',
    help: 'restore it, and dump it from inside with kdump',
  },
  {
    name: 'Windows dump',
    magic: [
      [0, 'PAGEDU64'],
      [0, 'PAGEDUMP'],
    ],
    what: 'a crash dump of Windows',
    help:
      'there is no Linux kernel in it; for a Linux guest leave out win-dmp: ' +
      'virsh dump --memory-only DOMAIN NEW',
  },
  {
    name: 'minidump',
    magic: [[0, 'MDMP']],
    what: 'a minidump, of a process',
    help: 'there is no kernel in it',
  },
  {
    name: 's390 dump',
    magic: [
      [0, '\xa8\x19\x01\x73\x61\x8f\x23\xfd'],
      [0, '\xfd\x23\x8f\x61\x73\x01\x19\xa8'],
    ],
    what: 'a dump of an s390 machine',
    help: X86_ONLY,
  },
  {
    name: 'LKCD',
    magic: [
      [0, '\xed\x23\x8f\x61\x73\x01\x19\xa8'],
      [0, '\xcd\x23\x8f\x61\x73\x01\x19\xa8'],
      [0, '\xa8\x19\x01\x73\x61\x8f\x23\xed'],
      [0, '\xa8\x19\x01\x73\x61\x8f\x23\xcd'],
    ],
    what: 'a dump by LKCD, of old kernels',
    help: IN_CRASH,
  },
  {
    name: 'hibernation image',
    magic: [[SWAP_SIGNATURE, 'S1SUSPEND']],
    what: 'a swap device with a hibernation image',
    help: 'resume the host from it, and dump it with kdump',
  },
  {
    name: 'swap',
    magic: [
      [SWAP_SIGNATURE, 'SWAPSPACE2'],
      [SWAP_SIGNATURE, 'SWAP-SPACE'],
    ],
    what: 'a swap device or file',
    help: 'pages without their addresses are no dump',
  },
]

/** A format for each of them, which opens none: they throw UnsupportedError with the command that helps. */
export const named: readonly DumpFormat[] = rows.map(({ name, magic, what, help }) => ({
  name,
  looksFor: what,
  probe: (head) => magic.some(([offset, letters]) => isAt(head, offset, letters)),
  open(file) {
    const cure = help.replace('FILE', () => quoted(file.name))
    throw new UnsupportedError(`${file.name} is ${what}, which cannot be read here; ${cure}`, name)
  },
}))

function packed(name: string, letters: string, command: string, then = ['']): Named {
  return {
    name,
    magic: then.map((rest) => [0, letters + rest]),
    what: `compressed with ${name}`,
    help: `${UNPACK}: ${command}`,
  }
}

function archive(name: string, magic: Named['magic'], command: string): Named {
  return { name, magic, what: `a ${name} archive`, help: `${UNPACK}: ${command}` }
}

function isAt(head: Uint8Array, offset: number, letters: string): boolean {
  for (let i = 0; i < letters.length; i++) {
    if (head[offset + i] !== letters.charCodeAt(i)) return false
  }
  return true
}

/** For a shell. */
function quoted(name: string): string {
  return `'${name.replaceAll("'", "'\\''")}'`
}
