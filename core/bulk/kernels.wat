;; SPDX-License-Identifier: GPL-2.0-or-later
;; The inner loops of bulk translation for WebAssembly: what kernels.ts says, in the same order.
;; `node dist/test/core/bulk/assemble.js` makes the text of wasmbytes.ts of it.
;;
;; $gpa, $slot, $state, $stage, $directory and $slots are byte addresses. The columns of a lane lie behind each other:
;; those of hva and hpa so many bytes behind that of gpa, that of the page shift behind that of the state, as the
;; offsets say (16,384 rows; mapping.ts has the same). Both loops give bit N set when a row has state N of 13 or 14.
;;
;; What a row of a region says is told without a branch, be it a frame or a state: where pages that are there and pages
;; that are not lie side by side, a processor guesses wrong at every other row, which costs as much as three rows. $none
;; has all bits set for a row without a frame. Where there is no leaf, word 0 of the memory is read: it is always 0.
(module
  (import "bulk" "memory" (memory 1 65536 shared))

  ;; A row without slot, host virtual and host physical address.
  (func $nothing (param $gpa i32) (param $slot i32) (param $state i32) (param $code i32) (result i32)
    (i64.store offset=131072 (local.get $gpa) (i64.const -1))
    (i64.store offset=262144 (local.get $gpa) (i64.const -1))
    (i32.store8 (local.get $state) (local.get $code))
    (i32.store8 offset=16384 (local.get $state) (i32.const 0))
    (i32.store16 (local.get $slot) (i32.const -1))
    (i32.shl (i32.gt_u (local.get $code) (i32.const 9)) (local.get $code)))

  ;; A row behind the directory: no address of a guest, or in no slot.
  (func $outside (param $gpa i32) (param $slot i32) (param $state i32) (param $code i32) (result i32)
    (call $nothing (local.get $gpa) (local.get $slot) (local.get $state)
      (select
        (i32.const 9)
        (local.get $code)
        (i64.ge_u (i64.load (local.get $gpa)) (i64.const 0x10000000000000)))))

  ;; A row of a region that is not of one slot: $key is the place of its word in a wide leaf, or of no meaning.
  (func $mixed (param $gpa i32) (param $slot i32) (param $state i32) (param $key i32) (param $kind i32)
    (param $slots i32) (result i32)
    (local $g i64) (local $index i32) (local $code i32) (local $more i32)
    (if (i32.eqz (i32.and (local.get $kind) (i32.const 1)))
      (then
        (return
          (call $nothing (local.get $gpa) (local.get $slot) (local.get $state)
            (i32.and (i32.shr_u (local.get $kind) (i32.const 2)) (i32.const 15))))))
    (local.set $more (i32.load offset=2048 (i32.shl (local.get $key) (i32.const 2))))
    (local.set $code (i32.and (i32.shr_u (local.get $more) (i32.const 20)) (i32.const 15)))
    (local.set $index (i32.and (local.get $more) (i32.const 0xffff)))
    (if (i32.eq (local.get $index) (i32.const 0xffff))
      (then
        (return
          (call $nothing (local.get $gpa) (local.get $slot) (local.get $state) (local.get $code)))))
    (local.set $g (i64.load (local.get $gpa)))
    (local.set $index (i32.add (local.get $slots) (i32.shl (local.get $index) (i32.const 4))))
    (i64.store offset=131072 (local.get $gpa) (i64.add (local.get $g) (i64.load (local.get $index))))
    (i64.store offset=262144 (local.get $gpa)
      (select
        (i64.or
          (i64.or
            (i64.shl (i64.load32_u (i32.shl (local.get $key) (i32.const 2))) (i64.const 12))
            (i64.shl
              (i64.extend_i32_u (i32.shr_u (local.get $more) (i32.const 24)))
              (i64.const 44)))
          (i64.and (local.get $g) (i64.const 0xfff)))
        (i64.const -1)
        (i32.and (local.get $more) (i32.const 0x40000))))
    (i32.store8 (local.get $state) (local.get $code))
    (i32.store8 offset=16384 (local.get $state)
      (select
        (i32.const 0)
        (i32.add
          (i32.const 12)
          (i32.mul (i32.const 9) (i32.and (i32.shr_u (local.get $more) (i32.const 16)) (i32.const 3))))
        (local.get $code)))
    (i32.store16 (local.get $slot) (i32.load16_u offset=8 (local.get $index)))
    (i32.shl (i32.gt_u (local.get $code) (i32.const 9)) (local.get $code)))

  (func (export "onePass") (param $count i32) (param $gpa i32) (param $slot i32) (param $state i32)
    (param $directory i32) (param $slots i32) (param $gibCount i32) (param $code i32) (result i32)
    (local $g i64) (local $gibs i64) (local $gib i64) (local $region i64) (local $kind i32) (local $key i32)
    (local $word i32) (local $none i32) (local $at i32) (local $end i32) (local $seen i32)
    (local.set $gibs (i64.extend_i32_u (local.get $gibCount)))
    (local.set $end (i32.add (local.get $state) (local.get $count)))
    (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
    (loop $row
      (local.set $g (i64.load (local.get $gpa)))
      (block $done
        (block $slow
          (local.set $gib (i64.shr_u (local.get $g) (i64.const 30)))
          (if (i64.ge_u (local.get $gib) (local.get $gibs))
            (then
              (local.set $seen
                (i32.or
                  (local.get $seen)
                  (call $outside (local.get $gpa) (local.get $slot) (local.get $state) (local.get $code))))
              (br $done)))
          ;; Kind and key of the region in one read.
          (local.set $region
            (i64.load
              (i32.add
                (i32.shl
                  (i32.load
                    (i32.add (local.get $directory) (i32.shl (i32.wrap_i64 (local.get $gib)) (i32.const 2))))
                  (i32.const 2))
                (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 18))) (i32.const 0xff8)))))
          (local.set $kind (i32.wrap_i64 (i64.shr_u (local.get $region) (i64.const 32))))
          (local.set $key
            (i32.add
              (i32.wrap_i64 (local.get $region))
              (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 12))) (i32.const 511))))
          (br_if $slow (i32.ge_u (local.get $kind) (i32.const 0xffff0000)))
          (local.set $word
            (i32.load
              (i32.and
                (i32.shl (local.get $key) (i32.const 2))
                (i32.sub (i32.const 0) (i32.and (local.get $kind) (i32.const 1))))))
          (local.set $key
            (select (local.get $word) (local.get $key) (i32.and (local.get $kind) (i32.const 1))))
          (local.set $none
            (i32.sub (i32.const 0) (i32.ge_u (local.get $word) (i32.const 0xf0000000))))
          (local.set $at
            (i32.add
              (local.get $slots)
              (i32.and (i32.shr_u (local.get $kind) (i32.const 12)) (i32.const 0xffff0))))
          (i64.store offset=131072 (local.get $gpa) (i64.add (local.get $g) (i64.load (local.get $at))))
          (i64.store offset=262144 (local.get $gpa)
            (i64.or
              (i64.or
                (i64.shl (i64.extend_i32_u (local.get $key)) (i64.const 12))
                (i64.and (local.get $g) (i64.const 0xfff)))
              (i64.extend_i32_s (local.get $none))))
          (i32.store8 (local.get $state)
            (i32.and
              (i32.shr_u (local.get $word) (i32.const 24))
              (i32.and (local.get $none) (i32.const 15))))
          (i32.store8 offset=16384 (local.get $state)
            (i32.and
              (i32.shr_u (local.get $kind) (i32.const 8))
              (i32.xor (local.get $none) (i32.const -1))))
          (i32.store16 (local.get $slot) (i32.load16_u offset=8 (local.get $at)))
          (br $done))
        (local.set $seen
          (i32.or
            (local.get $seen)
            (call $mixed (local.get $gpa) (local.get $slot) (local.get $state) (local.get $key) (local.get $kind)
              (local.get $slots)))))
      (local.set $gpa (i32.add (local.get $gpa) (i32.const 8)))
      (local.set $slot (i32.add (local.get $slot) (i32.const 2)))
      (br_if $row
        (i32.ne (local.tee $state (i32.add (local.get $state) (i32.const 1))) (local.get $end))))
    (local.get $seen))

  ;; $stage has room for 8 bytes a row: key and kind of each.
  (func (export "staged") (param $count i32) (param $gpa i32) (param $slot i32) (param $state i32)
    (param $directory i32) (param $slots i32) (param $gibCount i32) (param $code i32) (param $stage i32) (result i32)
    (local $g i64) (local $gibs i64) (local $gib i64) (local $region i64) (local $kind i32) (local $key i32)
    (local $word i32) (local $none i32) (local $at i32) (local $i i32) (local $end i32) (local $seen i32)
    (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
    (local.set $gibs (i64.extend_i32_u (local.get $gibCount)))
    (local.set $end (i32.add (local.get $stage) (i32.shl (local.get $count) (i32.const 3))))
    ;; Regions.
    (local.set $i (local.get $stage))
    (local.set $at (local.get $gpa))
    (loop $regions
      (local.set $g (i64.load (local.get $at)))
      (local.set $gib (i64.shr_u (local.get $g) (i64.const 30)))
      (if (i64.lt_u (local.get $gib) (local.get $gibs))
        (then
          (i64.store (local.get $i)
            (i64.add
              (i64.load
                (i32.add
                  (i32.shl
                    (i32.load
                      (i32.add
                        (local.get $directory)
                        (i32.shl (i32.wrap_i64 (local.get $gib)) (i32.const 2))))
                    (i32.const 2))
                  (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 18))) (i32.const 0xff8))))
              ;; The key never carries into the kind: an extent ends below frame 2^32.
              (i64.and (i64.shr_u (local.get $g) (i64.const 12)) (i64.const 511)))))
        ;; As a region in no slot; the last loop looks at the address again.
        (else (i64.store (local.get $i) (i64.const 0xffff000000000000))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $regions
        (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 8))) (local.get $end))))
    ;; Leaves.
    (local.set $i (local.get $stage))
    (loop $leaves
      (local.set $kind (i32.load offset=4 (local.get $i)))
      (local.set $key (i32.load (local.get $i)))
      (local.set $at
        (i32.and (local.get $kind) (i32.lt_u (local.get $kind) (i32.const 0xffff0000))))
      (local.set $word
        (i32.load
          (i32.and (i32.shl (local.get $key) (i32.const 2)) (i32.sub (i32.const 0) (local.get $at)))))
      (i32.store (local.get $i) (select (local.get $word) (local.get $key) (local.get $at)))
      (br_if $leaves
        (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 8))) (local.get $end))))
    ;; Columns.
    (local.set $i (local.get $stage))
    (loop $row
      (local.set $g (i64.load (local.get $gpa)))
      (local.set $region (i64.load (local.get $i)))
      (local.set $key (i32.wrap_i64 (local.get $region)))
      (local.set $kind (i32.wrap_i64 (i64.shr_u (local.get $region) (i64.const 32))))
      (if (i32.lt_u (local.get $kind) (i32.const 0xffff0000))
        (then
          (local.set $none
            (i32.sub
              (i32.const 0)
              (i32.and (local.get $kind) (i32.ge_u (local.get $key) (i32.const 0xf0000000)))))
          (local.set $at
            (i32.add
              (local.get $slots)
              (i32.and (i32.shr_u (local.get $kind) (i32.const 12)) (i32.const 0xffff0))))
          (i64.store offset=131072 (local.get $gpa) (i64.add (local.get $g) (i64.load (local.get $at))))
          (i64.store offset=262144 (local.get $gpa)
            (i64.or
              (i64.or
                (i64.shl (i64.extend_i32_u (local.get $key)) (i64.const 12))
                (i64.and (local.get $g) (i64.const 0xfff)))
              (i64.extend_i32_s (local.get $none))))
          (i32.store8 (local.get $state)
            (i32.and
              (i32.shr_u (local.get $key) (i32.const 24))
              (i32.and (local.get $none) (i32.const 15))))
          (i32.store8 offset=16384 (local.get $state)
            (i32.and
              (i32.shr_u (local.get $kind) (i32.const 8))
              (i32.xor (local.get $none) (i32.const -1))))
          (i32.store16 (local.get $slot) (i32.load16_u offset=8 (local.get $at))))
        (else
          (local.set $seen
            (i32.or
              (local.get $seen)
              (if (result i32) (i64.ge_u (i64.shr_u (local.get $g) (i64.const 30)) (local.get $gibs))
                (then (call $outside (local.get $gpa) (local.get $slot) (local.get $state) (local.get $code)))
                (else
                  (call $mixed (local.get $gpa) (local.get $slot) (local.get $state) (local.get $key)
                    (local.get $kind) (local.get $slots))))))))
      (local.set $gpa (i32.add (local.get $gpa) (i32.const 8)))
      (local.set $slot (i32.add (local.get $slot) (i32.const 2)))
      (local.set $state (i32.add (local.get $state) (i32.const 1)))
      (br_if $row
        (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 8))) (local.get $end))))
    (local.get $seen)))
