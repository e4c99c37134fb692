//! Every kind of kernel against plain code, and the whole network against it and against what ONNX
//! Runtime said of the same weights.

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::kernels::{self, Kernels};
use super::work::{Depthwise, Onto, Place, Product, Unpack};
use super::{Input, Network, NoAnswer, Scratch, cells, reference};
use crate::BUILT_IN;
use crate::model::Model;

/// Numbers that look random and are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 33
    }

    fn floats(&mut self, count: usize) -> Vec<f32> {
        let one = |n: u64| (n % 2_001) as f32 / 1_000.0 - 1.0;
        (0..count).map(|_| one(self.next())).collect()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Panels side by side again: `rows` x `padded`.
fn plain_of(panels: &[f32], rows: usize, padded: usize, panel: usize) -> Vec<f32> {
    let mut plain = vec![0.0; rows * padded];
    let mut at = 0;
    for first in (0..padded).step_by(panel) {
        let wide = panel.min(padded - first);
        for row in 0..rows {
            plain[row * padded + first..][..wide].copy_from_slice(&panels[at..at + wide]);
            at += wide;
        }
    }
    plain
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < 1e-4
}

#[test]
fn products_are_those_of_plain_code() {
    let mut numbers = Numbers(1);
    for kind in kernels::all() {
        for (pixels, inputs, vectors) in [
            (1, 1, 1),
            (2, 3, 2),
            (5, 7, 3),
            (8, 16, 4),
            (9, 27, 5),
            (13, 40, 7),
            (17, 5, 8),
        ] {
            let outputs = vectors * kind.lanes;
            let weights = numbers.floats(inputs * outputs);
            let plain = plain_of(&weights, inputs, outputs, kind.panel);
            let from = numbers.floats(pixels * (inputs + 2));
            let bias = numbers.floats(outputs);
            let before = numbers.floats(3 * 400 + 20 * outputs * 4);
            // Rows of four pixels, with margins, in a buffer that has more.
            let to_at = Place {
                width: 4,
                row: 5 * (outputs + 1),
                pixel: outputs + 1,
                start: 3,
            };
            for onto in [Onto::Sum, Onto::Relu6(&bias)] {
                let mut to = before.clone();
                kind.product(Product {
                    from: &from,
                    from_at: Place::dense(inputs + 2),
                    weights: &weights,
                    inputs,
                    outputs,
                    to: &mut to,
                    to_at,
                    pixels,
                    onto,
                });
                let mut expected = before.clone();
                for pixel in 0..pixels {
                    for n in 0..outputs {
                        let at = 3 + pixel / 4 * to_at.row + pixel % 4 * to_at.pixel + n;
                        let sum: f32 = (0..inputs)
                            .map(|k| from[pixel * (inputs + 2) + k] * plain[k * outputs + n])
                            .sum();
                        expected[at] = match onto {
                            Onto::Sum => before[at] + sum,
                            Onto::Relu6(bias) => (bias[n] + sum).clamp(0.0, 6.0),
                        };
                    }
                }
                let all = to.iter().zip(&expected).all(|(a, b)| near(*a, *b));
                assert!(all, "{} {pixels} {inputs} {vectors}", kind.name);
            }
        }
    }
}

#[test]
fn depthwise_convolutions_are_those_of_plain_code() {
    let mut numbers = Numbers(2);
    for kind in kernels::all() {
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
            for width in [1, 2, 3, 4, 5, 7, 8, 10, 13] {
                let channels = 3 * kind.lanes;
                let row = ((width - 1) * stride + kernel) * channels + 5;
                let rows = numbers.floats(kernel * row);
                let weights = numbers.floats(kernel * kernel * channels);
                let bias = numbers.floats(channels);
                let mut to = vec![-1.0; width * channels + 1];
                kind.depthwise(Depthwise {
                    rows: &rows,
                    row,
                    channels,
                    kernel,
                    stride,
                    weights: &weights,
                    bias: &bias,
                    to: &mut to,
                    width,
                });
                for (n, value) in to[..width * channels].iter().enumerate() {
                    let (x, c) = (n / channels, n % channels);
                    let taps = (0..kernel * kernel).map(|tap| {
                        let (ky, kx) = (tap / kernel, tap % kernel);
                        rows[ky * row + (x * stride + kx) * channels + c]
                            * weights[tap * channels + c]
                    });
                    let expected = (bias[c] + taps.sum::<f32>()).clamp(0.0, 6.0);
                    assert!(
                        near(*value, expected),
                        "{} {kernel} {stride} {width}",
                        kind.name
                    );
                }
                assert_eq!(to.last(), Some(&-1.0), "{}", kind.name);
            }
        }
    }
}

#[test]
fn weights_are_unpacked_as_by_plain_code() {
    let mut numbers = Numbers(3);
    for kind in kernels::all() {
        for (rows, first, count) in [
            (1, 0, 1_usize),
            (3, 5, 16),
            (4, 1, 17),
            (2, 0, 48),
            (5, 16, 100),
        ] {
            let (columns, padded) = (first + count + 2, count.next_multiple_of(kind.lanes));
            let stored = numbers.bytes(rows * columns);
            let scale = numbers.floats(count);
            let mut to = vec![9.0; rows * padded + 1];
            kind.unpack(Unpack {
                stored: &stored,
                rows,
                columns,
                first,
                count,
                padded,
                panel: kind.panel,
                scale: &scale,
                to: &mut to,
            });
            let plain = plain_of(&to, rows, padded, kind.panel);
            for (n, value) in plain.iter().enumerate() {
                let (row, column) = (n / padded, n % padded);
                let expected = match column < count {
                    true => f32::from(stored[row * columns + first + column] as i8) * scale[column],
                    false => 0.0,
                };
                assert_eq!(*value, expected, "{} {rows} {first} {count} {n}", kind.name);
            }
            assert_eq!(to.last(), Some(&9.0), "{}", kind.name);
        }
    }
}

/// One float less than is touched, in each of the slices, for each kind: refused before anything is
/// read or written.
#[test]
fn nothing_outside_of_the_slices_is_touched() {
    let refused = |work: &dyn Fn()| catch_unwind(AssertUnwindSafe(work)).is_err();
    for kind in kernels::all() {
        let (lanes, data) = (kind.lanes, vec![0.0; 1_000]);
        let product = |from: usize, weights: usize, to: usize, bias: usize, row: usize| {
            kind.product(Product {
                from: &data[..from],
                from_at: Place::dense(4),
                weights: &data[..weights],
                inputs: 3,
                outputs: lanes,
                to: &mut vec![0.0; to],
                to_at: Place {
                    width: 2,
                    row,
                    pixel: lanes,
                    start: 1,
                },
                pixels: 5,
                onto: Onto::Relu6(&data[..bias]),
            });
        };
        let (row, to) = (2 * lanes, 1 + 5 * lanes);
        product(19, 3 * lanes, to, lanes, row);
        assert!(
            refused(&|| product(18, 3 * lanes, to, lanes, row)),
            "{}",
            kind.name
        );
        assert!(
            refused(&|| product(19, 3 * lanes - 1, to, lanes, row)),
            "{}",
            kind.name
        );
        assert!(
            refused(&|| product(19, 3 * lanes, to - 1, lanes, row)),
            "{}",
            kind.name
        );
        assert!(
            refused(&|| product(19, 3 * lanes, to, lanes - 1, row)),
            "{}",
            kind.name
        );
        // Offsets that do not grow, and some that are larger than memory.
        assert!(
            refused(&|| product(19, 3 * lanes, to, lanes, lanes - 1)),
            "{}",
            kind.name
        );
        assert!(
            refused(&|| product(19, 3 * lanes, to, lanes, usize::MAX / 2)),
            "{}",
            kind.name
        );
        depthwise_is_refused(kind, &data);
        let unpack = |stored: usize, first: usize, scale: usize, to: usize| {
            kind.unpack(Unpack {
                stored: &[0; 100][..stored],
                rows: 3,
                columns: 20,
                first,
                count: 16,
                padded: 16,
                panel: kind.panel,
                scale: &data[..scale],
                to: &mut vec![0.0; to],
            });
        };
        unpack(60, 4, 16, 48);
        assert!(refused(&|| unpack(59, 4, 16, 48)), "{}", kind.name);
        assert!(refused(&|| unpack(60, 5, 16, 48)), "{}", kind.name);
        assert!(refused(&|| unpack(60, 4, 15, 48)), "{}", kind.name);
        assert!(refused(&|| unpack(60, 4, 16, 47)), "{}", kind.name);
    }
}

fn depthwise_is_refused(kind: &Kernels, data: &[f32]) {
    let lanes = kind.lanes;
    let depthwise = |rows: usize, weights: usize, bias: usize, to: usize, kernel: usize| {
        let work = || {
            kind.depthwise(Depthwise {
                rows: &data[..rows],
                row: 7 * lanes,
                channels: lanes,
                kernel,
                stride: 1,
                weights: &data[..weights],
                bias: &data[..bias],
                to: &mut vec![0.0; to],
                width: 5,
            });
        };
        catch_unwind(AssertUnwindSafe(work)).is_err()
    };
    assert!(!depthwise(21 * lanes, 9 * lanes, lanes, 5 * lanes, 3));
    assert!(depthwise(21 * lanes - 1, 9 * lanes, lanes, 5 * lanes, 3));
    assert!(depthwise(21 * lanes, 9 * lanes - 1, lanes, 5 * lanes, 3));
    assert!(depthwise(21 * lanes, 9 * lanes, lanes - 1, 5 * lanes, 3));
    assert!(depthwise(21 * lanes, 9 * lanes, lanes, 5 * lanes - 1, 3));
    assert!(depthwise(21 * lanes, 9 * lanes, lanes, 5 * lanes, 4));
}

/// A picture without a picture's file: slopes, noise and discs. model/onnx_of.py draws the same.
fn drawn(size: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers(seed);
    let mut rgb = Vec::with_capacity(size * size * 3);
    for (y, x) in (0..size * size).map(|n| (n / size, n % size)) {
        let noise = numbers.next() % 32;
        for colour in 0..3 {
            let slope = (x * (colour + 1) + y * (3 - colour)) * 96 / size;
            let (dx, dy) = (x * 8 % size, y * 5 % size);
            let disc = if dx * dx + dy * dy < size * size / 3 {
                70
            } else {
                0
            };
            rgb.push(((slope + disc) as u64 + noise).min(255) as u8);
        }
    }
    rgb
}

fn network(kind: &str) -> Network {
    let model = Model::read(Cow::Borrowed(BUILT_IN)).unwrap();
    model.network.with_kind(kind).unwrap()
}

fn run(network: &Network, rgb: &[u8], size: usize, counted: &[bool]) -> (f32, Vec<f32>) {
    let mut scratch = Scratch::default();
    let input = Input {
        rgb,
        size,
        counted,
        stop: &|| false,
    };
    let answer = network.run(&input, &mut scratch).unwrap();
    (answer, scratch.map)
}

/// Sizes that are a multiple of 32 and that are not, with all cells and without some.
#[test]
fn the_network_is_the_plain_one() {
    for (size, seed) in [
        (32, 1),
        (33, 2),
        (50, 3),
        (64, 4),
        (95, 5),
        (97, 6),
        (130, 7),
        (160, 8),
    ] {
        let rgb = drawn(size, seed);
        let some: Vec<bool> = (0..cells(size).pow(2)).map(|n| n % 3 != 1).collect();
        for counted in [&[][..], &some] {
            let input = Input {
                rgb: &rgb,
                size,
                counted,
                stop: &|| false,
            };
            let (expected, map) = reference::run(&network("plain").layout, &input);
            for kind in Network::kinds() {
                let (answer, cells) = run(&network(kind), &rgb, size, counted);
                let apart = (f64::from(answer) - expected).abs();
                assert!(apart < 5e-5, "{kind} {size}: {answer} {expected}");
                assert_eq!(cells.len(), map.len());
                for (a, b) in cells.iter().zip(&map) {
                    assert!((f64::from(*a) - b).abs() < 1e-4, "{kind} {size}: {a} {b}");
                }
            }
        }
    }
}

/// The same buffers again, after a larger and after a smaller picture.
#[test]
fn what_was_looked_at_before_does_not_matter() {
    let network = network(kernels::best().name);
    let mut scratch = Scratch::default();
    for size in [160, 64, 97, 160, 33] {
        let rgb = drawn(size, 11);
        let input = Input {
            rgb: &rgb,
            size,
            counted: &[],
            stop: &|| false,
        };
        let again = network.run(&input, &mut scratch).unwrap();
        let (fresh, map) = run(&network, &rgb, size, &[]);
        assert_eq!((again, &scratch.map), (fresh, &map), "{size}");
    }
}

#[test]
fn what_is_no_picture_of_that_size_is_refused() {
    let network = network("plain");
    let mut scratch = Scratch::default();
    let mut answer = |bytes: usize, size: usize, counted: &[bool]| {
        let rgb = vec![0; bytes];
        network.run(
            &Input {
                rgb: &rgb,
                size,
                counted,
                stop: &|| false,
            },
            &mut scratch,
        )
    };
    for (bytes, size) in [
        (0, 0),
        (31 * 31 * 3, 31),
        (64 * 64 * 3 - 1, 64),
        (64 * 64 * 4, 64),
    ] {
        assert_eq!(
            answer(bytes, size, &[]),
            Err(NoAnswer::Size),
            "{bytes} {size}"
        );
    }
    assert_eq!(answer(1_025 * 1_025 * 3, 1_025, &[]), Err(NoAnswer::Size));
    assert_eq!(answer(64 * 64 * 3, 64, &[true; 3]), Err(NoAnswer::Size));
    assert_eq!(answer(64 * 64 * 3, 64, &[false; 4]), Err(NoAnswer::NoCells));
    assert!(answer(64 * 64 * 3, 64, &[false, true, false, false]).is_ok());
}

#[test]
fn memory_stays_under_3_1_mb() {
    for kind in Network::kinds() {
        let mut scratch = Scratch::default();
        let rgb = drawn(320, 1);
        let input = Input {
            rgb: &rgb,
            size: 320,
            counted: &[],
            stop: &|| false,
        };
        network(kind).run(&input, &mut scratch).unwrap();
        assert!(scratch.bytes() < 3_100_000, "{kind}: {}", scratch.bytes());
    }
}

/// It is asked often enough, and stops at once, whenever that is.
#[test]
fn a_pass_can_be_stopped() {
    let network = network(kernels::best().name);
    let rgb = drawn(320, 1);
    let mut scratch = Scratch::default();
    let (asked, longest, done) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let ask = || {
        let all = kernels::done();
        longest.set(longest.get().max(all - done.replace(all)));
        asked.set(asked.get() + 1);
        false
    };
    done.set(kernels::done());
    let begun = done.get();
    network
        .run(
            &Input {
                rgb: &rgb,
                size: 320,
                counted: &[],
                stop: &ask,
            },
            &mut scratch,
        )
        .unwrap();
    let all = kernels::done() - begun;
    assert!(
        (700_000_000..900_000_000).contains(&all),
        "{all} multiply-adds"
    );
    // Plain code takes three instructions for each: under 20 million.
    assert!(
        longest.get() <= 6_000_000,
        "{} multiply-adds apart",
        longest.get()
    );
    for last in [0, 1, 7, 100, asked.get() - 1] {
        let left = Cell::new(last);
        let stop = || left.replace(left.get() - 1) == 0;
        let answer = network.run(
            &Input {
                rgb: &rgb,
                size: 320,
                counted: &[],
                stop: &stop,
            },
            &mut scratch,
        );
        assert_eq!((answer, left.get()), (Err(NoAnswer::Stopped), -1), "{last}");
    }
}

/// What ONNX Runtime said of the same weights as 32-bit floats, and the same pictures
/// (model/onnx_of.py).
#[test]
fn onnx_runtime_says_the_same() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = std::fs::read_to_string(folder.join("scores.csv")).unwrap();
    let (mut pictures, mut worst) = (0, 0.0_f32);
    for line in table.lines().skip(1) {
        let words: Vec<&str> = line.split(',').collect();
        let size: usize = words[0].parse().unwrap();
        let rgb = match words[1].parse() {
            Ok(seed) => drawn(size, seed),
            Err(_) => std::fs::read(folder.join("squares").join(words[1])).unwrap(),
        };
        let said: Vec<f32> = words[2..]
            .iter()
            .map(|word| word.parse().unwrap())
            .collect();
        for kind in Network::kinds() {
            let (answer, map) = run(&network(kind), &rgb, size, &[]);
            let same = [answer, map[0], map[map.len() / 2], map[map.len() - 1]];
            for (a, b) in same.iter().zip(&said) {
                worst = worst.max((a - b).abs());
                assert!((a - b).abs() < 5e-5, "{kind} {line}: {same:?}");
            }
        }
        pictures += 1;
    }
    println!("{pictures} pictures, at most {worst:e} apart");
    assert!(pictures >= 7, "{pictures}");
}
