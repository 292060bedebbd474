// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a kernel starts, answers, and runs a cell.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunningKernel } from '../../client/launch.ts'
import { type Finding, messageOf } from './finding.ts'

/** A kernel answers in half a second on a quiet machine; Jupyter gives up after 60. */
const answerMs = 10_000
/** The first cell waits for the compiler, which reads all declarations of Node. */
const cellMs = 60_000

const mend = 'mend what is wrong above first; where nothing is, report it as a bug'

/** Starts this package's kernel in an empty folder and ends it again. */
export async function checkKernel(): Promise<Finding[]> {
  const started = 'kernel starts'
  let folder: string | undefined
  let kernel: RunningKernel | undefined
  try {
    folder = mkdtempSync(join(tmpdir(), 'qemu-vtop-doctor-'))
    // Loaded here: without zeromq it does not load at all.
    const { launchKernel } = await import('../../client/launch.ts')
    const from = performance.now()
    kernel = await launchKernel({ cwd: folder, patience: answerMs, env: { XDG_DATA_HOME: folder } })
    const findings = [{ name: started, ok: true, found: `answers after ${since(from)}` }]
    return [...findings, await checkCell(kernel)]
  } catch (error) {
    return [{ name: started, ok: false, found: messageOf(error), mend }]
  } finally {
    await kernel?.stop(3_000)
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  }
}

async function checkCell({ channels, ended }: RunningKernel): Promise<Finding> {
  const name = 'cell runs'
  const from = performance.now()
  let late: NodeJS.Timeout | undefined
  const done = new Promise<string>((resolve) => {
    channels.receive((channel, { parts }) => {
      if (channel === 'shell') resolve(Buffer.from(parts[3]).toString('utf8'))
    })
    late = setTimeout(resolve, cellMs, `no answer within ${cellMs / 1000} s`)
  })
  const code = 'const one: number = 1; openDump.sample().close(); one'
  channels.request('shell', 'execute_request', { code, store_history: false, allow_stdin: false })
  const reply = await Promise.race([done, ended])
  clearTimeout(late)
  const ok = /"status":\s*"ok"/.test(reply)
  return ok
    ? { name, ok, found: `its result is there after ${since(from)}` }
    : { name, ok, found: reply, mend }
}

function since(from: number): string {
  return `${((performance.now() - from) / 1000).toFixed(1)} s`
}
