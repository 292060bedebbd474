// SPDX-License-Identifier: GPL-2.0-or-later
// The table of names that cells have, against what is exported under them.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { suite, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { Compiler } from '../../../kernel/compiler/compiler.ts'
import { apiHelp, apiNames, coreModule } from '../../../kernel/session/api.ts'

suite('the names of the API', () => {
  const compiler = new Compiler(process.cwd())
  const skip = existsSync(coreModule) ? false : `core is not built: ${coreModule} is missing`
  for (const { name, module } of apiNames()) {
    test(`hold ${name}, as a value or a type`, { skip }, () => {
      const code = `import { ${name} } from ${JSON.stringify(module)}`
      const result = compiler.compile(`cell-${name}`, code)
      const text = 'error' in result ? result.error.traceback.join('\n') : ''
      assert.equal(stripVTControlCharacters(text), '')
    })
  }

  test('stand in the help, the functions among them', () => {
    for (const name of ['openDump', 'qemuVtop', 'pagewalk', 'display', 'help']) {
      assert.match(apiHelp(), new RegExp(`^${name}\\(.*\\) {2,}\\w`, 'm'))
    }
  })
})
