// SPDX-License-Identifier: GPL-2.0-or-later
// Many addresses at once: whole translations, or only the step to hva, or from hva to hpa.

import { type Vm } from '../kvm/vm.ts'
import { gpaEngine, hvaEngine } from './engine.ts'
import { addressColumn, type Addresses } from './input.ts'
import { newColumns, runColumns, type RunOptions } from './run.ts'
import { INVALID, MAPPED, NO_ADDRESS } from './states.ts'
import { TranslationTable } from './table.ts'

/** Translates many guest physical addresses of a virtual machine. */
export function translateAll(
  vm: Vm,
  gpas: Addresses,
  call: string,
  options?: RunOptions,
): TranslationTable {
  const engine = gpaEngine(vm)
  const columns = newColumns(addressColumn(gpas, call), options)
  runColumns(engine, columns, `translating for ${vm.name ?? 'the guest'}`, options)
  return new TranslationTable({ vm, swapped: (gpa) => engine.swapped(gpa) }, columns)
}

/** The host virtual addresses of many guest physical ones; no page table is read. NO_ADDRESS where no slot is. */
export function hvasOf(vm: Vm, gpas: Addresses, call: string): BigUint64Array {
  vm.checkAlive()
  const column = addressColumn(gpas, call)
  const hvas = new BigUint64Array(column.length).fill(NO_ADDRESS)
  const slots = vm.memslots.filter((slot) => slot.addressSpace === 0 && !slot.invalid)
  const words = new Uint32Array(column.buffer, column.byteOffset, 2 * column.length)
  const halves = new Uint32Array(hvas.buffer)
  let found = slots[0]
  let end = 0
  let delta = [0, 0]
  for (let i = 0; i < column.length; i++) {
    const low = words[2 * i] ?? 0
    const high = words[2 * i + 1] ?? 0
    const gpa = high * 2 ** 32 + low
    if (found === undefined || gpa < found.gpa || gpa >= end) {
      found = slots.find((slot) => gpa >= slot.gpa && gpa < slot.gpa + slot.size)
      if (found === undefined) continue
      end = found.gpa + found.size
      const whole = BigInt.asUintN(64, found.hva - BigInt(found.gpa))
      delta = [Number(whole & 0xffffffffn), Number(whole >> 32n)]
    }
    const [deltaLow = 0, deltaHigh = 0] = delta
    const sum = (low + deltaLow) >>> 0
    halves[2 * i] = sum
    halves[2 * i + 1] = high + deltaHigh + (sum < deltaLow ? 1 : 0)
  }
  return hvas
}

/** The host physical addresses of many host virtual ones of the VMM; NO_ADDRESS where nothing is mapped. */
export function hpasOf(vm: Vm, hvas: Addresses, call: string): BigUint64Array {
  const columns = newColumns(addressColumn(hvas, call))
  const engine = hvaEngine(vm)
  runColumns(engine, columns, `walking for ${vm.name ?? 'the guest'}`)
  const { gpa, hpa, state } = columns
  for (let i = 0; i < hpa.length; i++) {
    // Above 52 bits a guest physical address ends, but not a virtual one under five levels of tables.
    if (state[i] === INVALID) hpa[i] = BigInt(engine.walk(gpa[i] ?? NO_ADDRESS).hpa ?? -1n)
    else if (state[i] !== MAPPED) hpa[i] = NO_ADDRESS
  }
  return hpa
}
