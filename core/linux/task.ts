// SPDX-License-Identifier: GPL-2.0-or-later
// Tasks: the processes and threads of the dumped host.

import { hex, parseAddress } from '../bytes/hex.ts'
import { CorruptError, FaultError, TaskError } from '../errors.ts'
import { UserSpace } from '../space/uva.ts'
import { address, bytes, int, layout, optional, pointer, u64, uint } from '../types/layout.ts'
import { structView, type StructOf } from '../types/view.ts'
import { type OpenFile } from './file.ts'
import { type Host } from './host.ts'
import { type Linux } from './linux.ts'
import { knownNodes } from './list.ts'
import { type Damage, ifSound, isDamage, listOf, type PartialList, partialList } from './partial.ts'
import { Pids } from './pids.ts'
import { type Vma } from './vma.ts'

/** No command line is longer: three quarters of _STK_LIM, as bprm_stack_limits of fs/exec.c has it. */
const COMMAND_LINE_LIMIT = 6 << 20

/** The tasks of one host. `V` is what the layer above finds in a task's files: its virtual machines. */
export class Tasks<V> {
  readonly linux: Linux
  readonly host: Host
  /** The virtual machines of a task. */
  readonly vmsOf: (task: Task<V>) => readonly V[]
  readonly #task
  readonly #signal
  readonly #mm
  #pids: { readonly of: Pids | undefined } | undefined

  constructor(linux: Linux, vmsOf: (task: Task<V>) => readonly V[]) {
    const { host } = linux
    this.linux = linux
    this.host = host
    this.vmsOf = vmsOf
    this.#task = layout(host.types, 'task_struct', {
      tasks: address('tasks'),
      // Threads hang on signal_struct.thread_head since 3.14; thread_group, the older list, went with 6.7.
      threadNode: address('thread_node', 'thread_group'),
      pid: int('pid'),
      tgid: int('tgid'),
      comm: bytes('comm'),
      // Renamed and made unsigned in 5.14.
      state: uint('__state', 'state'),
      exitState: int('exit_state'),
      parent: pointer('real_parent'),
      leader: pointer('group_leader'),
      mm: pointer('mm'),
      files: pointer('files'),
      signal: pointer('signal'),
    })
    this.#signal = layout(host.types, 'signal_struct', {
      threads: optional(address('thread_head')),
    })
    this.#mm = layout(host.types, 'mm_struct', {
      pgd: pointer('pgd'),
      argStart: u64('arg_start'),
      argEnd: u64('arg_end'),
      owner: optional(pointer('owner')),
    })
  }

  /**
   * The processes in the kernel's order: init_task (pid 0) first, then the list of thread group leaders. When some
   * cannot be read, FaultError or CorruptError is thrown behind all that can.
   */
  *processes(): Generator<Task<V>> {
    const init = this.host.symbol('init_task')
    yield this.at(init)
    const offset = BigInt(this.#task.offset('tasks'))
    yield* this.#linked(knownNodes(this.host.space, init + offset, 'task_struct.tasks'), offset)
  }

  /** The tasks that hang on a list by the member at `offset`; what cannot be read is told behind the others. */
  *#linked(nodes: Iterable<bigint>, offset: bigint): Generator<Task<V>> {
    let damage: Damage | undefined
    for (const node of nodes) {
      const task = ifSound(() => this.at(node - offset))
      if (task instanceof Task) yield task
      else damage ??= task
    }
    if (damage !== undefined) throw damage
  }

  /** The processes that can be read, up to the first that is wanted, and the first problem among the others. */
  known(isWanted: (task: Task<V>) => boolean = () => false): {
    tasks: readonly Task<V>[]
    damage: Damage | undefined
  } {
    const tasks: Task<V>[] = []
    const damage = ifSound(() => {
      for (const process of this.processes()) {
        tasks.push(process)
        if (isWanted(process)) break
      }
      return undefined
    })
    if (damage !== undefined && tasks.length === 0) throw damage
    return { tasks, damage }
  }

  /** The threads of a process, its leader among them. What cannot be read is thrown behind those that can. */
  *threads(process: Task<V>): Generator<Task<V>> {
    const record = this.#task.at(this.host.space, process.address)
    const head = this.#signal.at(this.host.space, record.signal).threads
    const offset = BigInt(this.#task.offset('threadNode'))
    if (head === undefined) {
      // Until 3.13 the threads were a ring without a head.
      yield process
      const own = process.address + offset
      yield* this.#linked(knownNodes(this.host.space, own, 'task_struct.thread_group'), offset)
      return
    }
    yield* this.#linked(knownNodes(this.host.space, head, 'signal_struct.thread_head'), offset)
  }

  /** The task at the address of a `task_struct`, unchecked. */
  at(taskAddress: bigint): Task<V> {
    return new Task(this, this.#task.at(this.host.space, taskAddress))
  }

  /**
   * The task of a pid (a process or a thread), or at the address of a `task_struct`. Throws TaskError when there is
   * none. Text of digits is a pid, other text and what is too large for a pid an address, as crash reads it.
   */
  find(selector: number | bigint | string): Task<V> {
    const isPid = typeof selector === 'string' ? /^\d{1,7}$/.test(selector) : selector < 1 << 22
    const address = isPid ? undefined : parseAddress(selector)
    const quick = isPid ? this.#byNumber(Number(selector)) : undefined
    if (quick !== undefined) return quick
    const given = typeof selector === 'bigint' ? hex(selector) : String(selector)
    const is = (task: Task<V>) => (isPid ? task.pid === Number(selector) : task.address === address)
    const { found, unread } =
      isPid || address !== undefined
        ? this.#search(is, `task ${given}`)
        : { found: undefined, unread: 0 }
    if (found !== undefined) return found
    const but = unread === 0 ? '' : ` (not all threads of ${unread} processes can be read)`
    throw new TaskError('no-such-task', `invalid task or pid value: ${given}${but}`)
  }

  /** As the kernel looks a number up. Undefined when that leads to no such task: the lists may still have it. */
  #byNumber(pid: number): Task<V> | undefined {
    try {
      this.#pids ??= { of: Pids.of(this.host) }
      const address = this.#pids.of?.taskOf(pid)
      const task = address === undefined ? undefined : this.at(address)
      return task?.pid === pid ? task : undefined
    } catch (error) {
      if (isDamage(error)) return undefined
      throw error
    }
  }

  /**
   * Looks at processes first, then at threads. `unread` counts processes of whose threads some cannot be read. `what` is
   * looked for.
   */
  #search(
    is: (task: Task<V>) => boolean,
    what: string,
  ): { found: Task<V> | undefined; unread: number } {
    const { tasks, damage } = this.known(is)
    const last = tasks.at(-1)
    if (last !== undefined && is(last)) return { found: last, unread: 0 }
    let unread = 0
    for (const process of tasks) {
      if (process.pid === 0) continue
      try {
        for (const thread of this.threads(process)) if (is(thread)) return { found: thread, unread }
      } catch (error) {
        if (!isDamage(error)) throw error
        unread++
      }
    }
    // It can be one of those that cannot be read.
    if (damage !== undefined) throw damage.neededFor(what)
    return { found: undefined, unread }
  }

  /** The process that has an mm; undefined when no task has this address space. */
  ofMm(mm: bigint): Task<V> | undefined {
    const owner = this.#ownerOf(mm)
    if (owner !== undefined) return owner
    const found = ifSound(() => {
      for (const process of this.processes()) if (process.mmAddress === mm) return process
      return undefined
    })
    if (isDamage(found)) throw found.neededFor(`the task of mm_struct ${hex(mm)}`)
    return found
  }

  /** What `mm->owner` says (CONFIG_MEMCG): quick, but only a hint, since it may be a thread or be gone. */
  #ownerOf(mm: bigint): Task<V> | undefined {
    const owner = this.#mm.at(this.host.space, mm).owner ?? 0n
    if (owner === 0n) return undefined
    try {
      const task = this.at(owner)
      return task.mmAddress === mm && task.pid === task.tgid ? task : undefined
    } catch (error) {
      if (isDamage(error)) return undefined
      throw error
    }
  }

  /** The user address space of an mm, by its top page table. */
  userSpace(mm: bigint): UserSpace {
    const pgd = this.#mm.at(this.host.space, mm).pgd
    const { memory, rules, space } = this.host
    const { linux } = this
    try {
      return new UserSpace(
        memory,
        rules,
        space.physical(pgd),
        (address, entry, offset) => linux.contents.ofEntry(mm, address, entry, offset).bytes,
      )
    } catch (error) {
      if (error instanceof FaultError) throw error.neededFor(`mm_struct.pgd of ${hex(mm)}`)
      throw error
    }
  }

  /** The bytes between arg_start and arg_end of an mm, at the NULs. Throws FaultError when the dump lacks them. */
  commandLine(mm: bigint): string[] {
    const { argStart, argEnd } = this.#mm.at(this.host.space, mm)
    const length = argEnd - argStart
    if (length < 0n || length > BigInt(COMMAND_LINE_LIMIT)) {
      const problem = `${hex(argEnd)} lies ${length} bytes behind arg_start; no command line is so long`
      throw new CorruptError('mm_struct.arg_end', mm, problem)
    }
    const text = new TextDecoder().decode(this.userSpace(mm).bytes(argStart, Number(length)))
    return text.replace(/\0+$/, '').split('\0')
  }
}

/** Processes or threads; `lost` says why there can be more. */
export type TaskList<V> = PartialList<Task<V>>

interface TaskRecord {
  readonly address: bigint
  readonly pid: number
  readonly tgid: number
  readonly comm: Uint8Array
  readonly state: number
  readonly exitState: number
  readonly parent: bigint
  readonly leader: bigint
  readonly mm: bigint
  readonly files: bigint
}

/** A process or thread of the dumped host (`struct task_struct`). */
export class Task<V> {
  /** The address of the `task_struct`. */
  readonly address: bigint
  /** The thread's number in the host's first pid namespace. */
  readonly pid: number
  /** The number of its process. */
  readonly tgid: number
  /** The name, at most 15 letters. */
  readonly comm: string
  /** The address of its `mm_struct`, 0n for kernel threads. */
  readonly mmAddress: bigint
  /** The address of its `files_struct`, 0n after it has exited. */
  readonly filesAddress: bigint
  readonly #tasks: Tasks<V>
  readonly #record: TaskRecord

  /** @internal */
  constructor(tasks: Tasks<V>, record: TaskRecord) {
    this.#tasks = tasks
    this.#record = record
    this.address = record.address
    this.pid = record.pid
    this.tgid = record.tgid
    this.comm = textOf(record.comm)
    this.mmAddress = record.mm
    this.filesAddress = record.files
  }

  /** @internal The tasks of its host. */
  static allOf<V>(task: Task<V>): Tasks<V> {
    return task.#tasks
  }

  /** What the task was doing when the host stopped, in the words of /proc/PID/status. */
  get state(): string {
    return stateName(this.#record.state, this.#record.exitState)
  }

  /** The parent, or null for pid 0. */
  get parent(): Task<V> | null {
    const parent = this.#record.parent
    return parent === 0n || parent === this.address ? null : this.#tasks.at(parent)
  }

  /** The threads of its process, the leader first; `lost` says why there can be more. */
  get threads(): TaskList<V> {
    const leader = this.pid === this.tgid ? this : this.#tasks.at(this.#record.leader)
    if (leader.pid === 0) return listOf([leader], 'threads', undefined)
    return partialList(this.#tasks.threads(leader), 'threads')
  }

  /** True for threads of the kernel, which have no memory of their own. */
  get isKernelThread(): boolean {
    return this.mmAddress === 0n
  }

  /** The command line, or null for kernel threads and when the dump does not hold it (it is user memory). */
  get commandLine(): readonly string[] | null {
    if (this.mmAddress === 0n) return null
    try {
      return this.#tasks.commandLine(this.mmAddress)
    } catch (error) {
      if (error instanceof FaultError) return null
      throw error
    }
  }

  /** The open files by descriptor; `lost` says why there can be more. */
  get files(): PartialList<OpenFile> {
    return partialList(this.eachFile(), 'files')
  }

  /** @internal The same one by one; what cannot be read is thrown. */
  eachFile(): Iterable<OpenFile> {
    return this.filesAddress === 0n ? [] : this.#tasks.linux.files.of(this.filesAddress)
  }

  /**
   * The virtual machines that it owns, in the order of their file descriptors; empty when it is no VMM. Threads have
   * those of their process.
   */
  get vms(): readonly V[] {
    return this.#tasks.vmsOf(this)
  }

  /** Its memory by virtual address. Throws TaskError for kernel threads, which have none. */
  get userSpace(): UserSpace {
    if (this.mmAddress !== 0n) return this.#tasks.userSpace(this.mmAddress)
    throw new TaskError('no-memory', `task ${this.pid} (${this.comm}) has no memory of its own`)
  }

  /** What it has mapped where, in the order of the addresses; empty for kernel threads. `lost` says why there can be more. */
  get vmas(): PartialList<Vma> {
    return partialList(
      this.mmAddress === 0n ? [] : this.#tasks.linux.vmas.all(this.mmAddress),
      'VMAs',
    )
  }

  /** The raw `struct mm_struct`, or null for kernel threads. */
  get mm(): StructOf<'mm_struct'> | null {
    const { host } = this.#tasks
    if (this.mmAddress === 0n) return null
    return structView(host.types, host.space, 'mm_struct', this.mmAddress)
  }

  /** The raw `struct task_struct`. */
  get struct(): StructOf<'task_struct'> {
    const { host } = this.#tasks
    return structView(host.types, host.space, 'task_struct', this.address)
  }

  /** pid, name and address, for JSON. */
  toJSON(): { pid: number; tgid: number; comm: string; task: string } {
    return { pid: this.pid, tgid: this.tgid, comm: this.comm, task: hex(this.address) }
  }
}

/** A fixed-size text of the kernel: up to its NUL, or all of it. */
function textOf(field: Uint8Array): string {
  const end = field.indexOf(0)
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end))
}

// task_state_array of fs/proc/array.c, by the bits of include/linux/sched.h as they are since 4.14.
const states: readonly (readonly [number, string])[] = [
  [0x0001, 'sleeping'],
  [0x0002, 'disk sleep'],
  [0x0004, 'stopped'],
  [0x0008, 'tracing stop'],
  [0x0040, 'parked'],
  [0x0080, 'dead'],
]
/** TASK_IDLE is TASK_UNINTERRUPTIBLE with TASK_NOLOAD. */
const IDLE = 0x0402

function stateName(state: number, exitState: number): string {
  if (exitState !== 0) return 'exited'
  if ((state & IDLE) === IDLE) return 'idle'
  return states.find(([bit]) => (state & bit) !== 0)?.[1] ?? 'running'
}
