// SPDX-License-Identifier: GPL-2.0-or-later
// Debug files as distributions lay them out, modules, packed files, and what is said of where to get them.

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { DebugFiles } from '../../../core/debug/debugfiles.ts'
import { type DumpedKernel } from '../../../core/debug/identity.ts'
import { openDescribing } from '../../../core/debug/opened.ts'
import { whereKept } from '../../../core/debug/packages.ts'
import { FaultError } from '../../../core/errors.ts'
import { Space } from '../../../core/space/space.ts'
import { parseVmcoreinfo } from '../../../core/vmcoreinfo/parse.ts'
import { BtfBuilder } from '../../build/btf.ts'
import { debugElf } from '../../build/debugelf.ts'

const root = mkdtempSync(join(tmpdir(), 'test-folders-'))
after(() => {
  rmSync(root, { recursive: true })
})

class NoMemory extends Space {
  readonly name = 'kernel virtual'
  protected pageAt(address: bigint): Uint8Array {
    throw new FaultError(this.name, address, 'excluded', 'by the test')
  }
}

const release = '5.14.0-503.el9.x86_64'
const buildId = 'ab'.padEnd(40, '0')
const kernel: DumpedKernel = {
  vmcoreinfo: parseVmcoreinfo(`OSRELEASE=${release}\nBUILD-ID=${buildId}\n`),
  space: new NoMemory(),
}

const types = new BtfBuilder()
const int = types.int('int', 4)
types.struct('module', 64, [{ name: 'state', type: int, bits: 0 }])
const ofModule = new BtfBuilder({ base: types })
ofModule.struct('kvm_only', 12, [{ name: 'pages', type: int, bits: 64 }])

const own = debugElf({ buildId, btf: types.blob() })
const foreign = debugElf({ buildId: 'cd'.padEnd(40, '0'), btf: types.blob() })
const modinfo = ['name=kvm_amd', `vermagic=${release} SMP mod_unload `]
const module = debugElf({ modinfo, btf: ofModule.blob(), room: 64 })

let count = 0
/** A new folder with these files in it. */
function folder(files: Readonly<Record<string, Uint8Array>>): string {
  const path = join(root, String(count++))
  mkdirSync(path)
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), bytes)
  }
  return path
}

const layouts: Readonly<Record<string, string>> = {
  'by build id': `.build-id/ab/${'0'.repeat(38)}.debug`,
  'by build id, from the root of a system': `usr/lib/debug/.build-id/ab/${'0'.repeat(38)}.debug`,
  "as Debian's and RHEL's packages have it": `usr/lib/debug/lib/modules/${release}/vmlinux`,
  "as Fedora's merged /usr has it": `usr/lib/debug/usr/lib/modules/${release}/vmlinux`,
  "as Ubuntu's packages have it": `usr/lib/debug/boot/vmlinux-${release}`,
  "as SUSE's packages have it": `boot/vmlinux-${release}.debug`,
  'in the folder where it was built': 'vmlinux',
}

describe('vmlinux in a folder', () => {
  for (const [what, path] of Object.entries(layouts)) {
    it(`is found ${what}`, () => {
      const files = new DebugFiles({ debuginfo: folder({ [path]: own }) })
      assert.equal(files.types(kernel)?.sizeOf('module'), 64)
      files.close()
    })
  }

  it('is passed over when it is of another build, and the right one is taken', () => {
    const both = { [`lib/modules/${release}/vmlinux`]: foreign, vmlinux: own }
    const files = new DebugFiles({ debuginfo: folder(both) })
    assert.match(files.types(kernel)?.remarks[0] ?? '', /\/vmlinux: the build id agrees$/)
  })

  it('that is not there is told with the package that has it', () => {
    const attempt = (files: Readonly<Record<string, Uint8Array>>) => () =>
      new DebugFiles({ debuginfo: folder(files) }).types(kernel)
    assert.throws(attempt({}), /has neither .build-id\/ab\/… or .*kernel-debuginfo-5.14.0-503.el9/)
    assert.throws(attempt({ vmlinux: foreign }), /its build id is cd0+, that of the dumped kernel/)
    assert.throws(attempt({ vmlinux: debugElf({ buildId }) }), /has neither BTF nor DWARF/)
  })
})

describe('the types of a module', () => {
  const base = new DebugFiles({ debuginfo: folder({ vmlinux: own }) }).types(kernel)
  const typesIn = (files: Readonly<Record<string, Uint8Array>>) => {
    assert.ok(base)
    return new DebugFiles({ modules: folder(files) }).moduleTypes(kernel, base, 'kvm_amd')
  }

  it('are found in its file, however deep, with a dash in its name', () => {
    const path = `lib/modules/${release}/kernel/arch/x86/kvm/kvm-amd.ko`
    assert.equal(
      typesIn({ [path]: module })
        ?.struct('kvm_only')
        ?.member('pages')?.offset,
      8,
    )
    assert.equal(typesIn({ 'kvm.ko': module }), undefined)
  })

  it('are refused when the module was built for another kernel', () => {
    const other = debugElf({ modinfo: ['vermagic=5.14.0-1 SMP '], btf: ofModule.blob() })
    assert.throws(() => typesIn({ 'kvm-amd.ko': other }), /its vermagic is "5.14.0-1 SMP"/)
    const larger = debugElf({ btf: ofModule.blob(), room: 128 })
    assert.throws(() => typesIn({ 'kvm-amd.ko': larger }), /its struct module has 128 bytes/)
  })

  it('are unpacked from gzip; other packed modules are told with the command', () => {
    assert.equal(typesIn({ 'kvm-amd.ko.gz': gzipSync(module) })?.sizeOf('kvm_only'), 12)
    const xz = Buffer.from('\xfd7zXZ\0rest', 'latin1')
    assert.throws(() => typesIn({ 'kvm-amd.ko.xz': xz }), /compressed with xz; .*: xz -dc < '/)
  })
})

describe('a file that is given as vmlinux', () => {
  const bootImage = new Uint8Array(1024)
  bootImage.set(Buffer.from('HdrS'), 0x202)
  const refused: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    'a boot image': [bootImage, /boot image .* scripts\/extract-vmlinux '.*' > NEW/],
    'one packed with zstd': [Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), /: zstd -dc < '.*' > NEW/],
    'a text': [Buffer.from('hello'), /begins with neither ELF's nor BTF's letters/],
    'an empty file': [new Uint8Array(), /begins with neither ELF's nor BTF's letters/],
  }
  for (const [what, [bytes, message]] of Object.entries(refused)) {
    it(`is refused when it is ${what}`, () => {
      const path = join(folder({ file: bytes }), 'file')
      assert.throws(() => openDescribing(path, 'vmlinux'), message)
    })
  }
})

describe('where a distribution keeps vmlinux', () => {
  const rows: readonly (readonly [release: string, build: string, where: RegExp])[] = [
    ['5.10.0-46-amd64', '#1 SMP Debian 5.10.262-1', /Debian .* linux-image-5.10.0-46-amd64-dbg,/],
    ['6.12.107+deb13-cloud-amd64', '', /Debian .* linux-image-6.12.107\+deb13-cloud-amd64-dbg,/],
    ['5.4.0-42-generic', '#46-Ubuntu SMP', /linux-image-unsigned-5.4.0-42-generic-dbgsym/],
    ['3.10.0-1160.el7.x86_64', '', /kernel-debuginfo-3.10.0-1160.el7.x86_64/],
    ['5.15.0-200.el8uek.x86_64', '', /kernel-uek-debuginfo-5.15.0/],
    ['5.14.21-150500.55-default', '', /SUSE .* kernel-default-debuginfo/],
    ['6.1.0', '', /a kernel of your own has it where it was built/],
  ]
  for (const [name, build, where] of rows) {
    it(`is told for ${name}`, () => {
      assert.match(whereKept(name, build), where)
    })
  }
})
