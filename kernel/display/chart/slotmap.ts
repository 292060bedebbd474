// SPDX-License-Identifier: GPL-2.0-or-later
// The slot map as a Vega-Lite spec.

import { type Chart, type SlotMap } from '../../../core/index.ts'
import { monoFont, uiFont } from '../palette.ts'
import { fitted, frame, ink, lines, type Spec, toneColour } from './spec.ts'

const HEIGHT = 150
const STRIP = 22
/** Room for the slanted addresses between the map and the strip. */
const GAP = 84

/**
 * The map, and when `interactive` a strip below it: a drag on it is what the map shows. Nothing that comes from a dump
 * is part of an expression: names and addresses are fields of data.
 */
export function slotMapSpec(chart: Chart, interactive: boolean): Spec | undefined {
  if (chart.chart !== 'slot-map') return undefined
  const map = chart
  const draw = new Drawing(map, interactive)
  const { config, ...top } = frame
  return {
    ...top,
    description: map.description,
    title: { text: map.title, subtitle: lines(draw.subtitle()) },
    ...fitted(map.pixels, 0),
    datasets: datasetsOf(map),
    ...(interactive
      ? {
          spacing: GAP,
          bounds: 'flush',
          vconcat: [draw.map(), draw.strip()],
          resolve: { scale: { color: 'shared' } },
        }
      : draw.map()),
    config,
  }
}

/** Slots once, with their words; pieces refer to them by number. */
function datasetsOf(map: SlotMap): Spec {
  return {
    slots: map.boxes.map((box, i) => ({
      i,
      u0: box.from,
      u1: box.to,
      name: box.name,
      short: box.purpose ?? '',
      gpa: box.gpa,
      hva: box.hva,
      size: box.size,
      state: box.mostly,
    })),
    pieces: map.boxes.flatMap((box, i) =>
      box.pieces.map(({ bottom, top, tone, share }) => ({
        i,
        y0: bottom,
        y1: top,
        state: tone,
        share,
      })),
    ),
    holes: map.holes.map(({ from, to, gpa, size, name }) => ({
      ...{ u0: from, u1: to, gpa, size, name: name ?? 'hole' },
    })),
    labels: map.labels.map(({ at, text, zoom }) => ({ u: at, text, zoom })),
    marks: map.marks.map(({ at, label }) => ({ u: at, text: label })),
  }
}

/** The layers of one map, still or with a brush. */
class Drawing {
  readonly #map: SlotMap
  readonly #interactive: boolean
  /** What is to be seen of the line, as Vega expressions made of numbers. */
  readonly #from: string
  readonly #to: string
  /** Pixels a unit. */
  readonly #scale: string

  constructor(map: SlotMap, interactive: boolean) {
    this.#map = map
    this.#interactive = interactive
    this.#from = interactive ? '(isValid(brush.u0) ? brush.u0[0] : 0)' : '0'
    this.#to = interactive ? `(isValid(brush.u0) ? brush.u0[1] : ${map.units})` : `${map.units}`
    // The signal `width` is what the window has room for of the map's pixels.
    this.#scale = `width / (${this.#to} - ${this.#from})`
  }

  subtitle(): string {
    const isCounted = !this.#map.tones.includes('not counted')
    return [
      'slot width ~ log2(size)',
      ...(isCounted ? ['height = share of the slot'] : []),
      ...(this.#map.holes.length > 0 ? ['dashed = hole'] : []),
      ...(this.#interactive ? ['drag on the strip below to zoom'] : []),
    ].join('; ')
  }

  map(): Spec {
    return {
      width: this.#map.pixels,
      height: HEIGHT,
      view: { stroke: null },
      // A layer without data makes Vega warn.
      layer: [
        ...(this.#map.holes.length > 0 ? [this.#holes()] : []),
        this.#pieces(),
        this.#outlines(),
        this.#labels(),
        this.#names(),
        ...(this.#map.holes.some(({ name }) => name !== null) ? [this.#holeNames()] : []),
        ...(this.#map.marks.length > 0 ? [this.#marks()] : []),
      ],
    }
  }

  strip(): Spec {
    const x = {
      type: 'quantitative',
      axis: null,
      scale: { domain: [0, this.#map.units], nice: false },
    }
    const mark = { fill: '#888', fillOpacity: 0.25, stroke: '#888' }
    return {
      width: this.#map.pixels,
      height: STRIP,
      view: { stroke: '#888', strokeOpacity: 0.5 },
      layer: [
        {
          data: { name: 'slots' },
          params: [{ name: 'brush', select: { type: 'interval', encodings: ['x'], mark } }],
          mark: { type: 'rect', cursor: 'crosshair', tooltip: false },
          encoding: { x: { field: 'u0', ...x }, x2: { field: 'u1' }, color: this.#colour() },
        },
        ...(this.#map.marks.length > 0 ? rules : []).map((rule) => ({
          data: { name: 'marks' },
          mark: { type: 'rule', tooltip: false, ...rule },
          encoding: { x: { field: 'u', ...x }, y: { value: 0 }, y2: { value: STRIP } },
        })),
      ],
    }
  }

  #holes(): Spec {
    return {
      data: { name: 'holes' },
      mark: {
        type: 'rect',
        clip: true,
        fill: '#888',
        fillOpacity: 0.13,
        stroke: '#888',
        strokeOpacity: 0.55,
        strokeDash: [2, 3],
        strokeWidth: 0.7,
      },
      encoding: {
        ...this.#span(),
        y: { value: HEIGHT * 0.34 },
        y2: { value: HEIGHT * 0.66 },
        tooltip: [
          { field: 'name', type: 'nominal', title: 'no memory' },
          { field: 'size', type: 'nominal', title: 'size' },
          { field: 'gpa', type: 'nominal', title: 'gpa' },
        ],
      },
    }
  }

  #pieces(): Spec {
    const fields = ['u0', 'u1', 'name', 'gpa', 'hva', 'size']
    const tooltip = [
      ['name', 'memslot'],
      ['state', 'state'],
      ['share', 'share of slot'],
      ['size', 'size'],
      ['gpa', 'gpa'],
      ['hva', 'hva (start)'],
    ].map(([field, title]) => ({ field, type: 'nominal', title }))
    const height = {
      type: 'quantitative',
      axis: null,
      scale: { domain: [0, 1], range: [HEIGHT, 0] },
    }
    return {
      data: { name: 'pieces' },
      transform: [{ lookup: 'i', from: { data: { name: 'slots' }, key: 'i', fields } }],
      mark: { type: 'rect', clip: true },
      encoding: {
        ...this.#span(),
        y: { field: 'y0', ...height },
        y2: { field: 'y1' },
        color: this.#colour(),
        tooltip,
        ...(this.#interactive ? { description: { field: 'gpa' } } : {}),
      },
    }
  }

  #outlines(): Spec {
    return {
      data: { name: 'slots' },
      mark: {
        type: 'rect',
        clip: true,
        fill: null,
        stroke: '#888',
        strokeWidth: 0.8,
        tooltip: false,
      },
      encoding: { ...this.#span(), y: { value: 0 }, y2: { value: HEIGHT } },
    }
  }

  /**
   * Addresses under the map. A layer that a filter leaves empty makes Vega warn, and a mark outside of the map moves
   * the whole picture: so what is not to be seen is blank, and stands at the map's edge.
   */
  #labels(): Spec {
    // In a narrow window, labels have the room of a map that is zoomed out.
    const { units, pixels } = this.#map
    const zoom = `${units} / (${this.#to} - ${this.#from}) * width / ${pixels}`
    // The text leans to the left of its point, 0.79 of its length; the map's left margin takes 16 pixels of that.
    const hasRoom = `(datum.u - ${this.#from}) * ${this.#scale} >= length(datum.text) * 4.8 - 16`
    return {
      data: { name: 'labels' },
      transform: [
        {
          calculate: `${this.#isSeen()} && datum.zoom <= ${zoom} * 1.001 && ${hasRoom} ? datum.text : ''`,
          as: 'shown',
        },
        this.#clamped('datum.u'),
      ],
      mark: { ...words(monoFont, 10), angle: -38, align: 'right', baseline: 'top', dx: -1, dy: 2 },
      encoding: { x: this.#x('x'), y: { value: HEIGHT + 4 }, text: { field: 'shown' } },
    }
  }

  /**
   * A slot's name, where the slot is as wide as it and no mark goes through it. The layer is never empty: a name that
   * does not fit is what the slot is for, or blank.
   */
  #names(): Spec {
    const isSeen = `datum.u1 > ${this.#from} && datum.u0 < ${this.#to}`
    const fits = (name: string) =>
      [
        `(datum.u1 - datum.u0) * ${this.#scale} > length(${name}) * 6 + 4`,
        ...this.#map.marks.map(
          ({ at }) => `abs(datum.x - ${at}) * ${this.#scale} > length(${name}) * 3 + 4`,
        ),
      ].join(' && ')
    const name = `${fits('datum.name')} ? datum.name : ${fits('datum.short')} ? datum.short : ''`
    return {
      data: { name: 'slots' },
      transform: [
        this.#clamped('(datum.u0 + datum.u1) / 2'),
        { calculate: `${isSeen} ? (${name}) : ''`, as: 'text' },
      ],
      mark: { ...words(uiFont, 10), baseline: 'bottom', dy: -3 },
      encoding: { x: this.#x('x'), y: { value: 0 }, text: { field: 'text' } },
    }
  }

  /** Holes are narrow, so their names stand upright in them, where the map shows their middle. */
  #holeNames(): Spec {
    const isSeen = `datum.u0 >= ${this.#from} && datum.u1 <= ${this.#to}`
    const isWide = `(datum.u1 - datum.u0) * ${this.#scale} > 9 && datum.name != 'hole'`
    return {
      data: { name: 'holes' },
      transform: [
        this.#clamped('(datum.u0 + datum.u1) / 2'),
        { calculate: `${isSeen} && ${isWide} ? datum.name : ''`, as: 'text' },
      ],
      mark: { ...words(uiFont, 9), angle: -90, align: 'center', baseline: 'middle' },
      encoding: { x: this.#x('x'), y: { value: HEIGHT / 2 }, text: { field: 'text' } },
    }
  }

  #marks(): Spec {
    const x = this.#x('x')
    const opacity = { expr: `${this.#isSeen()} ? 1 : 0` }
    return {
      data: { name: 'marks' },
      transform: [this.#clamped('datum.u')],
      layer: [
        ...rules.map((rule) => ({
          mark: { type: 'rule', clip: false, tooltip: false, opacity, ...rule },
          encoding: { x, y: { value: -22 }, y2: { value: HEIGHT + 2 } },
        })),
        {
          mark: {
            ...words(monoFont, 11),
            fontWeight: 'bold',
            baseline: 'bottom',
            align: this.#anchor(),
            dy: -1,
            opacity,
          },
          encoding: { x, y: { value: -23 }, text: { field: 'text' } },
        },
      ],
    }
  }

  /** A label near an end of the line stands inwards, or it would be cut off. */
  #anchor(): string | Spec {
    const part = `(datum.u - ${this.#from}) / (${this.#to} - ${this.#from})`
    return { expr: `${part} < 0.12 ? 'left' : ${part} > 0.88 ? 'right' : 'center'` }
  }

  /** A position that cannot leave the map, whatever part of the line it shows. */
  #clamped(position: string): Spec {
    return { calculate: `clamp(${position}, ${this.#from}, ${this.#to})`, as: 'x' }
  }

  #isSeen(): string {
    return `datum.u >= ${this.#from} && datum.u <= ${this.#to}`
  }

  #span(): Spec {
    return { x: this.#x('u0'), x2: { field: 'u1' } }
  }

  #x(field: string): Spec {
    const domain = this.#interactive ? { param: 'brush' } : [0, this.#map.units]
    return { field, type: 'quantitative', axis: null, scale: { domain, nice: false, zero: false } }
  }

  /** Beside a strip the legend keeps clear of what stands above the map by itself; alone it must be told to. */
  #legendOffset(): number {
    if (this.#interactive) return 6
    return this.#map.marks.length > 0 ? 44 : 22
  }

  #colour(): Spec {
    return toneColour(this.#map.tones, this.#legendOffset())
  }
}

/** A marked address is a dark line on a light one: seen on any colour, and on any page. */
const rules = [
  { stroke: '#ffffff', strokeWidth: 4 },
  { stroke: '#111111', strokeWidth: 1.8 },
]

/** A text mark. The scale's domain is a selection, which clips all marks unless they say no. */
function words(font: string, fontSize: number): Spec {
  return { type: 'text', fill: ink, font, fontSize, tooltip: false, clip: false }
}
