// SPDX-License-Identifier: GPL-2.0-or-later
// Contiguity: how much of a guest lies in runs of frames that follow each other as its own pages do.

import { PAGE_SIZE } from '../dump/format.ts'

/** 4 KiB, 8 KiB … 2 GiB. */
const CLASSES = 20

/** The runs of a class: from `from` bytes up to below twice as many; the last class has all longer ones, too. */
export interface ExtentClass {
  /** The shortest run of the class, in bytes: 4096, 8192 … 2 GiB. */
  readonly from: number
  /** How many runs. */
  readonly count: number
  /** How many bytes lie in them. */
  readonly bytes: number
}

/** Counts runs of pages whose guest addresses and host frames both follow each other. */
export class ExtentCounter {
  readonly #counts = new Float64Array(CLASSES)
  readonly #pages = new Float64Array(CLASSES)
  #nextFrame = -1
  #run = 0

  /** The next pages of the guest are mapped to frames from this one on. */
  mapped(frame: number, count: number): void {
    if (frame !== this.#nextFrame) this.end()
    this.#run += count
    this.#nextFrame = frame + count
  }

  /** The next page of the guest does not go on where the last one ended. */
  end(): void {
    this.#nextFrame = -1
    if (this.#run === 0) return
    const at = Math.min(CLASSES - 1, Math.floor(Math.log2(this.#run)))
    this.#counts[at] = (this.#counts[at] ?? 0) + 1
    this.#pages[at] = (this.#pages[at] ?? 0) + this.#run
    this.#run = 0
  }

  /** Adds all that another one counted. */
  addAll(other: ExtentCounter): void {
    other.end()
    for (let i = 0; i < CLASSES; i++) {
      this.#counts[i] = (this.#counts[i] ?? 0) + (other.#counts[i] ?? 0)
      this.#pages[i] = (this.#pages[i] ?? 0) + (other.#pages[i] ?? 0)
    }
  }

  /** The classes from the smallest to the largest that has runs; those between may have none. */
  classes(): ExtentClass[] {
    this.end()
    const all = Array.from(this.#counts, (count, i) =>
      Object.freeze({ from: PAGE_SIZE * 2 ** i, count, bytes: (this.#pages[i] ?? 0) * PAGE_SIZE }),
    )
    const isThere = ({ count }: ExtentClass) => count > 0
    return all.slice(all.findIndex(isThere) >>> 0, all.findLastIndex(isThere) + 1)
  }
}
