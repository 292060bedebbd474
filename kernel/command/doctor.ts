// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop doctor`: looks at everything that a notebook needs here, and says how to mend what is wrong.
import { checkFolders } from './doctor/folders.ts'
import type { Finding } from './doctor/finding.ts'
import { checkKernel } from './doctor/kernel.ts'
import { checkKernelspecs } from './doctor/kernelspecs.ts'
import { checkCompiler, checkNode, checkSockets } from './doctor/packages.ts'
import { checkSnapshot } from './doctor/snapshot.ts'
import { exitCode, parseArguments, print, usageError, type Verb } from './verb.ts'

const help = `Usage: qemu-vtop doctor [--prefix P] [--json]

Looks at what the kernel needs on this machine, and says how to mend what is
wrong: Node, the packages with compiled parts, what Jupyter finds, whether a
kernel starts and runs a cell, and whether its folders can be written. Nothing
is changed.

  --prefix P   look for the kernelspec in P/share/jupyter too
  --json       as JSON: {"ok": ..., "checks": [{"name", "ok", "found", "mend"}]}

Examples:
  qemu-vtop doctor
  qemu-vtop doctor --prefix /opt/jupyter --json

Exit codes:
  0  nothing is wrong
  1  something is
  2  the arguments are wrong
`

/** In the order in which one thing needs another: the first that is wrong is the one to mend first. */
function checks(prefix: string | undefined): readonly (() => Promise<readonly Finding[]>)[] {
  return [
    checkNode,
    checkSockets,
    checkCompiler,
    () => checkKernelspecs(prefix),
    checkFolders,
    checkSnapshot,
    checkKernel,
  ]
}

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArguments({
    args: [...args],
    options: { prefix: { type: 'string' }, json: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  if (positionals[0] !== undefined) throw usageError(`"${positionals[0]}" is too much`)
  const findings: Finding[] = []
  for (const check of checks(values.prefix)) {
    const found = await check()
    findings.push(...found)
    // As they come: the last ones take seconds.
    if (!values.json) for (const finding of found) await print(lineOf(finding))
  }
  const wrong = findings.filter(({ ok }) => !ok).length
  if (values.json) {
    await print(`${JSON.stringify({ ok: wrong === 0, checks: findings }, null, 2)}\n`)
  } else if (wrong > 0) {
    await print(`\n${wrong} of ${findings.length} ${wrong === 1 ? 'is' : 'are'} wrong.\n`)
  } else await print('\nNothing is wrong.\n')
  return wrong === 0 ? exitCode.ok : exitCode.failed
}

function lineOf({ name, ok, found, mend }: Finding): string {
  const indented = found.replaceAll('\n', '\n         ')
  const how = mend === undefined ? '' : `         to mend it: ${mend}\n`
  return `${ok ? 'ok   ' : 'wrong'}    ${name}: ${indented}\n${how}`
}

/** The verb `doctor`. */
export const verb: Verb = { help, run }
