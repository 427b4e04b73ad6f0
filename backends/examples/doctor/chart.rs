//! Latencies and commits per second as a picture in SVG: [`Chart`].
//!
//! On the left how long a datasync took, one curve of bars per target over a logarithmic axis of
//! time. On the right commits per second by number of committers, one line per backend, both axes
//! logarithmic: a straight line that rises is group commit at work.

use std::error::Error;

use hdrhistogram::Histogram;
use plotters::{
    coord::Shift,
    prelude::{
        BLACK, Circle, DrawingArea, IntoDrawingArea, PathElement, RGBColor, Rectangle, SVGBackend,
        Text, WHITE,
    },
    style::{
        Color, IntoFont, TextStyle,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::{
    failure::Failure,
    figures,
    histogram::Bins,
    rates::{COMMITTERS, Rates, Target},
};

const WIDTH: u32 = 1_200;
const HEIGHT: u32 = 540;
const BINS: usize = 60;

/// The SVG backend divides font sizes by this.
const FONT_SCALE: f64 = 1.24;

const GROWING: RGBColor = RGBColor(0xD0, 0x83, 0x3F);
const SEGMENT: RGBColor = RGBColor(0x1B, 0x7F, 0x5C);
const GRID: RGBColor = RGBColor(0xE3, 0xE5, 0xE8);
const GREY: RGBColor = RGBColor(0x55, 0x5B, 0x66);
const LINES: [RGBColor; 7] = [
    RGBColor(0x1B, 0x7F, 0x5C),
    RGBColor(0x4C, 0xB5, 0x8B),
    RGBColor(0x9B, 0xB5, 0x2D),
    RGBColor(0x8A, 0x93, 0xA3),
    RGBColor(0x5B, 0x74, 0xB8),
    RGBColor(0xD0, 0x83, 0x3F),
    RGBColor(0xC4, 0x4E, 0x52),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn<'a> = Result<(), Box<dyn Error + 'a>>;

/// What is drawn.
pub(crate) struct Chart<'a> {
    /// Of a growing file and of a segment, in nanoseconds.
    pub(crate) latencies: [&'a Histogram<u64>; 2],
    /// Of all backends.
    pub(crate) rates: &'a Rates,
}

/// A rectangle of the picture, in pixels, and the numbers at its edges. Logarithmic, both ways.
#[derive(Clone, Copy)]
struct Plot {
    left: i32,
    right: i32,
    columns: (f64, f64),
    rows: (f64, f64),
}

impl Plot {
    const TOP: i32 = 104;
    const BOTTOM: i32 = 430;

    fn x(&self, value: f64) -> i32 {
        self.left + (share(value, self.columns) * f64::from(self.right - self.left)) as i32
    }

    fn y(&self, value: f64) -> i32 {
        Self::BOTTOM - (share(value, self.rows) * f64::from(Self::BOTTOM - Self::TOP)) as i32
    }

    fn draw_rows<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        for tick in ticks(self.rows, &[1.0]) {
            let y = self.y(tick);
            area.draw(&PathElement::new([(self.left, y), (self.right, y)], GRID))?;
            let place = (self.left - 8, y - 7);
            label(
                area,
                &figures::trimmed(&figures::compact(tick)),
                place,
                12.0,
                GREY,
                HPos::Right,
            )?;
        }
        Ok(())
    }
}

/// How far a value is on the way from one number to another, on a logarithmic axis.
fn share(value: f64, (begin, end): (f64, f64)) -> f64 {
    ((value / begin).ln() / (end / begin).ln()).clamp(0.0, 1.0)
}

/// These steps of every decade, as far as they are in the range.
fn ticks((begin, end): (f64, f64), steps: &[f64]) -> Vec<f64> {
    let decades = begin.log10().floor() as i32..=end.log10().ceil() as i32;
    let all = decades.flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
    all.filter(|tick| (begin..=end).contains(tick)).collect()
}

impl Chart<'_> {
    /// The text of an SVG file.
    ///
    /// # Errors
    /// What the drawing library says.
    pub(crate) fn draw(&self) -> Result<String, Failure> {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, (WIDTH, HEIGHT)).into_drawing_area();
        let drawn = self.draw_on(&area).map_err(|error| error.to_string());
        drawn.map_err(|error| Failure::new(format_args!("cannot draw: {error}"), "omit --svg"))?;
        drop(area);
        Ok(text)
    }

    fn draw_on<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        area.fill(&WHITE)?;
        label(area, "Latency of a datasync", (30, 20), 20.0, BLACK, HPos::Left)?;
        let about = "one committer: samples by how long they took, both logarithmic";
        label(area, about, (30, 48), 13.0, GREY, HPos::Left)?;
        self.draw_latencies(area)?;
        label(area, "Commits per second", (610, 20), 20.0, BLACK, HPos::Left)?;
        let about = "by number of committers, both logarithmic";
        label(area, about, (610, 48), 13.0, GREY, HPos::Left)?;
        self.draw_rates(area)?;
        Ok(area.present()?)
    }

    fn draw_latencies<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        let Some(bins) = Bins::for_all(&self.latencies, BINS) else { return Ok(()) };
        let counts = self.latencies.map(|latencies| bins.counts(latencies));
        let most = counts.iter().flatten().copied().max().unwrap_or_default();
        let edges: Vec<f64> = bins.edges().collect();
        let (Some(begin), Some(end)) = (edges.first(), edges.last()) else { return Ok(()) };
        let rows = (0.5, most as f64 * 1.2);
        let plot = Plot { left: 70, right: 550, columns: (*begin, *end), rows };
        plot.draw_rows(area)?;
        let steps: &[f64] = if end / begin > 300.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        for tick in ticks(plot.columns, steps) {
            let x = plot.x(tick);
            area.draw(&PathElement::new([(x, Plot::BOTTOM), (x, Plot::BOTTOM + 5)], GREY))?;
            let place = (x, Plot::BOTTOM + 9);
            label(area, &figures::trimmed(&figures::time(tick)), place, 12.0, GREY, HPos::Center)?;
        }
        let targets = Target::ALL.into_iter().zip(self.latencies).zip([GROWING, SEGMENT]);
        for (number, (((target, latencies), color), counts)) in targets.zip(&counts).enumerate() {
            for (count, edges) in counts.iter().zip(edges.windows(2)) {
                let &[begin, end] = edges else { continue };
                let corners =
                    [(plot.x(begin), plot.y(*count as f64)), (plot.x(end) - 1, Plot::BOTTOM)];
                area.draw(&Rectangle::new(corners, color.mix(0.6).filled()))?;
            }
            let value = |quantile| figures::time(latencies.value_at_quantile(quantile) as f64);
            let text = format!("{}: p50 {}, p99 {}", target.name(), value(0.5), value(0.99));
            let top = Plot::BOTTOM + 40 + 22 * number as i32;
            area.draw(&Rectangle::new([(70, top), (82, top + 12)], color.mix(0.6).filled()))?;
            label(area, &text, (90, top - 2), 13.0, BLACK, HPos::Left)?;
        }
        Ok(())
    }

    fn draw_rates<'a>(&self, area: &Area<'a>) -> Drawn<'a> {
        let all =
            self.rates.rows.iter().flat_map(|row| Target::ALL.map(|target| row.rates(target)));
        let all: Vec<f64> = all.flatten().collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min).max(0.1);
        let most = all.iter().copied().fold(1.0, f64::max);
        for (target, left) in Target::ALL.into_iter().zip([660, 950]) {
            let columns = (1.0, 256.0);
            let rows = (least * 0.7, most * 1.4);
            let plot = Plot { left, right: left + 220, columns, rows };
            plot.draw_rows(area)?;
            label(area, target.name(), (left, 78), 13.0, BLACK, HPos::Left)?;
            for count in COMMITTERS {
                let place = (plot.x(count as f64), Plot::BOTTOM + 9);
                label(area, &count.to_string(), place, 12.0, GREY, HPos::Center)?;
            }
            for (row, color) in self.rates.rows.iter().zip(LINES) {
                let places = COMMITTERS.into_iter().zip(row.rates(target));
                let places: Vec<(i32, i32)> =
                    places.map(|(count, rate)| (plot.x(count as f64), plot.y(rate))).collect();
                area.draw(&PathElement::new(places.clone(), color.stroke_width(2)))?;
                for place in places {
                    area.draw(&Circle::new(place, 3, color.filled()))?;
                }
            }
        }
        for (number, (row, color)) in self.rates.rows.iter().zip(LINES).enumerate() {
            let number = number as i32;
            let (left, top) = (650 + 190 * (number % 3), Plot::BOTTOM + 40 + 22 * (number / 3));
            area.draw(&Rectangle::new([(left, top + 4), (left + 14, top + 7)], color.filled()))?;
            label(area, row.variant.short_name(), (left + 20, top - 2), 12.0, BLACK, HPos::Left)?;
        }
        Ok(())
    }
}

fn label<'a>(
    area: &Area<'a>,
    text: &str,
    place: (i32, i32),
    size: f64,
    color: RGBColor,
    horizontal: HPos,
) -> Drawn<'a> {
    let style = TextStyle::from(("sans-serif", size * FONT_SCALE).into_font()).color(&color);
    let style = style.pos(Pos::new(horizontal, VPos::Top));
    Ok(area.draw(&Text::new(text.to_owned(), place, style))?)
}
