// SPDX-License-Identifier: GPL-2.0-or-later
// The session process: user code runs here, and nothing that must answer while it runs.
//
// Arguments: the mark that tells barriers in raw output, and the path of core's module. fd 3 carries
// messages to the front; fd 4 is read by the watcher thread, and its end is the process's end.
import { fileURLToPath } from 'node:url'
import { MessageChannel, Worker } from 'node:worker_threads'
import { apiNames } from './api.ts'
import { connectBars, connectComms, connectDisplays, connectInput } from './cellapi.ts'
import { orderChildren } from './children.ts'
import { SessionComms } from './comms.ts'
import { declareOpened, listenToCore } from './declare.ts'
import { Displays } from './displays.ts'
import { Questions } from './input.ts'
import { cellMeta, defineNodeNames, makeLoad } from './loader.ts'
import { Neighbours } from './neighbours.ts'
import { Origin } from './origin.ts'
import { barrier, captureOutput, send } from './output.ts'
import { Bars } from './progress.ts'
import { Runner } from './run.ts'
import { bundlesOf, loadDisplay, progressBundle } from './show.ts'
import { Tracebacks } from './traceback.ts'
import type { FromWatcher, WatcherData } from './watcher.ts'

const [, , mark = '', core] = process.argv
const folder = process.cwd()

const answered = new Int32Array(new SharedArrayBuffer(8))
const answers = new MessageChannel()
const count = new Int32Array(new SharedArrayBuffer(4))
const watcherData: WatcherData = { answered, answers: answers.port2, count }
const watcher = new Worker(new URL('./watcher.js', import.meta.url), {
  workerData: watcherData,
  transferList: [answers.port2],
  execArgv: [],
})

const endOutput = (): void => {
  barrier(mark)
}
// Node keeps ten frames, which can all be of core: then an error would not tell the line of the cell.
Error.stackTraceLimit = 100
const names = apiNames(core)
const tracebacks = new Tracebacks([fileURLToPath(new URL('../../', import.meta.url))])
const neighbours = new Neighbours(folder, makeLoad(folder), tracebacks)
const runner: Runner = new Runner({
  send,
  barrier: endOutput,
  load: neighbours.load,
  neighbours,
  meta: cellMeta(folder),
  names,
  loaded: (exported) => {
    listenToCore(exported, bars)
  },
  ending: (cell, failed) => {
    if (failed) bars.stop(cell)
    declareOpened()
  },
  bundlesOf,
  shown: () => displays.shown,
  tracebacks,
  asCell: (name, work) => origin.run(name, work),
})
const origin: Origin = new Origin(() => runner.cell)
const cell = (): string => origin.cell
const displays: Displays = new Displays({ send, barrier: endOutput, bundlesOf, cell })
const bars = new Bars({
  cell,
  place: () => displays.place(),
  draw: progressBundle,
  now: () => performance.now(),
  isInterrupted: () => Atomics.load(answered, 1) > Atomics.load(answered, 0),
})
captureOutput(cell)
orderChildren(endOutput)
defineNodeNames(folder)
connectDisplays(displays)
connectBars(bars)
const comms = new SessionComms({
  send,
  cell,
  asCell: (name, work) => {
    origin.run(name, work)
  },
})
connectComms(comms)
const questions = new Questions(send, answers.port1, count)
connectInput({
  ask: (prompt, password) => questions.ask(cell(), prompt, password),
  askNow: (prompt, password) => questions.askNow(cell(), prompt, password),
})

watcher.on('message', (message: FromWatcher) => {
  switch (message.type) {
    case 'run':
      runner.start(message.cell, message, false)
      break
    case 'evaluate':
      runner.start(message.cell, message, true)
      break
    case 'comm':
      comms.take(message)
      break
    case 'interrupt':
      // First the answer: once it is given, this thread is not terminated any more.
      if (message.number > Atomics.load(answered, 0)) Atomics.store(answered, 0, message.number)
      runner.stop(message.cell)
      break
    case 'settle':
      runner.stop(message.cell)
      break
  }
})

/** Errors that no cell caught, of timers and of promises, are told where the cell's output is. */
function report(what: string, error: unknown): void {
  const { traceback } = tracebacks.describe(error)
  const text = `${what}\n${traceback.join('\n')}\n`
  // Where Node does not tell whose callback it was, the error's own stack may.
  const from = (origin.isKnown ? undefined : tracebacks.cellOf(error)) ?? cell()
  send({ type: 'stream', cell: from, name: 'stderr', text })
}
process.on('uncaughtException', (error) => {
  report('Error outside of a cell:', error)
})
process.on('unhandledRejection', (reason) => {
  report('Rejected promise that nobody awaits:', reason)
})
// The front sends it to the whole group, for child processes that user code waits for.
process.on('SIGINT', () => undefined)

send({ type: 'hello', names })
// While nobody waits yet.
void loadDisplay()
