// SPDX-License-Identifier: GPL-2.0-or-later
// `qemu-vtop slice`: a small dump that answers some questions just as the large one does.
import { existsSync } from 'node:fs'
import { formatSize, type HostDump, qemuVtop, Task, viewOf, type Vm } from '../../core/index.ts'
import { type Questions, readQuestions, subjectOf } from './addresses.ts'
import { dumpArguments, fileHelp, withDump } from './dumps.ts'
import { exitCode, print, usageError, type Verb } from './verb.ts'

const help = `Usage: qemu-vtop slice DUMP... OUT -g PID|TASKP -p GPA... [--content] [--force]

Writes the pages that are needed to translate some addresses to a dump of their
own: a standard kdump-compressed file of a few MB, small enough to be sent. It
also lists the host's tasks and virtual machines, completes the names of symbols
and structures, and draws the guest's map. crash and drgn open it too, with the
debug files of its kernel. A page that none of this needs is not in it.

For crash and drgn it also has the kernel's own variables (its log among them),
the per-CPU area of each CPU (about 7 KB), the variables of modules, and tasks
with their kernel stacks, those of virtual machines first: at most 1000 tasks,
about 2 KB each. --minimal leaves all this out, for a report of a bug in this
program. Several files before OUT are the parts of one split dump.

  -g, --task PID|TASKP   the process (QEMU or another), as for vtop
      --vm VM            instead of -g: a virtual machine, as for vtop
  -p, --gpa GPA...       addresses in hex; @FILE reads them from a file, - from
                         stdin
      --content          also the host page behind each address: what the guest
                         had there
      --minimal          only what this program needs
      --force            replace OUT if it is there

${fileHelp}

Examples:
  qemu-vtop slice vmcore small.kdump -g 191579 -p 34de5840
  qemu-vtop slice vmcore small.kdump -g 191579 -p @addresses.txt

Exit codes:
  0  written
  1  the dump or the task cannot be used, or OUT cannot be written
  2  the arguments are wrong
`

async function run(args: readonly string[]): Promise<number> {
  const questions = await readQuestions(args, ['force', 'content', 'minimal'])
  const out = questions.positionals.at(-1)
  const paths = questions.positionals.slice(0, -1)
  if (out === undefined || paths.length === 0) throw usageError('DUMP and OUT must be given')
  return withDump(
    dumpArguments(paths),
    async (dump) => {
      const replace = questions.switches.has('force')
      if (!replace && existsSync(out))
        throw usageError(`${out} is there already; --force replaces it`)
      // First: a task that is known already would be a page less to read.
      for (const value of [dump, dump.vms]) viewOf(value)
      const subject = subjectOf(dump, questions)
      readAnswers(dump, subject, questions)
      const { pages, bytes } = dump.slice(out, {
        overwrite: replace,
        minimal: questions.switches.has('minimal'),
      })
      await print(`${out}: ${pages} pages, ${formatSize(bytes)}\n`)
      return exitCode.ok
    },
    { record: true, ...questions.files },
  )
}

/** Guests up to this size have the struct pages of their frames in a slice: up to 32 MiB for each GiB in small pages. */
const MOST_FRAMES = 16 * 2 ** 30

function memoryOf({ memslots }: Vm): number {
  const live = memslots.filter((slot) => slot.addressSpace === 0 && !slot.invalid)
  return live.reduce((sum, { size }) => sum + size, 0)
}

/** Asks what a notebook may ask: whatever shows these has read them, and what was read is what the slice holds. */
function readAnswers(dump: HostDump, subject: Task<Vm> | Vm, { gpas, switches }: Questions): void {
  const task = subject instanceof Task ? subject : subject.task
  const tasks = dump.tasks()
  for (const value of [tasks, ...tasks, subject]) viewOf(value)
  for (const vm of dump.vms) {
    // Of larger guests the frames would be most of the slice; what backs them can still be asked with {pages: false}.
    vm.coverage({ pages: memoryOf(vm) <= MOST_FRAMES })
    vm.struct.$bytes()
    for (const struct of [vm.task?.struct, vm.task?.mm]) struct?.$bytes()
  }
  viewOf(task?.vmas)
  JSON.stringify([task?.files.map(({ path }) => path), task?.threads, dump.swaps])
  for (const gpa of gpas) {
    const translation = qemuVtop(subject, gpa)
    JSON.stringify(translation)
    viewOf(translation)
    const { hpa } = translation
    if (switches.has('content') && hpa !== null) dump.memory.tryPage(Math.floor(hpa / 4096))
  }
  // The types of the kernel and its modules, and the names of its symbols.
  dump.declarations()
  const { modules, symbols, types } = dump.host
  // Types out of files are not in the dump.
  const isOwn = (types.remarks ?? []).length === 0
  if (isOwn) for (const { name } of modules.list()) modules.types(name)
  symbols.nearest(dump.host.symbol('init_task'))
}

/** The verb `slice`. */
export const verb: Verb = { help, run }
