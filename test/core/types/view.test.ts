// SPDX-License-Identifier: GPL-2.0-or-later
// Raw structures: the views of real kernels' structs, and every kind of member in written ones.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { MissingError, UsageError } from '../../../core/errors.ts'
import { readBtf } from '../../../core/types/btf.ts'
import { ArrayView, structView, StructView } from '../../../core/types/view.ts'
import { BtfBuilder } from '../../build/btf.ts'
import { BuiltMemory } from '../../build/memory.ts'
import { FlatSpace } from '../../build/space.ts'
import { kernels, realDump } from '../../place.ts'
import { realHost } from './real.ts'

/** A member of a view without the compiler's help, as a cell without declarations has it. */
function get(view: unknown, name: string): unknown {
  assert.ok(view instanceof StructView)
  return Reflect.get(view, name)
}

for (const kernel of kernels) {
  const { skip } = realDump(kernel)
  describe(`views of ${kernel}`, { skip }, () => {
    const view = (name: string, address: bigint): StructView => {
      const { types, space } = realHost(kernel)
      return structView(types, space, name, address)
    }
    const init = () => view('task_struct', realHost(kernel).symbol('init_task'))

    it('reads the first task', () => {
      assert.equal(get(init(), 'comm'), 'swapper/0')
      assert.equal(get(init(), 'pid'), 0)
      assert.equal(get(init(), 'mm'), null)
      assert.equal(get(get(init(), 'real_parent'), '$addr'), init().$addr)
      assert.equal(init().$has('no_such_member'), false)
      assert.equal(get(init(), 'no_such_member'), undefined)
    })

    it('goes from task to task by container_of, and to page tables', () => {
      const next = get(get(init(), 'tasks'), 'next')
      assert.ok(next instanceof StructView)
      const task: StructView = next.$containerOf('task_struct', 'tasks')
      assert.equal(get(task, 'pid'), 1)
      assert.equal(get(task, 'comm'), 'init')
      const mm = get(task, 'mm')
      const pgd = get(mm, 'pgd')
      assert.ok(pgd instanceof StructView)
      assert.equal(pgd.$type, 'pgd_t')
      assert.ok(mm instanceof StructView)
      assert.equal(pgd.$addr, mm.$ptr('pgd'))
      assert.equal(typeof get(pgd, 'pgd'), 'bigint')
      assert.ok(pgd.$addr % 4096n === 0n)
    })

    it('prints and writes JSON, also where pointers lead nowhere', () => {
      const text = inspect(init())
      assert.match(text, /^task_struct at 0xffffffff[0-9a-f]{8} \{\n/)
      assert.match(text, /stack: 0xffffffff[0-9a-f]{8},/)
      assert.match(text, /more members/)
      const json = JSON.parse(JSON.stringify(init())) as Record<string, unknown>
      assert.equal(json['comm'], 'swapper/0')
      assert.equal(json['$type'], 'task_struct')
      assert.equal(
        inspect(view('list_head', 0xffff800000000000n)).match(/<not-mapped>/g)?.length,
        2,
      )
    })
  })
}

describe('written structs', () => {
  const b = new BtfBuilder()
  const int = b.int('int', 4, { signed: true })
  const u8 = b.int('unsigned char', 1)
  const s64 = b.int('long int', 8, { signed: true })
  const char = b.int('char', 1, { signed: true })
  const bool = b.int('_Bool', 1, { bool: true })
  const wide = b.int('__int128', 16)
  const small = b.enum('state', { OFF: 0, ON: 1 })
  const atomic = b.typedef('atomic_t', b.struct('', 4, [{ name: 'counter', type: int, bits: 0 }]))
  const node = b.struct('node', 16, [
    { name: 'value', type: int, bits: 0 },
    { name: 'next', type: b.nextId + 1, bits: 64 },
  ])
  const pointer = b.pointer(node)
  const forward = b.pointer(b.forward('node'))
  const unknown = b.pointer(b.forward('hidden'))
  const nothing = b.pointer(0)
  const three = b.array(b.array(node, 2), 3)
  const types_ = {
    ...{ flag: bool, state: small, signed64: s64, big: wide, name: b.array(char, 8) },
    ...{
      bytes: b.array(u8, 4),
      count: atomic,
      first: pointer,
      announced: forward,
      hidden: unknown,
    },
    ...{ raw: nothing, matrix: three, pointers: b.array(pointer, 2), real: b.float('double', 8) },
  }
  let at = 0
  const sizes = [8, 8, 8, 16, 8, 8, 8, 8, 8, 8, 8, 96, 16, 8]
  const members = Object.entries(types_).map(([name, type], i) => {
    const member = { name, type, bits: at * 8 }
    at += sizes[i] ?? 0
    return member
  })
  b.struct('all', 256, [
    ...members,
    { name: 'low', type: int, bits: at * 8, width: 4 },
    { name: 'minus', type: int, bits: at * 8 + 4, width: 4 },
    { name: 'on', type: bool, bits: at * 8 + 8, width: 1 },
    { name: 'broad', type: s64, bits: at * 8 + 9, width: 40 },
    { name: 'tail', type: b.array(node, 0), bits: 240 * 8 },
  ])
  const types = readBtf(b.blob(), 'test')
  const place = (name: string) => 0x1000 + (types.struct('all')?.member(name)?.offset ?? 0)
  const memory = new BuiltMemory().zero(0x1000).zero(0x2000)
  memory.u8(place('flag'), 1).u32(place('state'), 1).u64(place('signed64'), 0xffffffffffffff00n)
  memory.u64(place('big') + 8, 1n).bytes(place('name'), Buffer.from('ab\0cd'))
  memory.u32(place('bytes'), 0x04030201).u32(place('count'), 5).u64(place('first'), 0x2000n)
  memory.u64(place('announced'), 0x2000n).u64(place('hidden'), 0x99n).u64(place('raw'), 0x77n)
  memory.u32(place('matrix') + 5 * 16, 55).u64(place('pointers') + 8, 0x2000n)
  memory.u64(place('real'), 0x3ff8000000000000n).u64(place('low'), 0xf5n | (1n << 8n) | (3n << 9n))
  memory.u32(0x2000, 123).u32(0x1000 + 240 + 32, 9)
  const all: StructView = structView(types, new FlatSpace(memory), 'all', 0x1000n)

  it('reads each kind of member as its type says', () => {
    assert.equal(get(all, 'flag'), true)
    assert.equal(get(all, 'state'), 1)
    assert.equal(get(all, 'signed64'), -256n)
    assert.equal(get(all, 'big'), 1n << 64n)
    assert.equal(get(all, 'name'), 'ab')
    assert.equal(get(get(all, 'count'), 'counter'), 5)
    assert.equal(get(get(all, 'first'), 'value'), 123)
    assert.equal(get(get(all, 'announced'), 'value'), 123)
    assert.equal(get(all, 'hidden'), 0x99n)
    assert.equal(get(all, 'raw'), 0x77n)
    assert.equal(get(all, 'real'), 1.5)
    assert.deepEqual(
      [get(all, 'low'), get(all, 'minus'), get(all, 'on'), get(all, 'broad')],
      [5, -1, true, 3n],
    )
  })

  it('reads arrays, of arrays too, by index, in a loop, and beyond the end only when they are open', () => {
    const bytes = get(all, 'bytes')
    assert.ok(bytes instanceof ArrayView)
    assert.deepEqual([...bytes], [1, 2, 3, 4])
    assert.deepEqual(
      [bytes.at(-1), bytes.at(4), bytes.at(-5), bytes.length],
      [4, undefined, undefined, 4],
    )
    assert.throws(() => bytes.at(0.5), UsageError)
    const row = (get(all, 'matrix') as ArrayView<ArrayView<StructView>>).at(2)
    assert.equal(get(row?.at(1), 'value'), 55)
    const tail = get(all, 'tail') as ArrayView<StructView>
    assert.equal(tail.length, 0)
    assert.deepEqual([...tail], [])
    assert.equal(get(tail.at(2), 'value'), 9)
    assert.equal(inspect(bytes), `4 elements at 0x${place('bytes').toString(16)}: [1, 2, 3, 4]`)
    const [none, first] = get(all, 'pointers') as ArrayView<StructView | null>
    assert.equal(none, null)
    assert.equal(first?.$addr, 0x2000n)
  })

  it('has its own names behind a dollar sign', () => {
    assert.equal(all.$type, 'all')
    assert.equal(all.$size, 256)
    assert.equal(all.$get('count.counter'), 5)
    assert.equal(all.$get('matrix[2][1].value'), 55)
    assert.equal(all.$ptr('first'), 0x2000n)
    assert.deepEqual([...all.$bytes('bytes')], [1, 2, 3, 4])
    assert.equal(all.$bytes().length, 256)
    const cast: StructView = all.$cast('node')
    assert.equal(cast.$type, 'node')
    const outer: StructView = structView(
      types,
      new FlatSpace(memory),
      'node',
      BigInt(place('matrix')),
    ).$containerOf('all', 'matrix')
    assert.equal(outer.$addr, 0x1000n)
  })

  it('says what is missing, with names that look like it', () => {
    assert.throws(() => all.$get('stat'), /no member 'all.stat' .*near names: state/)
    assert.throws(() => all.$ptr('state'), UsageError)
    assert.throws(() => all.$cast('nod'), MissingError)
    assert.throws(() => all.$containerOf('all', 'matrixx'), /near names: matrix/)
  })

  it('can be awaited, spread into text, and compared with in', async () => {
    assert.equal(await Promise.resolve(all), all)
    assert.equal('state' in all, true)
    assert.equal('stat' in all, false)
    assert.equal(
      JSON.stringify(get(all, 'first')),
      '{"$type":"node","$addr":"0x2000","value":123,"next":null}',
    )
    assert.match(inspect(all), /count: atomic_t \{ counter: 5 \},\n {2}first: node \* 0x2000,/)
  })
})
