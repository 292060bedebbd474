// SPDX-License-Identifier: GPL-2.0-or-later
// DWARF by way of pahole: a small program's types, the cache, and what is said when pahole is not there.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { ElfFile } from '../../../core/debug/elffile.ts'
import { typesByPahole } from '../../../core/debug/pahole.ts'
import { openFile } from '../../../core/dump/file.ts'
import { onProgress } from '../../../core/progress.ts'
import { type BtfTypes } from '../../../core/types/btf.ts'

const isThere = (program: string): boolean => spawnSync(program, ['--version']).status === 0
const missing = ['gcc', 'pahole'].filter((program) => !isThere(program))
const skip = missing.length > 0 && `not installed: ${missing.join(', ')}`

const folder = mkdtempSync(join(tmpdir(), 'test-pahole-'))
const { PATH, XDG_CACHE_HOME } = process.env
after(() => {
  restore('PATH', PATH)
  restore('XDG_CACHE_HOME', XDG_CACHE_HOME)
  rmSync(folder, { recursive: true })
})

function restore(name: string, value: string | undefined): void {
  if (value === undefined) Reflect.deleteProperty(process.env, name)
  else process.env[name] = value
}

function compiled(name: string, source: string): ElfFile {
  const path = join(folder, name)
  writeFileSync(`${path}.c`, source)
  const args = ['-g', '-gdwarf-4', '-c', '-o', path, `${path}.c`]
  assert.equal(spawnSync('gcc', args).status, 0)
  return new ElfFile(openFile(path))
}

const kernel =
  'struct list_head { struct list_head *next, *prev; };\n' +
  'struct kvm { int users; struct list_head vm_list; char name[7]; } kvm;\n'

describe('types out of DWARF', { skip }, () => {
  let cache = ''
  beforeEach(() => {
    restore('PATH', PATH)
    cache = mkdtempSync(join(folder, 'cache-'))
    process.env['XDG_CACHE_HOME'] = cache
  })
  const offset = (types: BtfTypes, struct: string, path: string) =>
    types.struct(struct)?.member(path)?.offset

  it('are those of the compiler, and progress is told', () => {
    const labels: string[] = []
    const end = onProgress(({ label }) => {
      labels.push(label)
      return { advance: () => undefined, finish: () => undefined, stop: () => undefined }
    })
    const types = typesByPahole({ elf: compiled('vmlinux', kernel), name: 'vmlinux' })
    end()
    assert.equal(offset(types, 'kvm', 'vm_list.prev'), 16)
    assert.equal(types.sizeOf('kvm'), 32)
    assert.deepEqual(labels, ['making types of vmlinux out of DWARF with pahole'])
  })

  it('are kept where only this user can write, and made again when they were damaged', () => {
    const elf = compiled('vmlinux', kernel)
    typesByPahole({ elf, name: 'vmlinux' })
    const own = join(cache, 'qemu-vtop')
    assert.equal(statSync(own).mode & 0o777, 0o700)
    const [name = '', ...others] = readdirSync(own)
    assert.deepEqual(others, [])
    process.env['PATH'] = folder
    assert.equal(typesByPahole({ elf, name: 'vmlinux' }).sizeOf('kvm'), 32)
    writeFileSync(join(own, name), 'damaged')
    assert.throws(() => typesByPahole({ elf, name: 'vmlinux' }), { code: 'no-pahole' })
    restore('PATH', PATH)
    assert.equal(typesByPahole({ elf, name: 'vmlinux' }).sizeOf('kvm'), 32)
  })

  it('of a module count on from those of the kernel', () => {
    const base = typesByPahole({ elf: compiled('vmlinux', kernel), name: 'vmlinux' })
    const source = `${kernel}struct zram { struct kvm *of; long pages; } zram;\n`
    const types = typesByPahole({ elf: compiled('zram.ko', source), name: 'zram', base })
    assert.equal(offset(types, 'zram', 'pages'), 8)
    assert.equal(types.struct('kvm'), base.struct('kvm'))
  })

  it('say how to install pahole when it is not there', () => {
    const elf = compiled('vmlinux', kernel)
    process.env['PATH'] = folder
    assert.throws(() => typesByPahole({ elf, name: 'vmlinux' }), {
      code: 'no-pahole',
      message: /pahole has to convert, and it is not there; install it: apt install dwarves/,
    })
    assert.deepEqual(readdirSync(join(cache, 'qemu-vtop')), [])
  })

  it('say what pahole said when it fails', () => {
    const path = join(folder, 'none')
    const plain = compiled('vmlinux', kernel)
    const elf = Object.assign(Object.create(plain) as ElfFile, {
      file: { ...plain.file, name: path },
    })
    assert.throws(() => typesByPahole({ elf, name: 'vmlinux' }), {
      code: 'pahole',
      message: /pahole could not convert .*none: it ended with exit code 1, and said: pahole: /,
    })
  })
})
