// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop vtop`: guest physical addresses in, host addresses or the reason why there is none out.
import { CorruptError, FaultError, qemuVtop } from '../../core/index.ts'
import { readQuestions, subjectOf } from './addresses.ts'
import { dumpArguments, fileHelp, withDump } from './dumps.ts'
import { exitCode, print, type Verb } from './verb.ts'

const help = `Usage: qemu-vtop vtop DUMP... -g PID|TASKP -p GPA... [--json]

Translates guest physical addresses (gpa) of the virtual machine that a process
of the dumped host runs: to the host virtual address in that process, and
through its page tables to the host physical address. An address without a page
is answered with the reason. Several files are the parts of one split dump, and
- is a dump on stdin.

  -g, --task PID|TASKP   the process (QEMU or another): a pid in decimal, or the
                         address of its task_struct in hex
      --vm VM            instead of -g: a virtual machine by name, UUID, pid of
                         its process, or address of its struct kvm
  -p, --gpa GPA...       addresses in hex, with or without 0x; @FILE reads them
                         from a file, one a line, - or @- from stdin
      --json             a JSON array, one element for each address, in order

${fileHelp}

Examples:
  qemu-vtop vtop vmcore -g 191579 -p 34de5840
  qemu-vtop vtop vmcore -g ffff8806edca49e0 -p 34de5840 0x1000 fffff000
  qemu-vtop vtop vmcore -g 191579 -p @addresses.txt --json | jq '.[].hpa'
  qemu-vtop vtop vmcore.1 vmcore.2 vmcore.3 -g 191579 -p 34de5840
  cut -f1 addresses.tsv | qemu-vtop vtop vmcore --vm web01 -p -

Exit codes:
  0    every address was answered; a reason why there is no page is an answer
  1    the dump or the task cannot be used, or pages that an answer needs are
       damaged
  2    the arguments are wrong
  130  interrupted
`

/** Text is printed in pieces of about this many characters. */
const pieceSize = 65_536

async function run(args: readonly string[]): Promise<number> {
  const questions = await readQuestions(args, ['json'])
  return withDump(
    dumpArguments(questions.positionals),
    async (dump) => {
      const subject = subjectOf(dump, questions)
      const { gpas, switches } = questions
      const json = switches.has('json')
      let code: number = exitCode.ok
      let pending = json ? '[\n' : ''
      for (const [i, gpa] of gpas.entries()) {
        try {
          const translation = qemuVtop(subject, gpa)
          // As the extension did it, an empty line follows each result.
          pending += json ? JSON.stringify(translation) : `${translation.toString().trimEnd()}\n\n`
        } catch (error) {
          // What is wrong with the task is wrong for all addresses; damaged pages may spare the next one.
          if (!(error instanceof FaultError || error instanceof CorruptError)) throw error
          code = exitCode.failed
          const { code: word, message } = error
          if (json) pending += JSON.stringify({ gpa: toHex(gpa), error: { code: word, message } })
          else process.stderr.write(`qemu-vtop vtop: ${gpa}: ${message}\n`)
        }
        if (json) pending += i === gpas.length - 1 ? '\n]\n' : ',\n'
        if (pending.length >= pieceSize) {
          await print(pending)
          pending = ''
        }
      }
      await print(pending)
      return code
    },
    questions.files,
  )
}

function toHex(gpa: string): string {
  return `0x${gpa.replace(/^0x/i, '').toLowerCase()}`
}

/** The verb `vtop`. */
export const verb: Verb = { help, run }
