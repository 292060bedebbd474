// SPDX-License-Identifier: GPL-2.0-or-later
// A value as bundles of mime types. The code for it, and core with it, is loaded when a value is shown.
import { inspect } from 'node:util'
import type { ProgressState } from '../display/progress.ts'
import type { MimeBundle } from '../frames.ts'

/** Makes the bundles of a value: the first is the value itself, a chart is one of its own. */
export type BundlesOf = (value: unknown) => readonly MimeBundle[] | Promise<readonly MimeBundle[]>

let loading: Promise<BundlesOf> | undefined
let loaded: BundlesOf | undefined
let drawBar: ((state: ProgressState) => MimeBundle) | undefined

/**
 * Loads `kernel/display`. The session is up long before; it calls this once in the background to
 * have it at hand. Where it cannot be loaded, that is told once and values are shown as plain text.
 */
export function loadDisplay(): Promise<BundlesOf> {
  loading ??= Promise.all([import('../display/bundle.ts'), import('../display/progress.ts')]).then(
    ([display, progress]) => {
      drawBar = progress.progressBundle
      return (loaded = display.bundlesOf)
    },
    (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error)
      process.stderr.write(`Values are shown as plain text only: ${reason}\n`)
      return (loaded = textBundles)
    },
  )
  return loading
}

/** The bundles of any value, none for undefined; without a promise where nothing has to be waited for. */
export const bundlesOf: BundlesOf = (value) =>
  loaded === undefined ? loadDisplay().then((display) => display(value)) : loaded(value)

/** The bundle of a bar; none as long as the code that draws it is not there. */
export function progressBundle(state: ProgressState): MimeBundle | undefined {
  return drawBar?.(state)
}

/** The plain text of any value. */
export const textBundles: BundlesOf = (value) =>
  value === undefined
    ? []
    : [{ data: { 'text/plain': inspect(value, { depth: 4, maxArrayLength: 100 }) }, metadata: {} }]
