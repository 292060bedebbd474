// SPDX-License-Identifier: GPL-2.0-or-later
// One notebook in a browser: what a person does with it, and what a person sees.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Locator, Page } from 'playwright-core'
import { root } from '../place.ts'

/** Pictures for people, kept out of git. */
const pictures = join(root, 'artifacts')

/** What is used of JupyterLab's application in the page; `--LabApp.expose_app_in_browser` puts it there. */
declare const jupyterapp: {
  readonly commands: { execute(id: string): Promise<unknown> }
  readonly shell: {
    readonly currentWidget: {
      readonly sessionContext: {
        readonly session: { readonly kernel: { readonly status: string } | null } | null
        restartKernel(): Promise<void>
      }
      readonly content: {
        activeCellIndex: number
        readonly activeCell: NotebookCell
        readonly widgets: readonly NotebookCell[]
      }
    } | null
  }
}

/** What is used of elements in the page. */
interface PageElement {
  readonly parentElement: PageElement | null
  readonly classList: { contains(name: string): boolean }
  readonly textContent: string | null
  readonly scrollWidth: number
  scrollLeft: number
  getBoundingClientRect(): { readonly right: number }
}

declare const document: { querySelectorAll(selector: string): Iterable<PageElement> }

interface NotebookCell {
  readonly model: {
    readonly type: string
    readonly trusted: boolean
    readonly sharedModel: {
      setSource(source: string): void
      readonly outputs: readonly CellOutput[]
    }
  }
}

/** An output as the notebook keeps it. */
export interface CellOutput {
  readonly output_type: string
  readonly name?: string
  readonly text?: string | readonly string[]
  readonly data?: Readonly<Record<string, unknown>>
  readonly ename?: string
  readonly evalue?: string
}

/** A notebook that is open. */
export class Notebook {
  readonly page: Page
  /** What went wrong in the page's own code. */
  readonly pageErrors: string[] = []

  constructor(page: Page) {
    this.page = page
    page.on('pageerror', ({ message }) => this.pageErrors.push(message))
  }

  /** Carries out a command of JupyterLab, as its menus do. */
  async command(id: string): Promise<void> {
    await this.page.evaluate(async (id) => {
      await jupyterapp.commands.execute(id)
    }, id)
  }

  /** The kernel's status as JupyterLab has it. */
  status(): Promise<string> {
    return this.page.evaluate(
      () => jupyterapp.shell.currentWidget?.sessionContext.session?.kernel?.status ?? 'none',
    )
  }

  /** Waits until the kernel has been idle three times in a row. */
  async idle(limitMs = 90_000): Promise<void> {
    const until = Date.now() + limitMs
    for (let calm = 0; calm < 3;) {
      await pause(100)
      const status = await this.status()
      calm = status === 'idle' ? calm + 1 : 0
      if (Date.now() > until) throw new Error(`kernel is ${status} after ${limitMs} ms`)
    }
  }

  async restart(): Promise<void> {
    await this.page.evaluate(() => jupyterapp.shell.currentWidget?.sessionContext.restartKernel())
    await this.idle()
  }

  /** Puts an empty cell below the last one, and makes it the active one. */
  async insert(source = ''): Promise<void> {
    await this.page.evaluate(async (source) => {
      const notebook = jupyterapp.shell.currentWidget?.content
      if (notebook === undefined) throw new Error('no notebook is open')
      notebook.activeCellIndex = notebook.widgets.length - 1
      await jupyterapp.commands.execute('notebook:insert-cell-below')
      notebook.activeCell.model.sharedModel.setSource(source)
    }, source)
  }

  /** Runs a new last cell to its end; its outputs. */
  async cell(source: string): Promise<readonly CellOutput[]> {
    await this.insert(source)
    await this.command('notebook:run-cell')
    await this.idle()
    const outputs = await this.outputs()
    return outputs.at(-1) ?? []
  }

  /** Types into a new last cell, key by key. */
  async type(source: string): Promise<void> {
    await this.insert()
    await this.last().locator('.cm-content').click()
    await this.page.keyboard.type(source, { delay: 15 })
    await pause(300)
  }

  last(): Locator {
    return this.page.locator('.jp-Notebook .jp-Cell').last()
  }

  /** The outputs of the code cells, as the notebook keeps them. */
  outputs(): Promise<readonly (readonly CellOutput[])[]> {
    return this.page.evaluate(() =>
      (jupyterapp.shell.currentWidget?.content.widgets ?? [])
        .filter(({ model }) => model.type === 'code')
        .map(({ model }) => model.sharedModel.outputs),
    )
  }

  /** Of each code cell that has outputs, whether JupyterLab trusts them. */
  trusted(): Promise<readonly boolean[]> {
    return this.page.evaluate(() =>
      (jupyterapp.shell.currentWidget?.content.widgets ?? [])
        .filter(({ model }) => model.type === 'code' && model.sharedModel.outputs.length > 0)
        .map(({ model }) => model.trusted),
    )
  }

  /** How many elements of a kind are in outputs, and have an area on the page. */
  async visible(selector: string): Promise<number> {
    const elements = await this.page.locator(`.jp-OutputArea-output ${selector}`).all()
    const boxes = await Promise.all(elements.map((element) => element.boundingBox()))
    return boxes.filter((box) => box !== null && box.width > 20 && box.height > 10).length
  }

  /**
   * Scrolls what lies around each of these to its right end. Counts those that had to be, and tells of which the end is
   * still not to be seen.
   */
  scrolled(selector: string): Promise<{ wider: number; unreachable: string[] }> {
    return this.page.evaluate((selector) => {
      const result = { wider: 0, unreachable: [] as string[] }
      for (const one of document.querySelectorAll(`.jp-OutputArea-output ${selector}`)) {
        let isWider = false
        for (let around = one.parentElement; around; around = around.parentElement) {
          around.scrollLeft = around.scrollWidth
          isWider ||= around.scrollLeft > 0
          if (around.classList.contains('jp-OutputArea-output')) {
            // Half a pixel is lost in rounding.
            const end = around.getBoundingClientRect().right + 1
            if (one.getBoundingClientRect().right > end) {
              result.unreachable.push((one.textContent ?? '').slice(0, 80))
            }
            break
          }
        }
        if (isWider) result.wider++
      }
      return result
    }, selector)
  }

  /** A picture of the window, or of the whole notebook: the window is made as high as that. */
  async picture(name: string, { whole = false } = {}): Promise<void> {
    mkdirSync(pictures, { recursive: true })
    const { page } = this
    if (whole) {
      const cells = await page.locator('.jp-Notebook .jp-Cell').all()
      const boxes = await Promise.all(cells.map((cell) => cell.boundingBox()))
      const height = boxes.reduce((sum, box) => sum + (box?.height ?? 0) + 12, 250)
      const width = page.viewportSize()?.width ?? 1280
      await page.setViewportSize({ width, height: Math.ceil(height) })
      await page.locator('.jp-Notebook .jp-Cell').first().scrollIntoViewIfNeeded()
      await pause(700)
    } else {
      const outputs = this.last().locator('.jp-OutputArea')
      if ((await outputs.count()) > 0) await outputs.first().scrollIntoViewIfNeeded()
    }
    await page.screenshot({ path: join(pictures, `${name}.png`) })
    if (whole) await page.setViewportSize({ width: 1280, height: 1000 })
  }
}
