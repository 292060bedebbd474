// SPDX-License-Identifier: GPL-2.0-or-later
// A value together with how it should be shown.

import { type ViewOptions } from './block.ts'

/** A value and the choices for its display, made by `show`. */
export class Shown {
  readonly value: unknown
  readonly options: ViewOptions

  /** @internal */
  constructor(value: unknown, options: ViewOptions) {
    this.value = value
    this.options = options
  }
}

/**
 * Shows a value other than usual. As the last expression of a cell, `show(vm.memslots, { rows: Infinity })` is the
 * whole table instead of its head and tail.
 */
export function show(value: unknown, options: ViewOptions): Shown {
  return new Shown(value, options)
}
