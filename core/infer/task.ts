// SPDX-License-Identifier: GPL-2.0-or-later
// Tasks by what must hold: the first is called swapper, their list comes back to its start, pids are theirs alone.

import { count, offsets, Refused, type Candidate } from './findings.ts'
import { ringOf, type Block, type Ground } from './ground.ts'
import { type Survey } from './survey.ts'

/** TASK_COMM_LEN of include/linux/sched.h. */
const COMM = 16
/** A task_struct without the state of the processor at its end is not larger. */
const MAX_TASK = 0x4000
/** PID_MAX_LIMIT of include/linux/threads.h. */
const MAX_PID = 4 << 20

/** Finds task_struct.comm, tasks, and the processes themselves. */
export function inferTasks(survey: Survey): void {
  const { ground, findings } = survey
  const { symbols } = ground.host
  const at = symbols.address('init_task')
  if (at === undefined) throw new Refused('the kernel has no symbol init_task')
  // The distance to the next symbol is the size, and what may be behind it.
  const size = Math.min(symbols.size('init_task') ?? MAX_TASK, MAX_TASK)
  const init = ground.block(at, size)
  survey.init = init
  const names = [...offsets(size, 1)].filter((offset) =>
    ['swapper/0', 'swapper'].includes(init.letters(offset, COMM) ?? ''),
  )
  const comm = findings.choose(
    'task_struct.comm',
    'char[16]',
    // Letters in the middle of the name read as shorter names, which are not asked for.
    names.map((offset) => ({ offset, agreed: 1, against: 0 })),
    { of: 'kernels', evidence: 'that of init_task is swapper' },
  )
  const lists = new Map<number, bigint[]>()
  for (const offset of offsets(size, 8)) {
    const head = at + BigInt(offset)
    if (init.word(offset) === head) continue
    const nodes = taskRing(ground, head, comm - offset)
    if (nodes !== undefined) lists.set(offset, nodes)
  }
  const list = findings.choose(
    'task_struct.tasks',
    'struct list_head',
    [...lists].map(([offset, { length }]) => ({ offset, agreed: length, against: 0 })),
    {
      of: 'tasks',
      evidence: 'the list comes back to init_task, and every comm on it is text',
      // init and kthreadd always run (rest_init of init/main.c). The list of init_task's threads has one node, its head.
      atLeast: 2,
    },
  )
  survey.processes = (lists.get(list) ?? []).map((node) => ground.block(node - BigInt(list), size))
  findings.size('task_struct', size)
}

/** The ring at `head`, if each of its nodes has a name at `comm` from it. Gives up at the first that has none. */
function taskRing(ground: Ground, head: bigint, comm: number): bigint[] | undefined {
  const first = ground.word(head)
  if (!ground.isPointer(first) || nameAt(ground, first, comm) === undefined) return undefined
  const nodes = ringOf(ground, head, MAX_PID)
  const isNamed = nodes?.every((node) => nameAt(ground, node, comm) !== undefined)
  return isNamed === true ? nodes : undefined
}

function nameAt(ground: Ground, node: bigint, comm: number): string | undefined {
  // What is behind the NUL may be left from a longer name.
  return ground.text(node + BigInt(comm), COMM) || undefined
}

/** Finds pid, tgid, the threads, and who leads and begot whom. */
export function inferThreads(survey: Survey): void {
  const { findings, init, processes } = survey
  findings.at('task_struct.tasks')
  const all = [init, ...processes]
  const leader = findings.choose(
    'task_struct.group_leader',
    'struct task_struct *',
    [...offsets(init.length, 8)].map((o) => count(o, all, (task) => task.word(o) === task.address)),
    { of: 'processes', evidence: 'a process is its own leader' },
  )
  const pair = pidPair(survey)
  findings.attempt(() => {
    inferThreadList(survey, leader)
  })
  // A thread has a number of its own and its process's; which is which only threads can tell. The kernel declares pid
  // first: without a single thread that has to do.
  const { threads } = survey
  const own = new Set([...processes, ...threads].map((task) => task.u32(pair)))
  const isUnique = own.size === processes.length + threads.length
  const pid = isUnique || threads.length === 0 ? pair : pair + 4
  const tgid = pid === pair ? pair + 4 : pair
  const byLeader = new Map(all.map((task) => [task.address, task]))
  const group = (task: Block) => byLeader.get(task.word(leader) ?? 0n)?.u32(tgid)
  const tasks = [...all, ...threads]
  const ids = new Set<number | undefined>()
  findings.choose(
    'task_struct.pid',
    's32',
    [count(pid, tasks, (task) => ids.size < ids.add(task.u32(pid)).size)],
    {
      of: 'tasks',
      evidence: 'no two have the same, init_task has 0 and the next 1',
      tolerance: 0.02,
    },
  )
  findings.choose(
    'task_struct.tgid',
    's32',
    [count(tgid, tasks, (task) => task.u32(tgid) === group(task))],
    { of: 'tasks', evidence: "it is the leader's pid", tolerance: 0.02 },
  )
  findings.attempt(() => {
    inferParent(survey, byLeader)
  })
}

/** Two numbers side by side: pid and tgid of a process are the same, and its own. */
function pidPair({ findings, init, processes }: Survey): number {
  const fits = [...offsets(init.length, 4)].map((offset): Candidate => {
    const seen = new Set<number>()
    const isFirst = init.u32(offset) === 0 && init.u32(offset + 4) === 0
    if (!isFirst || processes[0]?.u32(offset) !== 1) return { offset, agreed: 0, against: 1 }
    return count(offset, processes, (task) => {
      const pid = task.u32(offset) ?? 0
      const isOwn = pid > 0 && pid <= MAX_PID && !seen.has(pid) && task.u32(offset + 4) === pid
      seen.add(pid)
      return isOwn
    })
  })
  return findings.choose('task_struct.pid', 's32', fits, {
    of: 'processes',
    evidence: 'pid and tgid are the same number, 0 of init_task, 1 of the first process, unique',
  })
}

/**
 * signal_struct.thread_head and task_struct.thread_node (since 3.14): of a process with one thread they are a ring of
 * two. Then all rings are walked: one node is the head, the others are tasks with the same signal_struct and leader.
 */
function inferThreadList(survey: Survey, leader: number): void {
  const { ground, findings, processes, init } = survey
  const found: { node: number; signal: number; head: number; fit: Candidate }[] = []
  for (const node of offsets(init.length, 8)) {
    const alone = processes.filter((task) => {
      const other = task.word(node)
      const own = task.address + BigInt(node)
      if (!ground.isPointer(other) || other === own || other !== task.word(node + 8)) return false
      return ground.word(other) === own && ground.word(other + 8n) === own
    })
    const [first] = alone
    if (first === undefined || alone.length * 2 < processes.length) continue
    for (const signal of offsets(init.length, 8)) {
      const distance = (task: Block) => (task.word(node) ?? 0n) - (task.word(signal) ?? 0n)
      const head = distance(first)
      // The node itself is no pointer to the struct of its head.
      if (signal === node || signal === node + 8) continue
      if (head < 0n || head >= 0x100n || !alone.every((task) => distance(task) === head)) continue
      const fit = count(node, processes, (task) => {
        const s = task.word(signal) ?? 0n
        const nodes = ringOf(ground, s + head)
        return nodes?.every((at) => {
          const start = at - BigInt(node)
          const isOfGroup = ground.word(start + BigInt(leader)) === task.address
          return isOfGroup && ground.word(start + BigInt(signal)) === s
        })
      })
      found.push({ node, signal, head: Number(head), fit })
    }
  }
  const rule = {
    of: 'processes',
    evidence: 'the ring from signal_struct goes through tasks of one leader and one signal_struct',
    tolerance: 0.05,
  }
  const node = findings.choose(
    'task_struct.thread_node',
    'struct list_head',
    found.map(({ fit }) => fit),
    rule,
  )
  const chosen = findings.get('task_struct.thread_node')
  const [only] = found.filter(
    ({ fit }) =>
      node === fit.offset && fit.agreed === chosen?.agreed && fit.against === chosen.against,
  )
  if (only === undefined) return
  const { signal, head, fit } = only
  findings.add('task_struct.signal', 'struct signal_struct *', { ...fit, offset: signal }, rule)
  findings.add('signal_struct.thread_head', 'struct list_head', { ...fit, offset: head }, rule)
  for (const task of processes) {
    for (const at of ringOf(ground, (task.word(signal) ?? 0n) + BigInt(head)) ?? []) {
      const start = at - BigInt(node)
      if (start !== task.address) survey.threads.push(ground.block(start, init.length))
    }
  }
}

/** real_parent and parent stand side by side; both are tasks, and init_task is its own. */
function inferParent(survey: Survey, byLeader: ReadonlyMap<bigint, Block>): void {
  const { findings, init, processes, threads } = survey
  const known = new Set([...byLeader.keys(), ...threads.map(({ address }) => address)])
  findings.choose(
    'task_struct.real_parent',
    'struct task_struct *',
    [...offsets(init.length, 8)]
      .filter((o) => init.word(o) === init.address && init.word(o + 8) === init.address)
      .map((o) =>
        count(
          o,
          processes,
          (task) =>
            known.has(task.word(o) ?? 0n) &&
            known.has(task.word(o + 8) ?? 0n) &&
            task.word(o) !== task.address,
        ),
      ),
    { of: 'processes', evidence: 'it is another task, init_task is its own', tolerance: 0.05 },
  )
}
