// SPDX-License-Identifier: GPL-2.0-or-later
// Whether what Jupyter would start for this kernel is there.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { kernelArgv, kernelName } from '../../client/spec.ts'
import { userFolder } from '../jupyterfolder.ts'
import { type Finding, messageOf } from './finding.ts'

/** How long a Node may take to tell its version. */
const versionMs = 10_000

/** Each kernelspec of this kernel in Jupyter's folders; that there is none is wrong too. */
export function checkKernelspecs(prefix: string | undefined): Promise<Finding[]> {
  const folders = jupyterFolders(prefix).map((folder) => join(folder, 'kernels'))
  const specs = folders.flatMap(specsIn)
  if (specs.length > 0) return Promise.resolve(specs.map(check))
  const found = `none, in any of:\n${folders.join('\n')}`
  return Promise.resolve([{ name: 'kernelspec', ok: false, found, mend: 'qemu-vtop install' }])
}

/** Where jupyter_core (paths.py, jupyter_path) looks, with the active environment for Python's own. */
function jupyterFolders(prefix: string | undefined): string[] {
  const { env } = process
  const shared = (folder: string): string => join(folder, 'share', 'jupyter')
  const given = (env['JUPYTER_PATH'] ?? '').split(process.platform === 'win32' ? ';' : ':')
  const environments = [prefix, env['VIRTUAL_ENV'], env['CONDA_PREFIX']]
  const system =
    process.platform === 'win32'
      ? [join(env['PROGRAMDATA'] ?? 'C:\\ProgramData', 'jupyter')]
      : [shared('/usr/local'), shared('/usr')]
  const all = [
    ...given.filter((folder) => folder !== ''),
    userFolder(),
    ...environments.flatMap((folder) =>
      folder === undefined || folder === '' ? [] : shared(resolve(folder)),
    ),
    ...system,
  ]
  return [...new Set(all)]
}

interface Spec {
  /** The kernel.json. */
  readonly path: string
  readonly argv: readonly unknown[]
  readonly fault?: string
}

/** By its name, or under another name by the script that it starts. */
function specsIn(folder: string): Spec[] {
  let names: string[]
  try {
    names = readdirSync(folder)
  } catch {
    return []
  }
  return names
    .map((name) => ({ name, path: join(folder, name, 'kernel.json') }))
    .filter(({ path }) => existsSync(path))
    .map(({ name, path }) => ({ name, ...read(path) }))
    .filter(
      ({ name, argv }) => name === kernelName || /front[\\/]main\.[jt]s/.test(String(argv[1])),
    )
}

function read(path: string): Spec {
  try {
    const told: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const argv: unknown = typeof told === 'object' && told !== null && Reflect.get(told, 'argv')
    if (!Array.isArray(argv)) throw new Error('it has no argv')
    return { path, argv }
  } catch (error) {
    return { path, argv: [], fault: messageOf(error) }
  }
}

function check({ path, argv, fault }: Spec): Finding {
  const wrong = fault ?? faultOf(argv)
  const name = 'kernelspec'
  if (wrong !== undefined) {
    const mend = 'qemu-vtop install, with the options that it was installed with before'
    return { name, ok: false, found: `${path}: ${wrong}`, mend }
  }
  const [, script] = kernelArgv('')
  const other = argv[1] === script ? '' : `; it starts another copy, ${String(argv[1])}`
  return { name, ok: true, found: `${path}${other}` }
}

function faultOf([node, script, ...rest]: readonly unknown[]): string | undefined {
  if (typeof node !== 'string' || typeof script !== 'string') return 'its argv names no program'
  const asked = spawnSync(node, ['--version'], { encoding: 'utf8', timeout: versionMs })
  if (asked.error !== undefined) return `${node} cannot be run: ${asked.error.message}`
  if (!/^v\d+\./.test(asked.stdout)) return `${node} is not Node`
  if (!existsSync(script)) return `${script} is not there any more`
  if (!rest.includes('{connection_file}')) return 'its argv does not hold {connection_file}'
  return undefined
}
