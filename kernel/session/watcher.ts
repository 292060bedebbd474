// SPDX-License-Identifier: GPL-2.0-or-later
// The watcher thread of the session: it reads what the front says, also while user code never
// yields, stops that code at an interrupt, and ends the process when the front is gone.
import { Session } from 'node:inspector'
import { Socket } from 'node:net'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { FrameReader, type ToSession } from '../frames.ts'

/** What the watcher tells the main thread: the front's messages, and its own about an interrupt. */
export type FromWatcher =
  | Exclude<ToSession, { type: 'interrupt' | 'answer' }>
  /** Answer by storing `number` in the shared array, then end `cell` if it still runs. */
  | { readonly type: 'interrupt'; readonly number: number; readonly cell: string }
  /** The thread was terminated, perhaps in a handler of the session: end `cell` if it still runs. */
  | { readonly type: 'settle'; readonly cell: string }

/** What the thread is given. */
export interface WatcherData {
  /** The numbers of interrupts. Element 0: the last that the main thread has answered. Element 1: the last of all. */
  readonly answered: Int32Array<SharedArrayBuffer>
  /** Answers to the main thread's questions go here, past its event loop. */
  readonly answers: MessagePort
  /** Element 0 counts them: the main thread may sleep on it. */
  readonly count: Int32Array<SharedArrayBuffer>
}

/** A main thread that still turns its event loop answers within this; others are terminated. */
const graceMs = 60
const againMs = 250

const port = parentPort
if (port === null) throw new Error('the watcher runs as a worker thread only')
const { answered, answers, count } = workerData as WatcherData

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
  // Work that tells its progress sees this at its next step, and ends by itself.
  Atomics.store(answered, 1, number)
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
  switch (message.type) {
    case 'interrupt':
      interrupt()
      break
    case 'answer':
      answers.postMessage(message)
      Atomics.add(count, 0, 1)
      Atomics.notify(count, 0)
      break
    case 'comm':
      tell(message)
      break
    case 'run':
    case 'evaluate':
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
