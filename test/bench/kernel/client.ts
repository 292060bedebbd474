// SPDX-License-Identifier: GPL-2.0-or-later
// One kernel under measurement: requests by the kernel's own client, times from send to the last word.
import { spawnSync } from 'node:child_process'
import { type KernelChannels } from '../../../kernel/client/channels.ts'
import { launchKernel, type RunningKernel } from '../../../kernel/client/launch.ts'
import { isJsonObject, type JsonObject } from '../../../kernel/protocol/messages.ts'
import { tree } from './tree.ts'

/** A kernel that can be measured, with the same questions put in its language. */
export interface Subject {
  readonly name: string
  /** Its command line; without it, this package's own kernel. */
  readonly argv?: (connectionFile: string) => readonly string[]
  /** Cell number `i`: it declares names with types and uses those of the cell before. */
  readonly cell: (i: number) => string
  /** A text whose end is to be completed, and one whose end is a name to inspect. */
  readonly complete: string
  readonly inspect: string
  /** Prints so many lines. */
  readonly lines: (count: number) => string
}

/** This kernel. */
export const ours: Subject = {
  name: 'qemu-vtop',
  cell: (i) =>
    `const made${i} = { id: ${i}, names: ['a', 'b'].map((x) => x + ${i}) }\n` +
    `function next${i}(by: number): number { return made${i}.id + by${i > 0 ? ` + made${i - 1}.id` : ''} }\n` +
    `next${i}(1)`,
  complete: 'process.st',
  inspect: 'openDump',
  lines: (count) => `for (let i = 0; i < ${count}; i++) console.log(i)`,
}

/** ipykernel of a Python, and why it cannot be measured where it cannot. */
export function ipykernel(python: string | undefined): Subject | string {
  if (python === undefined) return 'QEMU_VTOP_PYTHON is not set to a Python with ipykernel'
  const asked = spawnSync(
    python,
    ['-c', 'import ipykernel, sys; print(ipykernel.__version__, sys.version.split()[0])'],
    { encoding: 'utf8' },
  )
  if (asked.status !== 0) return `${python} has no ipykernel`
  const [version, language] = asked.stdout.trim().split(' ')
  return {
    name: `ipykernel ${version ?? '?'}, Python ${language ?? '?'}`,
    argv: (file) => [python, '-m', 'ipykernel_launcher', '-f', file],
    cell: (i) =>
      `made${i} = dict(id=${i}, names=[x + "${i}" for x in "ab"])\n` +
      `def next${i}(by: int) -> int:\n    return made${i}["id"] + by${i > 0 ? ` + made${i - 1}["id"]` : ''}\n` +
      `next${i}(1)`,
    complete: 'import os\nos.pa',
    inspect: 'print',
    lines: (count) => `for i in range(${count}): print(i)`,
  }
}

/** One reply with how long it took, from the request to the idle that follows it, in milliseconds. */
export interface Timed {
  readonly ms: number
  readonly content: JsonObject
  /** What was published meanwhile: by message type, how many. */
  readonly published: Readonly<Record<string, number>>
}

/** A running kernel. */
export class Measured {
  readonly subject: Subject
  /** From its start to its first kernel_info_reply, in milliseconds. */
  readonly ready: number
  readonly #kernel: RunningKernel
  readonly #pid: number

  private constructor(subject: Subject, kernel: RunningKernel, ready: number, pid: number) {
    this.subject = subject
    this.#kernel = kernel
    this.ready = ready
    this.#pid = pid
  }

  /** `snapshot` is whether this kernel may make and use its startup snapshot, in `cwd`. */
  static async start(subject: Subject, cwd: string, snapshot: boolean): Promise<Measured> {
    const before = new Set(tree(process.pid).map(({ pid }) => pid))
    const from = performance.now()
    // Its history and its cache are not the user's.
    const own = { XDG_DATA_HOME: cwd, XDG_CACHE_HOME: cwd, IPYTHONDIR: cwd }
    const env = { ...own, QEMU_VTOP_SNAPSHOT: snapshot ? 'on' : 'off' }
    const argv = subject.argv === undefined ? {} : { argv: subject.argv }
    const kernel = await launchKernel({ cwd, env, ...argv })
    const ready = performance.now() - from
    const added = tree(process.pid).find(
      ({ pid, parent }) => parent === process.pid && !before.has(pid),
    )
    return new Measured(subject, kernel, ready, added?.pid ?? -1)
  }

  /** The processes of the kernel now. */
  processes(): ReturnType<typeof tree> {
    return tree(this.#pid)
  }

  /** The CPU time that all of them have used, in milliseconds. */
  cpu(): number {
    return this.processes().reduce((sum, { cpu }) => sum + cpu, 0)
  }

  /** Sends one request and waits for its reply and its idle. A failed cell is an Error. */
  async ask(type: string, content: object): Promise<Timed> {
    const from = performance.now()
    const timed = await exchange(this.#kernel.channels, type, content, from)
    if (timed.content['status'] !== 'ok') {
      throw new Error(`${this.subject.name}: ${type}: ${JSON.stringify(timed.content)}`)
    }
    return timed
  }

  run(code: string): Promise<Timed> {
    const options = { silent: false, store_history: true, user_expressions: {} }
    return this.ask('execute_request', {
      code,
      ...options,
      allow_stdin: false,
      stop_on_error: true,
    })
  }

  stop(): Promise<void> {
    return this.#kernel.stop(3_000)
  }
}

function exchange(
  channels: KernelChannels,
  type: string,
  content: object,
  from: number,
): Promise<Timed> {
  return new Promise((resolve) => {
    let reply: JsonObject | undefined
    let idleAt: number | undefined
    const published: Record<string, number> = {}
    channels.receive((channel, { parts }) => {
      const [header, parent, , body] = parts
      // One request is out at a time: its type is all that has to fit.
      if (read(parent)['msg_type'] !== type) return
      const told = String(read(header)['msg_type'])
      if (channel === 'shell') reply = read(body)
      else {
        published[told] = (published[told] ?? 0) + 1
        if (told === 'status' && read(body)['execution_state'] === 'idle')
          idleAt = performance.now()
      }
      if (reply !== undefined && idleAt !== undefined) {
        channels.receive(() => undefined)
        resolve({ ms: performance.now() - from, content: reply, published })
      }
    })
    channels.request('shell', type, content)
  })
}

function read(part: Uint8Array): JsonObject {
  const value: unknown = JSON.parse(Buffer.from(part).toString('utf8'))
  return isJsonObject(value) ? value : {}
}
