// SPDX-License-Identifier: GPL-2.0-or-later
// The watcher thread of the session: it reads what the front says, also while user code never
// yields, stops that code at an interrupt, and ends the process when the front is gone.
import { Session } from 'node:inspector'
import { Socket } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { FrameReader, type ToSession } from '../frames.ts'

/** What the watcher tells the main thread: the front's messages, and its own about an interrupt. */
export type FromWatcher =
  | Exclude<ToSession, { type: 'interrupt' }>
  /** Answer by storing `number` in the shared array, then end `cell` if it still runs. */
  | { readonly type: 'interrupt'; readonly number: number; readonly cell: string }
  /** The thread was terminated, perhaps in a handler of the session: end `cell` if it still runs. */
  | { readonly type: 'settle'; readonly cell: string }

/** A main thread that still turns its event loop answers within this; others are terminated. */
const graceMs = 60
const againMs = 250

const port = parentPort
if (port === null) throw new Error('the watcher runs as a worker thread only')
/** Element 0: the number of the last interrupt that the main thread has answered. */
const answered = new Int32Array(workerData as SharedArrayBuffer)

let interrupts = 0
/** The cell that was started last: an interrupt is for this one and for none that comes later. */
let cell = ''
let round: NodeJS.Timeout | undefined

function tell(message: FromWatcher): void {
  port?.postMessage(message)
}

function interrupt(): void {
  const number = ++interrupts
  const stopped = cell
  clearTimeout(round)
  tell({ type: 'interrupt', number, cell: stopped })
  round = setTimeout(() => {
    stop(number, stopped)
  }, graceMs)
}

/**
 * Terminates what the main thread runs, again and again until it answers. Never when it has
 * answered: a termination that finds the thread idle would kill the session's own next handler.
 */
function stop(number: number, stopped: string): void {
  if (Atomics.load(answered, 0) >= number) return
  const session = new Session()
  session.connectToMainThread()
  session.post('Runtime.terminateExecution', () => {
    session.disconnect()
  })
  round = setTimeout(() => {
    if (Atomics.load(answered, 0) >= number) {
      tell({ type: 'settle', cell: stopped })
      return
    }
    // The first of these may be the handler that a late termination hits, the second gets through.
    tell({ type: 'interrupt', number, cell: stopped })
    tell({ type: 'interrupt', number, cell: stopped })
    round = setTimeout(() => {
      stop(number, stopped)
    }, graceMs)
  }, againMs)
}

/** The process, and all children that cells have started: they are in its group. */
function endGroup(): void {
  try {
    process.kill(-process.pid, 'SIGKILL')
  } catch {
    // Not the leader of a group (started by hand).
  }
  process.kill(process.pid, 'SIGKILL')
}

const reader = new FrameReader<ToSession>((message) => {
  if (message.type === 'interrupt') interrupt()
  else {
    cell = message.cell
    tell(message)
  }
})
const pipe = new Socket({ fd: 4, readable: true, writable: false })
pipe.on('data', (chunk) => {
  reader.push(chunk)
})
pipe.on('end', endGroup)
pipe.on('error', endGroup)
