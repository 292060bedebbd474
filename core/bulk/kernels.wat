;; SPDX-License-Identifier: GPL-2.0-or-later
;; The inner loops of bulk translation for WebAssembly: what kernels.ts says, in the same order.
;; `node dist/test/core/bulk/assemble.js` makes the text of wasmbytes.ts of it.
;;
;; Everything is a byte address but $count, $highEnd and $outside. Both loops give bit N set when a row has state N of
;; 13 or 14. Rows are gpa, hva, hpa (8 bytes each), state, shift (1 byte each), slot (2 bytes).
(module
  (import "bulk" "memory" (memory 1 65536 shared))

  ;; A row without slot, host virtual and host physical address.
  (func $none (param $hva i32) (param $hpa i32) (param $state i32) (param $shift i32) (param $slot i32)
    (param $code i32) (result i32)
    (i64.store (local.get $hva) (i64.const -1))
    (i64.store (local.get $hpa) (i64.const -1))
    (i32.store8 (local.get $state) (local.get $code))
    (i32.store8 (local.get $shift) (i32.const 0))
    (i32.store16 (local.get $slot) (i32.const -1))
    (select
      (i32.shl (i32.const 1) (local.get $code))
      (i32.const 0)
      (i32.gt_u (local.get $code) (i32.const 9))))

  ;; A row that is no plain frame: $key is a leaf's word, or the place of a wide leaf's word.
  (func $rare (param $g i64) (param $hva i32) (param $hpa i32) (param $state i32) (param $shift i32)
    (param $slot i32) (param $key i32) (param $kind i32) (param $slots i32) (param $outside i32) (result i32)
    (local $index i32) (local $code i32) (local $more i32) (local $frame i64)
    (local.set $frame (i64.const -1))
    (local.set $index (i32.shr_u (local.get $kind) (i32.const 16)))
    (block $known
      (block $region
        (block $leaf
          (br_table $region $known $leaf $region (i32.and (local.get $kind) (i32.const 3))))
        (if (i32.ne (local.get $index) (i32.const 0xffff))
          (then
            (local.set $code (i32.and (i32.shr_u (local.get $key) (i32.const 24)) (i32.const 15)))
            (br $known)))
        (local.set $more (i32.load offset=2048 (i32.shl (local.get $key) (i32.const 2))))
        (local.set $index (i32.and (local.get $more) (i32.const 0xffff)))
        (local.set $code (i32.and (i32.shr_u (local.get $more) (i32.const 20)) (i32.const 15)))
        (if (i32.and (local.get $more) (i32.const 0x40000))
          (then
            (local.set $frame
              (i64.or
                (i64.load32_u (i32.shl (local.get $key) (i32.const 2)))
                (i64.shl
                  (i64.extend_i32_u (i32.shr_u (local.get $more) (i32.const 24)))
                  (i64.const 32))))))
        (br $known))
      (if (i32.eqz (i32.and (local.get $kind) (i32.const 3)))
        (then
          (local.set $index (i32.const 0xffff))
          (local.set $code (local.get $outside)))
        (else
          (local.set $code (i32.and (i32.shr_u (local.get $kind) (i32.const 2)) (i32.const 15))))))
    (if (i32.eq (local.get $index) (i32.const 0xffff))
      (then
        (return
          (call $none (local.get $hva) (local.get $hpa) (local.get $state) (local.get $shift) (local.get $slot)
            (local.get $code)))))
    (local.set $index (i32.add (local.get $slots) (i32.shl (local.get $index) (i32.const 4))))
    (i64.store (local.get $hva) (i64.add (local.get $g) (i64.load (local.get $index))))
    (i64.store (local.get $hpa)
      (select
        (i64.const -1)
        (i64.or
          (i64.shl (local.get $frame) (i64.const 12))
          (i64.and (local.get $g) (i64.const 0xfff)))
        (i64.eq (local.get $frame) (i64.const -1))))
    (i32.store8 (local.get $state) (local.get $code))
    (i32.store8 (local.get $shift)
      (select
        (i32.const 0)
        (i32.add
          (i32.const 12)
          (i32.mul (i32.const 9) (i32.and (i32.shr_u (local.get $more) (i32.const 16)) (i32.const 3))))
        (local.get $code)))
    (i32.store16 (local.get $slot) (i32.load16_u offset=8 (local.get $index)))
    (select
      (i32.shl (i32.const 1) (local.get $code))
      (i32.const 0)
      (i32.gt_u (local.get $code) (i32.const 9))))

  (func (export "onePass") (param $count i32) (param $gpa i32) (param $hva i32) (param $hpa i32) (param $state i32)
    (param $shift i32) (param $slot i32) (param $directory i32) (param $slots i32) (param $highEnd i32)
    (param $outside i32) (result i32)
    (local $g i64) (local $high i32) (local $region i64) (local $kind i32) (local $key i32) (local $at i32)
    (local $seen i32)
    (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
    (loop $row
      (local.set $g (i64.load (local.get $gpa)))
      (block $done
        (block $slow
          (local.set $high (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 32))))
          (if (i32.ge_u (local.get $high) (local.get $highEnd))
            (then
              (local.set $seen
                (i32.or
                  (local.get $seen)
                  (call $none (local.get $hva) (local.get $hpa) (local.get $state) (local.get $shift) (local.get $slot)
                    (select
                      (i32.const 9)
                      (local.get $outside)
                      (i32.gt_u (local.get $high) (i32.const 0xfffff))))))
              (br $done)))
          ;; Kind and key of the region in one read.
          (local.set $region
            (i64.load
              (i32.add
                (i32.shl
                  (i32.load
                    (i32.add
                      (local.get $directory)
                      (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 30))) (i32.const 2))))
                  (i32.const 2))
                (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 18))) (i32.const 0xff8)))))
          (local.set $kind (i32.wrap_i64 (i64.shr_u (local.get $region) (i64.const 32))))
          (local.set $key
            (i32.add
              (i32.wrap_i64 (local.get $region))
              (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 12))) (i32.const 511))))
          (if (i32.eq (i32.and (local.get $kind) (i32.const 3)) (i32.const 2))
            (then
              (br_if $slow (i32.ge_u (local.get $kind) (i32.const 0xffff0000)))
              (local.set $key (i32.load (i32.shl (local.get $key) (i32.const 2))))
              (br_if $slow (i32.ge_u (local.get $key) (i32.const 0xf0000000))))
            (else (br_if $slow (i32.ne (i32.and (local.get $kind) (i32.const 3)) (i32.const 1)))))
          (local.set $at
            (i32.add (local.get $slots) (i32.shl (i32.shr_u (local.get $kind) (i32.const 16)) (i32.const 4))))
          (i64.store (local.get $hva) (i64.add (local.get $g) (i64.load (local.get $at))))
          (i64.store (local.get $hpa)
            (i64.or
              (i64.shl (i64.extend_i32_u (local.get $key)) (i64.const 12))
              (i64.and (local.get $g) (i64.const 0xfff))))
          (i32.store8 (local.get $state) (i32.const 0))
          (i32.store8 (local.get $shift)
            (i32.add
              (i32.const 12)
              (i32.mul (i32.const 9) (i32.and (i32.shr_u (local.get $kind) (i32.const 6)) (i32.const 3)))))
          (i32.store16 (local.get $slot) (i32.load16_u offset=8 (local.get $at)))
          (br $done))
        (local.set $seen
          (i32.or
            (local.get $seen)
            (call $rare (local.get $g) (local.get $hva) (local.get $hpa) (local.get $state) (local.get $shift)
              (local.get $slot) (local.get $key) (local.get $kind) (local.get $slots) (local.get $outside)))))
      (local.set $gpa (i32.add (local.get $gpa) (i32.const 8)))
      (local.set $hva (i32.add (local.get $hva) (i32.const 8)))
      (local.set $hpa (i32.add (local.get $hpa) (i32.const 8)))
      (local.set $state (i32.add (local.get $state) (i32.const 1)))
      (local.set $shift (i32.add (local.get $shift) (i32.const 1)))
      (local.set $slot (i32.add (local.get $slot) (i32.const 2)))
      (br_if $row (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
    (local.get $seen))

  ;; $stage has room for 8 bytes a row: key and kind of each.
  (func (export "staged") (param $count i32) (param $gpa i32) (param $hva i32) (param $hpa i32) (param $state i32)
    (param $shift i32) (param $slot i32) (param $directory i32) (param $slots i32) (param $highEnd i32)
    (param $outside i32) (param $stage i32) (result i32)
    (local $g i64) (local $i i32) (local $end i32) (local $region i64) (local $kind i32) (local $key i32)
    (local $at i32) (local $high i32) (local $seen i32)
    (if (i32.eqz (local.get $count)) (then (return (i32.const 0))))
    (local.set $end (i32.add (local.get $stage) (i32.shl (local.get $count) (i32.const 3))))
    ;; Regions.
    (local.set $i (local.get $stage))
    (local.set $at (local.get $gpa))
    (loop $regions
      (local.set $g (i64.load (local.get $at)))
      (if (i32.lt_u (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 32))) (local.get $highEnd))
        (then
          (i64.store (local.get $i)
            (i64.add
              (i64.load
                (i32.add
                  (i32.shl
                    (i32.load
                      (i32.add
                        (local.get $directory)
                        (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 30))) (i32.const 2))))
                    (i32.const 2))
                  (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 18))) (i32.const 0xff8))))
              ;; The key never carries into the kind: an extent ends below frame 2^32.
              (i64.and (i64.shr_u (local.get $g) (i64.const 12)) (i64.const 511)))))
        (else (i64.store (local.get $i) (i64.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $regions
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (local.get $end))))
    ;; Leaves.
    (local.set $i (local.get $stage))
    (loop $leaves
      (local.set $kind (i32.load offset=4 (local.get $i)))
      (if (i32.and
            (i32.eq (i32.and (local.get $kind) (i32.const 3)) (i32.const 2))
            (i32.lt_u (local.get $kind) (i32.const 0xffff0000)))
        (then (i32.store (local.get $i) (i32.load (i32.shl (i32.load (local.get $i)) (i32.const 2))))))
      (br_if $leaves
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (local.get $end))))
    ;; Columns.
    (local.set $i (local.get $stage))
    (loop $row
      (local.set $g (i64.load (local.get $gpa)))
      (block $done
        (local.set $region (i64.load (local.get $i)))
        (local.set $key (i32.wrap_i64 (local.get $region)))
        (local.set $kind (i32.wrap_i64 (i64.shr_u (local.get $region) (i64.const 32))))
        (if (i32.or
              (i32.eq (i32.and (local.get $kind) (i32.const 3)) (i32.const 1))
              (i32.and
                (i32.eq (i32.and (local.get $kind) (i32.const 3)) (i32.const 2))
                (i32.and
                  (i32.lt_u (local.get $kind) (i32.const 0xffff0000))
                  (i32.lt_u (local.get $key) (i32.const 0xf0000000)))))
          (then
            (local.set $at
              (i32.add (local.get $slots) (i32.shl (i32.shr_u (local.get $kind) (i32.const 16)) (i32.const 4))))
            (i64.store (local.get $hva) (i64.add (local.get $g) (i64.load (local.get $at))))
            (i64.store (local.get $hpa)
              (i64.or
                (i64.shl (i64.extend_i32_u (local.get $key)) (i64.const 12))
                (i64.and (local.get $g) (i64.const 0xfff))))
            (i32.store8 (local.get $state) (i32.const 0))
            (i32.store8 (local.get $shift)
              (i32.add
                (i32.const 12)
                (i32.mul (i32.const 9) (i32.and (i32.shr_u (local.get $kind) (i32.const 6)) (i32.const 3)))))
            (i32.store16 (local.get $slot) (i32.load16_u offset=8 (local.get $at)))
            (br $done)))
        (local.set $high (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 32))))
        (if (i32.ge_u (local.get $high) (local.get $highEnd))
          (then
            (local.set $seen
              (i32.or
                (local.get $seen)
                (call $none (local.get $hva) (local.get $hpa) (local.get $state) (local.get $shift) (local.get $slot)
                  (select
                    (i32.const 9)
                    (local.get $outside)
                    (i32.gt_u (local.get $high) (i32.const 0xfffff))))))
            (br $done)))
        (local.set $seen
          (i32.or
            (local.get $seen)
            (call $rare (local.get $g) (local.get $hva) (local.get $hpa) (local.get $state) (local.get $shift)
              (local.get $slot) (local.get $key) (local.get $kind) (local.get $slots) (local.get $outside)))))
      (local.set $gpa (i32.add (local.get $gpa) (i32.const 8)))
      (local.set $hva (i32.add (local.get $hva) (i32.const 8)))
      (local.set $hpa (i32.add (local.get $hpa) (i32.const 8)))
      (local.set $state (i32.add (local.get $state) (i32.const 1)))
      (local.set $shift (i32.add (local.get $shift) (i32.const 1)))
      (local.set $slot (i32.add (local.get $slot) (i32.const 2)))
      (br_if $row
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (local.get $end))))
    (local.get $seen)))
