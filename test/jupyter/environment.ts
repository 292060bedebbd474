// SPDX-License-Identifier: GPL-2.0-or-later
// The Jupyter that the tests use: where its programs lie, and how they are run apart from the user's own.
import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root } from '../place.ts'
import { programOf } from '../python.ts'

/** What the set-up makes. It lies in a folder that npm and git know as a cache. */
export const cache = join(root, 'node_modules', '.cache', 'jupyter')

/** The virtual environment of `requirements.txt`. */
export const venv = join(cache, 'venv')

/** What `qemu-vtop install --prefix` was given. Not the environment: some tests want a Jupyter without this kernel. */
export const prefix = join(cache, 'prefix')

/** The folder with the Python parts of the tests: they are run from the sources. */
export const sources = join(root, 'test', 'jupyter')

/** A program of the virtual environment. */
export function program(name: string): string {
  return programOf(venv, name)
}

/** Folders of its own for one test file: nothing of the user's Jupyter is read or written. */
export class Home {
  readonly folder = mkdtempSync(join(tmpdir(), 'jupyter-test-'))
  readonly env: Readonly<Record<string, string>>

  constructor(kernels = join(prefix, 'share', 'jupyter')) {
    const place = (name: string): string => {
      const folder = join(this.folder, name)
      mkdirSync(folder)
      return folder
    }
    this.env = {
      JUPYTER_PATH: kernels,
      JUPYTER_CONFIG_DIR: place('config'),
      JUPYTER_DATA_DIR: place('data'),
      JUPYTER_RUNTIME_DIR: place('runtime'),
      JUPYTERLAB_SETTINGS_DIR: place('settings'),
      JUPYTERLAB_WORKSPACES_DIR: place('workspaces'),
      IPYTHONDIR: place('ipython'),
      XDG_DATA_HOME: place('share'),
      XDG_CACHE_HOME: place('cache'),
      PYTHONUNBUFFERED: '1',
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** What a program did. */
export interface Done {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end. It is ended after `limitMs`, and `code` is null then. */
export function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  limitMs = 180_000,
): Promise<Done> {
  const child = spawn(file, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: limitMs,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      resolve({ code, stdout, stderr })
    })
  })
}
