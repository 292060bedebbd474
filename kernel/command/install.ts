// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop install`: writes the kernelspec where Jupyter looks for it. Jupyter itself is not needed for that.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { kernelJson, kernelName, packageFolder } from '../client/spec.ts'
import { userFolder } from './jupyterfolder.ts'
import { CommandError, exitCode, parseArguments, print, usageError, type Verb } from './verb.ts'

const help = `Usage: qemu-vtop install [--user | --prefix P | --sys-prefix] [--name NAME]

Makes the kernel known to Jupyter: JupyterLab, VS Code and nbconvert then offer
it. An earlier installation of the same name is replaced. The kernelspec names
this Node and this package by their full paths: install again after either has
moved.

  --user         for this user (the default): $JUPYTER_DATA_DIR, or Jupyter's
                 usual place
  --prefix P     into P/share/jupyter, for a Python that lives in P
  --sys-prefix   into the active virtual environment, $VIRTUAL_ENV or
                 $CONDA_PREFIX
  --name NAME    the kernel's name; default: ${kernelName}

Examples:
  qemu-vtop install
  qemu-vtop install --sys-prefix
  sudo qemu-vtop install --prefix /usr/local

Exit codes:
  0  installed; the folder is printed
  1  it cannot be written
  2  the arguments are wrong
`

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({
    args: [...args],
    options: {
      user: { type: 'boolean', default: false },
      prefix: { type: 'string' },
      'sys-prefix': { type: 'boolean', default: false },
      name: { type: 'string', default: kernelName },
    },
    allowPositionals: true,
  })
  if (positionals[0] !== undefined) throw usageError(`"${positionals[0]}" is too much`)
  const { user, prefix, 'sys-prefix': sysPrefix, name } = values
  if ([user, prefix !== undefined, sysPrefix].filter(Boolean).length > 1) {
    throw usageError('--user, --prefix and --sys-prefix exclude each other')
  }
  // The rule of jupyter_client (kernelspec.py) for the names of kernels.
  if (!/^[a-z0-9._-]+$/i.test(name)) {
    throw usageError(`--name is "${name}"; only letters, digits, ".", "_" and "-" can stand in it`)
  }
  const shared = sysPrefix ? activeEnvironment() : prefix
  const data = shared === undefined ? userFolder() : join(resolve(shared), 'share', 'jupyter')
  const folder = join(data, 'kernels', name)
  try {
    install(folder)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(`cannot install into ${folder}: ${reason}`, exitCode.failed, {
      cause: error,
    })
  }
  await print(`installed kernel ${name} in ${folder}\n`)
  return exitCode.ok
}

/** Writes beside `folder` and renames, so that Jupyter never sees half a kernelspec. */
function install(folder: string): void {
  const parent = dirname(folder)
  makeFolders(parent)
  // No kernel.json lies directly in it, so Jupyter does not take it for a kernel.
  const temporary = mkdtempSync(join(parent, '.~installing-'))
  try {
    const fresh = join(temporary, 'new')
    const logos = join(packageFolder(), 'kernelspec')
    cpSync(logos, fresh, { recursive: true })
    writeFileSync(join(fresh, 'kernel.json'), `${JSON.stringify(kernelJson(), null, 2)}\n`)
    const old = join(temporary, 'old')
    if (existsSync(folder)) renameSync(folder, old)
    try {
      renameSync(fresh, folder)
    } catch (error) {
      if (existsSync(old)) renameSync(old, folder)
      throw error
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** One by one: with `recursive`, Node 20 never comes back from a place like /proc that takes no folders. */
function makeFolders(folder: string): void {
  if (existsSync(folder)) return
  makeFolders(dirname(folder))
  mkdirSync(folder)
}

function activeEnvironment(): string {
  const found = [process.env['VIRTUAL_ENV'], process.env['CONDA_PREFIX']].find(Boolean)
  if (found !== undefined) return found
  throw usageError(
    '--sys-prefix needs an active environment, but neither VIRTUAL_ENV nor CONDA_PREFIX is set; ' +
      'activate it, or give its folder: --prefix P',
  )
}

/** The verb `install`. */
export const verb: Verb = { help, run }
