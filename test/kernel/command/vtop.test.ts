// SPDX-License-Identifier: GPL-2.0-or-later
// The verb vtop: the old flags and words, and answers that agree with what was recorded on the host.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { kernels, realDump } from '../../place.ts'
import { stateOf, truthOf } from '../../truth.ts'
import { writeRaw } from '../../formats/rewritten.ts'
import { command, commandFile } from './command.ts'

interface Answer {
  readonly gpa: string
  readonly hva: string | null
  readonly hpa: string | null
  readonly state: string
  readonly reason: string
}

const folder = mkdtempSync(join(tmpdir(), 'test-vtop-'))
after(() => {
  rmSync(folder, { recursive: true })
})

const { path: dump, skip } = realDump('6.12')
const guest = (name: string) => {
  const vm = truthOf('6.12').vms.find((each) => each.name === name)
  assert.ok(vm)
  return vm
}

const wrong: Readonly<Record<string, readonly [readonly string[], string]>> = {
  'no -g': [['-p', '0'], '-g [pid | taskp] must be specified'],
  'no -p': [['-g', '183'], '-p should be specified'],
  'a -g that is no number': [['-g', 'qemu', '-p', '0'], 'invalid task or pid value: qemu'],
  'two -g': [['-g', '1', '-g', '2', '-p', '0'], 'one -g at a time; given: 1, 2'],
  'an address that is none': [
    ['-g', '183', '-p', '0', 'zz'],
    '"zz" is not an address; wanted hex with or without 0x, such as 34de5840',
  ],
  'an address of 53 bits': [
    ['-g', '183', '-p', '10000000000000'],
    '10000000000000 has more than the 52 bits of a guest physical address',
  ],
  'a file of addresses that is not there': [
    ['-g', '183', '-p', '@/no/such/file'],
    "cannot read addresses from /no/such/file: ENOENT: no such file or directory, open '/no/such/file'",
  ],
  'a range of raw memory that is none': [
    ['--raw-range', '0:1', '-g', '183', '-p', '0'],
    "--raw-range '0:1' is not OFFSET:START:LENGTH, such as 0:0x100000000:0x80000000",
  ],
  'an empty file of addresses': [['-g', '183', '-p', '@/dev/null'], 'no address in /dev/null'],
}

for (const [what, [args, message]] of Object.entries(wrong)) {
  test(`${what} is told in a sentence, with exit code 2`, async () => {
    const { code, stdout, stderr } = await command(['vtop', 'vmcore', ...args])
    assert.deepEqual([code, stdout], [2, ''])
    assert.equal(stderr, `qemu-vtop vtop: ${message}\nTry: qemu-vtop vtop --help\n`)
  })
}

test('a dump after -p is told to stand before it', async () => {
  const { code, stderr } = await command(['vtop', '-g', '183', '-p', '0', 'package.json'])
  assert.equal(code, 2)
  assert.match(stderr, /"package\.json" follows -p but is a file; the dump stands before -p/)
})

test('a line of a file that is no address is told with its number', async () => {
  const { code, stderr } = await command(['vtop', 'vmcore', '-g', '1', '-p', '-'], {
    input: '0\n# all\n\n1000 # good\nbad!\n',
  })
  assert.equal(code, 2)
  assert.match(stderr, /stdin:5: "bad!" is not an address/)
})

const failing: Readonly<Record<string, readonly [readonly string[], RegExp]>> = {
  'a file that is no dump': [['package.json', '-g', '1', '-p', '0'], /package\.json is no dump/],
  'a dump that is not there': [
    ['/no/such/vmcore', '-g', '1', '-p', '0'],
    /\/no\/such\/vmcore.*there is no such file/,
  ],
}
for (const [what, [args, message]] of Object.entries(failing)) {
  test(`${what} ends with exit code 1`, async () => {
    const { code, stdout, stderr } = await command(['vtop', ...args])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, message)
    assert.doesNotMatch(stderr, /bug|\n\s+at /)
  })
}

test(
  'a pid that no task has, and a task without a VM, end with exit code 1 and the old words',
  { skip },
  async () => {
    const none = await command(['vtop', dump, '-g', '99999', '-p', '0'])
    assert.equal(none.code, 1)
    assert.match(none.stderr, /: invalid task or pid value: 99999\n$/)
    const init = await command(['vtop', dump, '-g', '1', '-p', '0'])
    assert.equal(init.code, 1)
    assert.match(
      init.stderr,
      /: task\(pid:1 task:[0-9a-f]{16}\) is not a qemu process; those that have virtual machines: pid \d/,
    )
  },
)

for (const kernel of kernels) {
  const real = realDump(kernel)
  test(
    `--json agrees with all recorded translations of ${kernel}, in order`,
    { skip: real.skip },
    async () => {
      for (const vm of truthOf(kernel).vms) {
        const file = join(folder, 'addresses')
        writeFileSync(file, vm.translations.map(({ gpa }) => gpa).join('\n'))
        const { code, stdout, stderr } = await command([
          ...['vtop', real.path, '-g', String(vm.pid), '-p', `@${file}`, '--json'],
        ])
        assert.deepEqual([code, stderr], [0, ''])
        const answers = JSON.parse(stdout) as Answer[]
        assert.deepEqual(
          answers.map(({ gpa, hva, hpa, state }) => ({ gpa, hva, hpa, state })),
          vm.translations.map(({ gpa, hva, hpa, state }) => ({
            gpa,
            hva: hva ?? null,
            hpa: hpa ?? null,
            state: stateOf[state],
          })),
        )
        for (const { reason } of answers) assert.notEqual(reason, '')
      }
    },
  )
}

test(
  'text has the old head and an empty line after each result; several -p add up',
  { skip },
  async () => {
    const { pid, translations } = guest('A')
    const first = translations.find(({ state }) => state === 'present')
    assert.ok(first?.hva !== undefined && first.hpa !== undefined)
    const [gpa, hva, hpa] = [first.gpa, first.hva, first.hpa].map((text) => text.replace(/^0x/, ''))
    const { code, stdout } = await command([
      ...['vtop', dump, '-g', String(pid), '-p', gpa ?? '', 'fffffffff000', '-p', `0x${gpa ?? ''}`],
    ])
    assert.equal(code, 0)
    const lines = stdout.split('\n')
    const head = 'GUEST PHYSICAL    HOST VIRTUAL      HOST PHYSICAL'
    const at = lines.indexOf(head)
    assert.equal(at, 0)
    assert.deepEqual(lines[1]?.split(/ +/), [gpa, hva, hpa])
    assert.equal(lines.filter((line) => line === head).length, 2)
    assert.ok(stdout.includes('\n\nfffffffff000 has not been allocated\n'))
    assert.ok(stdout.endsWith('\n\n') && !stdout.endsWith('\n\n\n'))
  },
)

test('a task_struct address and a name lead to the same answers as the pid', { skip }, async () => {
  const { pid, translations } = guest('A')
  const gpa = translations[0]?.gpa ?? ''
  const byPid = await command(['vtop', dump, '-g', String(pid), '-p', gpa, '--json'])
  const wrongTask = await command(['vtop', dump, '-g', '1', '-p', gpa])
  assert.equal(wrongTask.code, 1)
  const byName = await command(['vtop', dump, '--vm', 'A', '-p', gpa, '--json'])
  assert.deepEqual([byPid.code, byName.code], [0, 0])
  assert.equal(byName.stdout, byPid.stdout)
  // Any answer about A names its task_struct nowhere, but "is not a qemu process" does for pid 1.
  const taskp = /task:([0-9a-f]{16})/.exec(wrongTask.stderr)?.[1] ?? ''
  const again = await command(['vtop', dump, '-g', taskp, '-p', gpa])
  assert.equal(again.stderr, wrongTask.stderr)
})

test('a reader that goes away ends the command without a complaint', { skip }, async () => {
  const many = Array.from({ length: 4_000 }, (_, i) => (i * 4096).toString(16)).join('\n')
  const child = spawn(process.execPath, [commandFile, 'vtop', dump, '-g', '183', '-p', '-'])
  child.stdin.end(many)
  let stderr = ''
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()))
  child.stdout.once('data', () => child.stdout.destroy())
  const code = await new Promise((resolve) => child.once('close', resolve))
  assert.deepEqual([code, stderr], [141, ''])
})

const small = realDump('5.10')
test(
  'raw memory gives what the dump gave, whose ranges are told',
  { skip: small.skip },
  async () => {
    const raw = join(folder, 'memory.raw')
    const ranges = writeRaw(small.path, raw).flatMap(({ offset, start, length }) => [
      '--raw-range',
      [offset, start, length].join(':'),
    ])
    const [vm] = truthOf('5.10').vms
    assert.ok(vm)
    const given = [
      '-g',
      String(vm.pid),
      '-p',
      ...vm.translations.slice(0, 20).map(({ gpa }) => gpa),
    ]
    const wanted = await command(['vtop', small.path, ...given])
    const { code, stdout, stderr } = await command(['vtop', raw, ...ranges, ...given])
    assert.deepEqual([code, stderr], [0, ''])
    assert.equal(stdout, wanted.stdout)
  },
)
