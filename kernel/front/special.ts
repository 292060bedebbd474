// SPDX-License-Identifier: GPL-2.0-or-later
// Cells that are no TypeScript, as people know them from Python's notebooks: `name?` and `exit`.

/** Asked is what is known about `name`; with two question marks (`detail` 1) all ways to call it too. */
export interface Help {
  readonly name: string
  readonly detail: 0 | 1
}

/** `dump.task?`, `dump.task??` or `?dump.task`, alone in a cell; undefined for every other text. */
export function readHelp(code: string): Help | undefined {
  const [, before = '', name = '', after = ''] = helpForm.exec(code) ?? []
  const marks = before + after
  if (marks === '' || marks.length > 2 || (before !== '' && after !== '')) return undefined
  return { name, detail: marks.length === 2 ? 1 : 0 }
}

const helpForm =
  /^\s*(\?*)\s*([\p{ID_Start}$_][\p{ID_Continue}$]*(?:\.[\p{ID_Start}$_][\p{ID_Continue}$]*)*)(\?*)\s*$/u

/** `exit`, `exit()`, `quit` or `quit()`, alone in a cell: the name; undefined for every other text. */
export function readExit(code: string): string | undefined {
  return /^\s*(exit|quit)\s*(?:\(\s*\))?\s*;?\s*$/.exec(code)?.[1]
}
