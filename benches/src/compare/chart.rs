//! An [`Outcome`] as a bar chart in SVG: [`draw`].
//!
//! One bar per contestant, its length the median, a thin line over it from the smallest to the
//! largest round. The axis is logarithmic where the longest bar is more than [`LINEAR_UP_TO`] times
//! the shortest; then a bar begins at the edge, not at zero, and the axis says so.

use plotters::{
    coord::Shift,
    prelude::{
        BLACK, DrawingArea, IntoDrawingArea, PathElement, RGBColor, Rectangle, SVGBackend, Text,
        WHITE,
    },
    style::{
        Color, IntoFont, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    outcome::{Outcome, Row},
    plan::Figure,
};
use crate::Failure;

const LINEAR_UP_TO: f64 = 20.0;
const WIDTH: i32 = 960;
const TOP: i32 = 96;
const ROW: i32 = 28;
const BAR: i32 = 18;
const BOTTOM: i32 = 48;
const LEFT: i32 = 220;
const RIGHT: i32 = 130;
const PLOT: f64 = (WIDTH - LEFT - RIGHT) as f64;

const OURS: RGBColor = RGBColor(0x1B, 0x7F, 0x5C);
const BY_HAND: RGBColor = RGBColor(0x8A, 0x93, 0xA3);
const PLAIN: RGBColor = RGBColor(0xC9, 0x9A, 0x3B);
const PEERS: RGBColor = RGBColor(0x5B, 0x74, 0xB8);
const GRID: RGBColor = RGBColor(0xDD, 0xDF, 0xE3);
const GREY: RGBColor = RGBColor(0x55, 0x5B, 0x66);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A bar: its name, its length, and the line over it.
struct Bar<'a> {
    name: &'a str,
    value: f64,
    low: f64,
    high: f64,
}

/// Numbers to places on the axis.
#[derive(Clone, Copy)]
enum Scale {
    Linear { end: f64 },
    Logarithmic { begin: f64, end: f64 },
}

impl Scale {
    fn for_bars(bars: &[Bar<'_>]) -> Self {
        let positive = bars.iter().map(|bar| bar.low).filter(|low| *low > 0.0);
        let least = positive.fold(f64::INFINITY, f64::min);
        let most = bars.iter().map(|bar| bar.high).fold(f64::MIN_POSITIVE, f64::max);
        if least.is_finite() && most > LINEAR_UP_TO * least {
            let power = |value: f64| 10_f64.powf(value);
            let (begin, end) = (power(least.log10().floor()), power(most.log10().ceil()));
            return Self::Logarithmic { begin, end };
        }
        Self::Linear { end: most * 1.05 }
    }

    fn place(self, value: f64) -> i32 {
        let part = match self {
            Self::Linear { end } => value / end,
            Self::Logarithmic { begin, end } => {
                (value.max(begin) / begin).log10() / (end / begin).log10()
            }
        };
        LEFT + (part * PLOT) as i32
    }

    /// Where lines are drawn: powers of ten, or four to eight round steps.
    fn ticks(self) -> Vec<f64> {
        match self {
            Self::Logarithmic { begin, end } => {
                let decades = (end / begin).log10().round() as i32;
                (0..=decades).map(|decade| begin * 10_f64.powi(decade)).collect()
            }
            Self::Linear { end } => {
                let rough = end / 4.0;
                let decade = 10_f64.powf(rough.log10().floor());
                let steps = [1.0, 2.0, 5.0].map(|step| step * decade);
                let step = steps.into_iter().rev().find(|step| *step <= rough).unwrap_or(decade);
                (0..=(end / step) as u32).map(|tick| f64::from(tick) * step).collect()
            }
        }
    }
}

/// The chart, as the text of an SVG file.
///
/// # Errors
/// What the drawing library says.
pub fn draw(outcome: &Outcome) -> Result<String, Failure> {
    let mut text = String::new();
    let bars: Vec<Bar<'_>> = outcome.rows.iter().map(|row| bar(outcome, row)).collect();
    let height = TOP + ROW * bars.len() as i32 + BOTTOM;
    let area = SVGBackend::with_string(&mut text, (WIDTH as u32, height as u32));
    let area = area.into_drawing_area();
    area.fill(&WHITE)?;
    draw_head(&area, outcome)?;
    let scale = Scale::for_bars(&bars);
    draw_axis(&area, scale, outcome.figure, height)?;
    for (position, bar) in bars.iter().enumerate() {
        draw_bar(&area, scale, bar, TOP + ROW * position as i32)?;
    }
    area.present()?;
    drop(area);
    Ok(text)
}

fn bar<'a>(outcome: &Outcome, row: &'a Row) -> Bar<'a> {
    let single = |value| Bar { name: &row.name, value, low: value, high: value };
    match (outcome.figure, row.ratio) {
        (Figure::Memory, _) => single(row.peak_memory_bytes / f64::from(1 << 20)),
        (Figure::Instructions, _) => single(row.instructions.unwrap_or_default()),
        (Figure::Rate, None) => single(row.rate),
        (Figure::Rate, Some(ratio)) => {
            Bar { name: &row.name, value: ratio.median, low: ratio.low, high: ratio.high }
        }
    }
}

fn draw_head(area: &Area<'_>, outcome: &Outcome) -> Result<(), Failure> {
    let machine = &outcome.machine;
    let what = match outcome.figure {
        Figure::Rate if outcome.rows.iter().any(|row| row.ratio.is_some()) => {
            format!("rate to that of {}, more is better", outcome.base)
        }
        Figure::Rate => "operations per second, more is better".to_owned(),
        Figure::Memory => "MiB of memory at most, less is better".to_owned(),
        Figure::Instructions => "user instructions per operation, less is better".to_owned(),
    };
    let where_measured = format!(
        "{what}; {}, Linux {}, {} processors, {}, {} busy loops beside",
        machine.file_system, machine.kernel, machine.processors, machine.processor, outcome.busy
    );
    write(area, &outcome.title, (24, 18), 22.0, &BLACK, HPos::Left)?;
    write(area, &where_measured, (24, 50), 12.5, &GREY, HPos::Left)
}

fn draw_axis(area: &Area<'_>, scale: Scale, figure: Figure, height: i32) -> Result<(), Failure> {
    let bottom = height - BOTTOM;
    for tick in scale.ticks() {
        let x = scale.place(tick);
        area.draw(&PathElement::new([(x, TOP - 8), (x, bottom)], GRID))?;
        write(area, &number(tick), (x, bottom + 6), 12.0, &GREY, HPos::Center)?;
    }
    if figure == Figure::Rate {
        let x = scale.place(1.0);
        area.draw(&PathElement::new([(x, TOP - 8), (x, bottom)], GREY))?;
    }
    if let Scale::Logarithmic { .. } = scale {
        let right = (WIDTH - 16, bottom + 26);
        write(area, "logarithmic: bars do not begin at zero", right, 11.0, &GREY, HPos::Right)?;
    }
    Ok(())
}

fn draw_bar(area: &Area<'_>, scale: Scale, bar: &Bar<'_>, top: i32) -> Result<(), Failure> {
    let end = scale.place(bar.value);
    let (upper, middle) = (top + (ROW - BAR) / 2, top + ROW / 2);
    write(area, bar.name, (LEFT - 10, middle - 8), 14.0, &BLACK, HPos::Right)?;
    let corners = [(LEFT, upper), (end, upper + BAR)];
    area.draw(&Rectangle::new(corners, color(bar.name).filled()))?;
    let (low, high) = (scale.place(bar.low), scale.place(bar.high));
    if low < high {
        area.draw(&PathElement::new([(low, middle), (high, middle)], BLACK))?;
        for x in [low, high] {
            area.draw(&PathElement::new([(x, middle - 4), (x, middle + 4)], BLACK))?;
        }
    }
    let place = (end.max(high) + 8, middle - 8);
    write(area, &number(bar.value), place, 13.0, &BLACK, HPos::Left)
}

fn color(name: &str) -> RGBColor {
    let begins = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    if begins(&["sync", "worker", "uring"]) {
        OURS
    } else if begins(&["raw"]) {
        BY_HAND
    } else if begins(&["std"]) {
        PLAIN
    } else {
        PEERS
    }
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 || value == 0.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 0.1 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

fn write(
    area: &Area<'_>,
    text: &str,
    place: (i32, i32),
    size: f64,
    color: &RGBColor,
    horizontal: HPos,
) -> Result<(), Failure> {
    let style = TextStyle::from(("sans-serif", size).into_font()).color(color);
    let style = style.pos(Pos::new(horizontal, VPos::Top));
    Ok(area.draw(&Text::new(text.to_owned(), place, style))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{job::example, measured::Measured, outcome::Ratio};

    fn outcome(ratios: &[(&str, f64)]) -> Outcome {
        let row = |(name, median): &(&str, f64)| Row {
            name: (*name).to_owned(),
            about: String::new(),
            job: example(),
            rate: *median,
            ratio: Some(Ratio { median: *median, low: median * 0.9, high: median * 1.1 }),
            cpu_ns: 1.0,
            latency: None,
            peak_memory_bytes: 0.0,
            instructions: None,
            rounds: vec![Measured::default()],
        };
        let rows = ratios.iter().map(row).collect();
        Outcome { title: "W1 < W2".into(), base: "raw".into(), rows, ..Outcome::default() }
    }

    #[test]
    fn a_chart_has_every_name_every_number_and_the_title() {
        let svg = draw(&outcome(&[("raw", 1.0), ("uring", 3.25), ("std-group", 2.5)])).unwrap();
        for text in ["W1 &lt; W2", "raw", "uring", "std-group", "3.25", "2.50", "</svg>"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert!(!svg.contains("logarithmic"));
    }

    #[test]
    fn large_spans_are_drawn_on_a_logarithmic_axis() {
        let svg = draw(&outcome(&[("raw", 1.0), ("uring", 30.0), ("std", 0.0)])).unwrap();
        assert!(svg.contains("logarithmic") && svg.contains("30.0"), "{svg}");
    }

    #[test]
    fn longer_bars_are_longer_and_stay_inside() {
        for values in [[0.5, 1.0, 3.0], [0.001, 1.0, 40.0]] {
            let bars = values.map(|value| Bar { name: "", value, low: value, high: value });
            let scale = Scale::for_bars(&bars);
            let places = values.map(|value| scale.place(value));
            assert!(places.is_sorted() && places[2] <= WIDTH - RIGHT, "{places:?}");
            let ticks = scale.ticks();
            assert!((3..=9).contains(&ticks.len()), "{ticks:?}");
        }
    }
}
