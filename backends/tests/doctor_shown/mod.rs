//! What is drawn: histograms, tables, numbers, the chart.

use hdrhistogram::Histogram;

use crate::{
    chart::Chart,
    figures,
    histogram::{Bins, bar},
    rates::{COMMITTERS, Rates, Row, Target},
    screen::{self, Fact, Ink},
    variant::Variant,
};

fn histogram(samples: &[(u64, u64)]) -> Histogram<u64> {
    let mut histogram = Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap();
    for (nanoseconds, count) in samples {
        histogram.record_n(*nanoseconds, *count).unwrap();
    }
    histogram
}

fn rates() -> Rates {
    let rows = Variant::ALL.iter().enumerate().map(|(number, variant)| {
        let mut row = Row::new(*variant);
        for target in Target::ALL {
            for (column, committers) in COMMITTERS.into_iter().enumerate() {
                row.add(target, column, (committers * (9 - number)) as f64 * 123.4);
            }
        }
        row
    });
    Rates { rows: rows.collect() }
}

#[test]
fn every_sample_is_in_one_bin() {
    let all = histogram(&[(90_000, 7), (150_000, 1_000), (163_000, 12), (8_300_000, 1)]);
    for most in [1, 5, 12, 40, 200] {
        let bins = Bins::for_all(&[&all], most).unwrap();
        let counts = bins.counts(&all);
        assert_eq!(counts.iter().sum::<u64>(), all.len(), "{bins:?}");
        assert_eq!(counts.len(), bins.count());
        assert!(counts[0] > 0 && counts[bins.count() - 1] > 0, "none is wasted: {counts:?}");
        assert!(most < 6 || bins.count() <= most, "{bins:?}");
    }
}

#[test]
fn bins_begin_and_end_around_their_samples() {
    let all = histogram(&[(120_000, 3), (400_000, 5), (2_000_000, 1)]);
    let bins = Bins::for_all(&[&all], 20).unwrap();
    let edges: Vec<f64> = bins.edges().collect();
    assert!(edges.is_sorted() && edges.len() == bins.count() + 1);
    assert!(edges[0] <= 120_000.0 && 120_000.0 < edges[1], "{edges:?}");
    // Equal to the resolution of the histogram: three digits.
    let last = edges[bins.count()];
    assert!((2_000_000.0..3_300_000.0).contains(&last), "{edges:?}");
    for (count, edges) in bins.counts(&all).iter().zip(edges.windows(2)) {
        let is_of_five = edges[0] <= 404_000.0 && 400_000.0 < edges[1];
        assert_eq!(*count == 5, is_of_five, "{edges:?}");
    }
}

#[test]
fn nothing_recorded_is_no_bin() {
    assert_eq!(Bins::for_all(&[&histogram(&[])], 10), None);
    let some = histogram(&[(1_000, 1)]);
    let bins = Bins::for_all(&[&histogram(&[]), &some], 10).unwrap();
    assert_eq!((bins.count(), bins.counts(&histogram(&[]))), (1, vec![0]));
}

#[test]
fn bars_are_longer_for_more_and_never_nothing_for_something() {
    assert_eq!(bar(0, 100, 20), "");
    assert_eq!(bar(100, 100, 20), "█".repeat(20));
    assert_eq!(bar(u64::MAX, 100, 5), "█".repeat(5));
    assert_eq!(bar(0, 0, 20), "");
    assert_eq!(bar(1, u64::MAX, 1), "▏");
    // From a full block down, one eighth less per character.
    let eighths = |count| bar(count, 5_000, 28).chars().map(|it| 0x2590 - it as u32).sum::<u32>();
    let lengths = [1, 2, 4, 16, 256, 5_000].map(eighths);
    assert!(lengths.is_sorted_by(|a, b| a < b), "{lengths:?}");
    // Logarithmic: a hundredth is more than half as long.
    assert!(bar(50, 5_000, 100).chars().count() > 40);
}

#[test]
fn a_histogram_of_two_targets_is_drawn_side_by_side() {
    let growing = histogram(&[(150_000, 900), (5_000_000, 2)]);
    let segment = histogram(&[(60_000, 2_500)]);
    let text =
        screen::latencies(&[(Target::Growing, &growing), (Target::Segment, &segment)], Ink::Plain);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    for found in [" 900", " 2500", "p99", "902 samples", "2,500 samples", "prepared segment"] {
        assert!(text.contains(found), "no {found} in\n{text}");
    }
    let middles: Vec<_> = text.lines().filter(|line| line.matches('│').count() == 2).collect();
    let places = middles.iter().map(|line| {
        line.chars().enumerate().filter(|(_, it)| *it == '│').map(|(at, _)| at).collect::<Vec<_>>()
    });
    let places: Vec<_> = places.collect();
    assert!(places.windows(2).all(|two| two[0] == two[1]), "columns are straight\n{text}");
    let tail = middles.last().unwrap();
    assert!(tail.contains("▏") || tail.contains('█'), "two of 902 are seen: {tail}");
}

#[test]
fn the_best_of_each_column_has_a_star() {
    let text = screen::rates(&rates(), Ink::Plain);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let stars = |name: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(name)).unwrap();
        line.matches('*').count()
    };
    assert_eq!((stars("io_uring"), stars("thread-bound"), stars("sync, until")), (10, 0, 0));
    assert!(text.contains(" 1.11k*"), "9 × 123.4\n{text}");
}

#[test]
fn a_series_fits_whatever_its_figures_are() {
    for bytes in [0, 999, 1_000, 1_023 << 20, 1_020 << 30] {
        let cell = ("256 KiB".to_owned(), format!("{}/s", figures::bytes(bytes)));
        let text = screen::series("appends of 1 KiB, blocks of", &vec![cell; 3], Ink::Plain);
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        assert_eq!(text.matches("/s").count(), 3);
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let plain = screen::rates(&rates(), Ink::Plain);
    let coloured = screen::rates(&rates(), Ink::Coloured);
    assert!(coloured.contains("\x1b[") && !plain.contains('\x1b'));
    let mut text = String::new();
    for (number, part) in coloured.split('\x1b').enumerate() {
        text += if number == 0 { part } else { part.split_once('m').unwrap().1 };
    }
    assert_eq!(text, plain);
}

#[test]
fn long_facts_are_cut_into_lines() {
    let options = ["option=value"; 12].join(",");
    let text = Fact::new("mount options", options).but("a remark ".repeat(20)).line(Ink::Plain);
    assert!(text.lines().count() >= 4);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(screen::wrapped("a,b", 2, ','), ["a,", "b"]);
    assert_eq!(screen::wrapped("", 2, ','), [""]);
    assert_eq!(screen::wrapped("much too long", 3, ' '), ["much", "too", "long"]);
}

#[test]
fn numbers_have_three_digits_and_a_unit() {
    let times = [12.0, 999.6, 87_340.0, 1_250_000.0, 99_970_000.0, 3.02e9].map(figures::time);
    assert_eq!(times, ["12 ns", "1.00 µs", "87.3 µs", "1.25 ms", "100 ms", "3.02 s"]);
    let sizes = [512, 1_536, 8 << 20, 1_012 << 20, (47 << 30) + (100 << 20)].map(figures::bytes);
    assert_eq!(sizes, ["512 bytes", "1.50 KiB", "8 MiB", "0.99 GiB", "47.1 GiB"]);
    assert_eq!([0.0, 9.9, 812.4, 5_214.0].map(figures::rate), ["0.0", "9.9", "812", "5,214"]);
    assert_eq!(figures::rate(1_234_567.0), "1,234,567");
    let compact = [5.0, 812.4, 5_214.0, 182_300.0, 1_040_000.0].map(figures::compact);
    assert_eq!(compact, ["5.0", "812", "5.21k", "182k", "1.04M"]);
    assert_eq!(["1.00k", "10.0 ms", "100 µs"].map(figures::trimmed), ["1k", "10 ms", "100 µs"]);
}

#[test]
fn the_chart_has_every_name_and_both_histograms() {
    let growing = histogram(&[(150_000, 900), (5_000_000, 2)]);
    let segment = histogram(&[(60_000, 2_500)]);
    let svg = Chart { latencies: [&growing, &segment], rates: &rates() }.draw().unwrap();
    for text in ["Latency", "p50 150 µs", "prepared segment", "SQPOLL", "worker", "1k", "</svg>"] {
        assert!(svg.contains(text), "no {text}");
    }
    let lines = svg.matches("<polyline").count();
    assert!(lines >= 2 * Variant::ALL.len(), "{lines}");
    // Nothing to show is no error.
    let nothing = histogram(&[]);
    let empty = Chart { latencies: [&nothing; 2], rates: &Rates::default() }.draw().unwrap();
    assert!(empty.contains("</svg>"));
}
