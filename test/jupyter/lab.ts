// SPDX-License-Identifier: GPL-2.0-or-later
// A JupyterLab of its own with a headless browser in front of it.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Browser, chromium } from 'playwright-core'
import { Home, program } from './environment.ts'
import { Notebook } from './notebook.ts'

/** The browser: `CHROMIUM`, or Debian's in the path; undefined when there is none. */
export const browserPath = process.env['CHROMIUM'] ?? inPath('chromium')

function inPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** JupyterLab's two themes. */
export type Theme = 'light' | 'dark'

/** One server with its browser; empty folders for settings, data and notebooks. */
export class Lab {
  /** The folder of the notebooks. */
  readonly root: string
  readonly #home: Home
  readonly #url: string
  readonly #server: ChildProcess
  readonly #browser: Browser

  private constructor(
    home: Home,
    root: string,
    url: string,
    server: ChildProcess,
    browser: Browser,
  ) {
    this.#home = home
    this.root = root
    this.#url = url
    this.#server = server
    this.#browser = browser
  }

  /** `kernels` is where kernels are looked for, besides those of Python; by default, where this one is. */
  static async start(theme: Theme, kernels?: string): Promise<Lab> {
    const home = new Home(kernels)
    const root = join(home.folder, 'notebooks')
    mkdirSync(root)
    const set = (plugin: string, name: string, values: object): void => {
      const folder = join(home.env['JUPYTERLAB_SETTINGS_DIR'] ?? '', '@jupyterlab', plugin)
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, `${name}.jupyterlab-settings`), JSON.stringify(values))
    }
    set('apputils-extension', 'notification', { fetchNews: 'false' })
    const name = theme === 'dark' ? 'JupyterLab Dark' : 'JupyterLab Light'
    set('apputils-extension', 'themes', { theme: name })
    // Cells that are out of sight are not drawn otherwise.
    set('notebook-extension', 'tracker', { windowingMode: 'none' })
    const port = await freePort()
    const server = spawn(
      program('jupyter-lab'),
      [
        ...['--no-browser', '--allow-root', `--port=${port}`, '--ServerApp.port_retries=0'],
        ...['--IdentityProvider.token=', '--ServerApp.password=', '--LabApp.news_url='],
        ...['--LabApp.expose_app_in_browser=True', `--ServerApp.root_dir=${root}`],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...home.env } },
    )
    let log = ''
    server.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
    const url = `http://127.0.0.1:${port}`
    try {
      const until = Date.now() + 90_000
      while (!(await answers(`${url}/api`))) {
        await pause(300)
        if (server.exitCode !== null || Date.now() > until) {
          throw new Error(`JupyterLab does not start\n${log}`)
        }
      }
      const browser = await chromium.launch({
        executablePath: browserPath ?? '',
        args: [
          ...['--no-sandbox', '--disable-gpu', '--disable-quic'],
          ...['--no-first-run', '--disable-sync'],
          ...['--disable-background-networking', '--disable-component-update'],
        ],
      })
      return new Lab(home, root, url, server, browser)
    } catch (error) {
      await end(server)
      home.remove()
      throw error
    }
  }

  /** Opens a notebook of the root folder in a window of so many pixels; with `kernel`, until its kernel is idle. */
  async open(name: string, { kernel = true, width = 1280 } = {}): Promise<Notebook> {
    const page = await this.#browser.newPage({ viewport: { width, height: 1000 } })
    const notebook = new Notebook(page)
    await page.goto(`${this.#url}/lab/tree/${name}?reset`)
    await page.waitForSelector('.jp-Notebook .jp-Cell', { timeout: 90_000 })
    if (kernel) await notebook.idle()
    return notebook
  }

  async stop(): Promise<void> {
    await this.#browser.close()
    await end(this.#server)
    this.#home.remove()
  }
}

async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  await ended
}

function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    () => true,
    () => false,
  )
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
