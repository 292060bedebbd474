// SPDX-License-Identifier: GPL-2.0-or-later
// The real dumps with their types and symbols blanked: files give the same translations; other kernels' are refused.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { DebugFiles, type DebugOptions } from '../../../core/debug/debugfiles.ts'
import { buildIdOfDump, buildOfDump } from '../../../core/debug/identity.ts'
import { readSystemMap } from '../../../core/debug/systemmap.ts'
import { bytesAsFile } from '../../../core/dump/file.ts'
import { DumpError } from '../../../core/errors.ts'
import { qemuVtop, type Translation } from '../../../core/index.ts'
import { parseVmcoreinfo } from '../../../core/vmcoreinfo/parse.ts'
import { debugElf } from '../../build/debugelf.ts'
import { hostParts, type HostParts } from '../../build/hostparts.ts'
import { ownBtf, systemMapOf, undescribed } from '../../build/undescribed.ts'
import { debugFolder, kernels, realDump } from '../../place.ts'
import { pagemapOf, truthOf } from '../../truth.ts'
import { realHost } from '../types/real.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-debug-'))
after(() => {
  rmSync(folder, { recursive: true })
})

/** What is asked of a kernel's symbols beside those that the host listed: whether some are there decides how it is read. */
const asked =
  '_stext __start_BTF __stop_BTF __start_notes __stop_notes init_mm init_uts_ns init_task page_offset_base vmalloc_base ' +
  'vmemmap_base sme_me_mask __pgtable_l5_enabled modules btf_modules l1tf_mitigation mwriteprotect_range pte_mkwrite ' +
  'swap_info nr_swapfiles nr_zswap_trees zswap_trees swapper_spaces empty_zero_page zero_page_pfn huge_zero_pfn mem_section'

interface Files {
  readonly btf: string
  readonly systemMap: string
  readonly vmlinux: string
}
const written = new Map<string, Files>()

/** Files that describe a kernel, made of what its dump says itself. */
function filesOf(kernel: string): Files {
  const known = written.get(kernel)
  if (known !== undefined) return known
  const host = realHost(kernel)
  const { bytes } = ownBtf(host)
  const listed = kallsymsOf(kernel)
  const map = systemMapOf(host, [...listed.keys(), ...asked.split(' ')])
  const symbols = map
    .trimEnd()
    .split('\n')
    .map((line) => [line.slice(19), BigInt(`0x${line.slice(0, 16)}`)] as const)
  const buildId = host.vmcoreinfo.buildId ?? ''
  const paths = {
    btf: join(folder, `${kernel}.btf`),
    systemMap: join(folder, `System.map-${kernel}`),
    vmlinux: join(folder, `vmlinux-${kernel}`),
  }
  writeFileSync(paths.btf, bytes)
  writeFileSync(paths.systemMap, map)
  writeFileSync(paths.vmlinux, debugElf({ buildId, btf: bytes, symbols }))
  written.set(kernel, paths)
  return paths
}

/** The dump with so much hidden, and files to look in. */
function opened(
  kernel: string,
  hidden: Parameters<typeof undescribed>[2],
  options?: DebugOptions,
): HostParts {
  const source = undescribed(realDump(kernel).path, realHost(kernel), hidden)
  return hostParts(source, options === undefined ? {} : { files: new DebugFiles(options) })
}

for (const kernel of kernels) {
  const { skip } = realDump(kernel)
  describe(`the dump of ${kernel} without its own types`, { skip }, () => {
    let files: Files
    before(() => {
      files = filesOf(kernel)
    })

    it('says which file is needed and where the distribution keeps it', () => {
      const { release } = realHost(kernel).vmcoreinfo
      assert.throws(() => opened(kernel, { types: true }).vms(), {
        message: new RegExp(
          `vmlinux of ${escaped(release)}: .*linux-image-${escaped(release)}-dbg, as /usr/lib/debug/lib/modules/${escaped(release)}/vmlinux`,
        ),
      })
    })

    it('finds the build id in its memory where VMCOREINFO does not tell it', () => {
      const { vmcoreinfo, space, symbols } = realHost(kernel)
      const text = [...vmcoreinfo.keys].map(([key, value]) => `${key}=${value}\n`).join('')
      const older = parseVmcoreinfo(text.replace(/^BUILD-ID=.*$/m, ''))
      assert.equal(older.buildId, undefined)
      assert.equal(buildIdOfDump({ vmcoreinfo: older, space, symbols }), vmcoreinfo.buildId)
      const build = buildOfDump({ vmcoreinfo: older, space }) ?? 'none'
      assert.ok(truthOf(kernel).proc_version.endsWith(build), build)
    })

    it('agrees with every entry of every pagemap, with a copy of its BTF', () => {
      const { btf } = files
      assert.ok(checkPagemap(kernel, opened(kernel, { types: true }, { btf })) > 15_000)
    })

    it('gives every recorded translation with a vmlinux that has BTF, its build id compared', () => {
      const parts = opened(kernel, { types: true }, { vmlinux: files.vmlinux })
      checkTranslations(kernel, parts)
      assert.deepEqual(parts.linux.host.types.remarks, [
        `types of the kernel: from ${files.vmlinux}: the build id agrees`,
      ])
    })

    it('gives every recorded translation without symbols too, with System.map and BTF', () => {
      const { btf, systemMap } = files
      const parts = opened(kernel, { types: true, symbols: true }, { btf, systemMap })
      checkTranslations(kernel, parts)
      const [remark] = parts.linux.host.bases.remarks.filter((text) => text.includes(systemMap))
      assert.match(remark ?? '', /^symbols of the kernel: from .* since no symbol table|kallsyms/)
    })

    it('gives every recorded translation without symbols too, with a vmlinux alone', () => {
      const { vmlinux } = files
      checkTranslations(kernel, opened(kernel, { types: true, symbols: true }, { vmlinux }))
    })

    it('has the symbols that the host listed, from a copy of /proc/kallsyms', () => {
      const bytes = gunzipSync(readFileSync(kallsymsPath(kernel)))
      const symbols = readSystemMap(bytesAsFile('kallsyms', bytes))
      const listed = kallsymsOf(kernel)
      for (const [name, address] of listed) {
        assert.ok(symbols.addresses(name).includes(address), `${name} ${address.toString(16)}`)
      }
      assert.ok(listed.size > 30)
      assert.equal(symbols.address('vm_list'), undefined)
    })

    it('refuses a part of the list, which would say that other symbols are not there', () => {
      const systemMap = join(folder, `kallsyms-${kernel}`)
      writeFileSync(systemMap, gunzipSync(readFileSync(kallsymsPath(kernel))))
      assert.throws(() => opened(kernel, { symbols: true }, { systemMap }), {
        message: /the whole list is needed/,
      })
    })

    const debug = debugFolder(kernel)
    it('gives every recorded translation with the debug package', { skip: debug.skip }, () => {
      const parts = opened(kernel, { types: true, symbols: true }, { debuginfo: debug.folder })
      checkTranslations(kernel, parts)
      assert.match(parts.linux.host.types.remarks?.[0] ?? '', /the build id agrees/)
    })
  })
}

const pairs = kernels.flatMap((dump) =>
  kernels.filter((other) => other !== dump).map((other) => ({ dump, other })),
)
for (const { dump, other } of pairs) {
  const skip = realDump(dump).skip !== false ? realDump(dump).skip : realDump(other).skip
  describe(`files of ${other} for the dump of ${dump}`, { skip }, () => {
    it('are refused, with what differs', () => {
      const files = filesOf(other)
      const refused = (options: DebugOptions, why: RegExp): void => {
        const attempt = (): unknown => opened(dump, { types: true, symbols: true }, options).vms()
        assert.throws(attempt, (error) => {
          assert.ok(error instanceof DumpError)
          assert.equal(error.code, 'other-kernel', error.message)
          assert.match(error.message, why)
          return true
        })
      }
      const { systemMap } = filesOf(dump)
      refused({ vmlinux: files.vmlinux }, /its build id is [0-9a-f]{40}, that of the dumped kernel/)
      refused(
        { systemMap: files.systemMap },
        /with _stext where the dump of .* the dumped kernel's/,
      )
      refused({ systemMap, btf: files.btf }, /VMCOREINFO says (SIZE|OFFSET)\(/)
    })
  })
}

function kallsymsPath(kernel: string): string {
  return join(realDump(kernel).folder, 'kallsyms.txt.gz')
}

/** The kernel's symbols as the host listed them while it ran. */
function kallsymsOf(kernel: string): Map<string, bigint> {
  const lines = gunzipSync(readFileSync(kallsymsPath(kernel)))
    .toString()
    .trimEnd()
    .split('\n')
  const fields = lines.map((line) => line.split(/\s+/)).filter(({ length }) => length === 3)
  return new Map(fields.map(([address = '', , name = '']) => [name, BigInt(`0x${address}`)]))
}

function checkTranslations(kernel: string, parts: HostParts): void {
  let seen = 0
  for (const { pid, translations } of truthOf(kernel).vms) {
    for (const wanted of translations) {
      const given = qemuVtop(parts.task(pid), wanted.gpa)
      const where = `${wanted.gpa}: ${given.reason}`
      assert.equal(given.hpa, wanted.hpa === undefined ? null : parseInt(wanted.hpa), where)
      assert.equal(given.hva, wanted.hva === undefined ? null : BigInt(wanted.hva), where)
      if (wanted.state === 'swapped') {
        assert.equal(given.swap?.offset, wanted.swap_offset, where)
        assert.equal(`swap:${given.swap?.path ?? ''}`, wanted.kind, where)
      }
      seen++
    }
  }
  assert.ok(seen > 700)
}

/** Gives how many pages are present. */
function checkPagemap(kernel: string, parts: HostParts): number {
  const pagemap = pagemapOf(kernel)
  let present = 0
  for (const { pid, memslots } of truthOf(kernel).vms) {
    const [vm] = parts.task(pid).vms
    assert.ok(vm)
    for (const slot of memslots.filter(({ address_space }) => address_space === 0)) {
      for (let page = 0; page < slot.pages; page++) {
        const at = slot.pagemap_bin_offset / 8 + page
        const [low, high] = [pagemap[2 * at] ?? 0, pagemap[2 * at + 1] ?? 0]
        const gpa = parseInt(slot.gpa) + page * 4096
        const { hpa, state }: Translation = qemuVtop(vm, gpa)
        const isPresent = high >>> 31 === 1
        const isSwapped = ((high >>> 30) & 1) === 1
        // Bits 0 to 54 are the frame number.
        const wanted = isPresent ? ((high & 0x7fffff) * 2 ** 32 + low) * 4096 : null
        const isRight =
          wanted === null
            ? state !== 'mapped' && (state === 'unmapped') !== isSwapped
            : state === 'mapped' && hpa === wanted
        if (!isRight) {
          assert.fail(`${slot.gpa} + ${page} pages: ${state} at ${String(hpa)}`)
        }
        if (isPresent) present++
      }
    }
  }
  return present
}

function escaped(text: string): string {
  return text.replace(/[.+]/g, '\\$&')
}
