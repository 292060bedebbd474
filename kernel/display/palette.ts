// SPDX-License-Identifier: GPL-2.0-or-later
// Colours and fonts of everything that is drawn. A notebook is light or dark: each colour works on both.

import { type Tone } from '../../core/index.ts'

/**
 * One colour a state, told apart by people with any kind of colour vision, and visible on white, on #333 (Vega's dark
 * card) and on #111 (JupyterLab's dark page). Colour is never alone: a word or a legend is beside it.
 */
export const colours: Readonly<Record<Tone, string>> = {
  'mapped 1G': '#7960d9',
  'mapped 2M': '#4778ac',
  'mapped 4K': '#92affe',
  swapped: '#d89409',
  'not touched': '#b1b5b9',
  poisoned: '#f2223f',
  'not in dump': '#95667b',
  device: '#0bbb71',
  'not counted': '#c5ccd3',
  hole: '#888888',
}

/** Numbers line up only in a font of one width: JupyterLab takes away the switch to tabular figures. */
export const monoFont = "ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace"

/** For words in pictures and captions. */
export const uiFont = "system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif"
