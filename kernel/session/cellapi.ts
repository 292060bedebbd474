// SPDX-License-Identifier: GPL-2.0-or-later
// What a cell can call besides core. The comments are what Shift+Tab shows.
import { apiHelp } from './api.ts'

type Display = (value: unknown) => Promise<void>

let show: Display = () => Promise.resolve()

/** Gives `display` its way to the notebook; the session does it once, at its start. */
export function connectDisplay(display: Display): void {
  show = display
}

/**
 * Shows values below the cell, one after the other, each as it would be shown as the last
 * expression of a cell. `await` it where the order to later output matters.
 */
export async function display(...values: readonly unknown[]): Promise<void> {
  for (const value of values) await show(value)
}

/** Lists what every cell can call without an import. */
export function help(): object {
  const text = apiHelp()
  return {
    [Symbol.for('Jupyter.display')]: () => ({ 'text/plain': text }),
    [Symbol.for('nodejs.util.inspect.custom')]: () => text,
  }
}
