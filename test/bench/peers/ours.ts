// SPDX-License-Identifier: GPL-2.0-or-later
// This project as a peer of run.sh: node ours.js DUMP PID FILE prints "GPA HPA" or "GPA -" for each line of FILE.

import { readFileSync } from 'node:fs'
import { openDump, qemuVtop } from '../../../core/index.ts'

const [, , path = '', pid = '', file = ''] = process.argv
const [vm] = openDump(path).task(pid).vms
if (vm === undefined) throw new Error(`task ${pid} has no virtual machine`)
const answers: string[] = []
for (const gpa of readFileSync(file, 'utf8').split('\n')) {
  if (gpa === '') continue
  const { hpa } = qemuVtop(vm, gpa)
  answers.push(`${gpa} ${hpa === null ? '-' : `0x${hpa.toString(16)}`}\n`)
}
process.stdout.write(answers.join(''))
