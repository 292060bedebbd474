;; SPDX-License-Identifier: GPL-2.0-or-later
;; The inner loops of bulk translation for WebAssembly: they give the columns that kernels.ts gives.
;; `node dist/test/core/bulk/assemble.js` makes the text of wasmbytes.ts of it, together with rarerows.wat.
;;
;; A lane has room for 16,384 rows: its columns lie behind each other, hva 131,072 bytes behind gpa, hpa as far behind
;; hva, the page shift 16,448 behind the state (16,384 rows and 64 bytes more). $at, $slot and $state are the byte
;; addresses of a row in the columns of gpa, slot and state, $end that behind the last row in the column of gpa. Rows
;; come in groups of 4,096, which three short loops go over:
;;   1. regions ($far, $near): hva and slot, and in the column of hpa, for now, the two words of the region of each row,
;;      its page in the region added to the first
;;   2. leaves ($leaves, $someLeaves), where there are any: the first word becomes that of the page
;;   3. columns ($frames, $pages): what the two words say. Eight rows at once; vectors may go over rows behind the end,
;;      for which there is room
;; In short loops the processor has many reads under way at once, which is what counts in a large table.
;;
;; What a row of a leaf says is told without a branch, be it a frame or a state: where pages that are there and pages
;; that are not lie side by side, a processor guesses wrong at every other row, which costs as much as five rows.
;;
;; Rows in no slot, or in a region of several slots, are rare. Their regions have the highest bit set (no slot has a
;; number so high); they go through the loops as rows of slot 0, and are written again one by one ($others).
;; While all rows before are of leaves, they are taken for rows of one, too, at word 0, which is always 0.

(import "bulk" "memory" (memory 1 65536 shared))

;; Byte addresses of the tables, the number of words of the directory, and the state of an address behind it.
(global $directory (mut i32) (i32.const 0))
(global $slots (mut i32) (i32.const 0))
(global $gibs (mut i64) (i64.const 0))
(global $outside (mut i32) (i32.const 0))
;; What the last of $far and $near saw: all bits that any region of one slot has, and those that all have.
(global $any (mut i64) (i64.const 0))
(global $all (mut i64) (i64.const 0))

;; Regions of rows anywhere, two at once.
(func $far (param $at i32) (param $end i32) (param $slot i32)
  (local $directory i32) (local $slots i32) (local $gibs i64) (local $g i64) (local $first i64) (local $second i64)
  (local $any v128) (local $all v128) (local $index i32) (local $other i32) (local $pair v128) (local $gpas v128)
  (local.set $directory (global.get $directory))
  (local.set $slots (global.get $slots))
  (local.set $gibs (global.get $gibs))
  (local.set $all (v128.const i64x2 -1 -1))
  (loop $row
    (local.set $g (i64.load (local.get $at)))
    (if (i64.lt_u (i64.shr_u (local.get $g) (i64.const 30)) (local.get $gibs))
      (then
        (local.set $first
          (i64.load
            (i32.add
              (i32.shl
                (i32.load
                  (i32.add
                    (local.get $directory)
                    (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 30))) (i32.const 2))))
                (i32.const 2))
              (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 18))) (i32.const 0xff8))))))
      (else (local.set $first (i64.const 0x8000000000000000))))
    (local.set $g (i64.load offset=8 (local.get $at)))
    (if (i64.lt_u (i64.shr_u (local.get $g) (i64.const 30)) (local.get $gibs))
      (then
        (local.set $second
          (i64.load
            (i32.add
              (i32.shl
                (i32.load
                  (i32.add
                    (local.get $directory)
                    (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 30))) (i32.const 2))))
                (i32.const 2))
              (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 18))) (i32.const 0xff8))))))
      (else (local.set $second (i64.const 0x8000000000000000))))
    (if (i64.lt_s (i64.or (local.get $first) (local.get $second)) (i64.const 0))
      (then
        (local.set $g
          (i64x2.extract_lane 0
            (v128.or
              (v128.and (local.get $all) (v128.const i64x2 0x100000000 0))
              (v128.const i64x2 0x8000000000000000 0))))
        (if (i64.lt_s (local.get $first) (i64.const 0)) (then (local.set $first (local.get $g))))
        (if (i64.lt_s (local.get $second) (i64.const 0)) (then (local.set $second (local.get $g))))))
    (local.set $pair (i64x2.replace_lane 1 (i64x2.splat (local.get $first)) (local.get $second)))
    (local.set $any (v128.or (local.get $any) (local.get $pair)))
    (local.set $all (v128.and (local.get $all) (local.get $pair)))
    (local.set $gpas (v128.load (local.get $at)))
    ;; The first word never carries into the second: an extent ends below frame 2^32.
    (v128.store offset=262144 (local.get $at)
      (i64x2.add
        (local.get $pair)
        (v128.and (i64x2.shr_u (local.get $gpas) (i32.const 12)) (v128.const i64x2 511 511))))
    (local.set $index
      (i32.add
        (local.get $slots)
        (i32.and (i32.wrap_i64 (i64.shr_u (local.get $first) (i64.const 44))) (i32.const 0x7fff0))))
    (local.set $other
      (i32.add
        (local.get $slots)
        (i32.and (i32.wrap_i64 (i64.shr_u (local.get $second) (i64.const 44))) (i32.const 0x7fff0))))
    (v128.store offset=131072 (local.get $at)
      (i64x2.add
        (local.get $gpas)
        (v128.load64_lane 1 (local.get $other) (v128.load64_zero (local.get $index)))))
    (i32.store16 (local.get $slot) (i32.load16_u offset=8 (local.get $index)))
    (i32.store16 offset=2 (local.get $slot) (i32.load16_u offset=8 (local.get $other)))
    (local.set $slot (i32.add (local.get $slot) (i32.const 4)))
    (br_if $row (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $end))))
  (global.set $any
    (i64.or (i64x2.extract_lane 0 (local.get $any)) (i64x2.extract_lane 1 (local.get $any))))
  (global.set $all
    (i64.and (i64x2.extract_lane 0 (local.get $all)) (i64x2.extract_lane 1 (local.get $all)))))

;; Regions of rows whose neighbours lie in the same one as a rule: each is looked up once for all of them.
(func $near (param $at i32) (param $end i32) (param $slot i32)
  (local $slots i32) (local $g i64) (local $region i64) (local $any i64) (local $all i64) (local $index i32)
  (local $delta i64)
  (local $from i32) (local $behind i32) (local $number i64) (local $numbers v128) (local $regions v128)
  (local $deltas v128) (local $pair v128) (local $ids v128)
  (local.set $slots (global.get $slots))
  (local.set $all (i64.const -1))
  (loop $run
    (local.set $g (i64.load (local.get $at)))
    (local.set $region (call $region (local.get $g)))
    (if (i64.lt_s (local.get $region) (i64.const 0))
      (then
        (local.set $region
          (i64.or (i64.const 0x8000000000000000) (i64.and (local.get $all) (i64.const 0x100000000))))))
    (local.set $any (i64.or (local.get $any) (local.get $region)))
    (local.set $all (i64.and (local.get $all) (local.get $region)))
    (local.set $index
      (i32.add
        (local.get $slots)
        (i32.and (i32.wrap_i64 (i64.shr_u (local.get $region) (i64.const 44))) (i32.const 0x7fff0))))
    (local.set $delta (i64.load (local.get $index)))
    (local.set $number (i64.shr_u (local.get $g) (i64.const 21)))
    (local.set $numbers (i64x2.splat (local.get $number)))
    (local.set $regions (i64x2.splat (local.get $region)))
    (local.set $deltas (i64x2.splat (local.get $delta)))
    (local.set $from (local.get $at))
    (block $elsewhere
      (loop $pairs
        (br_if $elsewhere (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 16)))
        (local.set $pair (v128.load (local.get $at)))
        (br_if $elsewhere
          (v128.any_true
            (v128.xor (i64x2.shr_u (local.get $pair) (i32.const 21)) (local.get $numbers))))
        (v128.store offset=131072 (local.get $at) (i64x2.add (local.get $pair) (local.get $deltas)))
        (v128.store offset=262144 (local.get $at)
          (i64x2.add
            (local.get $regions)
            (v128.and (i64x2.shr_u (local.get $pair) (i32.const 12)) (v128.const i64x2 511 511))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $pairs)))
    ;; One more, when only its neighbour is elsewhere.
    (if (i32.lt_u (local.get $at) (local.get $end))
      (then
        (local.set $g (i64.load (local.get $at)))
        (if (i64.eq (i64.shr_u (local.get $g) (i64.const 21)) (local.get $number))
          (then
            (i64.store offset=131072 (local.get $at) (i64.add (local.get $g) (local.get $delta)))
            (i64.store offset=262144 (local.get $at)
              (i64.add
                (local.get $region)
                (i64.and (i64.shr_u (local.get $g) (i64.const 12)) (i64.const 511))))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))))))
    ;; Slots of rows behind the run are written again by the next.
    (local.set $ids (v128.load16_splat offset=8 (local.get $index)))
    (local.set $behind
      (i32.add (local.get $slot) (i32.shr_u (i32.sub (local.get $at) (local.get $from)) (i32.const 2))))
    (loop $fill
      (v128.store (local.get $slot) (local.get $ids))
      (br_if $fill
        (i32.lt_u (local.tee $slot (i32.add (local.get $slot) (i32.const 16))) (local.get $behind))))
    (local.set $slot (local.get $behind))
    (br_if $run (i32.ne (local.get $at) (local.get $end))))
  (global.set $any (local.get $any))
  (global.set $all (local.get $all)))

;; All rows are of leaves.
(func $leaves (param $at i32) (param $end i32)
  (loop $row
    (i32.store offset=262144 (local.get $at)
      (i32.load (i32.shl (i32.load offset=262144 (local.get $at)) (i32.const 2))))
    (br_if $row (i32.ne (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end)))))

;; Where a row is of no leaf, word 0 is read, and not taken.
(func $someLeaves (param $at i32) (param $end i32)
  (local $key i32) (local $leaf i32)
  (loop $row
    (local.set $key (i32.load offset=262144 (local.get $at)))
    (local.set $leaf (i32.and (i32.load offset=262148 (local.get $at)) (i32.const 1)))
    (i32.store offset=262144 (local.get $at)
      (select
        (i32.load
          (i32.and (i32.shl (local.get $key) (i32.const 2)) (i32.sub (i32.const 0) (local.get $leaf))))
        (local.get $key)
        (local.get $leaf)))
    (br_if $row (i32.ne (local.tee $at (i32.add (local.get $at) (i32.const 8))) (local.get $end)))))

;; Columns of rows that all have a frame.
(func $frames (param $at i32) (param $end i32) (param $slot i32) (param $state i32) (result i32)
  (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $seen i32)
  (loop $rows
    (local.set $a (v128.load offset=262144 (local.get $at)))
    (local.set $b (v128.load offset=262160 (local.get $at)))
    (local.set $c (v128.load offset=262176 (local.get $at)))
    (local.set $d (v128.load offset=262192 (local.get $at)))
    (v128.store offset=262144 (local.get $at)
      (v128.or
        (i64x2.shr_u (i64x2.shl (local.get $a) (i32.const 32)) (i32.const 20))
        (v128.and (v128.load (local.get $at)) (v128.const i64x2 0xfff 0xfff))))
    (v128.store offset=262160 (local.get $at)
      (v128.or
        (i64x2.shr_u (i64x2.shl (local.get $b) (i32.const 32)) (i32.const 20))
        (v128.and (v128.load offset=16 (local.get $at)) (v128.const i64x2 0xfff 0xfff))))
    (v128.store offset=262176 (local.get $at)
      (v128.or
        (i64x2.shr_u (i64x2.shl (local.get $c) (i32.const 32)) (i32.const 20))
        (v128.and (v128.load offset=32 (local.get $at)) (v128.const i64x2 0xfff 0xfff))))
    (v128.store offset=262192 (local.get $at)
      (v128.or
        (i64x2.shr_u (i64x2.shl (local.get $d) (i32.const 32)) (i32.const 20))
        (v128.and (v128.load offset=48 (local.get $at)) (v128.const i64x2 0xfff 0xfff))))
    (v128.store64_lane 0 (local.get $state) (v128.const i64x2 0 0))
    ;; The page shift is byte 5 of a region.
    (v128.store64_lane offset=16448 0 (local.get $state)
      (i8x16.shuffle 0 1 2 3 16 17 18 19 0 0 0 0 0 0 0 0
        (i8x16.shuffle 5 13 21 29 0 0 0 0 0 0 0 0 0 0 0 0 (local.get $a) (local.get $b))
        (i8x16.shuffle 5 13 21 29 0 0 0 0 0 0 0 0 0 0 0 0 (local.get $c) (local.get $d))))
    (if (i64x2.bitmask
        (v128.or (v128.or (local.get $a) (local.get $b)) (v128.or (local.get $c) (local.get $d))))
      (then
        (local.set $seen
          (i32.or
            (local.get $seen)
            (call $others (local.get $a) (local.get $b) (local.get $c) (local.get $d)
              (local.get $at) (local.get $end) (local.get $slot) (local.get $state))))))
    (local.set $slot (i32.add (local.get $slot) (i32.const 16)))
    (local.set $state (i32.add (local.get $state) (i32.const 8)))
    (br_if $rows (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $end))))
  (local.get $seen))

;; Columns of rows of which some have a state instead. $none has all bits set where there is no frame.
(func $pages (param $at i32) (param $end i32) (param $slot i32) (param $state i32) (result i32)
  (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $seen i32)
  (local $words v128) (local $kinds v128) (local $none v128)
  (local $states v128) (local $shifts v128) (local $moreStates v128) (local $moreShifts v128)
  (loop $rows
    (local.set $a (v128.load offset=262144 (local.get $at)))
    (local.set $b (v128.load offset=262160 (local.get $at)))
    (local.set $c (v128.load offset=262176 (local.get $at)))
    (local.set $d (v128.load offset=262192 (local.get $at)))
    (local.set $words
      (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $a) (local.get $b)))
    (local.set $kinds
      (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $a) (local.get $b)))
    (local.set $none
      (v128.and
        (i32x4.ge_u (local.get $words) (v128.const i32x4 0xf0000000 0xf0000000 0xf0000000 0xf0000000))
        (i32x4.shr_s (i32x4.shl (local.get $kinds) (i32.const 31)) (i32.const 31))))
    (v128.store offset=262144 (local.get $at)
      (v128.or
        (i64x2.extend_low_i32x4_s (local.get $none))
        (v128.or
          (i64x2.shr_u (i64x2.shl (local.get $a) (i32.const 32)) (i32.const 20))
          (v128.and (v128.load (local.get $at)) (v128.const i64x2 0xfff 0xfff)))))
    (v128.store offset=262160 (local.get $at)
      (v128.or
        (i64x2.extend_high_i32x4_s (local.get $none))
        (v128.or
          (i64x2.shr_u (i64x2.shl (local.get $b) (i32.const 32)) (i32.const 20))
          (v128.and (v128.load offset=16 (local.get $at)) (v128.const i64x2 0xfff 0xfff)))))
    (local.set $states
      (v128.and
        (local.get $none)
        (v128.and (i32x4.shr_u (local.get $words) (i32.const 24)) (v128.const i32x4 15 15 15 15))))
    (local.set $shifts
      (v128.andnot
        (v128.and (i32x4.shr_u (local.get $kinds) (i32.const 8)) (v128.const i32x4 255 255 255 255))
        (local.get $none)))
    (local.set $words
      (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $c) (local.get $d)))
    (local.set $kinds
      (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $c) (local.get $d)))
    (local.set $none
      (v128.and
        (i32x4.ge_u (local.get $words) (v128.const i32x4 0xf0000000 0xf0000000 0xf0000000 0xf0000000))
        (i32x4.shr_s (i32x4.shl (local.get $kinds) (i32.const 31)) (i32.const 31))))
    (v128.store offset=262176 (local.get $at)
      (v128.or
        (i64x2.extend_low_i32x4_s (local.get $none))
        (v128.or
          (i64x2.shr_u (i64x2.shl (local.get $c) (i32.const 32)) (i32.const 20))
          (v128.and (v128.load offset=32 (local.get $at)) (v128.const i64x2 0xfff 0xfff)))))
    (v128.store offset=262192 (local.get $at)
      (v128.or
        (i64x2.extend_high_i32x4_s (local.get $none))
        (v128.or
          (i64x2.shr_u (i64x2.shl (local.get $d) (i32.const 32)) (i32.const 20))
          (v128.and (v128.load offset=48 (local.get $at)) (v128.const i64x2 0xfff 0xfff)))))
    (local.set $moreStates
      (v128.and
        (local.get $none)
        (v128.and (i32x4.shr_u (local.get $words) (i32.const 24)) (v128.const i32x4 15 15 15 15))))
    (local.set $moreShifts
      (v128.andnot
        (v128.and (i32x4.shr_u (local.get $kinds) (i32.const 8)) (v128.const i32x4 255 255 255 255))
        (local.get $none)))
    (local.set $states
      (i8x16.narrow_i16x8_u
        (i16x8.narrow_i32x4_u (local.get $states) (local.get $moreStates))
        (i16x8.narrow_i32x4_u (local.get $shifts) (local.get $moreShifts))))
    (v128.store64_lane 0 (local.get $state) (local.get $states))
    (v128.store64_lane offset=16448 1 (local.get $state) (local.get $states))
    (if (i64x2.bitmask
        (v128.or (v128.or (local.get $a) (local.get $b)) (v128.or (local.get $c) (local.get $d))))
      (then
        (local.set $seen
          (i32.or
            (local.get $seen)
            (call $others (local.get $a) (local.get $b) (local.get $c) (local.get $d)
              (local.get $at) (local.get $end) (local.get $slot) (local.get $state))))))
    (local.set $slot (i32.add (local.get $slot) (i32.const 16)))
    (local.set $state (i32.add (local.get $state) (i32.const 8)))
    (br_if $rows (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 64))) (local.get $end))))
  (local.get $seen))

;; All rows of a lane. Gives bit N when a row has state N of 13 or 14.
(func (export "run") (param $isNear i32) (param $count i32) (param $at i32) (param $slot i32) (param $state i32)
  (param $directory i32) (param $slots i32) (param $gibCount i32) (param $outside i32) (result i32)
  (local $end i32) (local $last i32) (local $seen i32)
  (global.set $directory (local.get $directory))
  (global.set $slots (local.get $slots))
  (global.set $gibs (i64.extend_i32_u (local.get $gibCount)))
  (global.set $outside (local.get $outside))
  (local.set $last (i32.add (local.get $at) (i32.shl (local.get $count) (i32.const 3))))
  (block $done
    (loop $group
      (br_if $done (i32.eq (local.get $at) (local.get $last)))
      (local.set $end (i32.add (local.get $at) (i32.const 32768)))
      (if (i32.gt_u (local.get $end) (local.get $last)) (then (local.set $end (local.get $last))))
      (if (local.get $isNear)
        (then (call $near (local.get $at) (local.get $end) (local.get $slot)))
        (else (call $far (local.get $at) (local.get $end) (local.get $slot))))
      (local.set $seen
        (i32.or
          (local.get $seen)
          (if (result i32) (i64.eqz (i64.and (global.get $any) (i64.const 0x100000000)))
            (then (call $frames (local.get $at) (local.get $end) (local.get $slot) (local.get $state)))
            (else
              (if (i64.eqz (i64.and (global.get $all) (i64.const 0x100000000)))
                (then (call $someLeaves (local.get $at) (local.get $end)))
                (else (call $leaves (local.get $at) (local.get $end))))
              (call $pages (local.get $at) (local.get $end) (local.get $slot) (local.get $state))))))
      (local.set $at (local.get $end))
      (local.set $slot (i32.add (local.get $slot) (i32.const 8192)))
      (local.set $state (i32.add (local.get $state) (i32.const 4096)))
      (br $group)))
  (local.get $seen))
