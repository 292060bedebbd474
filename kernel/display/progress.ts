// SPDX-License-Identifier: GPL-2.0-or-later
// How far a piece of work is, as a bar and as a line of text.

import { type Bundle } from './drawn.ts'
import { dimColour, escapeHtml } from './html.ts'
import { colours, monoFont } from './palette.ts'

/** A piece of work while it runs, or at its end. */
export interface ProgressState {
  /** What is done, or an empty text. */
  readonly label: string
  /** What is counted, such as `pages`, or an empty text. */
  readonly unit: string
  readonly done: number
  /** Null when nobody knows. */
  readonly total: number | null
  readonly state: 'running' | 'done' | 'stopped'
  /** Since its start. */
  readonly seconds: number
}

const textColumns = 79
const longestBar = 20
const longestLabel = 24
const shortestBar = 6

/** Work that runs is a bar with its rate and time left; at its end one line without times stays in the notebook. */
export function progressBundle(state: ProgressState): Bundle {
  if (state.state !== 'running')
    return bundle(`<div>${escapeHtml(endText(state))}</div>`, endText(state))
  const { label, done, total, seconds } = state
  const { count, rate, left } = partsOf(state)
  const times = [rate, left].filter((text) => text !== '')
  const share = total === null || total <= 0 ? null : Math.min(1, done / total)
  const words = [
    ...(label === '' ? [] : [escapeHtml(label)]),
    ...(share === null ? [] : [barHtml(share), percentHtml(share)]),
    escapeHtml(count),
    ...(seconds > 0 && times.length > 0
      ? [`<span style="${dimColour}">${escapeHtml(times.join(' · '))}</span>`]
      : []),
  ]
  const style = 'font-size:12px;display:flex;align-items:center;gap:10px'
  const html = `<div style="${style}">${words.map((word) => (word.startsWith('<') ? word : `<span>${word}</span>`)).join(' ')}</div>`
  return bundle(html, runningText(label, share, [count, ...times]))
}

function bundle(html: string, text: string): Bundle {
  return { data: { 'text/html': html, 'text/plain': text }, metadata: {} }
}

function barHtml(share: number): string {
  const frame =
    'width:240px;height:8px;border-radius:4px;overflow:hidden;background-color:rgba(127,127,127,0.25)'
  const fill = `width:${(share * 100).toFixed(1)}%;height:8px;background-color:${colours['mapped 2M']}`
  return `<div style="${frame}"><div style="${fill}"></div></div>`
}

/** As wide with one digit as with three: what stands behind must not jump. */
function percentHtml(share: number): string {
  const text = percent(share).replaceAll(' ', '\u2007')
  return `<span style="font-family:${monoFont}">${text}</span>`
}

/** Not 100 before all is done. */
function percent(share: number): string {
  return `${String(Math.floor(share * 100)).padStart(3)} %`
}

function partsOf({ unit, done, total, seconds }: ProgressState): {
  count: string
  rate: string
  left: string
} {
  const numbers = total === null ? count(done) : `${count(done)} / ${count(total)}`
  const perSecond = seconds > 0 ? done / seconds : 0
  return {
    count: unit === '' ? numbers : `${numbers} ${unit}`,
    rate: perSecond > 0 ? `${short(perSecond)}/s` : '',
    left: perSecond > 0 && total !== null ? `${timeText((total - done) / perSecond)} left` : '',
  }
}

/** At most 79 columns: the bar gives way, then the time left and the rate. */
function runningText(label: string, share: number | null, parts: readonly string[]): string {
  const name = label === '' ? '' : `${cut(label)}  `
  if (share === null) return (name + parts.join('  ')).slice(0, textColumns)
  const rest = ` ${percent(share)}  ${parts.join('  ')}`
  const room = textColumns - name.length - rest.length - 2
  if (room < shortestBar && parts.length > 1) return runningText(label, share, parts.slice(0, -1))
  const width = Math.max(0, Math.min(longestBar, room))
  const full = Math.floor(share * width)
  const bar = width < shortestBar ? '' : `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`
  return (name + bar + rest).slice(0, textColumns)
}

function endText({ label, unit, done, total, state }: ProgressState): string {
  const name = label === '' ? '' : `${label}: `
  const what = (number: number): string =>
    unit === '' ? count(number) : `${count(number)} ${unit}`
  if (state === 'done') return `${name}${what(done)} done`
  if (total === null || total <= 0) return `${name}stopped after ${what(done)}`
  const share = percent(Math.min(1, done / total)).trim()
  return `${name}stopped at ${share} (${count(done)} of ${what(total)})`
}

function cut(label: string): string {
  return label.length <= longestLabel ? label : `${label.slice(0, longestLabel - 3)}...`
}

function count(number: number): string {
  return number.toLocaleString('en-US')
}

const powers = ['', ' k', ' M', ' G', ' T']

/** Three digits: `1.92 M`. */
function short(number: number): string {
  let rest = number
  let power = 0
  while (rest >= 999.5 && power < powers.length - 1) {
    rest /= 1000
    power++
  }
  const digits = rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2
  return `${rest.toFixed(digits)}${powers[power] ?? ''}`
}

function timeText(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}
