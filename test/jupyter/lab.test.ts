// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel in a real JupyterLab: the first notebook is run, looked at, typed into, saved, and opened by somebody else.
import assert from 'node:assert/strict'
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../place.ts'
import { browserPath, Lab, type Theme } from './lab.ts'
import type { CellOutput, Notebook } from './notebook.ts'

const first = join(root, 'notebooks', '01-first-translation.ipynb')

const skip =
  browserPath !== undefined && existsSync(browserPath)
    ? false
    : 'no Chromium: install Debian\'s "chromium", or name one in CHROMIUM'

const vegaLite = 'application/vnd.vegalite.v5+json'

/** How many outputs of the first notebook are of a media type. */
function having(mime: string): number {
  const { cells } = JSON.parse(readFileSync(first, 'utf8')) as {
    cells: readonly { outputs?: readonly CellOutput[] }[]
  }
  return cells.flatMap(({ outputs }) => outputs ?? []).filter(({ data }) => data?.[mime]).length
}

/** Waits until each chart has its drawing, made by the page. */
async function chartsAreDrawn(notebook: Notebook): Promise<void> {
  const charts = having(vegaLite)
  assert.ok(charts > 2)
  for (let i = 0; ; i++) {
    const drawn = await notebook.visible('.vega-embed :is(svg, canvas)')
    if (drawn >= charts) return
    assert.ok(i < 150, `${drawn} of ${charts} charts are drawn after 30 s`)
    await pause(200)
  }
}

/** The text of an output that is a plain value or what a cell printed. */
function text(outputs: readonly CellOutput[]): string {
  const one = ({ text, data, evalue }: CellOutput): string =>
    [text, data?.['text/plain'], evalue].flat().join('')
  return outputs.map(one).join('')
}

for (const theme of ['light', 'dark'] satisfies Theme[]) {
  describe(`JupyterLab, ${theme}`, { skip }, () => {
    let lab: Lab
    let notebook: Notebook
    let saved = ''

    before(async () => {
      lab = await Lab.start(theme)
      cpSync(first, join(lab.root, 'first.ipynb'))
      notebook = await lab.open('first.ipynb')
    })
    after(async () => {
      await lab.stop()
    })

    it('runs the first notebook, and draws its tables and charts', async () => {
      await notebook.command('notebook:clear-all-cell-outputs')
      assert.equal(await notebook.visible('table'), 0)
      await notebook.command('notebook:run-all-cells')
      await notebook.idle()
      await chartsAreDrawn(notebook)
      assert.ok((await notebook.visible('table')) >= having('text/html'))
      const outputs = (await notebook.outputs()).flat()
      assert.deepEqual(
        outputs.filter(({ output_type }) => output_type === 'error'),
        [],
      )
      // The guest's program wrote each page's own address into it: the page says that it is the right one.
      assert.match(text(outputs), /0x200000/)
      await notebook.picture(`first-${theme}`, { whole: true })
      assert.deepEqual(notebook.pageErrors, [])
    })

    it('has nothing cut off in a window of 500 pixels: what is wider is scrolled to its end', async () => {
      const usual = notebook.page.viewportSize()
      await notebook.page.setViewportSize({ width: 500, height: 1000 })
      await notebook.command('application:toggle-left-area')
      const { wider, unreachable } = await notebook.scrolled(':is(.vega-embed > *, table)')
      assert.ok(wider > 2, `${wider} are wider than the window`)
      assert.deepEqual(unreachable, [])
      await notebook.command('application:toggle-left-area')
      if (usual !== null) await notebook.page.setViewportSize(usual)
    })

    it('saves it with its outputs', async () => {
      await notebook.command('docmanager:save')
      saved = readFileSync(join(lab.root, 'first.ipynb'), 'utf8')
      assert.equal(saved.split(`"${vegaLite}"`).length - 1, having(vegaLite))
    })

    it('fits charts into a window of 500 pixels, and scrolls wide tables to their end', async () => {
      writeFileSync(join(lab.root, 'narrow.ipynb'), saved)
      const narrow = await lab.open('narrow.ipynb', { kernel: false, width: 500 })
      await chartsAreDrawn(narrow)
      await narrow.command('application:toggle-left-area')
      assert.deepEqual(await narrow.scrolled('.vega-embed > *'), { wider: 0, unreachable: [] })
      assert.deepEqual((await narrow.scrolled('table')).unreachable, [])
      await narrow.picture(`narrow-${theme}`, { whole: true })
      await narrow.page.close()
    })

    it('completes with Tab: members of the API, and of the dump’s own structures', async () => {
      for (const [source, member] of [
        ['qemuV', 'qemuVtop'],
        ['dump.', 'readPhysical'],
        ['dump.task(1).mm.', 'map_count'],
      ] as const) {
        await notebook.type(source)
        await notebook.page.keyboard.press('Tab')
        const items = notebook.page.locator('.jp-Completer-item')
        const inserted = notebook.last().getByText(member)
        // A list that holds only one name is inserted at once.
        await items.filter({ hasText: member }).or(inserted).first().waitFor({ timeout: 20_000 })
        await notebook.picture(`tab-${member}-${theme}`)
        await notebook.page.keyboard.press('Escape')
        await notebook.page.keyboard.press('Escape')
        await notebook.command('notebook:delete-cell')
      }
    })

    it('shows documentation with Shift+Tab', async () => {
      await notebook.type('qemuVtop(task, 0x200000)')
      await notebook.page.keyboard.press('Escape')
      await notebook.page.keyboard.press('Enter')
      for (let i = 0; i < 18; i++) await notebook.page.keyboard.press('ArrowLeft')
      await notebook.page.keyboard.press('Shift+Tab')
      const tip = notebook.page.locator('.jp-Tooltip')
      await tip.waitFor({ timeout: 20_000 })
      const shown = await tip.innerText()
      await notebook.picture(`tip-${theme}`)
      assert.match(shown, /qemuVtop\(/)
      assert.match(shown, /gpa/)
      await notebook.page.keyboard.press('Escape')
      await notebook.command('notebook:delete-cell')
    })

    it('is interrupted in a loop that never ends, and keeps its variables', async () => {
      await notebook.insert('let count = 0\nwhile (true) count++')
      const ran = notebook.command('notebook:run-cell')
      for (let i = 0; (await notebook.status()) !== 'busy'; i++) {
        assert.ok(i < 100, 'the cell does not begin')
        await pause(100)
      }
      await pause(1500)
      assert.equal(await notebook.status(), 'busy')
      await notebook.command('notebook:interrupt-kernel')
      await notebook.idle(10_000)
      await ran
      const [outputs = []] = (await notebook.outputs()).slice(-1)
      assert.deepEqual(
        outputs.map(({ output_type }) => output_type),
        ['error'],
      )
      await notebook.picture(`interrupt-${theme}`)
      assert.match(text(await notebook.cell('[count > 0, task.pid]')), /true, 183/)
    })

    it('is restarted: names are gone, and cells run', async () => {
      await notebook.restart()
      const [error] = await notebook.cell('guest')
      assert.equal(error?.output_type, 'error')
      assert.match(error.evalue ?? '', /guest/)
      assert.equal(text(await notebook.cell('6 * 7')), '42')
      await notebook.picture(`restart-${theme}`)
    })

    it('is readable for somebody who does not trust it and has no such kernel', async () => {
      assert.notEqual(saved, '')
      // The signatures of a notebook's writer are in the writer's own data folder.
      const reader = await Lab.start(theme, '')
      try {
        writeFileSync(join(reader.root, 'mail.ipynb'), saved)
        const mail = await reader.open('mail.ipynb', { kernel: false })
        const none = mail.page.locator('.jp-Dialog button', { hasText: 'No Kernel' })
        await none.click({ timeout: 20_000 })
        const trusted = await mail.trusted()
        assert.ok(trusted.length > 5)
        assert.ok(!trusted.includes(true))
        assert.ok((await mail.visible('table')) >= having('text/html'))
        await chartsAreDrawn(mail)
        await mail.picture(`untrusted-${theme}`, { whole: true })
        // Untrusted HTML and SVG are cleaned by JupyterLab: nothing of ours that it takes away is needed to read it.
        assert.match(await mail.page.locator('.jp-Notebook').innerText(), /147200000/)
        assert.deepEqual(mail.pageErrors, [])
      } finally {
        await reader.stop()
      }
    })
  })
}
