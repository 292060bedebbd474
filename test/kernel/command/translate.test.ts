// SPDX-License-Identifier: GPL-2.0-or-later
// The verb translate: whole guests against the page maps that their host recorded, streams, bad lines, and being stopped.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { tableFromIPC } from 'apache-arrow'
import { kernels, realDump, root } from '../../place.ts'
import { pagemapOf, type TrueVm, truthOf } from '../../truth.ts'
import { command, commandFile } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-translate-'))
after(() => {
  rmSync(folder, { recursive: true })
})

const sample = join(root, 'notebooks', 'sample.kdump')
const head = 'gpa,hva,hpa,state,page_size,slot,swap_type,swap_offset'

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  test(
    `--all of each guest of ${kernel} agrees with the pagemap in every row`,
    { skip },
    async () => {
      const pagemap = pagemapOf(kernel)
      for (const vm of truthOf(kernel).vms) {
        const out = join(folder, `${kernel}-${vm.name}.csv`)
        const { code } = await command([
          'translate',
          path,
          '-g',
          String(vm.pid),
          '--all',
          '-o',
          out,
        ])
        assert.equal(code, 0)
        const [names, ...lines] = readFileSync(out, 'utf8').trimEnd().split('\n')
        assert.equal(names, head)
        checkPagemap(vm, lines, pagemap)
      }
    },
  )
}

function checkPagemap(vm: TrueVm, lines: readonly string[], pagemap: Uint32Array): void {
  const slots = vm.memslots
    .filter((slot) => slot.address_space === 0)
    .sort((a, b) => Number(a.gpa) - Number(b.gpa))
  let row = 0
  for (const { gpa: base, hva: hvaBase, pages, slot, pagemap_bin_offset } of slots) {
    for (let page = 0; page < pages; page++, row++) {
      const at = 2 * (pagemap_bin_offset / 8 + page)
      const low = pagemap[at] ?? 0
      const high = pagemap[at + 1] ?? 0
      const [gpa, hva, hpa, state, size, id, type, offset] = lines[row]?.split(',') ?? []
      const where = `${vm.name}, row ${row}: ${lines[row] ?? 'none'}`
      assert.equal(Number(gpa), Number(base) + 4096 * page, where)
      assert.equal(BigInt(hva ?? 0), BigInt(hvaBase) + BigInt(4096 * page), where)
      assert.equal(Number(id), slot, where)
      if (high >>> 31 === 1) {
        // Bits 0 to 54 are the frame number.
        assert.equal(Number(hpa), ((high & 0x7fffff) * 2 ** 32 + low) * 4096, where)
        assert.equal(state, 'mapped', where)
        assert.ok(Number(size) >= 4096, where)
      } else if (((high >>> 30) & 1) === 1) {
        assert.ok(state !== 'mapped' && state !== 'unmapped', where)
        if (state !== 'swapped') continue
        // Bits 0 to 4 are the type, 5 to 54 the offset.
        assert.equal(Number(type), low & 0x1f, where)
        assert.equal(Number(offset), (high & 0x7fffff) * 2 ** 27 + (low >>> 5), where)
        assert.equal(hpa, '', where)
      } else {
        assert.deepEqual([state, hpa, size, type, offset], ['unmapped', '', '', '', ''], where)
      }
    }
  }
  assert.equal(lines.length, row)
}

test('addresses on stdin become CSV on stdout, a row for each, and bad ones are told', async () => {
  const input = '200000\n\n# no row\nbad!\nffffffffffffffff\n10000000000000\n'
  const { code, stdout, stderr } = await command(['translate', sample, '-g', '183'], { input })
  assert.equal(code, 0)
  assert.deepEqual(stdout.split('\n'), [
    head,
    // As the host's own page map has it.
    '0x200000,0x7f71d3e00000,0x147200000,mapped,2097152,6,,',
    ',,,invalid,,,,',
    ',,,invalid,,,,',
    '0x10000000000000,,,invalid,,,,',
    '',
  ])
  assert.match(stderr, /^qemu-vtop translate: stdin, line 4: "bad!" is not an address; wanted hex/)
  assert.match(stderr, /line 5: .*\n.*line 6: 0x10000000000000 has more than the 52 bits/)
})

test('thousands of bad lines are told by the first of them and their number', async () => {
  const input = 'x\n'.repeat(5000)
  const { code, stderr } = await command(['translate', sample, '-g', '183'], { input })
  assert.equal(code, 0)
  const lines = stderr.trimEnd().split('\n')
  assert.equal(lines.length, 21)
  assert.match(lines.at(-1) ?? '', /stdin: 4,980 more lines are no addresses/)
})

test('--strict ends at the first bad line, with exit code 1 and no file', async () => {
  const out = join(folder, 'strict.parquet')
  const args = ['translate', sample, '-g', '183', '--strict', '-o', out]
  const { code, stdout, stderr } = await command(args, { input: '0\n1000\nbad!\n' })
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^qemu-vtop translate: stdin, line 3: "bad!" is not an address.*--strict/)
  assert.deepEqual(left('strict'), [])
})

/** What lies in the folder under names that begin so. */
function left(start: string): string[] {
  return readdirSync(folder).filter(
    (name) => name.startsWith(`.${start}`) || name.startsWith(start),
  )
}

test('each file that it writes is one that it reads, to the same rows', async () => {
  const input = '0\n200000\n5555000\n8900000\n'
  const wanted = await command(['translate', sample, '-g', '183'], { input })
  for (const end of ['arrow', 'arrows', 'parquet', 'csv', 'jsonl']) {
    const out = join(folder, `again.${end}`)
    const first = await command(['translate', sample, '-g', '183', '-o', out], { input })
    assert.deepEqual([first.code, first.stdout], [0, ''])
    assert.match(first.stderr, /: 4 rows, .*: mapped 2, swapped 1, poisoned 1\n$/)
    const { stdout } = await command(['translate', sample, '-g', '183', '--in', out])
    assert.equal(stdout, wanted.stdout, end)
    const twice = await command(['translate', sample, '-g', '183', '-o', out], { input })
    assert.equal(twice.code, 2)
    assert.match(twice.stderr, /is there already; --force replaces it/)
  }
})

test('a stream of Arrow is answered batch by batch, while it goes on', async () => {
  const made = join(folder, 'asked.arrows')
  await command(['translate', sample, '-g', '183', '-o', made], { input: '0\n200000\n' })
  const bytes = readFileSync(made)
  const args = ['translate', sample, '-g', '183', '--format', 'arrow']
  const child = spawn(process.execPath, [commandFile, ...args])
  const pieces: Buffer[] = []
  // All but the end mark of the stream: more could come.
  child.stdin.write(bytes.subarray(0, -8))
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (data: Buffer) => {
      pieces.push(data)
      if (tableFromIPC(Buffer.concat(pieces)).numRows === 2) resolve()
    })
  })
  assert.equal(child.exitCode, null)
  child.stdin.end(bytes.subarray(-8))
  assert.equal(await new Promise((resolve) => child.once('close', resolve)), 0)
  const [, row] = tableFromIPC(Buffer.concat(pieces))
  assert.equal((row as { hpa: bigint } | undefined)?.hpa, 0x147200000n)
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} half-way leaves no file, and exit code 130`, async () => {
    const out = join(folder, `${signal}.parquet`)
    const child = spawn(process.execPath, [
      ...[commandFile, 'translate', sample, '-g', '183', '-o', out],
    ])
    let stderr = ''
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
    child.stdin.on('error', () => undefined)
    const closed = new Promise((resolve) => child.once('close', resolve))
    const feed = setInterval(() => child.stdin.write('1000\n'.repeat(10_000)), 10)
    // The file is begun, under another name, and something is in it.
    while (!left(signal).some((name) => statSync(join(folder, name)).size > 1000)) {
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    clearInterval(feed)
    child.kill(signal)
    assert.deepEqual([await closed, stderr], [130, 'interrupted\n'])
    assert.deepEqual(left(signal), [])
  })
}

test('a reader that goes away ends it without a complaint', async () => {
  const child = spawn(process.execPath, [commandFile, 'translate', sample, '-g', '183', '--all'])
  let stderr = ''
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  child.stdout.once('data', () => child.stdout.destroy())
  const code = await new Promise((resolve) => child.once('close', resolve))
  assert.deepEqual([code, stderr], [141, ''])
})

test('memory does not grow with the rows', async () => {
  const peakOf = async (rows: number): Promise<number> => {
    const file = join(folder, `peak-${rows}`)
    const peak = join(root, 'dist', 'test', 'bench', 'peak.js')
    const args = ['translate', sample, '-g', '183', '--format', 'arrow']
    const child = spawn(process.execPath, ['--import', peak, commandFile, ...args], {
      env: { ...process.env, PEAK_FILE: file },
    })
    let bytes = 0
    child.stdout.on('data', (data: Buffer) => (bytes += data.length))
    const closed = new Promise((resolve) => child.once('close', resolve))
    const piece = Array.from({ length: 65_536 }, (_, i) => `${(i * 4096).toString(16)}\n`).join('')
    for (let done = 0; done < rows; done += 65_536) {
      if (!child.stdin.write(piece)) {
        await new Promise((resolve) => child.stdin.once('drain', resolve))
      }
    }
    child.stdin.end()
    assert.equal(await closed, 0)
    assert.ok(bytes > 40 * rows)
    return Number(readFileSync(file, 'utf8')) / 1000
  }
  const [few, many] = [await peakOf(1 << 20), await peakOf(1 << 22)]
  // All rows of the second run have 190 MB, and their text 32 MB.
  assert.ok(many < few + 80, `${few} MB for 1 million rows, ${many} MB for 4 million`)
})

const wrong: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
  'no virtual machine': [[], /-g \[pid \| taskp\] must be specified, or --vm/],
  'a format that is none': [
    ['-g', '183', '--format', 'xml'],
    /'xml' is no format to write; there are arrow, arrow-stream, parquet, jsonl, csv/,
  ],
  'pages and a file': [['-g', '183', '--all', '--in', 'x'], /either --all or --in/],
  'a radix that is none': [['-g', '183', '--radix', '8'], /--radix 8: wanted 10 or 16/],
  'partitions of a file': [['--partition', 'x', '--in', 'y'], /no --in and no --out beside it/],
}
for (const [what, [args, message]] of Object.entries(wrong)) {
  test(`${what} is told, with exit code 2`, async () => {
    const { code, stdout, stderr } = await command(['translate', sample, ...args])
    assert.deepEqual([code, stdout], [2, ''])
    assert.match(stderr, message)
    assert.match(stderr, /\nTry: qemu-vtop translate --help\n$/)
  })
}

test('a file of addresses that is not there is told, and not of the dump', async () => {
  const { code, stderr } = await command(['translate', sample, '-g', '183', '--in', '/no/such'])
  assert.equal(code, 1)
  assert.match(
    stderr,
    /^qemu-vtop translate: cannot open the file of addresses '\/no\/such': there/,
  )
})

test('a text of decimal addresses, and a column by its name', async () => {
  const path = join(folder, 'named.csv')
  writeFileSync(path, 'when;where\n1;2097152\n2;200000\n')
  const args = ['translate', sample, '-g', '183', '--in', path, '--column', 'where']
  const decimal = await command(args)
  assert.match(decimal.stdout, /^0x200000,0x7f71d3e00000,0x147200000/m)
  const hex = await command([...args, '--radix', '16', '--decimal'])
  assert.match(hex.stdout, /^2097152,\d+,5488246784,mapped/m)
})
