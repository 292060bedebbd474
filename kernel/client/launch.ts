// SPDX-License-Identifier: GPL-2.0-or-later
// Starts a kernel, waits until it answers, and makes sure that nothing of it is left behind.
import { type ChildProcess, spawn } from 'node:child_process'
import { KernelChannels } from './channels.ts'
import { writeConnection, type WrittenConnection } from './connectionfile.ts'
import { kernelArgv } from './spec.ts'
import { waitUntilReady } from './ready.ts'

/** How to start a kernel; everything has a default. */
export interface LaunchOptions {
  /** The command line for a connection file; this package's own kernel by default. */
  readonly argv?: (connectionFile: string) => readonly string[]
  /** The folder in which cells run. */
  readonly cwd?: string
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>
  /** `ipc` where zeromq has it. */
  readonly transport?: 'ipc' | 'tcp'
  /** How long the kernel may take to answer for the first time, in milliseconds. */
  readonly patience?: number
}

/** A kernel that has answered. */
export interface RunningKernel {
  readonly channels: KernelChannels
  /** Resolves with a sentence about how the process ended; never rejects. */
  readonly ended: Promise<string>
  /**
   * Asks the kernel to end itself, waits up to `grace` milliseconds, then ends its group by force. With
   * a grace of 0 it is not asked.
   */
  readonly stop: (grace: number) => Promise<void>
}

/** A kernel that did not start, stopped answering or died. */
export class KernelError extends Error {
  override name = 'KernelError'
}

/** Starts a kernel and waits for its first answer; a KernelError holds what it printed. */
export async function launchKernel(options: LaunchOptions = {}): Promise<RunningKernel> {
  // A port that was free may be taken when the kernel binds it. It says so and ends: try others.
  for (let attempt = 1; ; attempt++) {
    try {
      return await launchOnce(options)
    } catch (error) {
      if (attempt === 3 || !/EADDRINUSE|address (already )?in use/i.test(String(error))) throw error
    }
  }
}

async function launchOnce(options: LaunchOptions): Promise<RunningKernel> {
  const written = await writeConnection(options.transport)
  const [command, ...args] = (options.argv ?? kernelArgv)(written.path)
  const child = spawn(command ?? process.execPath, args, {
    // A group of its own: all of it can be ended at once, and ^C at the terminal is ours alone.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    // By this variable a kernel knows that it belongs to a client and has to go when that one goes.
    env: { ...process.env, ...options.env, JPY_PARENT_PID: String(process.pid) },
  })
  const ended = watch(child)
  const channels = new KernelChannels(written.connection)
  const stop = stopper(child, ended, written, channels)
  const patience = options.patience ?? 60_000
  try {
    await Promise.race([
      waitUntilReady(channels, patience),
      channels.failed,
      ended.then((how) => {
        throw new KernelError(`the kernel did not start: ${how}`)
      }),
    ])
  } catch (error) {
    await stop(0)
    if (error instanceof KernelError) throw error
    const how = await ended
    const message = error instanceof Error ? error.message : String(error)
    throw new KernelError(`the kernel did not start: ${message}; ${how}`, { cause: error })
  }
  return { channels, ended, stop }
}

/** Collects what the process prints, and tells in one sentence how it ended. */
function watch(child: ChildProcess): Promise<string> {
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-4_000)
    })
  }
  return new Promise((resolve) => {
    child.once('error', (error) => {
      resolve(`it could not be run: ${error.message}`)
    })
    // `exit` comes first, but the last words of the process may still be in its pipes.
    const tell = (code: number | null, signal: NodeJS.Signals | null): void => {
      const how = signal === null ? `with exit code ${code ?? '?'}` : `by signal ${signal}`
      const words = printed.trim()
      resolve(`its process ended ${how}${words === '' ? '' : `\nIt last printed:\n${words}`}`)
    }
    child.once('close', tell)
    child.once('exit', (code, signal) => setTimeout(tell, 500, code, signal).unref())
  })
}

function stopper(
  child: ChildProcess,
  ended: Promise<string>,
  written: WrittenConnection,
  channels: KernelChannels,
): (grace: number) => Promise<void> {
  const killNow = (): void => {
    signalGroup(child, 'SIGKILL')
    written.remove()
  }
  process.once('exit', killNow)
  return async (grace) => {
    const endsWithin = async (ms: number): Promise<boolean> => {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<false>((resolve) => {
        timer = setTimeout(resolve, ms, false)
      })
      const inTime = await Promise.race([ended.then(() => true), late])
      clearTimeout(timer)
      return inTime
    }
    if (grace > 0) channels.request('control', 'shutdown_request', { restart: false })
    if (!(await endsWithin(grace))) {
      signalGroup(child, 'SIGTERM')
      await endsWithin(1_000)
    }
    // The group may outlive its first process.
    killNow()
    process.removeListener('exit', killNow)
    channels.close()
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    // Nobody of the group is left.
  }
}
