// SPDX-License-Identifier: GPL-2.0-or-later
// The two generations of Vega that a spec meets: the one in JupyterLab 4, and the newest.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import * as vega from 'vega'
import { compile, type TopLevelSpec } from 'vega-lite'
import { type Spec } from '../../../kernel/display/chart/spec.ts'
import { root } from '../../place.ts'

/** Compiles a spec, runs it, and gives what the engine had to say and the number of marks drawn. */
export interface Engine {
  readonly name: string
  /** Why it cannot be used, or false. */
  readonly skip: string | false
  run(spec: Spec): Promise<{ warnings: string[]; svg: string }>
}

interface VegaLike {
  parse(spec: unknown): unknown
  View: new (runtime: unknown, options: object) => { toSVG(): Promise<string>; finalize(): unknown }
}
interface VegaLiteLike {
  compile(spec: unknown, options: object): { spec: unknown }
}

// Said by every spec that can be dragged, wherever there is no window.
const usual = /event source/

function engineOf(name: string, load: () => { vega: VegaLike; vegaLite: VegaLiteLike }): Engine {
  return {
    name,
    skip: false,
    async run(spec) {
      const warnings: string[] = []
      const say = (...words: unknown[]): object => {
        if (!usual.test(words.join(' '))) warnings.push(words.join(' '))
        return logger
      }
      const level = (): number => 0
      const logger: object = {
        level,
        error: say,
        warn: say,
        info: () => logger,
        debug: () => logger,
      }
      const engine = load()
      const { spec: compiled } = engine.vegaLite.compile(spec, { logger })
      const view = new engine.vega.View(engine.vega.parse(compiled), { renderer: 'none', logger })
      const svg = await view.toSVG()
      view.finalize()
      return { warnings, svg }
    },
  }
}

/** JupyterLab 4 brings these as files for browsers, and so they are run: as scripts that share a global object. */
function jupyterLab(): Engine {
  const files = ['vega-5/build/vega.min.js', 'vega-lite-5/build/vega-lite.min.js'].map((file) =>
    join(root, 'node_modules', file),
  )
  const name = 'Vega-Lite 5.6.1, as in JupyterLab 4'
  if (!files.every((file) => existsSync(file))) {
    const skip = 'the dev dependencies vega-5 and vega-lite-5 are not installed'
    return { name, skip, run: () => Promise.reject(new Error(skip)) }
  }
  return engineOf(name, () => {
    const page = createContext({ setTimeout, clearTimeout, structuredClone, URL, console })
    for (const file of files) runInContext(readFileSync(file, 'utf8'), page)
    return page as { vega: VegaLike; vegaLite: VegaLiteLike }
  })
}

const newest = engineOf('the newest Vega-Lite', () => ({
  vega: vega as unknown as VegaLike,
  vegaLite: { compile: (spec, options) => compile(spec as TopLevelSpec, options) },
}))

export const engines: readonly Engine[] = [jupyterLab(), newest]
