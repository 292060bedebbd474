// SPDX-License-Identifier: GPL-2.0-or-later
// Where the bytes of a flattened file's target lie: runs of records, with a mark at every 64th record only.

import { DumpError } from '../../errors.ts'

/**
 * Records between two marks. A terabyte has 16 to 64 million records (makedumpfile writes up to 65,533 bytes, QEMU
 * 16,384): a place for each would be a gigabyte, one for each 64th is 16 MB.
 */
const STEP = 64
/** A run's next record this many records after its mark gets a mark too: bounds what a look-up steps over. */
const FAR = 4 * STEP
/** Writers fill a handful of places by turns: headers, bitmaps, descriptors, data. */
const MAX_RUNS = 1 << 20

/** Records that follow one another in the target. Others may lie between them in the flattened file. */
class Run {
  readonly start: number
  end: number
  /** Of each mark: where its record's header lies in the file, and where its bytes go in the target. */
  readonly places: number[] = []
  readonly targets: number[] = []
  /** The number, among all records, of the last one with a mark; and this run's records since then. */
  #marked = 0
  #since = 0

  constructor(start: number) {
    this.start = start
    this.end = start
  }

  add(number: number, place: number, size: number): void {
    if (this.places.length === 0 || this.#since === STEP || number - this.#marked >= FAR) {
      this.places.push(place)
      this.targets.push(this.end)
      this.#marked = number
      this.#since = 0
    }
    this.#since++
    this.end += size
  }

  /** The last mark at or below a target offset. */
  markBelow(target: number): number {
    return lastBelow(this.targets, target)
  }
}

/** A stretch of records in the file, from one mark of a run to its next. */
export interface Stretch {
  /** Tells it from all others. */
  readonly key: number
  /** Where the header of its first record lies, and where in the target that record's bytes go. */
  readonly place: number
  readonly target: number
  /** Where the target of its last record ends. */
  readonly end: number
}

/** Records by target offset. `add` takes them in the order of the file; `seal` ends that. */
export class FlatIndex {
  /** The end of the highest record's bytes in the target. */
  size = 0
  /** Records so far. */
  records = 0
  readonly #runs: Run[] = []
  // Where a record must go to continue a run.
  readonly #byEnd = new Map<number, Run>()
  // After `seal`: the runs' starts, the highest end up to each, and the key of each run's first mark.
  #starts: number[] = []
  #ends: number[] = []
  #keys: number[] = []

  /** Takes a record whose header lies at `place` and whose `size` bytes go to `target`. */
  add(place: number, target: number, size: number): void {
    let run = this.#byEnd.get(target)
    if (run === undefined) {
      if (this.#runs.length === MAX_RUNS) {
        throw new DumpError(
          'too-scattered',
          `the records go to more than ${MAX_RUNS} places; write them in order: makedumpfile -R NEW < FILE`,
        )
      }
      run = new Run(target)
      this.#runs.push(run)
    } else {
      this.#byEnd.delete(target)
    }
    run.add(this.records, place, size)
    this.#byEnd.set(run.end, run)
    this.size = Math.max(this.size, run.end)
    this.records++
  }

  /** Sorts the runs, so that they can be looked up. */
  seal(): void {
    this.#byEnd.clear()
    this.#runs.sort((a, b) => a.start - b.start)
    this.#starts = this.#runs.map(({ start }) => start)
    let end = 0
    this.#ends = this.#runs.map((run) => (end = Math.max(end, run.end)))
    let key = 0
    this.#keys = this.#runs.map(({ places }) => (key += places.length) - places.length)
  }

  /** The stretches that may have bytes from `from` to below `to` of the target, in no order. */
  *stretches(from: number, to: number): Generator<Stretch> {
    // Runs that start below `to`, from the last one down, as long as one of those before reaches above `from`.
    for (let i = lastBelow(this.#starts, to - 1); i >= 0 && (this.#ends[i] ?? 0) > from; i--) {
      const run = this.#runs[i]
      if (run === undefined || run.end <= from) continue
      for (let mark = Math.max(0, run.markBelow(from)); mark < run.places.length; mark++) {
        const target = run.targets[mark] ?? 0
        if (target >= to) break
        const end = run.targets[mark + 1] ?? run.end
        yield { key: (this.#keys[i] ?? 0) + mark, place: run.places[mark] ?? 0, target, end }
      }
    }
  }
}

/** The index of the last number that is not above `limit`, in ascending numbers; -1 when all are. */
function lastBelow(numbers: readonly number[], limit: number): number {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((numbers[middle] ?? Infinity) <= limit) low = middle + 1
    else high = middle
  }
  return low - 1
}
