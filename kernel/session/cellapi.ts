// SPDX-License-Identifier: GPL-2.0-or-later
// What a cell can call besides core. The comments are what Shift+Tab shows.
import { apiHelp } from './api.ts'
import { type CommRegistry } from './comms.ts'
import { type DisplayHandle, type Displays } from './displays.ts'
import { type Bars, type ProgressOptions, withBar, withBarAsync } from './progress.ts'

let displays: Displays | undefined

/** Gives `display` and `clearOutput` their way to the notebook; the session does it once, at its start. */
export function connectDisplays(given: Displays): void {
  displays = given
}

/**
 * Shows values below the cell, one after the other, each as it would be shown as the last
 * expression of a cell. What it returns can show something else in the same place later:
 * `const shown = display("working"); shown.update("done")`. `await` it where values take a while to
 * draw, as charts do, and the order to later output matters.
 */
export function display(...values: readonly unknown[]): DisplayHandle {
  if (displays === undefined) throw new Error('display is for cells of a notebook')
  return displays.show(values)
}

/** Takes away what the cell has shown; with `wait` only when it shows something next, which does not flicker. */
export function clearOutput(options: { readonly wait?: boolean } = {}): void {
  if (displays === undefined) throw new Error('clearOutput is for cells of a notebook')
  displays.clear(options.wait === true)
}

let bars: Bars | undefined

/** Gives `progress` its way to the notebook; the session does it once, at its start. */
export function connectBars(given: Bars): void {
  bars = given
}

/**
 * The same items, with a bar below the cell while they are gone through:
 * `for (const vm of progress(vms, { label: "reading" })) …`. The total of an array, a set or a map is
 * known; for others `total` may say it. Work of less than 0.3 seconds shows nothing, and at the end
 * one line stays.
 */
export function progress<Item>(
  items: Iterable<Item>,
  options?: ProgressOptions,
): Generator<Item, void>
/** The same for items that come one by one, in `for await`. */
export function progress<Item>(
  items: AsyncIterable<Item>,
  options?: ProgressOptions,
): AsyncGenerator<Item, void>
export function progress<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  options: ProgressOptions = {},
): Generator<Item, void> | AsyncGenerator<Item, void> {
  if (bars === undefined) throw new Error('progress is for cells of a notebook')
  return Symbol.asyncIterator in items
    ? withBarAsync(bars, items, options)
    : withBar(bars, items, options)
}

let registry: CommRegistry | undefined

/** Gives `comms` its way to the notebook; the session does it once, at its start. */
export function connectComms(given: CommRegistry): void {
  registry = given
}

function commRegistry(): CommRegistry {
  if (registry === undefined) throw new Error('comms are for cells of a notebook')
  return registry
}

/** Messages to and from code in the client, such as a widget. */
export const comms: CommRegistry = {
  register: (target, handler) => {
    commRegistry().register(target, handler)
  },
  unregister: (target) => {
    commRegistry().unregister(target)
  },
  open: (target, data, buffers) => commRegistry().open(target, data, buffers),
}

/** Ways to ask the person at the notebook. */
export interface InputWays {
  readonly ask: (prompt: string, password: boolean) => Promise<string>
  readonly askNow: (prompt: string, password: boolean) => string
}

let ways: InputWays | undefined

/** Gives `input` and `prompt` their way to the notebook; the session does it once, at its start. */
export function connectInput(given: InputWays): void {
  ways = given
}

/** How a question is put. */
export interface InputOptions {
  /** What is typed is not shown. */
  readonly password?: boolean
}

/**
 * Asks for a line of text, and gives it when it was entered: `const pid = Number(await input("pid? "))`.
 * Rejects where nobody can be asked, as when a notebook is run by a program.
 */
export async function input(question = '', options: InputOptions = {}): Promise<string> {
  if (ways === undefined) throw new Error('input is for cells of a notebook')
  return ways.ask(question, options.password === true)
}

/**
 * Asks for a line of text and waits for it on the spot: for functions that cannot `await`. Timers
 * and promises stand still meanwhile. Throws where nobody can be asked.
 */
export function prompt(question = '', options: InputOptions = {}): string {
  if (ways === undefined) throw new Error('prompt is for cells of a notebook')
  return ways.askNow(question, options.password === true)
}

/** Lists what every cell can call without an import. */
export function help(): object {
  const text = apiHelp()
  return {
    [Symbol.for('Jupyter.display')]: () => ({ 'text/plain': text }),
    [Symbol.for('nodejs.util.inspect.custom')]: () => text,
  }
}
