// SPDX-License-Identifier: GPL-2.0-or-later
// Labels along a line: which of too many are shown, and from which zoom on.

import { hex } from '../bytes/hex.ts'

/** An address under the line, shown when the line is drawn `zoom` times as wide as its window or more. */
export interface Label {
  readonly at: number
  readonly text: string
  readonly zoom: number
}

/** Slanted labels this far from each other do not touch. */
const APART = 17
/** Below 1 the line is narrower than it was made for, as in a narrow window. */
const zooms = [0.25, 0.5, 1, 2, 4, 8, 16, 32]

/**
 * Gives each edge the smallest zoom at which its label keeps its distance from all that were placed before it; heavy
 * edges come first. An edge that finds no room at any zoom has no label.
 */
export function placeLabels(
  edges: readonly { readonly at: number; readonly gpa: number; readonly weight: number }[],
  units: number,
  pixels: number,
): Label[] {
  const placed: Label[] = []
  const byWeight = edges.toSorted((a, b) => b.weight - a.weight || a.gpa - b.gpa)
  for (const { at, gpa } of byWeight) {
    // A label that is seen from zoom z on is seen at all larger ones too: those that appear later do not hinder it.
    const zoom = zooms.find((z) =>
      placed.every(
        (other) => (Math.abs(other.at - at) * pixels * Math.max(z, other.zoom)) / units >= APART,
      ),
    )
    if (zoom !== undefined) placed.push({ at, text: hex(gpa), zoom })
  }
  return placed.toSorted((a, b) => a.at - b.at)
}
