// SPDX-License-Identifier: GPL-2.0-or-later
// Makes dumps of further kernels with the lab, and tests them: npm run test:lab [-- KEY …].

import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { root } from '../place.ts'
import { writeFirstDump } from './firstdump.ts'
import {
  hasTwo,
  isMade,
  lab,
  labHosts,
  labWork,
  madeHost,
  ownProfiles,
  quickHosts,
} from './place.ts'

/** What the lab's scripts run. */
const programs = [
  ...[
    'python3',
    'timeout',
    'qemu-system-x86_64',
    'apt-get',
    'dpkg-deb',
    'busybox',
    'cpio',
    'depmod',
  ],
  ...['mke2fs', 'gcc', 'objcopy', 'xz'],
]
/** Firmware of the inner machines. */
const firmware = '/usr/share/seabios/bios-256k.bin'
/** Why no dump can be made here; undefined when one can. */
function whyNot(): string | undefined {
  if (!existsSync(join(lab, 'lab.py'))) return `no lab at ${lab}: QEMU_VTOP_LAB names its folder`
  const isThere = (name: string) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
  const missing = programs.filter((name) => !isThere(name))
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`
  return existsSync(firmware) ? undefined : `not installed: seabios (${firmware})`
}

/** Seconds for one step; two minutes are usual. */
const LIMIT = '480'

/** The lab's scripts with our hosts and scenarios beside its own: what lies outside the project stays as it is. */
function copyOfLab(): string {
  const copy = join(labWork, 'lab')
  rmSync(copy, { recursive: true, force: true })
  mkdirSync(labWork, { recursive: true })
  cpSync(lab, copy, { recursive: true })
  spawnSync('chmod', ['-R', 'u+w', copy])
  cpSync(join(root, 'test', 'lab', 'scenarios'), join(copy, 'scenarios'), { recursive: true })
  const profiles = JSON.parse(readFileSync(join(copy, 'profiles.json'), 'utf8')) as object
  writeFileSync(join(copy, 'profiles.json'), JSON.stringify({ ...profiles, ...ownProfiles }))
  for (const { scenario, after } of Object.values(ownProfiles)) {
    if (after === undefined) continue
    const path = (name: string) => join(copy, 'scenarios', `${name}.sh`)
    // What would dump the host is the last line.
    const before = readFileSync(path(after), 'utf8')
      .trimEnd()
      .replace(/\ndump_here$/, '\n')
    if (before.includes('dump_here')) throw new Error(`${after} does not end with its dump`)
    writeFileSync(path(scenario), before + readFileSync(path(scenario), 'utf8'))
  }
  return copy
}

/** Runs the lab; undefined when all went well, or the end of what it said. */
async function runLab(
  copy: string,
  verb: 'fetch' | 'all' | 'filter',
  key: string,
  out = madeHost(key),
): Promise<string | undefined> {
  const env = { ...process.env, LAB_WORK: join(labWork, 'work') }
  // With its children: a machine that hangs must not outlive the run.
  const args = ['-k', '10', LIMIT, 'python3', 'lab.py', verb, key, '--out', out]
  const child = spawn('timeout', args, { cwd: copy, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new AbortController()
  const said = Promise.all([text(child.stdout), text(child.stderr)])
  const status = once(child, 'close').then(([code]: unknown[]) => {
    ended.abort()
    return code
  })
  let problem: string | undefined
  try {
    if (verb === 'all' && hasTwo(key)) {
      await writeFirstDump(join(labWork, 'work', key), ended.signal)
    }
  } catch (error) {
    problem = String(error)
    child.kill()
  }
  const end = (await said).join('').split('\n').slice(-30).join('\n')
  if ((await status) === 0) return problem
  if (problem !== undefined) return `${end}\nthe first dump: ${problem}`
  return (await status) === 124 ? `${end}\nended after ${LIMIT} s` : end
}

/** The first of two dumps, without what makedumpfile leaves out, and the records that were made with it. */
async function filterFirst(copy: string, key: string): Promise<string | undefined> {
  const work = join(labWork, 'work', key)
  const first = join(madeHost(key), 'first')
  if (!existsSync(join(work, 'first.elf'))) return 'the host did not ask for its first dump'
  renameSync(join(work, 'first.elf'), join(work, 'dump.elf'))
  cpSync(join(work, 'share', 'first1'), first, { recursive: true })
  return runLab(copy, 'filter', key, first)
}

/** Makes one host; false when what should have made it went wrong. */
async function make(copy: string, key: string): Promise<boolean> {
  const started = Date.now()
  const unfetched = await runLab(copy, 'fetch', key)
  if (unfetched !== undefined) {
    // Half a kernel is not to be taken for one the next time.
    rmSync(join(labWork, 'work', key, 'kernel'), { recursive: true, force: true })
    process.stdout.write(`host ${key}: its kernel cannot be downloaded\n${unfetched}\n`)
    return true
  }
  // Of an earlier run.
  for (const name of ['serial.log', 'first.elf']) {
    rmSync(join(labWork, 'work', key, name), { force: true })
  }
  let problem = await runLab(copy, 'all', key)
  if (hasTwo(key)) problem ??= await filterFirst(copy, key)
  // The unfiltered memory and the disks: gigabytes that nobody reads again.
  for (const name of ['dump.elf', 'first.elf', 'vda.raw', 'vdb.raw', 'initramfs']) {
    rmSync(join(labWork, 'work', key, name), { recursive: true, force: true })
  }
  // Half a host is not to be taken for one.
  if (problem !== undefined) rmSync(madeHost(key), { recursive: true, force: true })
  const seconds = Math.round((Date.now() - started) / 1000)
  process.stdout.write(`host ${key}: ${problem ?? 'made'} in ${seconds} s\n`)
  return problem === undefined
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((key) => !labHosts.includes(key))
if (unknown.length > 0) {
  process.stdout.write(`no host ${unknown.join(', ')}; there are ${labHosts.join(', ')}\n`)
  process.exit(1)
}
const reason = whyNot()
// The tests of hosts that are not there say so, and count as skipped.
if (reason !== undefined) process.stdout.write(`no host is made: ${reason}\n`)
else {
  const copy = copyOfLab()
  const keys = wanted.length > 0 ? wanted : quickHosts.filter((key) => !isMade(key))
  for (const key of keys) {
    const wasMade = await make(copy, key)
    // One that was asked for by name must be there. Where a machine cannot make one, its tests are skipped, and say so.
    if (!wasMade && wanted.length > 0) process.exit(1)
  }
}
const runner = ['--enable-source-maps', join(root, 'dist', 'test', 'run.js'), '--lab']
process.exitCode = spawnSync(process.execPath, runner, { stdio: 'inherit' }).status ?? 1
